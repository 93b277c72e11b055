//! One request and its response on their way through the engine.
//!
//! [`Exchange`] does no input or output and knows no async runtime: a host feeds it heads and body chunks and asks what to do
//! next. It keeps the order of the engine calls, remembers the first refusal, and counts what was *not* inspected, so that
//! every host gives the same answer to the same traffic. `docs/body-semantics.md` is its table.
//!
//! The order is: [`begin`](Exchange::begin) · request body chunks · [`end_request_body`](Exchange::end_request_body) ·
//! [`response`](Exchange::response) · response body chunks · [`end_response_body`](Exchange::end_response_body) ·
//! [`finish`](Exchange::finish). The calls without `chunk` in them start a phase: the host then calls
//! [`step`](Exchange::step) until it answers [`Turn::Done`], and may do other work, on any thread, between two steps.

use crate::engine::{AuditRecord, Interruption, InterruptionAction, MatchRecord, Policy, Reason, RulePolicy, Step};
use crate::governor::{Report, Shed};
use crate::meter::Scope;
use crate::rule::{AuditSettings, EngineMode, LimitAction, Phase};
use crate::waf::{Transaction, Waf};
use std::net::SocketAddr;

/// The two ends of a connection as the engine shall see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Who sent the request: the peer, or whom a trusted proxy names.
    pub client: SocketAddr,
    /// Our own address.
    pub server: SocketAddr,
}

/// The head of a request, byte for byte as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestHead {
    /// Method, such as `GET`.
    pub method: Vec<u8>,
    /// Request target, undecoded.
    pub target: Vec<u8>,
    /// Version, such as `HTTP/1.1`.
    pub version: Vec<u8>,
    /// Header fields in order, names in the case in which they came.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
}

impl RequestHead {
    /// The values of all header fields called `name` (ASCII case-insensitive), in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        let named = move |(field, _): &&(Vec<u8>, Vec<u8>)| field.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().filter(named).map(|(_, value)| value.as_slice())
    }
}

/// What is to be done with a body, or with a part of one, that the engine cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unread {
    /// Refuse the request.
    #[default]
    Refuse,
    /// Let it pass; the exchange counts it among [`Exchange::uninspected`].
    Pass,
}

/// The choices that a site or a route makes about request bodies, and about requests that spend their budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BodyPolicy {
    /// A body over `SecRequestBodyLimit`: 413, or inspect what fits and pass the rest.
    pub over_limit: Unread,
    /// A body with a `Content-Encoding` that cannot be decoded: 415, or inspect it as it is.
    pub coded: Unread,
    /// When the budget of the request is spent; `None`: what the [`Waf`] says.
    pub exhausted: Option<Policy>,
    /// When the budget of a rule is spent; `None`: what the [`Waf`] says.
    pub rule_exhausted: Option<RulePolicy>,
}

/// Why the traffic of an exchange was not inspected in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Uninspected {
    /// The request body was longer than its limit; the rest was passed on.
    RequestBodyRest,
    /// The request body has a content coding that is not decoded.
    RequestBodyCoded,
    /// The response body was longer than its limit; the rest was passed on.
    ResponseBodyRest,
    /// The response body has a content coding that is not decoded.
    ResponseBodyCoded,
    /// Bytes after an upgrade (a WebSocket).
    Tunnel,
    /// The host was not told of the response, or has not kept its request so long.
    Response,
}

impl Uninspected {
    /// A short name for logs.
    pub const fn name(self) -> &'static str {
        match self {
            Uninspected::RequestBodyRest => "request-body-rest",
            Uninspected::RequestBodyCoded => "request-body-coded",
            Uninspected::ResponseBodyRest => "response-body-rest",
            Uninspected::ResponseBodyCoded => "response-body-coded",
            Uninspected::Tunnel => "tunnel",
            Uninspected::Response => "response",
        }
    }
}

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

/// What one [`Exchange::step`] came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The phase is not at its end; call again, now or later.
    Pending,
    /// The phase is over. A refusal stays in force for the rest of the exchange.
    Done(Option<Refusal>),
}

/// What a body chunk came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// Taken whole; go on.
    Taken,
    /// Only the first bytes, as many as the number says, fitted under the limit. Feed no more; end the body.
    Cut(usize),
    /// The client must be turned away.
    Refused(Refusal),
}

