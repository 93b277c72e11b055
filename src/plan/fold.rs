//! Constant folding: decides conditions that depend on nothing but TX values which the rules themselves set to constants.
//!
//! CRS is full of gates (`TX:DETECTION_PARANOIA_LEVEL "@lt 2"` with a `skipAfter`): with the level known at load, the gate and
//! the rules behind it go away. The pass runs the rules abstractly: each TX key is unset, a constant or unknown; states join
//! where jumps meet. It errs on the side of "unknown": a request may change what follows, a `ctl` may remove the rule that
//! sets the constant, `allow` may leave a phase early or skip one. Phase 5 is not folded, because an interrupted transaction
//! reaches it from anywhere.

mod state;

use super::keys;
use crate::lang::pcre;
use crate::limits::Limits;
use crate::ops::{numeric, text};
use crate::program::Fate;
use crate::rule::{
    Action, AllowScope, Condition, Ctl, Disruptive, Flow, Operator, Pattern, Phase, Rule, Ruleset, Selector, SetOp,
    Test, Variable,
};
use crate::transform::{Changed, Context};
use state::{Journal, Known, State};
use std::collections::{BTreeMap, BTreeSet};

/// The rule that a full match goes on with, as a position in load order (one past the last: the end). `None`: the next one.
pub(super) fn jump_target(ruleset: &Ruleset, at: usize, rule: &Rule) -> Option<usize> {
    let end = ruleset.rules.len();
    match &rule.flow {
        Flow::Next => None,
        Flow::Skip(count) => {
            let mut later = (at + 1..end).filter(|&other| ruleset.rules[other].phase == rule.phase);
            Some(later.nth(*count as usize).unwrap_or(end))
        }
        Flow::SkipAfter(label) => Some(
            ruleset
                .markers
                .iter()
                .find(|marker| marker.before > at && marker.label == *label)
                .map_or(end, |m| m.before),
        ),
    }
}

/// What is known about one condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// It matches, so many times.
    True(usize),
    False,
    Unknown,
}

/// What is known of the rules.
pub(super) struct Folded {
    /// What becomes of each.
    pub(super) fates: Vec<Fate>,
    /// What the macros in patterns expand to, by the places of rule and condition, where that is always the same.
    pub(super) patterns: BTreeMap<(usize, usize), Vec<u8>>,
}

impl Folded {
    /// Nothing is known.
    pub(super) fn nothing(ruleset: &Ruleset) -> Folded {
        Folded { fates: vec![Fate::Live; ruleset.rules.len()], patterns: BTreeMap::new() }
    }
}

/// Decides the fate of every rule.
pub(super) fn fold(ruleset: &Ruleset, limits: &Limits) -> Folded {
    let mut patterns = BTreeMap::new();
    let mut fates = vec![Fate::Live; ruleset.rules.len()];
    let mut doubts = vec![Doubt::None; ruleset.rules.len()];
    let mut removals = Removals::new(ruleset.rules.len());
    let keep_matches = ruleset.rules.iter().any(reads_match_of_others);
    let context = Context { unicode_map: ruleset.settings.unicode_map.as_deref() };
    let mut entry = State::new(limits);
    // What may hold where `allow:request` has skipped phase 2.
    let mut skipped: Option<State> = None;
    for phase in [Phase::RequestHeaders, Phase::RequestBody, Phase::ResponseHeaders, Phase::ResponseBody] {
        let mut here = Some(entry.clone());
        // Nobody gets here unless one of these has run.
        let mut only_after: Option<BTreeSet<usize>> = None;
        let mut early: Option<State> = None;
        let mut landings: BTreeMap<usize, State> = BTreeMap::new();
        for (at, rule) in ruleset.rules.iter().enumerate() {
            // Jumps may land on positions that belong to other phases.
            while let Some((_, landed)) = landings.first_key_value().filter(|(to, _)| **to <= at) {
                here = State::join(here, Some(landed.clone()));
                only_after = None;
                landings.pop_first();
            }
            if rule.phase != phase {
                continue;
            }
            // A gate that always jumps is passed where it was removed. What was removed with it does not run there either.
            if only_after.as_ref().is_some_and(|runs| runs.is_subset(&removals.of[at])) {
                fates[at] = Fate::Unreachable;
                continue;
            }
            let Some(state) = here.as_mut() else {
                fates[at] = Fate::Unreachable;
                continue;
            };
            let outcome = run(rule, state, doubts[at], &context, &mut |condition, text| {
                patterns.insert((at, condition), text);
            });
            let left = (rule.disruptive != Disruptive::Pass).then(|| state.clone());
            let removed_by = removals.of[at].clone();
            mark_doubts(ruleset, rule, outcome.fate, &mut doubts, &mut removals);
            fates[at] = match outcome.fate {
                Fate::Always if keep_matches || reads_its_own_match(rule) => Fate::Live,
                // Its first links may match.
                Fate::Never if keep_matches && rule.conditions.len() > 1 => Fate::Live,
                fate => fate,
            };
            if let Some(target) = jump_target(ruleset, at, rule).filter(|_| outcome.may_match) {
                let jumped = State::join(landings.remove(&target), Some(state.clone()));
                if let Some(jumped) = jumped {
                    landings.insert(target, jumped);
                }
                match outcome.passes {
                    Passes::Never => here = None,
                    Passes::IfRemoved => only_after = Some(only_after.unwrap_or(removed_by)),
                    Passes::Maybe => {}
                }
            }
            if rule.disruptive != Disruptive::Pass && outcome.may_match {
                early = State::join(early, left.clone());
                if rule.disruptive == Disruptive::Allow(AllowScope::Request) {
                    skipped = State::join(skipped, left);
                }
            }
        }
        for (_, landed) in landings {
            here = State::join(here, Some(landed));
        }
        if phase == Phase::RequestBody {
            early = State::join(early, skipped.take());
        }
        entry = State::join(here, early).unwrap_or_else(|| State::new(limits));
    }
    Folded { fates, patterns }
}

