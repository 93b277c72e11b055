//! Checks that every index of a program leads somewhere, so that the engine's look-ups cannot miss.

use super::{
    CtlStep, Fate, Link, Need, PatternId, Program, RuleIx, RuleSetId, SetStep, Sieve, Source, Step, Test, Text,
    TextPart, Which,
};
use crate::byteset::ones;
use crate::rule::Variable;
use crate::scan::Windows;
use std::fmt;

/// Something a program must not contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: String,
    /// What.
    pub what: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl std::error::Error for Fault {}

/// Checks a program: every id is in its table, jumps lead forward, pipelines form a tree. The planner's output always
/// passes; a program that came from elsewhere must.
///
/// # Errors
/// The first fault.
pub fn verify(program: &Program) -> Result<(), Fault> {
    // Without this guard D15 must be seen to fail.
    if cfg!(fusewall_without = "fields") {
        return Ok(());
    }
    let check = Check { program };
    check.tables()?;
    for (at, node) in program.nodes.iter().enumerate() {
        let place = || format!("pipeline node {at}");
        match node.step {
            None if at == 0 => {}
            Some((parent, _)) if parent.index() < at => {
                let above = program.nodes.get(parent.index()).map(|parent| parent.path.as_slice()).unwrap_or_default();
                let grows = node.path.split_last().is_some_and(|(last, rest)| last.index() == at && rest == above);
                ensure(grows, place, "its path is not its parent's path and itself")?;
            }
            _ => return fault(place, "it does not hang below an earlier node"),
        }
    }
    for (phase, live) in program.schedule.iter().enumerate() {
        ensure(is_ascending(live), || format!("phase {}", phase + 1), "rules are not in load order")?;
        for (position, &rule) in live.iter().enumerate() {
            let place = || format!("phase {}, position {position}", phase + 1);
            let planned = program.rules.get(rule.index());
            let Some(planned) = planned else { return fault(place, "no such rule") };
            ensure(program.source(rule).is_some_and(|r| r.phase.index() == phase), place, "a rule of another phase")?;
            ensure(planned.jump.is_none_or(|to| to > position && to <= live.len()), place, "a jump that goes back")?;
            ensure(!planned.links.is_empty(), place, "a rule without links")?;
            let first = planned.links.first().and_then(|link| link.look).and_then(|look| look.sieve);
            let sieve = program.sieves.get(phase);
            let slot = first.and_then(|slot| sieve?.slots.get(slot.index()));
            let ungated =
                sieve.and_then(|sieve| sieve.ungated.get(position / 64)).map(|word| word >> (position % 64) & 1);
            let gated = slot.is_some_and(|slot| slot.gates.contains(&(position as u32)));
            ensure(
                gated || first.is_none() && ungated == Some(1),
                place,
                "neither gated by its condition nor run always",
            )?;
        }
    }
    ensure(program.rules.len() == program.ruleset.rules.len(), || "rules".into(), "not as many as in the ruleset")?;
    for (at, rule) in program.rules.iter().enumerate() {
        let place = || format!("rule {at}");
        for text in rule.msg.iter().chain(&rule.logdata).chain(&rule.tags).chain(&rule.redirect) {
            check.text(text, place)?;
        }
        let acts = rule.links.iter().any(|link| !link.actions.is_empty());
        if rule.fate == Fate::Live || rule.fate == Fate::Always && acts {
            let phase = program.source(RuleIx::new(at)).map(|rule| rule.phase.index());
            let scheduled = phase.and_then(|phase| program.schedule.get(phase));
            let runs = scheduled.is_some_and(|rules| rules.binary_search(&RuleIx::new(at)).is_ok());
            ensure(runs, place, "it does something, and never runs")?;
        }
        for link in &rule.links {
            check.link(link, program.source(RuleIx::new(at)).map(|rule| rule.phase.index()), place)?;
        }
    }
    Ok(())
}

fn fault(place: impl Fn() -> String, what: &'static str) -> Result<(), Fault> {
    Err(Fault { place: place(), what })
}

fn ensure(holds: bool, place: impl Fn() -> String, what: &'static str) -> Result<(), Fault> {
    if holds { Ok(()) } else { fault(place, what) }
}

/// Sorted, nothing twice.
fn is_ascending<T: Ord>(list: &[T]) -> bool {
    list.is_sorted_by(|one, next| one < next)
}

struct Check<'p> {
    program: &'p Program,
}

