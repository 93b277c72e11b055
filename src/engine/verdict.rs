//! What an evaluation comes to.

use crate::meter::Scope;
use crate::rule::{Phase, RuleId};

/// What happens when the budget of a request is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Unknown is never "no match": refuse with 503.
    #[default]
    Block,
    /// Let the request through, flagged; only rules with the tag `fusewall/critical` still run. For shadow use or by explicit choice.
    Allow,
}

/// What happens when the budget of one rule is spent, or its price has turned out to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RulePolicy {
    /// It counts as a match, where a match can only tighten; other rules (`allow`, `skip`, `ctl`, ...) refuse the request with 503.
    #[default]
    Match,
    /// Refuse with 503.
    Block,
    /// Leave the rule out, flagged. For shadow use or by explicit choice.
    Skip,
    /// Leave the rule out, flagged, and add this to the anomaly score of CRS: `tx.inbound_anomaly_score_pl1`, for responses
    /// `tx.outbound_anomaly_score_pl1`.
    Score(u32),
}

/// What was decided when a budget was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decided {
    /// The request was refused.
    Block,
    /// It was let through.
    Allow,
    /// The rule counts as a match.
    Match,
    /// The rule was left out.
    Skip,
    /// The rule was left out, and the anomaly score raised.
    Score,
}

impl Decided {
    /// A short name for logs.
    pub const fn name(self) -> &'static str {
        match self {
            Decided::Block => "block",
            Decided::Allow => "allow",
            Decided::Match => "match",
            Decided::Skip => "skip",
            Decided::Score => "score",
        }
    }
}

/// The engine wants the exchange to end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Interruption {
    /// How.
    pub action: InterruptionAction,
    /// HTTP status.
    pub status: u16,
    /// Why.
    pub reason: Reason,
    /// In which phase.
    pub phase: Phase,
}

/// How an exchange ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum InterruptionAction {
    /// Answer with the status.
    Deny,
    /// Close the connection without an answer.
    Drop,
    /// Redirect to this URL.
    Redirect(Vec<u8>),
}

impl InterruptionAction {
    /// `deny`, `drop` or `redirect`.
    pub const fn name(&self) -> &'static str {
        match self {
            InterruptionAction::Deny => "deny",
            InterruptionAction::Drop => "drop",
            InterruptionAction::Redirect(_) => "redirect",
        }
    }
}

/// Why an exchange ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A rule said so.
    Rule(RuleId),
    /// A budget is spent.
    Budget(Scope),
    /// A body is longer than its limit.
    BodyLimit,
    /// More headers than the limits allow.
    HeaderLimit,
    /// The engine failed; it was caught.
    InternalError,
}

/// A budget that ran dry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhaustion {
    /// Which.
    pub scope: Scope,
    /// In which phase.
    pub phase: Phase,
    /// In which rule, if one ran.
    pub rule: Option<RuleId>,
    /// What was decided.
    pub policy: Decided,
}

/// Anomaly scores as CRS keeps them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Score {
    /// `tx.blocking_inbound_anomaly_score`.
    pub inbound: i64,
    /// `tx.blocking_outbound_anomaly_score`.
    pub outbound: i64,
}

/// The outcome of a transaction so far. Deterministic: a function of the program, the request, the time that the host tells and
/// the records of persistent collections as they were loaded, of the switches ([`epoch`](Self::epoch)) and of what the governor shed
/// ([`shed_level`](Self::shed_level)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// What ended it, if anything did.
    pub interruption: Option<Interruption>,
    /// Ids of the rules that wrote a log record, in order.
    pub rules: Vec<RuleId>,
    /// Anomaly scores.
    pub score: Score,
    /// Fuel spent.
    pub fuel: u64,
    /// Fuel spent per phase, 1 to 5; parsing counts to its phase.
    pub fuel_by_phase: [u64; 5],
    /// The first budget that ran dry.
    pub exhausted: Option<Exhaustion>,
    /// What was not inspected; empty if everything was.
    pub uninspected: Vec<&'static str>,
    /// Limits that persistent collections ran into: counters may be too low. Empty if there were none.
    pub collections: Vec<&'static str>,
    /// The generation of the ruleset that decided.
    pub generation: u64,
    /// The epoch of the switches that were obeyed last: 0 if none was ever turned.
    pub epoch: u64,
    /// What the governor shed when the request was let in, 0 (nothing) to 3: from 1 on, work that decides nothing was left out.
    pub shed_level: u8,
    /// If a budget ran dry: the rules that had spent most fuel of their own, dearest first.
    pub dearest: Vec<(RuleId, u64)>,
    /// The rollout that was under way, if another ruleset is asked about the request as well.
    pub tried: Option<Tried>,
}

/// That another ruleset is asked about a request: in a canary before its verdict, which is that of both together; otherwise afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// The stage of the rollout: `shadow`, `canary` or `promoted`.
    pub stage: &'static str,
    /// The generation of the other ruleset.
    pub beside: u64,
}
