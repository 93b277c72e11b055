//! One exchange, as hosts and users hold it: every call of the engine is guarded.

use super::counting::Counting;
use super::quarantine::Watch;
use super::rollout::{Beside, Recorded};
use crate::engine::{
    self, AuditRecord, Event, Interruption, InterruptionAction, MatchRecord, Policy, Reason, RulePolicy, Step, Verdict,
};
use crate::governor::{Network, Report, Started, Ticket};
use crate::http::coding::Undecodable;
use crate::rule::{AuditSettings, EngineMode, LimitAction, Phase, RuleId};
use crate::store::Deployed;
use crate::store::rollout::Outcome;
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
    /// What a rollout adds, if one is under way.
    pub(super) beside: Option<Box<Beside>>,
    pub(super) counting: Arc<Counting>,
}

/// Calls of [`Transaction`] that run the engine: guarded, each answers an interruption.
macro_rules! guarded {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) in $phase:expr, recorded by $record:expr;)*) => {
        impl Transaction {$(
            $(#[$doc])*
            pub fn $name(&mut self, $($arg: $type),*) -> Option<Interruption> {
                self.run($phase, |inner| { inner.$name($($arg),*); }, $record);
                self.interruption()
            }
        )*}
    };
}

guarded! {
    /// Runs phase 1 to its end.
    process_request_headers() in Phase::RequestHeaders, recorded by |_| {};
    /// A piece of the request body; kept for phase 2.
    write_request_body(chunk: &[u8]) in Phase::RequestBody, recorded by |recorded| recorded.body(chunk);
    /// Takes the status and runs phase 3 to its end.
    process_response_headers(status: u16, version: &[u8]) in Phase::ResponseHeaders,
        recorded by |recorded| recorded.response(status, version);
    /// A piece of the response body; kept for phase 4.
    write_response_body(chunk: &[u8]) in Phase::ResponseBody, recorded by |recorded| recorded.response_body(chunk);
    /// Runs phase 4 to its end.
    process_response_body() in Phase::ResponseBody, recorded by |_| {};
}

impl Transaction {
    /// The two ends of the connection.
    pub fn process_connection(&mut self, client: IpAddr, client_port: u16, server: IpAddr, server_port: u16) {
        if let Some((_, network)) = &mut self.watch {
            *network = Network::from(client);
        }
        if let (Some(beside), Some(inner)) = (&mut self.beside, &self.inner) {
            let ends = ((client, client_port), (server, server_port));
            beside.connect(self.deployed.generation(), inner.unique_id(), ends.0, ends.1);
        }
        self.tell(
            Phase::RequestHeaders,
            |inner| inner.process_connection(client, client_port, server, server_port),
            |_| {},
        );
    }

    /// The request line: method, target and version as received.
    pub fn process_request_line(&mut self, method: &[u8], target: &[u8], version: &[u8]) {
        self.tell(
            Phase::RequestHeaders,
            |inner| inner.process_request_line(method, target, version),
            |recorded| recorded.line(method, target, version),
        );
    }

    /// A request header.
    pub fn add_request_header(&mut self, name: &[u8], value: &[u8]) {
        if let Some(beside) = &mut self.beside {
            beside.header(name, value);
        }
        self.tell(
            Phase::RequestHeaders,
            |inner| inner.add_request_header(name, value),
            |recorded| recorded.header(name, value),
        );
    }

    /// A response header.
    pub fn add_response_header(&mut self, name: &[u8], value: &[u8]) {
        self.tell(
            Phase::ResponseHeaders,
            |inner| inner.add_response_header(name, value),
            |recorded| recorded.response_header(name, value),
        );
    }

    /// The response's status and protocol version.
    pub fn set_response_status(&mut self, status: u16, version: &[u8]) {
        self.tell(
            Phase::ResponseHeaders,
            |inner| inner.set_response_status(status, version),
            |recorded| recorded.response(status, version),
        );
    }

    /// Runs phase 2 to its end.
    pub fn process_request_body(&mut self) -> Option<Interruption> {
        self.begins(Phase::RequestBody);
        let run = |inner: &mut engine::Transaction| {
            inner.process_request_body();
        };
        self.run(Phase::RequestBody, run, |_| {});
        self.wait_after(Phase::RequestBody);
        self.interruption()
    }

    /// Runs phase 5.
    pub fn process_logging(&mut self) {
        self.begins(Phase::Logging);
        self.run(Phase::Logging, engine::Transaction::process_logging, |_| {});
    }

    /// Asks for a phase; [`step`](Self::step) runs it.
    pub fn start(&mut self, phase: Phase) {
        self.phase = phase;
        self.begins(phase);
        self.tell(phase, |inner| inner.start(phase), |_| {});
    }

    /// Runs on for about `fuel`, or to the end of the phase that was asked for.
    pub fn step(&mut self, fuel: u64) -> Step {
        let before = self.fuel();
        let started = self.ticket.as_ref().map(|ticket| ticket.start(before));
        let mut step = self.guard(Phase::RequestBody, Step::Done(None), |inner| inner.step(fuel));
        if let (Step::Done(_), Some(beside)) = (&step, &mut self.beside) {
            step = beside.step(fuel);
        }
        self.account(started);
        match step {
            Step::Pending => Step::Pending,
            Step::Done(_) => {
                self.wait_after(self.phase);
                Step::Done(self.interruption())
            }
        }
    }