/// When the response body may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponsePlan {
    /// At once: it is not inspected.
    Pass,
    /// After the phase-4 verdict on it, or on as much of it as the limit admits.
    Hold,
    /// At once, and each chunk is shown to the engine on the way; a refusal comes too late for a page and cuts the connection. Event streams.
    Watch,
}

/// A request and its response on their way through the engine.
///
/// ```
/// use fusewall::Waf;
/// use fusewall::host::exchange::{BodyPolicy, Ends, Exchange, Refusal, RequestHead, Turn};
///
/// let rules = r#"SecRuleEngine On
/// SecRule ARGS "@contains <script" "id:1,phase:1,deny,status:403""#;
/// let waf = Waf::builder().rules_text("example.conf", rules).build().unwrap();
/// let ends = Ends { client: "192.0.2.1:5000".parse().unwrap(), server: "192.0.2.2:80".parse().unwrap() };
/// let mut exchange = Exchange::new(&waf, ends, BodyPolicy::default());
/// exchange.begin(&RequestHead {
///     method: b"GET".to_vec(),
///     target: b"/?q=<script>".to_vec(),
///     version: b"HTTP/1.1".to_vec(),
///     headers: vec![(b"Host".to_vec(), b"www.example".to_vec())],
/// });
/// let refusal = loop {
///     match exchange.step(100_000) {
///         Turn::Pending => {} // do something else, then come back
///         Turn::Done(refusal) => break refusal,
///     }
/// };
/// assert_eq!(refusal, Some(Refusal::Page(403)));
/// ```
pub struct Exchange {
    tx: Transaction,
    policy: BodyPolicy,
    phase: Phase,
    refusal: Option<Refusal>,
    unruled: Option<Unruled>,
    uninspected: Vec<Uninspected>,
    finished: bool,
}

impl Exchange {
    /// A new exchange, before its request is known. It is let in whatever its tenant's part of the CPU share allows.
    pub fn new(waf: &Waf, ends: Ends, policy: BodyPolicy) -> Self {
        Self::of(waf.transaction(), ends, policy)
    }

    /// A new exchange, if its tenant's part of the CPU share allows one.
    ///
    /// # Errors
    /// The request is to be answered with the status and `Retry-After` that the error says, and nothing of it passed on.
    pub fn admit(waf: &Waf, ends: Ends, policy: BodyPolicy) -> Result<Self, Shed> {
        Ok(Self::of(waf.admit(ends.client.ip())?, ends, policy))
    }

    /// The same with an id that the host has chosen, if it has.
    ///
    /// # Errors
    /// As [`Exchange::admit`].
    pub fn admit_with_id(waf: &Waf, unique_id: Option<&str>, ends: Ends, policy: BodyPolicy) -> Result<Self, Shed> {
        Ok(Self::of(waf.admit_with_id(unique_id, ends.client.ip())?, ends, policy))
    }

    /// A new exchange whose id the host has chosen.
    pub fn with_id(waf: &Waf, unique_id: &str, ends: Ends, policy: BodyPolicy) -> Self {
        Self::of(waf.transaction_with_id(unique_id), ends, policy)
    }

    fn of(mut tx: Transaction, ends: Ends, policy: BodyPolicy) -> Self {
        tx.process_connection(ends.client.ip(), ends.client.port(), ends.server.ip(), ends.server.port());
        if policy.over_limit == Unread::Pass {
            tx.set_request_body_limit_action(LimitAction::ProcessPartial);
        }
        if let Some(exhausted) = policy.exhausted {
            tx.set_policy(exhausted);
        }
        if let Some(exhausted) = policy.rule_exhausted {
            tx.set_rule_policy(exhausted);
        }
        Exchange {
            tx,
            policy,
            phase: Phase::RequestHeaders,
            refusal: None,
            unruled: None,
            uninspected: Vec::new(),
            finished: false,
        }
    }

    /// The request's head is here: starts phase 1.
    pub fn begin(&mut self, head: &RequestHead) {
        self.tx.process_request_line(&head.method, &head.target, &head.version);
        for (name, value) in &head.headers {
            self.tx.add_request_header(name, value);
        }
        self.start(Phase::RequestHeaders);
    }

    /// Runs the phase that was started for about `fuel` fuel.
    pub fn step(&mut self, fuel: u64) -> Turn {
        match self.tx.step(fuel) {
            Step::Pending => Turn::Pending,
            Step::Done(interruption) => {
                let refusal = self.remember(interruption).or_else(|| self.judge_coding());
                Turn::Done(refusal)
            }
        }
    }

