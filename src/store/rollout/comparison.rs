//! Two rulesets on the same requests: verdicts that change, and figures of both. `fusewall diff` and shadow runs report the same
//! changes for the same requests, because they ask the same function.

use super::fuel::{FuelFigures, FuelHistogram};
use super::outcome::Outcome;
use crate::rule::RuleId;
use serde::Serialize;
use std::collections::BTreeMap;

/// What one of two rulesets has decided about a request of which they think differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// `pass`, `deny`, `drop` or `redirect`.
    pub action: &'static str,
    /// HTTP status; 200 for what passes.
    pub status: u16,
    /// Rules that only this one has logged.
    pub only: Vec<u64>,
    /// Whether the evaluation ended in an internal error.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
}

/// A request whose verdict changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The request.
    pub id: String,
    /// The first ruleset, or the one in service.
    pub a: Side,
    /// The second one, or the candidate.
    pub b: Side,
}

/// Whether two rulesets decide differently about a request: another action, status or target of a redirect, or only one has failed.
///
/// ```
/// use fusewall::store::rollout::{Action, Outcome, compare};
/// use fusewall::rule::RuleId;
///
/// let a = Outcome::new(Action::Pass, [RuleId(1)], 10, false);
/// let b = Outcome::new(Action::Deny { status: 403 }, [RuleId(1), RuleId(2)], 12, false);
/// let change = compare("17", &a, &b).unwrap();
/// assert_eq!((change.b.action, change.b.status, change.b.only), ("deny", 403, vec![2]));
/// assert_eq!(compare("17", &a, &a), None);
/// ```
pub fn compare(id: &str, a: &Outcome, b: &Outcome) -> Option<Change> {
    let side = |this: &Outcome, other: &Outcome| Side {
        action: this.action.name(),
        status: this.action.status(),
        only: this.rules_beyond(other).map(|rule| rule.0).collect(),
        failed: this.failed,
    };
    let differ = a.action != b.action || a.failed != b.failed;
    differ.then(|| Change { id: id.to_owned(), a: side(a, b), b: side(b, a) })
}

/// A figure of both rulesets.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Both<T> {
    /// Of the first, or the one in service.
    pub a: T,
    /// Of the second, or the candidate.
    pub b: T,
}

/// How often a rule was logged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RuleFigures {
    /// Its id.
    pub id: u64,
    /// Requests that both have logged it for.
    pub both: u64,
    /// Requests that only one has logged it for.
    pub only: Both<u64>,
    /// Of all requests, the share that it was logged for: 0 to 1.
    pub match_share: Both<f64>,
}

/// Everything that a comparison has found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparisonFigures {
    /// Requests compared.
    pub requests: u64,
    /// Verdicts that change, in order; no more than are kept.
    pub changed: Vec<Change>,
    /// The share of requests for which a rule was logged, 0 to 1.
    pub match_share: Both<f64>,
    /// Fuel of a request.
    pub fuel: Both<FuelFigures>,
    /// The share of requests that do not pass, 0 to 1.
    pub block_rate: Both<f64>,
    /// Verdicts that change, those that are not kept included.
    pub changes: u64,
    /// Requests that only the second blocks.
    pub newly_blocked: u64,
    /// Requests that only the first blocks.
    pub newly_passed: u64,
    /// Requests for which the same was decided, and different rules were logged.
    pub logged_differently: u64,
    /// Evaluations that ended in an internal error.
    pub failed: Both<u64>,
    /// Every rule that was logged: first the one whose matches differ most, rules alike by id.
    pub rules: Vec<RuleFigures>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Matches {
    both: u64,
    only: Both<u64>,
}

/// Two rulesets, request by request. Memory is bounded by the changes that are kept and the number of rules.
#[derive(Debug, Clone)]
pub struct Comparison {
    keep: usize,
    changed: Vec<Change>,
    requests: u64,
    changes: u64,
    newly_blocked: u64,
    newly_passed: u64,
    logged_differently: u64,
    matched: Both<u64>,
    blocked: Both<u64>,
    failed: Both<u64>,
    fuel: Both<FuelHistogram>,
    rules: BTreeMap<RuleId, Matches>,
}

impl Comparison {
    /// A comparison that counts everything, and keeps the first `keep` changes.
    pub fn new(keep: usize) -> Comparison {
        Comparison {
            keep,
            changed: Vec::new(),
            requests: 0,
            changes: 0,
            newly_blocked: 0,
            newly_passed: 0,
            logged_differently: 0,
            matched: Both::default(),
            blocked: Both::default(),
            failed: Both::default(),
            fuel: Both { a: FuelHistogram::new(), b: FuelHistogram::new() },
            rules: BTreeMap::new(),
        }
    }

