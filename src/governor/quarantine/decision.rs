//! What is told about a rule, what is decided about it, and by which figures.

use super::super::network::Network;
use std::fmt;

/// When rules go off, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct QuarantineConfig {
    /// Part of the rules that may be off at one time, at least one rule. 0.05 by default.
    pub most_off: f64,
    /// An evaluation that spends more fuel of the rule's own than this is dear; 100,000, about 0.15 ms, by default.
    pub dear_fuel: u64,
    /// So many in a hundred evaluations of the last seconds must have been dear; 10 by default.
    pub dear_percent: u64,
    /// Evaluations that must have been seen in the last seconds; 100 by default.
    pub least_evaluations: u64,
    /// Independent networks (/24, /56), at most 32, for which the rule must have been dear; 8 by default.
    pub least_networks: u32,
    /// Independent networks, at most 32, that must have seen a fault of the rule; 8 by default.
    pub fault_networks: u32,
    /// A network that has found faults in so many rules within a minute is a bad client; 3 by default.
    pub bad_client_rules: u32,
    /// Seconds until a rule is tried again; each time in vain doubles it, up to an hour. 30 by default.
    pub cool_down_secs: u64,
    /// Cheap evaluations after which a rule that is tried is on again; 16 by default.
    pub probes: u32,
}

impl Default for QuarantineConfig {
    fn default() -> Self {
        QuarantineConfig {
            most_off: 0.05,
            dear_fuel: 100_000,
            dear_percent: 10,
            least_evaluations: 100,
            least_networks: 8,
            fault_networks: 8,
            bad_client_rules: 3,
            cool_down_secs: 30,
            probes: 16,
        }
    }
}

/// How an evaluation of a rule ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Spent,
    /// It spent more than its certified price.
    OverPrice,
    /// It panicked, and the panic was caught.
    Panic,
}

/// One evaluation of a rule.
#[derive(Debug, Clone, Copy)]
pub struct Observation {
    /// The rule's index in its program.
    pub rule: u32,
    /// Fuel of its own that it has spent.
    pub fuel: u64,
    /// Its certified price for this request; `None`: it was admitted without a certificate.
    pub bound: Option<u64>,
    /// Whether it can refuse: neither `DetectionOnly` nor a shadow.
    pub enforcing: bool,
    /// Whose request it was.
    pub network: Network,
    /// How it ended.
    pub outcome: Outcome,
}

/// What is to be done about a rule or a client. The caller does it and tells the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The rule.
    pub rule: u32,
    /// What is to change.
    pub change: Change,
    /// Why.
    pub why: Why,
}

/// What is to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Switch the rule off; leaving it out decides nothing, it only watched.
    LeaveOut,
    /// Switch the rule off and let it count as a match: of an enforcing rule unknown is never "no match". Its owner's last good
    /// ruleset is the better answer, where there is one.
    CountAsMatch,
    /// Try it: let those evaluations through that [`Quarantine::lets_through`](super::Quarantine::lets_through) names.
    Try,
    /// Switch the rule on again.
    Restore,
    /// Nothing; tell its owner.
    Tell,
    /// The rule stays. The client's requests are to be decided by policy: see [`Quarantine::is_bad_client`](super::Quarantine::is_bad_client).
    Blame,
}

/// Why it is to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// More fuel than the certified price: the price is wrong.
    OverPrice,
    /// It panicked.
    Panic,
    /// It is dear for many networks.
    Dear,
    /// It is to go off, but as many rules are off already as may be.
    TooManyOff,
    /// It is to go off, but it is protected.
    Protected,
    /// The cool-down is over.
    Cooled,
    /// It was tried and is cheap again.
    Cheap,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::OverPrice => "it has spent more than its certified price",
            Why::Panic => "its evaluation panicked",
            Why::Dear => "it is dear for many networks",
            Why::TooManyOff => "it should go off, but as many rules are off as may be",
            Why::Protected => "it should go off, but it is protected",
            Why::Cooled => "its cool-down is over",
            Why::Cheap => "it is cheap again",
        })
    }
}

/// Where a rule is in its circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// On.
    Closed,
    /// Off.
    Open,
    /// Off, but tried now and then.
    HalfOpen,
}