    /// Whether its tenant evaluates on CPU time that belongs to others: a host lets other exchanges go first, and only a few of those
    /// that borrow at a time.
    pub fn borrows(&self) -> bool {
        self.tx.borrows()
    }

    /// After phase 1, before the body: whether the body's coding alone is a reason to refuse (415).
    pub fn check_coding(&mut self, head: &RequestHead) -> Option<Refusal> {
        let coded = self.tx.decodes(head.values("content-encoding")).is_err();
        if !coded || !self.tx.inspects_request_body() {
            return None;
        }
        match self.coded_policy() {
            Unread::Refuse => Some(self.refuse(415)),
            Unread::Pass => {
                self.skipped(Uninspected::RequestBodyCoded);
                None
            }
        }
    }

    /// What becomes of bodies whose codings cannot be undone: an engine that only watches refuses nothing.
    fn coded_policy(&self) -> Unread {
        if self.tx.mode() == EngineMode::On { self.policy.coded } else { Unread::Pass }
    }

    /// At the end of a phase: what is to be done with a body whose codings could not be undone.
    fn judge_coding(&mut self) -> Option<Refusal> {
        let note = match self.phase {
            Phase::RequestBody => "request body coding",
            Phase::ResponseBody => "response body coding",
            _ => return None,
        };
        if !self.tx.uninspected().contains(&note) {
            return None;
        }
        match (self.phase, self.coded_policy()) {
            (Phase::RequestBody, Unread::Refuse) => Some(self.refuse(415)),
            (Phase::RequestBody, Unread::Pass) => {
                self.skipped(Uninspected::RequestBodyCoded);
                None
            }
            _ => {
                self.skipped(Uninspected::ResponseBodyCoded);
                None
            }
        }
    }

    /// Whether the engine wants the request body. If not, it may be streamed after phase 2.
    pub fn inspects_request_body(&self) -> bool {
        self.tx.inspects_request_body()
    }

    /// A chunk of the request body.
    pub fn request_body_chunk(&mut self, chunk: &[u8]) -> Chunk {
        let before = self.tx.request_body().len();
        let interruption = self.tx.write_request_body(chunk);
        let taken = self.tx.request_body().len().saturating_sub(before);
        if let Some(refusal) = self.remember(interruption) {
            return Chunk::Refused(refusal);
        }
        if taken < chunk.len() {
            self.skipped(Uninspected::RequestBodyRest);
            return Chunk::Cut(taken);
        }
        Chunk::Taken
    }

    /// The host could not read the request body, or not all of it: rules see REQBODY_ERROR with `why` as its message.
    pub fn fail_request_body(&mut self, why: &'static str) {
        self.tx.fail_request_body(why);
    }

    /// The request body is complete, or as complete as it gets: starts phase 2.
    pub fn end_request_body(&mut self) {
        self.start(Phase::RequestBody);
    }

    /// What was inspected of the request body: what goes upstream is made from this.
    pub fn request_body(&self) -> &[u8] {
        self.tx.request_body()
    }

    /// How long the body is that the phase looks at which was started last.
    pub fn inspected_bytes(&self) -> usize {
        match self.phase {
            Phase::RequestBody => self.tx.request_body().len(),
            Phase::ResponseBody => self.tx.response_body().len(),
            Phase::RequestHeaders | Phase::ResponseHeaders | Phase::Logging => 0,
        }
    }

