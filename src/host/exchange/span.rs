//! What a subscriber of `tracing` sees of an exchange.

use super::{Ends, Exchange};
use crate::engine::{Interruption, Reason};
use crate::waf::Transaction;
use tracing::{Span, field};

/// The span of a new exchange.
pub(super) fn begin(tx: &Transaction, ends: Ends) -> Span {
    tracing::debug_span!(
        "request",
        id = tx.unique_id(),
        client = %ends.client,
        action = field::Empty,
        rule = field::Empty,
        status = field::Empty,
        fuel = field::Empty,
    )
}

/// The span tells how the exchange ended, whoever ended it.
impl Drop for Exchange {
    fn drop(&mut self) {
        if self.span.is_disabled() {
            return;
        }
        let ended = self.tx.interruption();
        let action = match (&ended, &self.refusal) {
            (Some(ended), _) => ended.action.name(),
            (None, Some(_)) => "deny",
            (None, None) => "pass",
        };
        self.span.record("action", action);
        if let Some(Interruption { status, reason, .. }) = ended {
            self.span.record("status", status);
            if let Reason::Rule(rule) = reason {
                self.span.record("rule", rule.0);
            }
        }
        if let Some(verdict) = self.tx.verdict() {
            self.span.record("fuel", verdict.fuel);
        }
    }
}
