//! The planner: from what rules mean ([`crate::rule`]) to how they are run ([`Program`]).
//!
//! One file per pass: `fold` decides constant conditions and finds rules that no path leads to, `keys` collects TX names,
//! `draft` interns selections, pipelines and operators, `patterns` compiles expressions and chooses their engine, `price`
//! adds up what rules may cost, `ceiling` says which cost too much (and `heaviest` what in a pattern), `sieves` finds tests that look
//! at the same values, `certificate` bounds whole requests, `contract` finds rules that use what the host does not supply. Each pass explains itself in `fusewall explain`.

mod artefact;
mod ceiling;
mod certificate;
mod contract;
mod draft;
mod fold;
mod heaviest;
mod keys;
mod patterns;
mod phrases;
mod price;
mod sieves;
mod tightens;

pub use artefact::{Artefact, Artefacts, Unpacked, unpack};
pub use ceiling::Ceilings;
pub use certificate::{Bound, bound, bounds, largest_proven};
pub use contract::contract;
pub use price::{RuleCost, RulesetCost, cost};

use crate::diag::Diagnostics;
use crate::limits::Limits;
use crate::program::{Fate, Loaded, PlannedRule, Program, RuleIx};
use crate::rule::{KeepFiles, Rule, Ruleset, Variable};
use std::sync::Arc;

/// Switches of the planner. Both exist so that tests can compare: neither may change a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Fold constant conditions away.
    pub fold: bool,
    /// Screen values by length, byte sets and literals before a pattern runs.
    pub prefilter: bool,
    /// Let every pattern say where it matched, wanted or not: for whoever looks at a trace.
    pub spans: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { fold: true, prefilter: true, spans: false }
    }
}

/// A planned ruleset.
#[derive(Debug)]
pub struct Planned {
    /// The program.
    pub program: Arc<Program>,
    /// Its automata.
    pub loaded: Loaded,
    /// What took long to make, if somebody wanted to keep it.
    pub artefacts: Artefacts,
}

/// A ruleset in which everything has its place, before anything is compiled: what needs no automata.
#[derive(Debug)]
pub struct Drafted {
    ruleset: Ruleset,
    options: Options,
    rules: Vec<PlannedRule>,
    schedule: [Vec<RuleIx>; 5],
    tables: draft::Finished,
    full_request: bool,
    sanitises: bool,
    stores_uploads: bool,
}

/// Folds a ruleset and gives everything in it its place. Findings go to `diagnostics`.
pub fn draft(ruleset: Ruleset, limits: &Limits, options: Options, diagnostics: &mut Diagnostics) -> Drafted {
    let fold::Folded { fates, patterns: known } =
        if options.fold { fold::fold(&ruleset, limits) } else { fold::Folded::nothing(&ruleset) };
    let schedule = schedule(&ruleset, &fates);
    let sanitises = ruleset.rules.iter().any(keys::sanitises);
    let uploads = &ruleset.settings.uploads;
    let names_uploads = || ruleset.rules.iter().any(|rule| keys::names(rule, Variable::FilesTmpNames));
    let stores_uploads = uploads.save || uploads.keep != KeepFiles::Off || names_uploads();
    let full_request = ruleset.rules.iter().any(|rule| keys::names(rule, Variable::FullRequest));

    let tightens = tightens::of(&ruleset);
    let mut draft = draft::Draft::new(&ruleset, known);
    let mut rules: Vec<PlannedRule> = Vec::with_capacity(ruleset.rules.len());
    for (at, rule) in ruleset.rules.iter().enumerate() {
        if fates[at] == Fate::Live {
            draft.unknown_patterns(at).for_each(|warning| diagnostics.push(warning));
        }
        let planned = draft.rule(at, fates[at], jump(&ruleset, at, rule, &schedule));
        rules.push(PlannedRule { tightens: tightens[at], ..planned });
    }
    let mut tables = draft.finish();
    if options.spans {
        tables.patterns.iter_mut().for_each(|pattern| pattern.want = crate::scan::Want::Groups);
    }
    Drafted { ruleset, options, rules, schedule, tables, full_request, sanitises, stores_uploads }
}

impl Drafted {
    /// Compiles it. Findings go to `diagnostics`; `None` means that there was an error among them. What is `unpacked` is not
    /// compiled again; artefacts of all patterns are made if somebody wants to `keep` them.
    pub fn compile(
        self,
        limits: &Limits,
        unpacked: Unpacked,
        keep: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<Planned> {
        let before = diagnostics.errors();
        let Drafted { ruleset, options, rules, schedule, tables, full_request, sanitises, stores_uploads } = self;
        let draft::Finished { selections, nodes, tests, phrases, tx_keys, rule_sets, patterns } = tables;
        let patterns::Patterns { plans, literals, automata, artefacts } =
            patterns::compile(patterns, limits, options.prefilter, unpacked, keep, diagnostics);
        if diagnostics.errors() > before {
            return None;
        }
        let mut program = Program {
            ruleset: Arc::new(ruleset),
            limits: limits.clone(),
            rules,
            schedule,
            selections,
            nodes,
            tests,
            patterns: plans,
            phrases: phrases::plan(phrases, literals.len(), options.prefilter),
            literals,
            sieves: Default::default(),
            tx_keys,
            rule_sets,
            full_request,
            sanitises,
            stores_uploads,
        };
        sieves::set(&mut program, options.prefilter);
        price::set(&mut program);
        let program = Arc::new(program);
        match Loaded::assemble(program.clone(), automata) {
            Ok(loaded) => Some(Planned { program, loaded, artefacts }),
            Err(error) => {
                diagnostics.push(crate::diag::Diagnostic::error(
                    crate::lang::seclang::codes::AUTOMATON,
                    None,
                    error.to_string(),
                ));
                None
            }
        }
    }
}

/// The live rules of each phase, in load order.
fn schedule(ruleset: &Ruleset, fates: &[Fate]) -> [Vec<RuleIx>; 5] {
    // From the last to the first: whether a jump changes anything depends on the rules that it leaves out.
    let mut runs = vec![false; ruleset.rules.len()];
    for (at, rule) in ruleset.rules.iter().enumerate().rev() {
        runs[at] = match fates[at] {
            Fate::Live => true,
            Fate::Always => has_effect(ruleset, &runs, at, rule),
            Fate::Never | Fate::Unreachable => false,
        };
    }
    let mut schedule: [Vec<RuleIx>; 5] = Default::default();
    for (at, rule) in ruleset.rules.iter().enumerate().filter(|(at, _)| runs[*at]) {
        schedule[rule.phase.index()].push(RuleIx::new(at));
    }
    schedule
}

/// Whether a rule that always matches changes anything: it has actions, or it jumps over a rule that runs.
fn has_effect(ruleset: &Ruleset, runs: &[bool], at: usize, rule: &Rule) -> bool {
    if rule.conditions.iter().any(|condition| !condition.actions.is_empty()) {
        return true;
    }
    let Some(target) = fold::jump_target(ruleset, at, rule) else { return false };
    (at + 1..target.min(ruleset.rules.len())).any(|between| runs[between] && ruleset.rules[between].phase == rule.phase)
}

/// Where a rule's jump leads, as a position in its phase's schedule.
fn jump(ruleset: &Ruleset, at: usize, rule: &Rule, schedule: &[Vec<RuleIx>; 5]) -> Option<usize> {
    let target = fold::jump_target(ruleset, at, rule)?;
    Some(schedule[rule.phase.index()].partition_point(|live| live.index() < target))
}
