//! One exchange, as hosts and users hold it: every call of the engine is guarded.

use super::counting::Counting;
use super::quarantine::Watch;
use crate::engine::{
    self, AuditRecord, Event, Interruption, InterruptionAction, MatchRecord, Policy, Reason, RulePolicy, Step, Verdict,
};
use crate::governor::{Network, Report, Ticket};
use crate::http::coding::Undecodable;
use crate::rule::{AuditSettings, EngineMode, LimitAction, Phase, RuleId};
use crate::store::Deployed;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// One exchange. A panic inside the engine ends here as a verdict, never in the host.
pub struct Transaction {
    pub(super) inner: Option<engine::Transaction>,
    pub(super) deployed: Arc<Deployed>,
    pub(super) failed: Option<Interruption>,
    /// Settled when the exchange ends, however it does.
    pub(super) ticket: Option<Ticket>,
    /// The phase that was asked for last.
    pub(super) phase: Phase,
    /// The breakers of its rules, and the client's network.
    pub(super) watch: Option<(Arc<Watch>, Network)>,
    pub(super) counting: Arc<Counting>,
}

/// Calls of [`Transaction`] that run the engine: guarded, each answers an interruption.
macro_rules! guarded {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) in $phase:expr;)*) => {
        impl Transaction {$(
            $(#[$doc])*
            pub fn $name(&mut self, $($arg: $type),*) -> Option<Interruption> {
                self.run($phase, None, |inner| inner.$name($($arg),*)).or_else(|| self.failed.clone())
            }
        )*}
    };
}

guarded! {
    /// Runs phase 1 to its end.
    process_request_headers() in Phase::RequestHeaders;
    /// A piece of the request body; kept for phase 2.
    write_request_body(chunk: &[u8]) in Phase::RequestBody;
    /// Takes the status and runs phase 3 to its end.
    process_response_headers(status: u16, version: &[u8]) in Phase::ResponseHeaders;
    /// A piece of the response body; kept for phase 4.
    write_response_body(chunk: &[u8]) in Phase::ResponseBody;
    /// Runs phase 4 to its end.
    process_response_body() in Phase::ResponseBody;
}

impl Transaction {
    /// The two ends of the connection.
    pub fn process_connection(&mut self, client: IpAddr, client_port: u16, server: IpAddr, server_port: u16) {
        if let Some((_, network)) = &mut self.watch {
            *network = Network::from(client);
        }
        self.guard(Phase::RequestHeaders, (), |inner| {
            inner.process_connection(client, client_port, server, server_port)
        });
    }

    /// The request line: method, target and version as received.
    pub fn process_request_line(&mut self, method: &[u8], target: &[u8], version: &[u8]) {
        self.guard(Phase::RequestHeaders, (), |inner| inner.process_request_line(method, target, version));
    }

    /// A request header.
    pub fn add_request_header(&mut self, name: &[u8], value: &[u8]) {
        self.guard(Phase::RequestHeaders, (), |inner| inner.add_request_header(name, value));
    }

    /// A response header.
    pub fn add_response_header(&mut self, name: &[u8], value: &[u8]) {
        self.guard(Phase::ResponseHeaders, (), |inner| inner.add_response_header(name, value));
    }

    /// The response's status and protocol version.
    pub fn set_response_status(&mut self, status: u16, version: &[u8]) {
        self.guard(Phase::ResponseHeaders, (), |inner| inner.set_response_status(status, version));
    }

    /// Runs phase 2 to its end.
    pub fn process_request_body(&mut self) -> Option<Interruption> {
        let ended = self.run(Phase::RequestBody, None, engine::Transaction::process_request_body);
        self.wait_after(Phase::RequestBody);
        ended.or_else(|| self.failed.clone())
    }

    /// Runs phase 5.
    pub fn process_logging(&mut self) {
        self.run(Phase::Logging, (), engine::Transaction::process_logging);
    }

    /// Asks for a phase; [`step`](Self::step) runs it.
    pub fn start(&mut self, phase: Phase) {
        self.phase = phase;
        self.guard(phase, (), |inner| inner.start(phase));
    }

    /// Runs on for about `fuel`, or to the end of the phase that was asked for.
    pub fn step(&mut self, fuel: u64) -> Step {
        match self.run(Phase::RequestBody, Step::Done(None), |inner| inner.step(fuel)) {
            Step::Pending => Step::Pending,
            Step::Done(ended) => {
                self.wait_after(self.phase);
                Step::Done(ended.or_else(|| self.failed.clone()))
            }
        }
    }

    /// A phase is at its end. After that of the request body the exchange waits for its response.
    fn wait_after(&mut self, phase: Phase) {
        if let Some(ticket) = self.ticket.as_mut().filter(|_| phase == Phase::RequestBody) {
            ticket.wait();
        }
    }

    /// What has ended the exchange, if anything has.
    pub fn interruption(&self) -> Option<Interruption> {
        self.failed.clone().or_else(|| self.inner.as_ref()?.interruption())
    }

