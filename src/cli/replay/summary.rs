//! What a replay comes to: how much would be blocked, which rules match how often, and for whom.

use super::paths::{Candidate, Paths};
use super::source::{Decided, Recorded};
use crate::engine::{MatchRecord, Reason, Verdict};
use crate::waf::Transaction;
use serde::Serialize;
use std::collections::BTreeMap;

/// Bytes of a request line in an example.
const EXAMPLE_BYTES: usize = 120;

/// One request of many.
#[derive(Debug, Clone, Serialize)]
pub struct Example {
    /// Its id, or file and line.
    pub id: String,
    /// Method and target, cut.
    pub request: String,
}

impl Example {
    /// The example that a recorded request makes.
    pub fn of(recorded: &Recorded) -> Example {
        let request = &recorded.request;
        let line = [&request.method[..], b" ", &request.uri].concat();
        let cut = line.get(..EXAMPLE_BYTES).map(|cut| format!("{}...", cut.escape_ascii()));
        let request = cut.unwrap_or_else(|| line.escape_ascii().to_string());
        Example { id: recorded.request.id.clone(), request }
    }
}

/// A rule that was logged.
#[derive(Debug, Clone, Serialize)]
pub struct RuleCount {
    /// Its id.
    pub id: u64,
    /// The requests that it was logged for.
    pub requests: u64,
    /// Those of them that would be blocked.
    pub blocked: u64,
    /// Its `msg`, for the first of them.
    pub message: String,
    /// The first of them.
    pub example: Example,
}

/// How many requests have had an anomaly score.
#[derive(Debug, Clone, Serialize)]
pub struct ScoreCount {
    /// The score, inbound.
    pub score: i64,
    /// Requests.
    pub requests: u64,
}

/// Everything that was counted.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    requests: u64,
    blocked: u64,
    failed: u64,
    exhausted: u64,
    budget: Option<Example>,
    scores: BTreeMap<i64, u64>,
    rules: BTreeMap<u64, RuleCount>,
    uninspected: BTreeMap<&'static str, u64>,
    paths: Paths,
}

/// The summary for machines.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Requests judged.
    pub requests: u64,
    /// Those that would be blocked.
    pub blocked: u64,
    /// Those that ended in an internal error; they would be blocked as well.
    pub failed: u64,
    /// Those whose budget was spent.
    pub exhausted: u64,
    /// The first of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exhausted_example: Option<Example>,
    /// Inbound anomaly scores, ascending.
    pub scores: Vec<ScoreCount>,
    /// The rules that were logged, most often first.
    pub rules: Vec<RuleCount>,
    /// What was not inspected, and in how many requests.
    pub uninspected: BTreeMap<&'static str, u64>,
    /// Where legitimate requests may be blocked.
    pub candidates: Vec<Candidate>,
    /// Requests of paths that were too many to be counted one by one.
    pub other_paths: u64,
}

impl Summary {
    /// Counts a request.
    pub fn add(&mut self, recorded: &Recorded, transaction: &Transaction) {
        self.requests += 1;
        let Some(verdict) = transaction.verdict() else {
            (self.failed, self.blocked) = (self.failed + 1, self.blocked + 1);
            return;
        };
        let Verdict { interruption, score, exhausted, uninspected, .. } = &verdict;
        let blocked = interruption.is_some();
        self.blocked += u64::from(blocked);
        self.failed += u64::from(interruption.as_ref().is_some_and(|end| end.reason == Reason::InternalError));
        if exhausted.is_some() {
            self.exhausted += 1;
            self.budget.get_or_insert_with(|| Example::of(recorded));
        }
        *self.scores.entry(score.inbound).or_default() += 1;
        for what in uninspected {
            *self.uninspected.entry(what).or_default() += 1;
        }
        let logged = transaction.logged_records(0);
        for record in once_each(&logged) {
            let count = self.rules.entry(record.rule.0).or_insert_with(|| RuleCount {
                id: record.rule.0,
                requests: 0,
                blocked: 0,
                message: record.message.clone(),
                example: Example::of(recorded),
            });
            count.requests += 1;
            count.blocked += u64::from(blocked);
        }
        // Whom the engine in service has blocked has not been served: no witness for a false alarm.
        let served = recorded.decided.as_ref().is_none_or(|Decided { status, .. }| *status < 400);
        self.paths.add(recorded, &logged, blocked && served);
    }

    /// What was counted so far.
    pub fn figures(&self) -> Figures {
        let mut rules: Vec<_> = self.rules.values().cloned().collect();
        rules.sort_by_key(|rule| (std::cmp::Reverse(rule.requests), rule.id));
        Figures {
            requests: self.requests,
            blocked: self.blocked,
            failed: self.failed,
            exhausted: self.exhausted,
            exhausted_example: self.budget.clone(),
            scores: self.scores.iter().map(|(&score, &requests)| ScoreCount { score, requests }).collect(),
            rules,
            uninspected: self.uninspected.clone(),
            candidates: self.paths.candidates(),
            other_paths: self.paths.others(),
        }
    }
}

/// A rule that was logged twice for a request counts once.
fn once_each(logged: &[MatchRecord]) -> impl Iterator<Item = &MatchRecord> {
    let before = |at: usize| logged.get(..at).unwrap_or_default();
    logged
        .iter()
        .enumerate()
        .filter(move |(at, record)| before(*at).iter().all(|other| other.rule != record.rule))
        .map(|(_, record)| record)
}