/// What a `ctl` of an earlier rule may have done to a rule when it comes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doubt {
    None,
    /// It may be removed: if it matches at all, then as it always does. What it does is not certain.
    Removed,
    /// It may have lost targets: what matches may not match, and never the other way round.
    Narrowed,
}

/// Which `ctl`s may have removed each rule when it comes up, by their numbers.
struct Removals {
    count: usize,
    of: Vec<BTreeSet<usize>>,
}

impl Removals {
    fn new(rules: usize) -> Removals {
        Removals { count: 0, of: vec![BTreeSet::new(); rules] }
    }
}

/// What running one rule abstractly comes to.
struct Outcome {
    fate: Fate,
    may_match: bool,
    passes: Passes,
}

/// Whether the rule behind one with a jump is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passes {
    /// It always jumps.
    Never,
    /// It always jumps, where it has not been removed.
    IfRemoved,
    Maybe,
}

/// Runs the rule on `state`, which afterwards holds whatever may be true behind it. `constant` is told of the conditions whose
/// pattern has macros that are known, and what it is.
fn run(
    rule: &Rule,
    state: &mut State,
    doubt: Doubt,
    context: &Context<'_>,
    constant: &mut dyn FnMut(usize, Vec<u8>),
) -> Outcome {
    let mut changes = Journal::new();
    // All conditions so far are known to match.
    let mut certain = true;
    let mut acted = false;
    let mut repeated = false;
    for (at, condition) in rule.conditions.iter().enumerate() {
        let pattern = match &condition.test {
            Some(Test { operator: Operator::RxExpanded { text, .. }, .. }) => Some(text),
            _ => None,
        };
        let before = pattern.and_then(|text| state.expand(text));
        let decision = match decide(condition, state, context) {
            _ if !certain => Decision::Unknown,
            Decision::True(_) if doubt == Doubt::Narrowed => Decision::Unknown,
            decision => decision,
        };
        match decision {
            Decision::False => {
                if doubt != Doubt::None {
                    state.doubt(&changes);
                }
                let fate = if acted { Fate::Live } else { Fate::Never };
                return Outcome { fate, may_match: false, passes: Passes::Maybe };
            }
            Decision::True(times) => {
                for _ in 0..times {
                    condition.actions.iter().for_each(|action| apply(action, state, &mut changes));
                }
                acted |= !condition.actions.is_empty();
                repeated |= times != 1;
            }
            Decision::Unknown => {
                certain = false;
                // The actions may run any number of times. Each turn makes at least one more key unknown, or is the last.
                loop {
                    let mut turn = Journal::new();
                    condition.actions.iter().for_each(|action| apply(action, state, &mut turn));
                    let news = state.doubt(&turn);
                    changes.append(&mut turn);
                    if !news {
                        break;
                    }
                }
            }
        }
        // The condition's own actions run between its values.
        if let (Some(text), Some(before)) = (pattern, before)
            && state.expand(text).as_ref() == Some(&before)
        {
            constant(at, before);
        }
    }
    if !certain {
        state.doubt(&changes);
        return Outcome { fate: Fate::Live, may_match: true, passes: Passes::Maybe };
    }
    let silent = !rule.log && !rule.auditlog && rule.disruptive == Disruptive::Pass && rule.severity.is_none();
    let fate = if silent && !repeated { Fate::Always } else { Fate::Live };
    if doubt != Doubt::None {
        state.doubt(&changes);
    }
    let passes = match (&rule.flow, doubt) {
        (Flow::Next, _) | (_, Doubt::Narrowed) => Passes::Maybe,
        (_, Doubt::Removed) => Passes::IfRemoved,
        (_, Doubt::None) => Passes::Never,
    };
    Outcome { fate, may_match: true, passes }
}

