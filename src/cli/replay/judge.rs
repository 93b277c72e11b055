//! Judges recorded requests, and leaves out the rules that would look at what was not recorded: a header that a log does not have is
//! not a header that a client has not sent.

use super::source::{Lacks, Recorded, Seen};
use crate::rule::{Field, Phase, Rule, RuleId};
use crate::waf::{Switch, Transaction, Waf};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The rules that cannot be judged where something was not recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unjudged {
    /// A condition of theirs has nothing to look at; or their phase does not come.
    pub rules: Vec<u64>,
    /// Of these, the ones that are switched off: the phases of the others do not run.
    pub off: Vec<u64>,
    /// Some of what they look at was recorded.
    pub in_part: Vec<u64>,
}

/// A ruleset that judges.
#[derive(Debug)]
pub struct Judge {
    waf: Waf,
    /// What the rules that are off now are off for.
    now: Lacks,
    known: BTreeMap<Lacks, Arc<Unjudged>>,
}

impl Judge {
    /// With all rules on.
    pub fn new(waf: Waf) -> Judge {
        Judge { waf, now: Lacks::default(), known: BTreeMap::new() }
    }

    /// The rules.
    pub fn waf(&self) -> &Waf {
        &self.waf
    }

    /// Takes an exchange through its phases.
    pub fn evaluate(&mut self, recorded: &Recorded) -> Transaction {
        self.turn(&recorded.lacks);
        recorded.request.evaluate(&self.waf)
    }

    /// The rules that cannot be judged for exchanges that lack this.
    pub fn without(&mut self, lacks: &Lacks) -> Arc<Unjudged> {
        if let Some(known) = self.known.get(lacks) {
            return known.clone();
        }
        let found = Arc::new(unjudged(&self.waf.loaded().program().ruleset.rules, lacks));
        self.known.insert(lacks.clone(), found.clone());
        found
    }

    /// Switches off what cannot be judged, and on again what could not be judged before.
    fn turn(&mut self, lacks: &Lacks) {
        let (before, next) = (self.without(&self.now.clone()), self.without(lacks));
        if self.now == *lacks {
            return;
        }
        let switch = |id: &u64| Switch::Rule(RuleId(*id));
        before.off.iter().filter(|id| !next.off.contains(id)).for_each(|id| _ = self.waf.switch_on(&switch(id)));
        next.off.iter().filter(|id| !before.off.contains(id)).for_each(|id| _ = self.waf.switch_off(&switch(id)));
        self.now = lacks.clone();
    }
}

fn unjudged(rules: &[Rule], lacks: &Lacks) -> Unjudged {
    let mut found = Unjudged::default();
    for rule in rules {
        let never_runs = match rule.phase {
            Phase::ResponseHeaders => lacks.fields.contains(&Field::ResponseHeaders),
            Phase::ResponseBody => {
                lacks.fields.contains(&Field::ResponseHeaders) || lacks.fields.contains(&Field::ResponseBody)
            }
            _ => false,
        };
        let seen = |(all, any): (Seen, bool), seen: Seen| (all.max(seen), any || seen != Seen::All);
        let (mut nothing, mut in_part) = (false, false);
        for condition in rule.conditions.iter().filter(|condition| !condition.targets.is_empty()) {
            let targets = condition.targets.iter().map(|target| lacks.seen(target));
            let (best, some_missing) = targets.fold((Seen::Nothing, false), seen);
            nothing |= best == Seen::Nothing;
            in_part |= some_missing;
        }
        match (never_runs, nothing) {
            (_, true) => {
                found.rules.push(rule.id.0);
                found.off.push(rule.id.0);
            }
            (true, false) => found.rules.push(rule.id.0),
            (false, false) if in_part => found.in_part.push(rule.id.0),
            (false, false) => {}
        }
    }
    found
}
