//! What an exchange has come to: asked of the evaluation that decides, which in the canary of a rollout may be the candidate's.

use super::Transaction;
use crate::engine::{self, AuditRecord, Event, Interruption, MatchRecord, Verdict};
use crate::governor::{Report, Ticket};
use crate::http::coding::Undecodable;
use crate::rule::{AuditSettings, EngineMode, RuleId};
use std::panic::{AssertUnwindSafe, catch_unwind};

impl Transaction {
    /// What has ended the exchange, if anything has.
    pub fn interruption(&self) -> Option<Interruption> {
        let first = self.first();
        match &self.beside {
            None => first,
            Some(beside) => beside.decided(first),
        }
    }

    /// What the ruleset says that it was begun with.
    fn first(&self) -> Option<Interruption> {
        self.failed.clone().or_else(|| self.inner.as_ref()?.interruption())
    }

    /// The evaluation that decides: in the canary of a rollout it may be the candidate's.
    fn deciding(&self) -> Option<&engine::Transaction> {
        let other = self.beside.as_ref().and_then(|beside| beside.deciding(self.first().is_some()));
        other.or(self.inner.as_ref())
    }

    /// The evaluation that has kept more of something: what is passed on must not get lost because one of two does not look at it.
    fn keeping<'a>(&'a self, kept: impl Fn(&'a engine::Transaction) -> &'a [u8]) -> &'a [u8] {
        let first = self.inner.as_ref().map(&kept).unwrap_or_default();
        match self.beside.as_ref().and_then(|beside| beside.other()) {
            None => first,
            Some(other) => [kept(other), first].into_iter().max_by_key(|bytes| bytes.len()).unwrap_or_default(),
        }
    }

    /// Whether that is true of an evaluation that has a say.
    fn any(&self, is: impl Fn(&engine::Transaction) -> bool) -> bool {
        let other = self.beside.as_ref().and_then(|beside| beside.other());
        self.inner.as_ref().into_iter().chain(other).any(is)
    }

    /// Whether the request body will be looked at.
    pub fn inspects_request_body(&self) -> bool {
        self.any(engine::Transaction::inspects_request_body)
    }

    /// Whether the response body will be looked at.
    pub fn inspects_response_body(&self) -> bool {
        self.any(engine::Transaction::inspects_response_body)
    }

    /// The request body as it was received, as far as it was kept: what a host sends on.
    pub fn request_body(&self) -> &[u8] {
        self.keeping(engine::Transaction::request_body)
    }

    /// The request body as it was inspected: without its content codings.
    pub fn decoded_request_body(&self) -> &[u8] {
        self.keeping(engine::Transaction::decoded_request_body)
    }

    /// The response body as it was received, as far as it was kept.
    pub fn response_body(&self) -> &[u8] {
        self.keeping(engine::Transaction::response_body)
    }

    /// The response body as it was inspected: without its content codings.
    pub fn decoded_response_body(&self) -> &[u8] {
        self.keeping(engine::Transaction::decoded_response_body)
    }

    /// Whether a body with these values of `Content-Encoding` will be decoded, or has no coding.
    ///
    /// # Errors
    /// Why it will not: it is then inspected as it is, and flagged.
    pub fn decodes<'a>(&self, values: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Undecodable> {
        self.deciding().map_or(Ok(()), |inner| inner.decodes(values))
    }

    /// Whether response bodies of the configured media types will be looked at.
    pub fn response_body_access(&self) -> bool {
        self.any(engine::Transaction::response_body_access)
    }

    /// What was not inspected so far, or not in full.
    pub fn uninspected(&self) -> &[&'static str] {
        self.deciding().map(engine::Transaction::uninspected).unwrap_or_default()
    }

    /// The rules that matched and log, in order, with everything that they saw: for logs there are
    /// [`error_log_lines`](Self::error_log_lines) and [`audit_record`](Self::audit_record), which show asterisks for what rules
    /// hide (`sanitise...`).
    pub fn records(&self) -> &[MatchRecord] {
        self.deciding().map(engine::Transaction::records).unwrap_or_default()
    }

    /// The transaction's id.
    pub fn unique_id(&self) -> &str {
        self.inner.as_ref().map(engine::Transaction::unique_id).unwrap_or_default()
    }

    /// Whether the engine acts on this transaction.
    pub fn mode(&self) -> EngineMode {
        self.deciding().map_or(EngineMode::On, engine::Transaction::mode)
    }

    /// Whether the transaction belongs into the audit log, given the status that the client got.
    pub fn is_relevant(&self, status: u16) -> bool {
        self.failed.is_some() || self.deciding().is_some_and(|inner| inner.is_relevant(status))
    }

    /// The audit record, given the status that the client got (0 if none); `None` if the transaction does not belong into the
    /// audit log. To be asked for after [`process_logging`](Self::process_logging).
    pub fn audit_record(&self, status: u16) -> Option<AuditRecord> {
        self.look(None, |inner| inner.audit_record(status))
    }

    /// How the audit log of this transaction's ruleset is to be written.
    pub fn audit_settings(&self) -> &AuditSettings {
        let deciding = self.deciding().map_or(self.deployed.loaded(), engine::Transaction::loaded);
        &deciding.program().ruleset.settings.audit
    }

    /// Error-log lines of the matches that log, after the first `seen` records. To be asked for after
    /// [`process_logging`](Self::process_logging): up to then rules may hide values.
    pub fn error_log_lines(&self, seen: usize) -> Vec<String> {
        self.look(Vec::new(), |inner| inner.error_log_lines(seen))
    }

    /// The same as records, for hosts that write lines of their own.
    pub fn logged_records(&self, seen: usize) -> Vec<MatchRecord> {
        self.look(Vec::new(), |inner| inner.logged_records(seen))
    }

    /// A text of the exchange, such as its target, with asterisks over what rules hide.
    pub fn hidden(&self, text: &[u8]) -> Vec<u8> {
        let stars = || vec![b'*'; text.len()];
        let other = self.beside.as_ref().and_then(|beside| beside.other());
        // What either of two rulesets hides is hidden.
        let hidden =
            self.inner.as_ref().into_iter().chain(other).map(|inner| look(inner, stars, |inner| inner.hidden(text)));
        let together = |a: Vec<u8>, b: Vec<u8>| a.iter().zip(b).map(|(&a, b)| if a == b { a } else { b'*' }).collect();
        hidden.reduce(together).unwrap_or_else(stars)
    }

    /// Reads what is there of the evaluation that decides.
    fn look<T>(&self, otherwise: T, read: impl FnOnce(&engine::Transaction) -> T) -> T {
        match self.deciding() {
            Some(inner) => look(inner, || otherwise, read),
            None => otherwise,
        }
    }

    /// A TX entry, by name without case.
    pub fn tx(&self, name: &str) -> Option<&[u8]> {
        self.deciding()?.tx(name)
    }

    /// Environment variables that rules have set for the host.
    pub fn environment(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.deciding().into_iter().flat_map(engine::Transaction::environment)
    }

    /// The steps since [`record_trace`](Self::record_trace).
    pub fn trace(&self) -> &[Event] {
        self.deciding().map(engine::Transaction::trace).unwrap_or_default()
    }

    /// The rules that spent most fuel of their own, dearest first.
    pub fn dearest_rules(&self, most: usize) -> Vec<(RuleId, u64)> {
        self.deciding().map(|inner| inner.dearest_rules(most)).unwrap_or_default()
    }

    /// The outcome so far; `None` after an internal error that left nothing to tell.
    pub fn verdict(&self) -> Option<Verdict> {
        let mut verdict = self.deciding()?.verdict();
        verdict.interruption = self.interruption();
        verdict.tried = self.beside.as_ref().and_then(|beside| beside.tried());
        verdict.shed_level = self.ticket.as_ref().map_or(0, |ticket| ticket.level().number());
        Some(verdict)
    }

    /// Bytes that it has allocated for head, bodies and values.
    pub fn memory(&self) -> usize {
        let other = self.beside.as_ref().and_then(|beside| beside.other());
        self.inner.iter().chain(other).map(engine::Transaction::memory).sum()
    }

    /// Whether work may be done for this exchange that decides nothing about it. Always, without a tenant.
    pub fn shadow(&self) -> bool {
        self.ticket.as_ref().is_none_or(Ticket::shadow)
    }

    /// Whether its tenant is well over its part of the CPU share: what others need goes first. Never without a tenant.
    pub fn borrows(&self) -> bool {
        self.ticket.as_ref().is_some_and(Ticket::borrows)
    }
}

/// Reads what is there, also after an internal error; a panic on the way ends here.
fn look<T>(
    inner: &engine::Transaction,
    otherwise: impl FnOnce() -> T,
    read: impl FnOnce(&engine::Transaction) -> T,
) -> T {
    catch_unwind(AssertUnwindSafe(|| read(inner))).unwrap_or_else(|_| {
        if let Some(left_out) = Report::InternalError.admit() {
            tracing::error!(left_out = left_out.count(), "internal error while logging");
        }
        otherwise()
    })
}
