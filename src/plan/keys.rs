//! Which TX entries and macros the rules name.

use crate::rule::{Action, Ctl, Macro, MacroPart, Operator, Rule, Ruleset, Sanitise, Selector, SetOp, Variable};
use std::collections::BTreeSet;

/// The captures 0-9, then all other keys that are known at load, lower case and sorted.
pub(super) fn tx_keys(ruleset: &Ruleset) -> Vec<Box<[u8]>> {
    let mut keys = BTreeSet::new();
    let mut note = |key: &[u8]| {
        keys.insert(key.to_ascii_lowercase());
    };
    for rule in &ruleset.rules {
        for text in macros_of(rule) {
            for part in &text.parts {
                if let MacroPart::Variable { variable: Variable::Tx, key: Some(key) } = part {
                    note(key);
                }
            }
        }
        for condition in &rule.conditions {
            for target in condition.targets.iter().chain(&condition.exclusions) {
                if let (Variable::Tx, Selector::Key(key)) = (target.variable, &target.selector) {
                    note(key);
                }
            }
            for action in &condition.actions {
                match action {
                    Action::SetVar(set) if set.collection == Variable::Tx => {
                        set.key.as_text().into_iter().for_each(&mut note);
                    }
                    Action::Ctl(
                        Ctl::RuleRemoveTargetById(_, target)
                        | Ctl::RuleRemoveTargetByTag(_, target)
                        | Ctl::RuleRemoveTargetByMsg(_, target),
                    ) => {
                        if let (Variable::Tx, Selector::Key(key)) = (target.variable, &target.selector) {
                            note(key);
                        }
                    }
                    _ => {}
                }
            }
        }
    }
    let captures = (b'0'..=b'9').map(|digit| vec![digit]);
    captures
        .clone()
        .chain(keys.into_iter().filter(|key| !captures.clone().any(|c| c == *key)))
        .map(Into::into)
        .collect()
}

/// Every text of a rule that may hold macros.
pub(super) fn macros_of(rule: &Rule) -> impl Iterator<Item = &Macro> {
    let own = rule.msg.iter().chain(&rule.logdata).chain(&rule.tags);
    let redirect = match &rule.disruptive {
        crate::rule::Disruptive::Redirect(url) => Some(url),
        _ => None,
    };
    own.chain(redirect).chain(rule.conditions.iter().flat_map(|condition| {
        condition
            .test
            .iter()
            .filter_map(|test| parameter(&test.operator))
            .chain(condition.actions.iter().flat_map(texts))
    }))
}

/// The operator's parameter, if it may hold macros.
pub(super) fn parameter(operator: &Operator) -> Option<&Macro> {
    match operator {
        Operator::StrEq(text)
        | Operator::Contains(text)
        | Operator::ContainsWord(text)
        | Operator::BeginsWith(text)
        | Operator::EndsWith(text)
        | Operator::StrMatch(text)
        | Operator::Within(text)
        | Operator::Eq(text)
        | Operator::Ge(text)
        | Operator::Gt(text)
        | Operator::Le(text)
        | Operator::Lt(text)
        | Operator::RxExpanded { text, .. } => Some(text),
        _ => None,
    }
}

/// Every text of an action that may hold macros.
pub(super) fn texts(action: &Action) -> Vec<&Macro> {
    match action {
        Action::SetVar(set) => match &set.op {
            SetOp::Set(value) | SetOp::Add(value) | SetOp::Subtract(value) => vec![&set.key, value],
            SetOp::Unset => vec![&set.key],
        },
        Action::InitCollection { key, .. } => vec![key],
        Action::ExpireVar { key, seconds: value, .. } | Action::DeprecateVar { key, rate: value, .. } => {
            vec![key, value]
        }
        Action::SetEnv { name, value } => vec![name, value],
        Action::Ctl(_) | Action::Sanitise(_) => Vec::new(),
    }
}

/// Whether the text reads a variable that `wanted` names.
pub(super) fn reads(text: &Macro, wanted: &dyn Fn(Variable) -> bool) -> bool {
    text.parts.iter().any(|part| matches!(part, MacroPart::Variable { variable, .. } | MacroPart::Matching { variable, .. } if wanted(*variable)))
}

/// Whether the rule looks at a variable or names it in a macro.
pub(super) fn names(rule: &Rule, variable: Variable) -> bool {
    rule.conditions.iter().flat_map(|condition| &condition.targets).any(|target| target.variable == variable)
        || macros_of(rule).any(|text| reads(text, &|other| other == variable))
}

/// Whether the rule hides values in logs.
pub(super) fn sanitises(rule: &Rule) -> bool {
    sanitise_actions(rule).next().is_some()
}

/// Whether it hides what it has matched itself.
pub(super) fn sanitises_match(rule: &Rule) -> bool {
    sanitise_actions(rule).any(|what| matches!(what, Sanitise::Matched | Sanitise::MatchedBytes { .. }))
}

fn sanitise_actions(rule: &Rule) -> impl Iterator<Item = &Sanitise> {
    rule.conditions.iter().flat_map(|condition| &condition.actions).filter_map(|action| match action {
        Action::Sanitise(what) => Some(what),
        _ => None,
    })
}