    /// The response's head is here: starts phase 3.
    pub fn response<'h>(
        &mut self,
        status: u16,
        version: &[u8],
        headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>,
    ) {
        for (name, value) in headers {
            self.tx.add_response_header(name, value);
        }
        self.tx.set_response_status(status, version);
        self.start(Phase::ResponseHeaders);
    }

    /// After phase 3: when the body may leave.
    pub fn response_plan(&mut self, content_type: Option<&[u8]>, content_encoding: Option<&[u8]>) -> ResponsePlan {
        if !self.tx.inspects_response_body() {
            return ResponsePlan::Pass;
        }
        if self.tx.decodes(content_encoding).is_err() {
            self.skipped(Uninspected::ResponseBodyCoded);
        }
        let media_type = content_type.and_then(|value| value.split(|&byte| byte == b';').next()).unwrap_or_default();
        if media_type.trim_ascii().eq_ignore_ascii_case(b"text/event-stream") {
            ResponsePlan::Watch
        } else {
            ResponsePlan::Hold
        }
    }

    /// A chunk of the response body (plans [`Hold`](ResponsePlan::Hold) and [`Watch`](ResponsePlan::Watch)).
    pub fn response_body_chunk(&mut self, chunk: &[u8]) -> Chunk {
        let before = self.tx.response_body().len();
        let interruption = self.tx.write_response_body(chunk);
        let taken = self.tx.response_body().len().saturating_sub(before);
        if let Some(refusal) = self.remember(interruption) {
            return Chunk::Refused(refusal);
        }
        if taken < chunk.len() {
            self.skipped(Uninspected::ResponseBodyRest);
            return Chunk::Cut(taken);
        }
        Chunk::Taken
    }

    /// The response body is complete, or as much of it as is inspected: starts phase 4.
    pub fn end_response_body(&mut self) {
        self.start(Phase::ResponseBody);
    }

    /// Everything is known: starts phase 5, which never refuses.
    pub fn finish(&mut self) {
        self.finished = true;
        self.start(Phase::Logging);
    }

    /// The phase that was started last.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the engine may want the response body, once its head is known.
    pub fn may_inspect_response_body(&self) -> bool {
        self.tx.response_body_access()
    }

    /// Whether [`finish`](Exchange::finish) was called.
    pub fn finished(&self) -> bool {
        self.finished
    }

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

    /// Notes that something passes without inspection.
    pub fn skipped(&mut self, what: Uninspected) {
        if !self.uninspected.contains(&what) {
            self.uninspected.push(what);
            self.tx.note_uninspected(what.name());
        }
    }

    /// What passed without inspection because the host let it.
    pub fn uninspected(&self) -> &[Uninspected] {
        &self.uninspected
    }

    /// The names of everything that passed without inspection, for the log: what the host let pass, and what the engine could
    /// not look at in an exchange that was not refused.
    pub fn passed_unseen(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.uninspected.iter().map(|what| what.name()).collect();
        if self.refusal.is_none() {
            for &name in self.tx.uninspected() {
                // A body over its limit is among the host's own already.
                if !names.contains(&name) && !name.ends_with("body over the limit") {
                    names.push(name);
                }
            }
        }
        names
    }

    /// The matches so far that go to the error log, after the first `seen` records; and how many records there are.
    pub fn log_lines(&self, seen: usize) -> (Vec<String>, usize) {
        (self.tx.error_log_lines(seen), self.tx.records().len())
    }

    /// The same as records, for hosts that write lines of their own.
    pub fn logged_records(&self, seen: usize) -> (Vec<MatchRecord>, usize) {
        (self.tx.logged_records(seen), self.tx.records().len())
    }

    /// What has ended the exchange, if the engine has.
    pub fn interruption(&self) -> Option<Interruption> {
        self.tx.interruption()
    }

    /// What was inspected of the response body.
    pub fn response_body(&self) -> &[u8] {
        self.tx.response_body()
    }

    /// How the audit log of this exchange's rules is to be written.
    pub fn audit_settings(&self) -> &AuditSettings {
        self.tx.audit_settings()
    }

    /// Tells the status that the client got in the end.
    pub fn answered(&mut self, status: u16) {
        self.tx.set_answered(status);
    }

    /// The audit record, given the status that the client got; `None` if the exchange does not belong into the audit log. To be
    /// asked for after [`finish`](Exchange::finish).
    pub fn audit_record(&self, status: u16) -> Option<AuditRecord> {
        self.tx.audit_record(status)
    }

    /// Whether the exchange belongs into the audit log, given the status that the client got.
    pub fn is_relevant(&self, status: u16) -> bool {
        self.tx.is_relevant(status)
    }

    /// A text of the exchange with asterisks over what rules hide.
    pub fn hidden(&self, text: &[u8]) -> Vec<u8> {
        self.tx.hidden(text)
    }

    /// The id that the client's page and the log share.
    pub fn incident_id(&self) -> &str {
        self.tx.unique_id()
    }

    fn start(&mut self, phase: Phase) {
        self.phase = phase;
        self.tx.start(phase);
    }

    fn remember(&mut self, interruption: Option<Interruption>) -> Option<Refusal> {
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
