//! One exchange, as hosts and users hold it: every call of the engine is guarded.

mod ask;

use super::Waf;
use super::counting::Counting;
use super::quarantine::Watch;
use super::rollout::{Beside, Recorded};
use crate::engine::{self, Interruption, InterruptionAction, Policy, Reason, RulePolicy, Step};
use crate::governor::{Network, Started, Ticket};
use crate::rule::{LimitAction, Phase};
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
    /// Who is told of a fault, if anybody wants to know.
    pub(super) owner: Option<Waf>,
    pub(super) counting: Arc<Counting>,
    /// What evaluation has taken, in nanoseconds, as the host tells.
    pub(super) nanos: u64,
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
        if self.lags() {
            let catch_up = |inner: &mut engine::Transaction| {
                inner.process_request_body();
            };
            self.run(Phase::RequestBody, catch_up, |_| {});
        }
        self.run(Phase::Logging, engine::Transaction::process_logging, |_| {});
    }

    /// Asks for a phase; [`step`](Self::step) runs it.
    pub fn start(&mut self, phase: Phase) {
        self.phase = phase;
        self.begins(phase);
        let mut first = phase;
        if phase == Phase::Logging && self.lags() {
            first = Phase::RequestBody;
            self.beside.iter_mut().for_each(|beside| beside.wait());
        }
        self.tell(phase, |inner| inner.start(first), |_| {});
    }

    /// Whether of two rulesets that are asked together one has yet to see what the other one has turned away.
    fn lags(&mut self) -> bool {
        let refused = self.interruption().is_some();
        self.beside.as_mut().is_some_and(|beside| refused && beside.lags())
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
        if step != Step::Pending && self.beside.as_mut().is_some_and(|beside| beside.waited()) {
            self.tell(Phase::Logging, |inner| inner.start(Phase::Logging), |_| {});
            return Step::Pending;
        }
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

    /// Says that the host could not read the request body, or not all of it: rules see REQBODY_ERROR with `why` as its message, and the
    /// verdict says that the body is not inspected. To be told before [`process_request_body`](Self::process_request_body).
    ///
    /// ```
    /// let rules = "SecRuleEngine On\nSecRequestBodyAccess On\nSecRule REQBODY_ERROR \"!@eq 0\" \"id:1,phase:2,deny,status:400\"";
    /// let waf = fusewall::Waf::builder().rules_text("r.conf", rules).build().expect("they load");
    /// let mut exchange = waf.transaction();
    /// exchange.process_request_headers();
    /// exchange.fail_request_body("its file cannot be read");
    /// assert_eq!(exchange.process_request_body().expect("it is refused").status, 400);
    /// ```
    pub fn fail_request_body(&mut self, why: &'static str) {
        self.tell(Phase::RequestBody, |inner| inner.fail_request_body(why), |_| {});
    }

    /// Notes in the verdict that the host lets something pass without inspection.
    pub fn note_uninspected(&mut self, what: &'static str) {
        self.tell(Phase::RequestBody, |inner| inner.note_uninspected(what), |_| {});
    }

    /// Tells the status that the client got in the end: with `SecUploadKeepFiles RelevantOnly` it decides whether stored files stay.
    pub fn set_answered(&mut self, status: u16) {
        self.tell(Phase::Logging, |inner| inner.set_answered(status), |_| {});
    }

    /// Adds to what evaluation has taken, in nanoseconds: for [`Waf::durations`], no verdict depends on it.
    pub fn took(&mut self, nanos: u64) {
        self.nanos = self.nanos.saturating_add(nanos);
    }

    /// Notes every step from now on, for [`trace`](Self::trace).
    pub fn record_trace(&mut self) {
        self.tell(Phase::RequestHeaders, engine::Transaction::record_trace, |_| {});
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
                self.report_fault(phase);
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
        let fuel = self.fuel();
        let beside = self.beside.take();
        let Some(inner) = self.inner.take() else { return };
        super::missing::report(&inner);
        self.counting.count(ended.as_ref(), inner.exhaustion(), self.nanos);
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
        // What a panic left behind is not reused. Whoever keeps the collections may panic, too.
        if self.failed.is_none()
            && let Ok(scratch) = catch_unwind(AssertUnwindSafe(|| inner.into_scratch()))
        {
            self.deployed.recycle(scratch);
        }
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("unique_id", &self.unique_id()).finish_non_exhaustive()
    }
}
