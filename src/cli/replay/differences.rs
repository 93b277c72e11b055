//! Where two engines think differently about recorded requests, grouped by what makes the difference.

use super::source::Recorded;
use super::summary::Example;
use crate::store::rollout::{Action, Outcome};
use serde::Serialize;
use std::collections::BTreeMap;

/// Groups that are told apart; what belongs to none of them is counted together.
const GROUPS: usize = 1000;

/// Examples of a group.
const EXAMPLES: usize = 3;

/// What another engine says of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What becomes of the request.
    pub action: Action,
    /// The rules that it has logged, ascending, each once; `None` if it does not say.
    pub rules: Option<Vec<u64>>,
}

/// What kind a difference is of, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Fusewall has failed.
    InternalError,
    /// A budget was spent here; the other engine has none.
    Budget,
    /// Blocked there, and not here.
    BlockedThere,
    /// Blocked here, and not there.
    BlockedHere,
    /// Blocked by both, with other statuses or to other places.
    Answer,
    /// The same is decided, and different rules are logged.
    Rules,
}

impl Cause {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::InternalError => "internal error here",
            Cause::Budget => "budget spent here",
            Cause::BlockedThere => "blocked there, passes here",
            Cause::BlockedHere => "blocked here, passes there",
            Cause::Answer => "blocked by both, answered differently",
            Cause::Rules => "the same is decided, other rules are logged",
        }
    }
}

/// Requests that differ for the same reason.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// The kind.
    pub cause: Cause,
    /// Rules that only Fusewall has logged.
    pub only_here: Vec<u64>,
    /// Rules that only the other engine has logged.
    pub only_there: Vec<u64>,
    /// What is answered here: action and status.
    pub here: String,
    /// What is answered there.
    pub there: String,
    /// How many.
    pub requests: u64,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// What a group has in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    cause: Cause,
    only_here: Vec<u64>,
    only_there: Vec<u64>,
    here: String,
    there: String,
}

/// A comparison, request by request.
#[derive(Debug, Clone, Default)]
pub struct Differences {
    compared: u64,
    different: u64,
    decided_differently: u64,
    groups: BTreeMap<Key, (u64, Vec<Example>)>,
    others: u64,
}

/// What a comparison has found.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// Requests that both have judged.
    pub compared: u64,
    /// Those that differ in action, status or rules.
    pub different: u64,
    /// Those of them that differ in action or status.
    pub decided_differently: u64,
    /// Why: the gravest kind first, the largest group of a kind first.
    pub groups: Vec<Group>,
    /// Requests in groups too many to be told apart.
    pub other_groups: u64,
}

impl Differences {
    /// Compares what both say of a request; `exhausted`: a budget was spent here.
    pub fn add(&mut self, recorded: &Recorded, here: &Outcome, exhausted: bool, there: &Said) {
        self.compared += 1;
        let ours: Vec<u64> = here.rules().iter().map(|rule| rule.0).collect();
        let (only_here, only_there) = match &there.rules {
            None => (vec![], vec![]),
            Some(theirs) => (beyond(&ours, theirs), beyond(theirs, &ours)),
        };
        let same_answer = answer(&here.action) == answer(&there.action);
        if same_answer && only_here.is_empty() && only_there.is_empty() && !here.failed {
            return;
        }
        self.different += 1;
        self.decided_differently += u64::from(!same_answer);
        let cause = match (here.action.blocks(), there.action.blocks()) {
            _ if here.failed => Cause::InternalError,
            _ if exhausted => Cause::Budget,
            (false, true) => Cause::BlockedThere,
            (true, false) => Cause::BlockedHere,
            (true, true) if !same_answer => Cause::Answer,
            _ => Cause::Rules,
        };
        let (here, there) = (answer(&here.action), answer(&there.action));
        let key = Key { cause, only_here, only_there, here, there };
        if self.groups.len() >= GROUPS && !self.groups.contains_key(&key) {
            self.others += 1;
            return;
        }
        let (requests, examples) = self.groups.entry(key).or_default();
        *requests += 1;
        if examples.len() < EXAMPLES {
            examples.push(Example::of(recorded));
        }
    }

    /// What was found so far.
    pub fn found(&self) -> Found {
        let group = |(key, (requests, examples)): (&Key, &(u64, Vec<Example>))| {
            let Key { cause, only_here, only_there, here, there } = key.clone();
            Group { cause, only_here, only_there, here, there, requests: *requests, examples: examples.clone() }
        };
        let mut groups: Vec<_> = self.groups.iter().map(group).collect();
        groups.sort_by_key(|group| (group.cause, std::cmp::Reverse(group.requests)));
        let Differences { compared, different, decided_differently, others, .. } = *self;
        Found { compared, different, decided_differently, groups, other_groups: others }
    }
}

/// What a client would see, where both engines can say it: libmodsecurity does not tell a closed connection from a refusal.
fn answer(action: &Action) -> String {
    match action {
        Action::Pass => "pass".to_owned(),
        Action::Deny { status } | Action::Drop { status } => format!("deny {status}"),
        Action::Redirect { status, location } => format!("redirect {status} {location}"),
    }
}

/// The elements of one ascending list that another does not have.
fn beyond(one: &[u64], other: &[u64]) -> Vec<u64> {
    one.iter().copied().filter(|id| other.binary_search(id).is_err()).collect()
}