    /// Whether another ruleset is asked about this exchange that could still be told of a request that was turned away: a host that
    /// reads on calls [`rest_of_request_body`](Self::rest_of_request_body).
    pub fn wants_rest(&self) -> bool {
        self.beside.as_ref().is_some_and(|beside| beside.wants_rest())
    }

    /// The rest of the request body, after the request was turned away. It changes nothing about that; the ruleset that a rollout
    /// compares with gets to know the whole request.
    pub fn rest_of_request_body(&mut self, rest: &[u8]) {
        if let Some(inner) = self.inner.as_mut().filter(|inner| self.failed.is_none() && inner.interruption().is_none())
        {
            // In a canary it may be the other one that has turned it away.
            let _ = catch_unwind(AssertUnwindSafe(|| inner.write_request_body(rest)));
        }
        if let Some(beside) = &mut self.beside {
            beside.rest(rest);
        }
    }

    fn begins(&mut self, phase: Phase) {
        if let Some(beside) = &mut self.beside {
            beside.begin(phase);
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

    /// What happens when the request body is longer than its limit; overrides `SecRequestBodyLimitAction`.
    pub fn set_request_body_limit_action(&mut self, action: LimitAction) {
        self.tell(Phase::RequestBody, |inner| inner.set_request_body_limit_action(action), |_| {});
    }

    /// What happens when the budget of this request is spent, whatever [`WafBuilder::policy`](crate::WafBuilder::policy) says.
    pub fn set_policy(&mut self, policy: Policy) {
        self.tell(Phase::RequestHeaders, |inner| inner.set_policy(policy), |_| {});
    }

    /// What happens when the budget of a rule is spent in this request.
    pub fn set_rule_policy(&mut self, policy: RulePolicy) {
        self.tell(Phase::RequestHeaders, |inner| inner.set_rule_policy(policy), |_| {});
    }

    /// Notes in the verdict that the host lets something pass without inspection.
    pub fn note_uninspected(&mut self, what: &'static str) {
        self.tell(Phase::RequestBody, |inner| inner.note_uninspected(what), |_| {});
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

    /// Tells the status that the client got in the end: with `SecUploadKeepFiles RelevantOnly` it decides whether stored files stay.
    pub fn set_answered(&mut self, status: u16) {
        self.tell(Phase::Logging, |inner| inner.set_answered(status), |_| {});
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

    /// Notes every step from now on, for [`trace`](Self::trace).
    pub fn record_trace(&mut self) {
        self.tell(Phase::RequestHeaders, engine::Transaction::record_trace, |_| {});
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

    /// Whether work may be done for this exchange that decides nothing about it. Always, without a tenant.
    pub fn shadow(&self) -> bool {
        self.ticket.as_ref().is_none_or(Ticket::shadow)
    }

    /// Whether its tenant is well over its part of the CPU share: what others need goes first. Never without a tenant.
    pub fn borrows(&self) -> bool {
        self.ticket.as_ref().is_some_and(Ticket::borrows)
    }

    /// Runs calls of the engine that may take long, of the other ruleset too if it is asked at the same time, and accounts what they
    /// have spent.
    fn run(&mut self, phase: Phase, call: impl Fn(&mut engine::Transaction), record: impl FnOnce(&mut Recorded)) {
        let before = self.fuel();
        let started = self.ticket.as_ref().map(|ticket| ticket.start(before));
        self.tell(phase, call, record);
        self.account(started);
    }

    /// Tells the engine, and whoever else is asked.
    fn tell(&mut self, phase: Phase, call: impl Fn(&mut engine::Transaction), record: impl FnOnce(&mut Recorded)) {
        self.guard(phase, (), &call);
        if let Some(beside) = &mut self.beside {
            beside.tell(call, record);
        }
    }

    /// Fuel that was spent on the request's own time.
    fn fuel(&self) -> u64 {
        let other = self.beside.as_ref().map_or(0, |beside| beside.fuel());
        self.inner.as_ref().map_or(0, engine::Transaction::fuel).saturating_add(other)
    }

    fn account(&mut self, started: Option<Started>) {
        let spent = self.fuel();
        if let (Some(ticket), Some(started)) = (&mut self.ticket, started) {
            ticket.stop(started, spent);
        }
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

impl Drop for Transaction {
    fn drop(&mut self) {
        let ended = self.interruption();
        let fuel = self.fuel();
        let beside = self.beside.take();
        let Some(inner) = self.inner.take() else { return };
        self.counting.count(ended.as_ref());
        if let Some(ticket) = self.ticket.take() {
            ticket.settle(fuel);
        }
        if let Some(beside) = beside {
            let failed = self.failed.clone();
            beside.end(inner.unique_id(), || {
                let mut verdict = inner.verdict();
                verdict.interruption = failed.or(verdict.interruption);
                Outcome::of(Some(&verdict))
            });
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