/// Decides one condition, if it depends on TX constants alone.
fn decide(condition: &Condition, state: &State, context: &Context<'_>) -> Decision {
    let Some(test) = &condition.test else { return Decision::True(1) };
    if condition.capture || condition.multi_match || !condition.exclusions.is_empty() {
        return Decision::Unknown;
    }
    let mut matches = 0;
    for target in &condition.targets {
        let (Variable::Tx, Selector::Key(key)) = (target.variable, &target.selector) else { return Decision::Unknown };
        let value = match (state.get(key), target.count) {
            (Known::Unknown, _) => return Decision::Unknown,
            (Known::Unset, false) => continue,
            (Known::Unset, true) => b"0".to_vec(),
            (Known::Constant(_), true) => b"1".to_vec(),
            (Known::Constant(value), false) => value,
        };
        let value = transformed(condition, value, context);
        match evaluate(&test.operator, &value, state) {
            None => return Decision::Unknown,
            Some(hit) if hit != test.negated => matches += 1,
            Some(_) => {}
        }
    }
    if matches > 0 { Decision::True(matches) } else { Decision::False }
}

fn transformed(condition: &Condition, mut value: Vec<u8>, context: &Context<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    for step in &condition.pipeline {
        if step.apply(&value, &mut out, context) == Changed::Yes {
            std::mem::swap(&mut value, &mut out);
        }
    }
    value
}

/// Runs the same operator functions as the engine; `None` where it is not worth it.
fn evaluate(operator: &Operator, value: &[u8], state: &State) -> Option<bool> {
    let number = || numeric::integer(value);
    Some(match operator {
        Operator::Eq(other) => number() == numeric::integer(&state.expand(other)?),
        Operator::Ge(other) => number() >= numeric::integer(&state.expand(other)?),
        Operator::Gt(other) => number() > numeric::integer(&state.expand(other)?),
        Operator::Le(other) => number() <= numeric::integer(&state.expand(other)?),
        Operator::Lt(other) => number() < numeric::integer(&state.expand(other)?),
        Operator::StrEq(other) => text::equal(value, &state.expand(other)?),
        Operator::Within(list) => text::within(value, &state.expand(list)?),
        Operator::Contains(other) | Operator::StrMatch(other) => text::contains(value, &state.expand(other)?),
        Operator::BeginsWith(other) => text::begins_with(value, &state.expand(other)?),
        Operator::EndsWith(other) => text::ends_with(value, &state.expand(other)?),
        Operator::UnconditionalMatch => true,
        Operator::NoMatch => false,
        _ => return None,
    })
}

/// What an action does to the TX values.
fn apply(action: &Action, state: &mut State, journal: &mut Journal) {
    let Action::SetVar(set) = action else { return };
    if set.collection != Variable::Tx {
        return;
    }
    let Some(key) = state.expand(&set.key) else {
        state.forget_prefix(set.key.parts.first());
        return;
    };
    let sum = |with: &crate::rule::Macro, sign: i64| -> Known {
        let base = match state.get(&key) {
            Known::Unknown => return Known::Unknown,
            Known::Unset => 0,
            Known::Constant(text) => numeric::integer(&text),
        };
        let Some(by) = state.expand(with) else { return Known::Unknown };
        let by = numeric::integer(&by);
        let sum = if sign < 0 { base.saturating_sub(by) } else { base.saturating_add(by) };
        Known::Constant(sum.to_string().into_bytes())
    };
    let value = match &set.op {
        SetOp::Set(text) => state.expand(text).map_or(Known::Unknown, Known::Constant),
        SetOp::Add(text) => sum(text, 1),
        SetOp::Subtract(text) => sum(text, -1),
        SetOp::Unset => Known::Unset,
    };
    state.set(&key, value, journal);
}

