//! What a request may spend, what happens when it is spent, and what is turned off meanwhile.

use super::{Stage, Transaction};
use crate::engine::collections;
use crate::engine::eval;
use crate::engine::scratch::Scratch;
use crate::engine::verdict::{Decided, Exhaustion, Policy, Reason, RulePolicy};
use crate::meter::{Exhausted, Scope};
use crate::ops::numeric;
use crate::program::{Loaded, PlannedRule};
use crate::rule::{EngineMode, Phase};

impl Transaction {
    /// Raises the fuel that this request may spend by what `bytes` more are worth.
    pub(super) fn grant(&mut self, bytes: usize) {
        self.inspected = self.inspected.saturating_add(bytes as u64);
        let bytes = usize::try_from(self.inspected).unwrap_or(usize::MAX);
        self.meter.set_limit(self.loaded.program().limits.budget(bytes).max(self.reserved));
    }

    /// Lets `fuel` be spent from now on, whatever was spent before.
    pub(super) fn reserve(&mut self, fuel: u64) {
        self.reserved = self.reserved.max(self.meter.spent().saturating_add(fuel));
        self.meter.set_limit(self.meter.limit().max(self.reserved));
    }

    /// Whether the request's budget is spent for good. A rule that ran dry and did not refuse the request is left out; the others
    /// still run, in later phases too, and so do critical rules.
    pub(super) fn is_over(&self) -> bool {
        let spent = self.scratch.state.exhausted.is_some_and(|exhausted| exhausted.scope != Scope::Rule);
        spent && !self.scratch.critical
    }

    /// Obeys the switches as they are now, between rules. An engine that is turned off stops where it is.
    pub(super) fn follow_switches(&mut self) {
        self.scratch.follow_switches();
        if self.scratch.state.strongest == EngineMode::Off {
            collections::commit(&mut self.scratch);
            self.stage = Stage::Idle;
        }
    }

    /// A budget is spent: unknown is never the same as "no match".
    pub(super) fn exhausted(&mut self, exhausted: Exhausted, phase: Phase) {
        let rule = eval::blamed(exhausted, &self.scratch, self.loaded.program());
        let policy = self.decide(exhausted.scope, phase);
        // A verdict names the first budget that ran dry; that of the request is graver than that of a rule.
        let before = self.scratch.state.exhausted;
        if before.is_none_or(|before| before.scope == Scope::Rule && exhausted.scope != Scope::Rule) {
            self.scratch.state.exhausted = Some(Exhaustion { scope: exhausted.scope, phase, rule, policy });
        }
        self.scratch.flags.note("budget exhausted");
        self.logging_cut |= phase == Phase::Logging;
        match policy {
            Decided::Match => {
                // The rest of the rule is not tested but done.
                self.cursor.conclude();
                return;
            }
            Decided::Skip | Decided::Score => {
                if let RulePolicy::Score(points) = self.rule_policy {
                    raise_score(points, phase, &self.loaded, &mut self.scratch);
                }
                self.cursor.go_to(self.cursor.position + 1);
                return;
            }
            Decided::Block => self.refuse(503, Reason::Budget(exhausted.scope), phase),
            Decided::Allow => {
                if self.goes_on_critical(phase) {
                    return;
                }
            }
        }
        self.scratch.critical = false;
        // What was counted until then counts: a request must not escape a limit by exhausting its budget.
        collections::commit(&mut self.scratch);
        match phase {
            Phase::Logging => self.logged = true,
            other => self.finished = other.index() + 1,
        }
        self.stage = Stage::Idle;
    }

    /// What the policies say.
    fn decide(&self, scope: Scope, phase: Phase) -> Decided {
        let enforces = self.scratch.state.mode == EngineMode::On && phase != Phase::Logging;
        if scope != Scope::Rule {
            let blocks = self.policy == Policy::Block && enforces;
            return if blocks { Decided::Block } else { Decided::Allow };
        }
        match self.rule_policy {
            _ if !enforces => Decided::Skip,
            RulePolicy::Match if self.may_conclude() => Decided::Match,
            RulePolicy::Match | RulePolicy::Block => Decided::Block,
            RulePolicy::Skip => Decided::Skip,
            RulePolicy::Score(_) => Decided::Score,
        }
    }

    /// Whether the rule that runs may count as a match although nobody knows whether it is one.
    fn may_conclude(&self) -> bool {
        let rules = &self.loaded.program().rules;
        let planned = self.scratch.state.rule.and_then(|rule| rules.get(rule.index()));
        matches!(self.stage, Stage::Rules(_))
            && self.cursor.entered
            && !self.cursor.concluded
            && planned.is_some_and(|planned| planned.tightens)
    }

    /// The budget is spent and the request is let through: rules that are critical still run, once, from a reserve of their own, on
    /// the values that were made.
    fn goes_on_critical(&mut self, phase: Phase) -> bool {
        let program = self.loaded.program().clone();
        if self.scratch.critical
            || phase == Phase::Logging
            || !program.rules.iter().any(|rule: &PlannedRule| rule.critical)
        {
            return false;
        }
        self.scratch.critical = true;
        self.reserve(program.limits.fuel_critical);
        if matches!(self.stage, Stage::Rules(_)) {
            // The rule that ran when the budget was spent begins anew if it is critical; one that was not entered yet is still to come.
            self.cursor.go_to(self.cursor.position);
        } else {
            self.enter_rules(phase);
        }
        true
    }
}

/// Adds to the anomaly score that CRS sums up for the phase.
fn raise_score(points: u32, phase: Phase, loaded: &Loaded, scratch: &mut Scratch) {
    let name: &[u8] =
        if phase <= Phase::RequestBody { b"inbound_anomaly_score_pl1" } else { b"outbound_anomaly_score_pl1" };
    let limit = loaded.program().limits.tx_entries;
    let Some(key) = scratch.tx.find_or_add(loaded, name, limit) else { return };
    let sum = scratch.tx.get(key).map_or(0, numeric::integer).saturating_add(points.into());
    scratch.tx.set(key, sum.to_string().as_bytes());
}