    /// Adds what both say of a request.
    pub fn add(&mut self, id: &str, a: &Outcome, b: &Outcome) {
        self.requests += 1;
        match compare(id, a, b) {
            Some(change) => {
                self.changes += 1;
                if self.changed.len() < self.keep {
                    self.changed.push(change);
                }
            }
            None => self.logged_differently += u64::from(a.rules() != b.rules()),
        }
        let (a_blocks, b_blocks) = (a.action.blocks(), b.action.blocks());
        self.newly_blocked += u64::from(b_blocks && !a_blocks);
        self.newly_passed += u64::from(a_blocks && !b_blocks);
        let count = |both: &mut Both<u64>, a: bool, b: bool| {
            both.a += u64::from(a);
            both.b += u64::from(b);
        };
        count(&mut self.blocked, a_blocks, b_blocks);
        count(&mut self.matched, !a.rules().is_empty(), !b.rules().is_empty());
        count(&mut self.failed, a.failed, b.failed);
        self.fuel.a.add(a.fuel);
        self.fuel.b.add(b.fuel);
        for &rule in a.rules() {
            let matches = self.rules.entry(rule).or_default();
            match b.rules().binary_search(&rule) {
                Ok(_) => matches.both += 1,
                Err(_) => matches.only.a += 1,
            }
        }
        for rule in b.rules_beyond(a) {
            self.rules.entry(rule).or_default().only.b += 1;
        }
    }

    /// What was found so far.
    pub fn figures(&self) -> ComparisonFigures {
        let share = |part: u64| if self.requests == 0 { 0.0 } else { part as f64 / self.requests as f64 };
        let shares = |both: Both<u64>| Both { a: share(both.a), b: share(both.b) };
        let mut rules: Vec<_> = self
            .rules
            .iter()
            .map(|(rule, matches)| {
                let Matches { both, only } = *matches;
                let match_share = shares(Both { a: both + only.a, b: both + only.b });
                RuleFigures { id: rule.0, both, only, match_share }
            })
            .collect();
        rules.sort_by_key(|rule| (std::cmp::Reverse(rule.only.a + rule.only.b), rule.id));
        ComparisonFigures {
            requests: self.requests,
            changed: self.changed.clone(),
            match_share: shares(self.matched),
            fuel: Both { a: self.fuel.a.figures(), b: self.fuel.b.figures() },
            block_rate: shares(self.blocked),
            changes: self.changes,
            newly_blocked: self.newly_blocked,
            newly_passed: self.newly_passed,
            logged_differently: self.logged_differently,
            failed: self.failed,
            rules,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::Action;
    use super::*;

    fn outcome(status: Option<u16>, rules: &[u64], fuel: u64) -> Outcome {
        let action = status.map_or(Action::Pass, |status| Action::Deny { status });
        Outcome::new(action, rules.iter().map(|&rule| RuleId(rule)), fuel, false)
    }

    #[test]
    fn every_difference_is_counted_where_it_belongs() {
        let mut comparison = Comparison::new(2);
        comparison.add("same", &outcome(None, &[1], 10), &outcome(None, &[1], 20));
        comparison.add("blocked", &outcome(None, &[1], 10), &outcome(Some(403), &[2], 20));
        comparison.add("passed", &outcome(Some(403), &[3], 10), &outcome(None, &[], 20));
        comparison.add("status", &outcome(Some(403), &[3], 10), &outcome(Some(406), &[3], 20));
        comparison.add("logged", &outcome(None, &[], 10), &outcome(None, &[9], 40));
        let found = comparison.figures();
        assert_eq!((found.requests, found.changes, found.newly_blocked, found.newly_passed), (5, 3, 1, 1));
        assert_eq!(found.logged_differently, 1);
        assert_eq!(found.changed.iter().map(|change| &*change.id).collect::<Vec<_>>(), ["blocked", "passed"]);
        assert_eq!((&found.changed[0].a.only, &found.changed[0].b.only), (&vec![1], &vec![2]));
        assert_eq!(found.match_share, Both { a: 0.8, b: 0.8 });
        assert_eq!(found.block_rate, Both { a: 0.4, b: 0.4 });
        assert_eq!((found.fuel.a.mean, found.fuel.b.mean, found.fuel.b.max), (10.0, 24.0, 40));
        let rule = |id| found.rules.iter().find(|rule| rule.id == id).expect("a rule");
        assert_eq!((rule(1).both, rule(1).only), (1, Both { a: 1, b: 0 }));
        assert_eq!((rule(3).both, rule(3).only), (1, Both { a: 1, b: 0 }));
        assert_eq!(rule(9).match_share, Both { a: 0.0, b: 0.2 });
    }
}