/// Marks the rules that a `ctl` of this rule may remove or narrow.
fn mark_doubts(ruleset: &Ruleset, rule: &Rule, fate: Fate, doubts: &mut [Doubt], removals: &mut Removals) {
    if fate == Fate::Never {
        return;
    }
    for action in rule.conditions.iter().flat_map(|condition| &condition.actions) {
        if let Action::Ctl(ctl) = action {
            let doubt = match ctl {
                Ctl::RuleRemoveById(_) | Ctl::RuleRemoveByTag(_) | Ctl::RuleRemoveByMsg(_) => Doubt::Removed,
                _ => Doubt::Narrowed,
            };
            removals.count += 1;
            for at in named(ctl, ruleset) {
                doubts[at] = doubts[at].max(doubt);
                if doubt == Doubt::Removed {
                    removals.of[at].insert(removals.count);
                }
            }
        }
    }
}

/// The rules that a `ctl:ruleRemove...` names, as positions in load order.
pub(super) fn named(ctl: &Ctl, ruleset: &Ruleset) -> Vec<usize> {
    let those = |names: &mut dyn FnMut(&Rule) -> bool| {
        ruleset.rules.iter().enumerate().filter(|(_, rule)| names(rule)).map(|(at, _)| at).collect()
    };
    match ctl {
        Ctl::RuleRemoveById(ids) | Ctl::RuleRemoveTargetById(ids, _) => {
            those(&mut |rule| ids.iter().any(|range| range.contains(rule.id.0)))
        }
        Ctl::RuleRemoveByTag(tag) | Ctl::RuleRemoveTargetByTag(tag, _) => {
            let finds = finder(tag);
            those(&mut |rule| rule.tags.iter().any(|text| finds(&text.to_bytes())))
        }
        Ctl::RuleRemoveByMsg(msg) | Ctl::RuleRemoveTargetByMsg(msg, _) => {
            let finds = finder(msg);
            those(&mut |rule| rule.msg.as_ref().is_some_and(|text| finds(&text.to_bytes())))
        }
        _ => Vec::new(),
    }
}

/// Finds a pattern in texts of the rules themselves; one that does not compile, which is reported elsewhere, finds nothing.
pub(super) fn finder(pattern: &Pattern) -> impl Fn(&[u8]) -> bool {
    let limits = Limits::default();
    let parsed = pcre::parse(&pattern.text, pattern.fold_case, &limits).ok();
    let finder = parsed.and_then(|parsed| pcre::Finder::new(&parsed, &limits).ok());
    move |text| finder.as_ref().is_some_and(|finder| finder.finds(text))
}

/// Whether a variable tells of matches.
fn is_matched(variable: Variable) -> bool {
    use Variable::{MatchedVar, MatchedVarName, MatchedVars, MatchedVarsNames};
    matches!(variable, MatchedVar | MatchedVarName | MatchedVars | MatchedVarsNames)
}

/// Whether the actions of a rule read what it has matched itself: then it cannot do without matching.
fn reads_its_own_match(rule: &Rule) -> bool {
    keys::sanitises_match(rule) || keys::macros_of(rule).any(|text| keys::reads(text, &is_matched))
}

/// Whether a rule reads MATCHED_VAR and its like before it has matched anything itself: then a rule folded away would be missed.
fn reads_match_of_others(rule: &Rule) -> bool {
    for condition in &rule.conditions {
        let parameter = condition.test.as_ref().and_then(|test| keys::parameter(&test.operator));
        if condition.targets.iter().any(|target| is_matched(target.variable))
            || parameter.is_some_and(|text| keys::reads(text, &is_matched))
        {
            return true;
        }
        if condition.test.is_some() {
            return false;
        }
    }
    // Nothing but SecAction: all that it expands is of others.
    reads_its_own_match(rule)
}
