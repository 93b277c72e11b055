//! Kill switches: what an operator turns off at once, whatever rules are in service.

use super::Waf;
use crate::program::{Program, RuleIx};
use crate::rule::{EngineMode, Rule, RuleId};
use crate::store::Deployed;
use crate::sync::MutexGuard;
use std::sync::{Arc, PoisonError, Weak};

/// What a switch is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Switch {
    /// The rule with this id.
    Rule(RuleId),
    /// All rules with this tag (without case; tags with macros have no name to be called by).
    Tag(String),
    /// All rules.
    Ruleset,
}

impl Switch {
    fn names(&self, rule: &Rule) -> bool {
        match self {
            Switch::Rule(id) => rule.id == *id,
            Switch::Tag(tag) => {
                let mut tags = rule.tags.iter().filter_map(|text| text.as_text());
                tags.any(|text| text.eq_ignore_ascii_case(tag.as_bytes()))
            }
            Switch::Ruleset => true,
        }
    }

    /// The rules that it is for, but for those that `others` name.
    fn rules<'a>(&'a self, program: &'a Program, others: &'a [Switch]) -> impl Iterator<Item = RuleIx> + 'a {
        let rules = program.ruleset.rules.iter().enumerate();
        let chosen = move |rule: &Rule| self.names(rule) && !others.iter().any(|other| other.names(rule));
        rules.filter(move |(_, rule)| chosen(rule)).map(|(at, _)| RuleIx::new(at))
    }

    fn turn(&self, deployed: &Deployed, off: bool, others: &[Switch]) -> usize {
        let rules = self.rules(deployed.loaded().program(), others);
        rules.map(|rule| deployed.switches().kill(rule, off)).count()
    }
}

/// What is off, for rulesets to come; and the rulesets that requests under way may still have.
#[derive(Debug)]
pub(super) struct Switching {
    off: Vec<Switch>,
    strongest: EngineMode,
    older: Vec<Weak<Deployed>>,
}

impl Switching {
    pub(super) fn new(first: &Arc<Deployed>) -> Switching {
        Switching { off: Vec::new(), strongest: EngineMode::On, older: vec![Arc::downgrade(first)] }
    }

    /// Turns in a ruleset that is new what was turned in others.
    pub(super) fn prepare(&self, next: &Deployed) {
        for switch in &self.off {
            switch.turn(next, true, &[]);
        }
        if self.strongest != EngineMode::On {
            next.switches().set_strongest(self.strongest);
        }
    }

    pub(super) fn deployed(&mut self, next: &Arc<Deployed>) {
        self.older.retain(|deployed| deployed.strong_count() > 0);
        self.older.push(Arc::downgrade(next));
    }

    fn each(&self, turn: impl Fn(&Deployed)) {
        self.older.iter().filter_map(Weak::upgrade).for_each(|deployed| turn(&deployed));
    }
}

impl Waf {
    /// Turns rules off, now and in rulesets to come, until [`switch_on`](Self::switch_on). Requests under way obey before their next
    /// rule. Chains, skips and scores stay as they are for rules that `ctl:ruleRemoveById` removes; and what was worked out when the rules
    /// were loaded stays as well: rules behind a gate that was always closed stay out when whoever closed it is off. Answers how many rules of the
    /// ruleset in service are concerned: none is no error, a later one may have some.
    ///
    /// ```
    /// use fusewall::{Switch, Waf, rule::RuleId};
    /// let waf = Waf::builder().rules_text("r.conf", "SecRuleEngine On\nSecRule ARGS:a \"@streq b\" \"id:7,phase:1,deny\"").build().expect("loads");
    /// assert_eq!(waf.switch_off(&Switch::Rule(RuleId(7))), 1);
    /// let mut request = waf.transaction();
    /// request.process_request_line(b"GET", b"/?a=b", b"HTTP/1.1");
    /// assert!(request.process_request_headers().is_none());
    /// ```
    pub fn switch_off(&self, what: &Switch) -> usize {
        // The ruleset in service first, without a lock: this must work while everything else hangs.
        let concerned = what.turn(&self.shared.slot.current(), true, &[]);
        let mut switching = self.switching();
        if !switching.off.contains(what) {
            switching.off.push(what.clone());
        }
        switching.each(|deployed| {
            what.turn(deployed, true, &[]);
        });
        concerned
    }

    /// Turns rules on again that exactly this switch has turned off; those that another one names stay off. Requests under way
    /// keep to what they have seen. Answers how many rules of the ruleset in service are on again.
    pub fn switch_on(&self, what: &Switch) -> usize {
        let mut switching = self.switching();
        switching.off.retain(|switch| switch != what);
        switching.each(|deployed| {
            what.turn(deployed, false, &switching.off);
        });
        let current = self.shared.slot.current();
        what.rules(current.loaded().program(), &switching.off).count()
    }

    /// Runs the engine in no stronger mode than this, whatever the rules say: `Off` lets everything pass uninspected, requests under
    /// way included; `On` leaves it to the rules again. It outlives a change of rules, not the process.
    pub fn set_strongest_mode(&self, mode: EngineMode) {
        self.shared.slot.current().switches().set_strongest(mode);
        let mut switching = self.switching();
        switching.strongest = mode;
        switching.each(|deployed| deployed.switches().set_strongest(mode));
    }

    /// The switches of the ruleset in service: what the governor turns.
    pub fn switches(&self) -> Arc<crate::program::Switches> {
        self.shared.slot.current().switches().clone()
    }

    /// What is off.
    pub fn switched_off(&self) -> (Vec<Switch>, EngineMode) {
        let switching = self.switching();
        (switching.off.clone(), switching.strongest)
    }

    pub(super) fn switching(&self) -> MutexGuard<'_, Switching> {
        self.shared.switching.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
