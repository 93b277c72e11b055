//! Which rules only tighten: those that may count as a match although nobody knows whether they do.
//!
//! A rule whose budget is spent has no outcome, and whoever sends the request may have wanted that. It must therefore not be taken
//! for a match if a match lets more through: `allow`, skipping, `ctl`, a variable that a loosening rule looks at. What refuses or
//! adds to a score that only refusing rules read may.

use super::keys;
use crate::rule::{Action, Disruptive, Flow, Macro, MacroPart, Phase, Rule, Ruleset, Selector, SetOp, Variable};
use std::collections::BTreeSet;

/// For each rule, whether it only tightens.
pub(super) fn of(ruleset: &Ruleset) -> Vec<bool> {
    let acts_alone: Vec<bool> = ruleset.rules.iter().map(|rule| !loosens(rule)).collect();
    let loosening =
        ruleset.rules.iter().zip(&acts_alone).filter(|(rule, alone)| !**alone && rule.phase != Phase::Logging);
    let mut watched = Watched::default();
    loosening.for_each(|(rule, _)| watched.reads(rule));
    let counts = |rule: &Rule| counters(rule).all(|key| !watched.sees(key));
    ruleset.rules.iter().zip(acts_alone).map(|(rule, alone)| alone && counts(rule)).collect()
}

/// Whether a match of the rule does anything that could make others weaker, but for counting.
fn loosens(rule: &Rule) -> bool {
    let counts = |action: &Action| match action {
        Action::SetVar(set) => {
            let known = set.key.as_text().is_some();
            set.collection == Variable::Tx && known && matches!(&set.op, SetOp::Add(text) if !is_negative(text))
        }
        Action::Sanitise(_) => true,
        _ => false,
    };
    matches!(rule.disruptive, Disruptive::Allow(_))
        || rule.flow != Flow::Next
        || rule.conditions.iter().flat_map(|condition| &condition.actions).any(|action| !counts(action))
}

fn is_negative(text: &Macro) -> bool {
    text.as_text().is_some_and(|text| text.trim_ascii_start().starts_with(b"-"))
}

/// The TX keys that a rule adds to.
fn counters(rule: &Rule) -> impl Iterator<Item = &[u8]> {
    rule.conditions.iter().flat_map(|condition| &condition.actions).filter_map(|action| match action {
        Action::SetVar(set) => set.key.as_text(),
        _ => None,
    })
}

/// TX keys that loosening rules look at.
#[derive(Debug, Default)]
struct Watched {
    keys: BTreeSet<Vec<u8>>,
    /// One looks at all of them, or at those that a pattern finds.
    any: bool,
}

impl Watched {
    fn sees(&self, key: &[u8]) -> bool {
        self.any || self.keys.contains(&key.to_ascii_lowercase())
    }

    fn reads(&mut self, rule: &Rule) {
        for condition in &rule.conditions {
            for target in condition.targets.iter().filter(|target| target.variable == Variable::Tx) {
                match &target.selector {
                    Selector::Key(key) => drop(self.keys.insert(key.to_ascii_lowercase())),
                    Selector::All | Selector::Regex(_) => self.any = true,
                }
            }
        }
        keys::macros_of(rule).for_each(|text| self.expands(text));
    }

    fn expands(&mut self, text: &Macro) {
        for part in &text.parts {
            match part {
                MacroPart::Variable { variable: Variable::Tx, key: Some(key) } => {
                    self.keys.insert(key.to_ascii_lowercase());
                }
                MacroPart::Variable { variable: Variable::Tx, key: None }
                | MacroPart::Matching { variable: Variable::Tx, .. } => self.any = true,
                _ => {}
            }
        }
    }
}
