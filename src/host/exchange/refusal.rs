//! How an exchange is refused, and why, when no rule has asked for it. The first refusal stays in force.

use super::Exchange;
use crate::engine::{Interruption, InterruptionAction, Reason, Verdict};
use crate::governor::Report;
use crate::meter::Scope;
use crate::rule::Phase;

/// How the client is turned away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A page with this status and the incident id.
    Page(u16),
    /// A redirect.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// The `Location`.
        location: Vec<u8>,
    },
    /// The connection is closed without an answer (an HTTP/2 stream is reset).
    Drop,
}

/// A refusal by the engine that no rule asked for, so that no match record tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unruled {
    /// The status of the answer.
    pub status: u16,
    /// The phase in which it was decided.
    pub phase: Phase,
    /// Why, for the log.
    pub reason: &'static str,
    /// The kind of report that this is, if so many of it may come at once that the log takes only so many of them.
    pub report: Option<Report>,
}

impl Exchange {
    /// The host itself turns the request away, for a reason that is not a rule's.
    pub fn refuse(&mut self, status: u16) -> Refusal {
        let refusal = Refusal::Page(status);
        self.refusal.get_or_insert_with(|| refusal.clone());
        refusal
    }

    /// The refusal in force.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// The engine's refusal, if it was a limit, a budget or an error that refused and not a rule.
    pub fn unruled(&self) -> Option<Unruled> {
        self.unruled
    }

    /// The outcome so far, with what it has cost; `None` after an internal error that left nothing to tell.
    pub fn verdict(&self) -> Option<Verdict> {
        self.tx.verdict()
    }

    /// What has ended the exchange, if the engine has.
    pub fn interruption(&self) -> Option<Interruption> {
        self.tx.interruption()
    }

    pub(super) fn remember(&mut self, interruption: Option<Interruption>) -> Option<Refusal> {
        let interruption = interruption?;
        if let Some(reason) = unruled(interruption.reason) {
            let report = match interruption.reason {
                Reason::Budget(_) => Some(Report::Exhausted),
                Reason::InternalError => Some(Report::InternalError),
                Reason::Rule(_) | Reason::BodyLimit | Reason::HeaderLimit => None,
            };
            let Interruption { status, phase, .. } = interruption;
            self.unruled.get_or_insert(Unruled { status, phase, reason, report });
        }
        let refusal = match interruption.action {
            InterruptionAction::Deny => Refusal::Page(interruption.status),
            InterruptionAction::Drop => Refusal::Drop,
            InterruptionAction::Redirect(location) => Refusal::Redirect { status: interruption.status, location },
        };
        self.refusal.get_or_insert_with(|| refusal.clone());
        Some(refusal)
    }
}

/// Why the engine refused without a rule.
fn unruled(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Rule(_) => None,
        Reason::Budget(Scope::Request) => Some("The budget for the request is spent."),
        Reason::Budget(Scope::Rule) => Some("The budget of a rule is spent."),
        Reason::Budget(Scope::Memory) => Some("The memory for the request is spent."),
        Reason::BodyLimit => Some("The body is longer than its limit."),
        Reason::HeaderLimit => Some("There are more header fields than the limit admits."),
        Reason::InternalError => Some("The engine failed."),
    }
}