impl Check<'_> {
    fn tables(&self) -> Result<(), Fault> {
        for (at, selection) in self.program.selections.iter().enumerate() {
            for source in selection.targets.iter().chain(&selection.exclusions) {
                self.source(source, || format!("selection {at}"))?;
            }
        }
        for (at, test) in self.program.tests.iter().enumerate() {
            let place = || format!("operator {at}");
            match test {
                Test::Rx(id) | Test::RxGlobal(id) | Test::Verify(_, id) => self.pattern(*id, place)?,
                Test::Pm(id) => ensure(id.index() < self.program.phrases.len(), place, "no such phrase list")?,
                Test::Text(_, text) | Test::Number(_, text) | Test::RxExpanded { text, .. } => {
                    self.text(text, place)?
                }
                _ => {}
            }
        }
        for (at, plan) in self.program.patterns.iter().enumerate() {
            let known = plan.screens.iter().flatten().all(|screen| self.need(&screen.need));
            ensure(known, || format!("pattern {at}"), "no such literal")?;
        }
        for (phase, sieve) in self.program.sieves.iter().enumerate() {
            self.sieve(sieve, || format!("sieve of phase {}", phase + 1))?;
        }
        for (at, set) in self.program.rule_sets.iter().enumerate() {
            let known = set.iter().all(|rule| rule.index() < self.program.rules.len());
            ensure(known, || format!("rule set {at}"), "no such rule")?;
            // They are searched by halves.
            ensure(is_ascending(set), || format!("rule set {at}"), "not in load order")?;
        }
        let (captures, sorted) = self.program.tx_keys.split_at(self.program.tx_keys.len().min(10));
        let digits = captures.len() == 10 && captures.iter().zip(b'0'..).all(|(key, digit)| **key == [digit]);
        ensure(digits && is_ascending(sorted), || "TX keys".into(), "not the captures first and the others sorted")
    }

    fn sieve(&self, sieve: &Sieve, place: impl Fn() -> String + Copy) -> Result<(), Fault> {
        ensure(sieve.nodes.len() <= Sieve::NODES, place, "too many pipelines")?;
        ensure(sieve.windows.len() <= Windows::MOST, place, "too many windows")?;
        let known = u128::MAX.checked_shr((Windows::MOST - sieve.windows.len()) as u32).unwrap_or_default();
        for slot in &sieve.slots {
            let selection = self.program.selections.get(slot.selection.index());
            ensure(selection.is_some_and(|selection| !selection.dynamic), place, "no such fixed selection")?;
            let told = selection.into_iter().flat_map(|selection| &selection.targets).all(|wanted| {
                let seen = sieve.variables.iter().find(|known| known.variable == wanted.variable);
                let bits = seen.map_or(0, |known| match &wanted.which {
                    Which::Key(key) => known.targets_of(key),
                    _ => known.all,
                });
                !wanted.count && slot.targets & bits != 0
            });
            ensure(told, place, "a variable that is not looked at")?;
        }
        for node in &sieve.nodes {
            let Some(known) = self.program.nodes.get(node.node.index()) else {
                return fault(place, "no such pipeline node");
            };
            let told = known.path_trigger == node.trigger && node.trigger.or(sieve.trigger) == sieve.trigger;
            ensure(told, place, "a pipeline that may be missed")?;
        }
        for level in &sieve.levels {
            let checked = level.checks.iter().all(|check| {
                let behind =
                    sieve.nodes.get(usize::from(check.node)).is_some_and(|node| node.slots.contains(&check.slot));
                let needs = check.need.is_none_or(|need| (need as usize) < level.needs.len());
                let list = |(start, end): (u32, u32), len: usize| start <= end && end as usize <= len;
                behind && needs && list(check.sets, level.sets.len()) && list(check.cuts, level.cuts.len())
            });
            ensure(checked, place, "a check of nothing")?;
            let width = level.open.div_ceil(64);
            let sized = level.by_byte.len() == 257 * width && level.by_target.len() == Sieve::TARGETS * width;
            ensure(sized, place, "rows of another size")?;
            // A target that is left out would let an attack pass.
            let told = level.checks.iter().take(level.open).enumerate().all(|(at, check)| {
                let row = |target: usize| level.by_target.get(target * width + at / 64).copied().unwrap_or_default();
                ones(&[check.targets]).all(|target| row(target) >> (at % 64) & 1 == 1)
            });
            ensure(told, place, "a target that leads to too few checks")?;
            let mut led = level.literal_checks.iter().chain(&level.node_checks);
            let led = led.all(|check| (*check as usize) < level.checks.len());
            let sorted = level.by_literal.is_sorted() && level.by_node.is_sorted();
            ensure(led && sorted, place, "literals or pipelines that lead nowhere")?;
            ensure(level.by_node.len() == sieve.nodes.len() + 1, place, "not as many pipelines as there are")?;
            ensure(level.needs.iter().all(|need| self.need(need)), place, "no such literal")?;
            ensure(level.cuts.iter().all(|cut| cut & !known == 0), place, "no such window")?;
        }
        Ok(())
    }

    fn need(&self, need: &Need) -> bool {
        match need {
            Need::Always => true,
            Need::Literal(at) => (*at as usize) < self.literals(),
            // The engine takes it for granted that no need is met by a value without literals.
            Need::All(needs) if needs.is_empty() => false,
            Need::All(needs) | Need::Any(needs) => needs.iter().all(|need| *need != Need::Always && self.need(need)),
            Need::AnyOf(words) => words.iter().all(|(at, bits)| {
                let last = *at as usize * 64 + bits.checked_ilog2().unwrap_or_default() as usize;
                *bits != 0 && last < self.literals()
            }),
        }
    }

    /// Numbers of literals and phrase lists.
    fn literals(&self) -> usize {
        self.program.literals.len() + self.program.phrases.len()
    }

    fn pattern(&self, id: PatternId, place: impl Fn() -> String) -> Result<(), Fault> {
        ensure(id.index() < self.program.patterns.len(), place, "no such pattern")
    }

    fn source(&self, source: &Source, place: impl Fn() -> String) -> Result<(), Fault> {
        match &source.which {
            Which::Regex(id) => self.pattern(*id, place),
            Which::Tx(key) => ensure(key.index() < self.program.tx_keys.len(), place, "no such TX key"),
            Which::All | Which::Key(_) => Ok(()),
        }
    }

    fn text(&self, text: &Text, place: impl Fn() -> String) -> Result<(), Fault> {
        let known = text.parts.iter().all(|part| match part {
            TextPart::Tx(key) => key.index() < self.program.tx_keys.len(),
            TextPart::Matching(_, pattern) => pattern.index() < self.program.patterns.len(),
            _ => true,
        });
        ensure(known, place, "no such TX key or pattern")
    }

    fn rule_set(&self, id: RuleSetId, place: impl Fn() -> String) -> Result<(), Fault> {
        ensure(id.index() < self.program.rule_sets.len(), place, "no such rule set")
    }

    fn link(&self, link: &Link, phase: Option<usize>, place: impl Fn() -> String + Copy) -> Result<(), Fault> {
        if let Some(look) = &link.look {
            ensure(look.selection.index() < self.program.selections.len(), place, "no such selection")?;
            ensure(look.node.index() < self.program.nodes.len(), place, "no such pipeline node")?;
            ensure(look.test.index() < self.program.tests.len(), place, "no such operator")?;
            if let Some(slot) = look.sieve {
                let slot = phase.and_then(|phase| self.program.sieves.get(phase)?.slots.get(slot.index()));
                let own = slot.is_some_and(|slot| {
                    let same = slot.selection == look.selection && slot.node == look.node && slot.test == look.test;
                    same && slot.multi_match == look.multi_match
                });
                ensure(own && !look.negated, place, "a slot of a sieve that is not its own")?;
            }
        }
        for step in &link.actions {
            match step {
                Step::SetTx(key, right) => {
                    ensure(key.index() < self.program.tx_keys.len(), place, "no such TX key")?;
                    self.right(right, place)?;
                }
                Step::SetVar(collection, key, right) => {
                    if *collection != Variable::Tx {
                        self.persistent(*collection, place)?;
                    }
                    self.text(key, place)?;
                    self.right(right, place)?;
                }
                Step::Ctl(CtlStep::RemoveRules(set)) => self.rule_set(*set, place)?,
                Step::Ctl(CtlStep::RemoveTarget(set, source)) => {
                    self.rule_set(*set, place)?;
                    self.source(source, place)?;
                }
                Step::Ctl(_) | Step::Sanitise(_) => {}
                Step::InitCollection(collection, key) => {
                    self.persistent(*collection, place)?;
                    self.text(key, place)?;
                }
                Step::Expire(collection, key, value) | Step::Deprecate(collection, key, value) => {
                    self.persistent(*collection, place)?;
                    self.text(key, place)?;
                    self.text(value, place)?;
                }
                Step::SetEnv(name, value) => {
                    self.text(name, place)?;
                    self.text(value, place)?;
                }
            }
        }
        Ok(())
    }

    fn persistent(&self, collection: Variable, place: impl Fn() -> String) -> Result<(), Fault> {
        ensure(collection.is_persistent(), place, "not a persistent collection")
    }

    fn right(&self, right: &SetStep, place: impl Fn() -> String) -> Result<(), Fault> {
        match right {
            SetStep::Set(text) | SetStep::Add(text) | SetStep::Subtract(text) => self.text(text, place),
            SetStep::Unset => Ok(()),
        }
    }
}