    /// Whether the request body will be looked at.
    pub fn inspects_request_body(&self) -> bool {
        self.inner.as_ref().is_some_and(engine::Transaction::inspects_request_body)
    }

    /// Whether the response body will be looked at.
    pub fn inspects_response_body(&self) -> bool {
        self.inner.as_ref().is_some_and(engine::Transaction::inspects_response_body)
    }

    /// The request body as it was received, as far as it was kept: what a host sends on.
    pub fn request_body(&self) -> &[u8] {
        self.inner.as_ref().map(engine::Transaction::request_body).unwrap_or_default()
    }

    /// The request body as it was inspected: without its content codings.
    pub fn decoded_request_body(&self) -> &[u8] {
        self.inner.as_ref().map(engine::Transaction::decoded_request_body).unwrap_or_default()
    }

    /// The response body as it was received, as far as it was kept.
    pub fn response_body(&self) -> &[u8] {
        self.inner.as_ref().map(engine::Transaction::response_body).unwrap_or_default()
    }

    /// The response body as it was inspected: without its content codings.
    pub fn decoded_response_body(&self) -> &[u8] {
        self.inner.as_ref().map(engine::Transaction::decoded_response_body).unwrap_or_default()
    }

    /// Whether a body with these values of `Content-Encoding` will be decoded, or has no coding.
    ///
    /// # Errors
    /// Why it will not: it is then inspected as it is, and flagged.
    pub fn decodes<'a>(&self, values: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Undecodable> {
        self.inner.as_ref().map_or(Ok(()), |inner| inner.decodes(values))
    }

    /// Whether response bodies of the configured media types will be looked at.
    pub fn response_body_access(&self) -> bool {
        self.inner.as_ref().is_some_and(engine::Transaction::response_body_access)
    }

    /// What happens when the request body is longer than its limit; overrides `SecRequestBodyLimitAction`.
    pub fn set_request_body_limit_action(&mut self, action: LimitAction) {
        self.guard(Phase::RequestBody, (), |inner| inner.set_request_body_limit_action(action));
    }

    /// What happens when the budget of this request is spent, whatever [`WafBuilder::policy`](crate::WafBuilder::policy) says.
    pub fn set_policy(&mut self, policy: Policy) {
        if let Some(inner) = &mut self.inner {
            inner.set_policy(policy);
        }
    }

    /// What happens when the budget of a rule is spent in this request.
    pub fn set_rule_policy(&mut self, policy: RulePolicy) {
        if let Some(inner) = &mut self.inner {
            inner.set_rule_policy(policy);
        }
    }

    /// Notes in the verdict that the host lets something pass without inspection.
    pub fn note_uninspected(&mut self, what: &'static str) {
        self.guard(Phase::RequestBody, (), |inner| inner.note_uninspected(what));
    }

    /// What was not inspected so far, or not in full.
    pub fn uninspected(&self) -> &[&'static str] {
        self.inner.as_ref().map(engine::Transaction::uninspected).unwrap_or_default()
    }

    /// The rules that matched and log, in order, with everything that they saw: for logs there are
    /// [`error_log_lines`](Self::error_log_lines) and [`audit_record`](Self::audit_record), which show asterisks for what rules
    /// hide (`sanitise...`).
    pub fn records(&self) -> &[MatchRecord] {
        self.inner.as_ref().map(engine::Transaction::records).unwrap_or_default()
    }

    /// The transaction's id.
    pub fn unique_id(&self) -> &str {
        self.inner.as_ref().map(engine::Transaction::unique_id).unwrap_or_default()
    }

    /// Whether the engine acts on this transaction.
    pub fn mode(&self) -> EngineMode {
        self.inner.as_ref().map_or(EngineMode::On, engine::Transaction::mode)
    }

    /// Whether the transaction belongs into the audit log, given the status that the client got.
    pub fn is_relevant(&self, status: u16) -> bool {
        self.failed.is_some() || self.inner.as_ref().is_some_and(|inner| inner.is_relevant(status))
    }

    /// Tells the status that the client got in the end: with `SecUploadKeepFiles RelevantOnly` it decides whether stored files stay.
    pub fn set_answered(&mut self, status: u16) {
        if let Some(inner) = &mut self.inner {
            inner.set_answered(status);
        }
    }

    /// The audit record, given the status that the client got (0 if none); `None` if the transaction does not belong into the
    /// audit log. To be asked for after [`process_logging`](Self::process_logging).
    pub fn audit_record(&self, status: u16) -> Option<AuditRecord> {
        self.look(None, |inner| inner.audit_record(status))
    }

    /// How the audit log of this transaction's ruleset is to be written.
    pub fn audit_settings(&self) -> &AuditSettings {
        &self.deployed.loaded().program().ruleset.settings.audit
    }

    /// Error-log lines of the matches that log, after the first `seen` records. To be asked for after
    /// [`process_logging`](Self::process_logging): up to then rules may hide values.
    pub fn error_log_lines(&self, seen: usize) -> Vec<String> {
        self.look(Vec::new(), |inner| inner.error_log_lines(seen))
    }

    /// A text of the exchange, such as its target, with asterisks over what rules hide.
    pub fn hidden(&self, text: &[u8]) -> Vec<u8> {
        self.look(vec![b'*'; text.len()], |inner| inner.hidden(text))
    }

    /// Reads what is there, also after an internal error; a panic on the way ends here.
    fn look<T>(&self, otherwise: T, read: impl FnOnce(&engine::Transaction) -> T) -> T {
        let Some(inner) = self.inner.as_ref() else { return otherwise };
        catch_unwind(AssertUnwindSafe(|| read(inner))).unwrap_or_else(|_| {
            if let Some(left_out) = Report::InternalError.admit() {
                tracing::error!(left_out = left_out.count(), "internal error while logging");
            }
            otherwise
        })
    }

    /// A TX entry, by name without case.
    pub fn tx(&self, name: &str) -> Option<&[u8]> {
        self.inner.as_ref()?.tx(name)
    }

    /// Environment variables that rules have set for the host.
    pub fn environment(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.inner.iter().flat_map(engine::Transaction::environment)
    }

    /// Notes every step from now on, for [`trace`](Self::trace).
    pub fn record_trace(&mut self) {
        self.guard(Phase::RequestHeaders, (), engine::Transaction::record_trace);
    }

    /// The steps since [`record_trace`](Self::record_trace).
    pub fn trace(&self) -> &[Event] {
        self.inner.as_ref().map(engine::Transaction::trace).unwrap_or_default()
    }

    /// The rules that spent most fuel of their own, dearest first.
    pub fn dearest_rules(&self, most: usize) -> Vec<(RuleId, u64)> {
        self.inner.as_ref().map(|inner| inner.dearest_rules(most)).unwrap_or_default()
    }

    /// The outcome so far; `None` after an internal error that left nothing to tell.
    pub fn verdict(&self) -> Option<Verdict> {
        let mut verdict = self.inner.as_ref()?.verdict();
        if let Some(failed) = &self.failed {
            verdict.interruption = Some(failed.clone());
        }
        verdict.shed_level = self.ticket.as_ref().map_or(0, |ticket| ticket.level().number());
        Some(verdict)
    }

    /// Whether work may be done for this exchange that decides nothing about it. Always, without a tenant.
    pub fn shadow(&self) -> bool {
        self.ticket.as_ref().is_none_or(Ticket::shadow)
    }

    /// Whether its tenant is well over its part of the CPU share: what others need goes first. Never without a tenant.
    pub fn borrows(&self) -> bool {
        self.ticket.as_ref().is_some_and(Ticket::borrows)
    }

    /// Guards a call of the engine that may take long, and accounts what it has spent.
    fn run<T>(&mut self, phase: Phase, otherwise: T, call: impl FnOnce(&mut engine::Transaction) -> T) -> T {
        let fuel = |tx: &Transaction| tx.inner.as_ref().map_or(0, engine::Transaction::fuel);
        let started = self.ticket.as_ref().map(|ticket| ticket.start(fuel(self)));
        let answer = self.guard(phase, otherwise, call);
        let spent = fuel(self);
        if let (Some(ticket), Some(started)) = (&mut self.ticket, started) {
            ticket.stop(started, spent);
        }
        answer
    }

    /// Runs a call of the engine; a panic becomes an `internal_error` interruption, and the engine is not called again.
    fn guard<T>(&mut self, phase: Phase, otherwise: T, call: impl FnOnce(&mut engine::Transaction) -> T) -> T {
        if self.failed.is_some() {
            return otherwise;
        }
        let Some(inner) = self.inner.as_mut() else { return otherwise };
        match catch_unwind(AssertUnwindSafe(|| call(inner))) {
            Ok(answer) => answer,
            Err(_) => {
                if let Some(left_out) = Report::InternalError.admit() {
                    let left_out = left_out.count();
                    tracing::error!(unique_id = inner.unique_id(), phase = phase.number(), left_out, "internal error");
                }
                self.failed = Some(Interruption {
                    action: InterruptionAction::Deny,
                    status: 500,
                    reason: Reason::InternalError,
                    phase,
                });
                otherwise
            }
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let ended = self.interruption();
        let Some(inner) = self.inner.take() else { return };
        self.counting.count(ended.as_ref());
        if let Some(ticket) = self.ticket.take() {
            ticket.settle(inner.fuel());
        }
        if let Some((watch, network)) = self.watch.take() {
            watch.observe(&inner, self.failed.is_some(), network, &self.deployed);
        }
        // What a panic left behind is not reused.
        if self.failed.is_none() {
            self.deployed.recycle(inner.into_scratch());
        }
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("unique_id", &self.unique_id()).finish_non_exhaustive()
    }
}
