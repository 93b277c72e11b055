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
//!
//! | file | does |
//! |---|---|
//! | `head` | what is known of a request before its body comes |
//! | `policy` | what a site decides about bodies and budgets |
//! | `request` | phases 1 and 2 |
//! | `response` | phases 3 and 4 |
//! | `ending` | phase 5, and what logs are made from |
//! | `refusal` | how an exchange is refused |
//! | `span` | what a subscriber of `tracing` sees of it |
//! | `uninspected` | what passes without inspection |

mod ending;
mod head;
mod policy;
mod refusal;
mod request;
mod response;
mod span;
mod uninspected;

pub use head::{Ends, RequestHead};
pub use policy::{BodyPolicy, Unread};
pub use refusal::{Refusal, Unruled};
pub use response::ResponsePlan;
pub use uninspected::Uninspected;

use crate::engine::Step;
use crate::governor::Shed;
use crate::rule::{LimitAction, Phase};
use crate::waf::{Transaction, Waf};
use std::time::Instant;
use tracing::Span;

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
    /// Everything that happens while it is evaluated; at level debug, none without a subscriber.
    span: Span,
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
        let span = span::begin(&tx, ends);
        Exchange {
            tx,
            span,
            policy,
            phase: Phase::RequestHeaders,
            refusal: None,
            unruled: None,
            uninspected: Vec::new(),
            finished: false,
        }
    }

    /// Runs the phase that was started for about `fuel` fuel.
    pub fn step(&mut self, fuel: u64) -> Turn {
        let begun = Instant::now();
        let step = self.span.in_scope(|| self.tx.step(fuel));
        self.tx.took(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        match step {
            Step::Pending => Turn::Pending,
            Step::Done(interruption) => {
                let refusal = self.remember(interruption).or_else(|| self.judge_coding());
                Turn::Done(refusal)
            }
        }
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

    /// Whether its tenant evaluates on CPU time that belongs to others: a host lets other exchanges go first, and only a few of those
    /// that borrow at a time.
    pub fn borrows(&self) -> bool {
        self.tx.borrows()
    }

    /// The phase that was started last.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How long the body is that the phase looks at which was started last.
    pub fn inspected_bytes(&self) -> usize {
        match self.phase {
            Phase::RequestBody => self.tx.request_body().len(),
            Phase::ResponseBody => self.tx.response_body().len(),
            Phase::RequestHeaders | Phase::ResponseHeaders | Phase::Logging => 0,
        }
    }

    fn start(&mut self, phase: Phase) {
        self.phase = phase;
        self.tx.start(phase);
    }
}
