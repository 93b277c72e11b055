//! What one ruleset says of one request, as far as two rulesets are compared by it.

use crate::engine::{InterruptionAction, Reason, Verdict};
use crate::rule::RuleId;
use serde::{Deserialize, Serialize};

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Action {
    /// It passes.
    Pass,
    /// It is answered with this status.
    Deny {
        /// HTTP status.
        status: u16,
    },
    /// The connection is closed.
    Drop {
        /// HTTP status, for logs.
        status: u16,
    },
    /// It is sent elsewhere.
    Redirect {
        /// HTTP status.
        status: u16,
        /// Where to; bytes that are not UTF-8 are replaced.
        location: String,
    },
}

impl Action {
    /// Whether the request does not reach what is protected.
    pub fn blocks(&self) -> bool {
        *self != Action::Pass
    }

    /// The short name that answers of commands use.
    pub const fn name(&self) -> &'static str {
        match self {
            Action::Pass => "pass",
            Action::Deny { .. } => "deny",
            Action::Drop { .. } => "drop",
            Action::Redirect { .. } => "redirect",
        }
    }

    /// The HTTP status; 200 for what passes.
    pub const fn status(&self) -> u16 {
        match self {
            Action::Pass => 200,
            Action::Deny { status } | Action::Drop { status } | Action::Redirect { status, .. } => *status,
        }
    }
}

/// What one ruleset says of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What becomes of the request. In `DetectionOnly` everything passes.
    #[serde(flatten)]
    pub action: Action,
    /// The rules that wrote a log record, ascending, each once.
    #[serde(with = "ids")]
    rules: Vec<RuleId>,
    /// Fuel spent.
    pub fuel: u64,
    /// Whether the evaluation ended in an internal error; the request is refused then.
    pub failed: bool,
}

impl Outcome {
    /// An outcome; the rules that were logged may come in any order, and repeatedly.
    pub fn new(action: Action, rules: impl IntoIterator<Item = RuleId>, fuel: u64, failed: bool) -> Outcome {
        let mut rules: Vec<_> = rules.into_iter().collect();
        rules.sort_unstable();
        rules.dedup();
        Outcome { action, rules, fuel, failed }
    }

    /// What a verdict says; without one the evaluation has ended in an internal error, which left nothing to tell.
    pub fn of(verdict: Option<&Verdict>) -> Outcome {
        let Some(verdict) = verdict else {
            return Outcome::new(Action::Deny { status: 500 }, [], 0, true);
        };
        let action = match &verdict.interruption {
            None => Action::Pass,
            Some(ended) => match &ended.action {
                InterruptionAction::Deny => Action::Deny { status: ended.status },
                InterruptionAction::Drop => Action::Drop { status: ended.status },
                InterruptionAction::Redirect(location) => {
                    Action::Redirect { status: ended.status, location: String::from_utf8_lossy(location).into_owned() }
                }
            },
        };
        let failed = verdict.interruption.as_ref().is_some_and(|ended| ended.reason == Reason::InternalError);
        Outcome::new(action, verdict.rules.iter().copied(), verdict.fuel, failed)
    }

    /// The rules that wrote a log record, ascending, each once.
    pub fn rules(&self) -> &[RuleId] {
        &self.rules
    }

    /// The rules that this one logged and the other did not.
    pub fn rules_beyond<'a>(&'a self, other: &'a Outcome) -> impl Iterator<Item = RuleId> + 'a {
        self.rules.iter().copied().filter(|rule| other.rules.binary_search(rule).is_err())
    }
}

/// Which of two outcomes counts while both rulesets decide about a request: the candidate's, but what it would newly let pass is
/// blocked all the same unless the loosening is `waived` in. A candidate that fails is not heard.
///
/// ```
/// use fusewall::store::rollout::{Action, Outcome, combined};
///
/// let blocks = Outcome::new(Action::Deny { status: 403 }, [], 10, false);
/// let passes = Outcome::new(Action::Pass, [], 10, false);
/// assert_eq!(combined(&blocks, &passes, false), &blocks);
/// assert_eq!(combined(&passes, &blocks, false), &blocks);
/// assert_eq!(combined(&blocks, &passes, true), &passes);
/// ```
pub fn combined<'a>(live: &'a Outcome, candidate: &'a Outcome, waived: bool) -> &'a Outcome {
    let loosens = live.action.blocks() && !candidate.action.blocks();
    if candidate.failed || (loosens && !waived) { live } else { candidate }
}

/// Rule ids as numbers.
mod ids {
    use crate::rule::RuleId;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(rules: &[RuleId], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(rules.iter().map(|rule| rule.0))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<RuleId>, D::Error> {
        let mut rules: Vec<_> = Vec::<u64>::deserialize(from)?.into_iter().map(RuleId).collect();
        rules.sort_unstable();
        rules.dedup();
        Ok(rules)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn outcome() -> impl Strategy<Value = Outcome> {
        let action = prop_oneof![
            Just(Action::Pass),
            (400..600_u16).prop_map(|status| Action::Deny { status }),
            Just(Action::Drop { status: 403 }),
            Just(Action::Redirect { status: 302, location: "https://www.example/".into() }),
        ];
        let rules = prop::collection::vec(1..9_u64, 0..4);
        (action, rules, 0..1000_u64, any::<bool>()).prop_map(|(action, rules, fuel, failed)| {
            // An internal error refuses.
            let action = if failed { Action::Deny { status: 500 } } else { action };
            Outcome::new(action, rules.into_iter().map(RuleId), fuel, failed)
        })
    }

    proptest! {
        #[test]
        fn together_they_never_let_pass_what_live_blocks(live in outcome(), candidate in outcome()) {
            let both = combined(&live, &candidate, false);
            prop_assert!(both.action.blocks() || !live.action.blocks());
            // What the candidate blocks is blocked as well, unless it has failed: then it has decided nothing.
            prop_assert!(both.action.blocks() || !candidate.action.blocks() || candidate.failed);
        }

        #[test]
        fn a_waived_candidate_decides_alone_unless_it_fails(live in outcome(), candidate in outcome()) {
            let expected = if candidate.failed { &live } else { &candidate };
            prop_assert_eq!(combined(&live, &candidate, true), expected);
        }

        #[test]
        fn outcomes_come_back_from_json(outcome in outcome()) {
            let text = serde_json::to_string(&outcome).unwrap();
            prop_assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
        }
    }
}
