//! The contract between rules and host: a rule that looks at what this host never supplies looks in vain, and says so when it is loaded,
//! not by never matching.

use super::keys;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::seclang::codes;
use crate::limits::Limits;
use crate::rule::{Action, Field, Macro, MacroPart, Operator, Rule, Ruleset, Selector, Supplies, Variable};
use std::collections::BTreeSet;

/// Pushes a finding for each rule and each field that it uses and the host does not supply: warnings, or errors where the host is strict.
pub fn contract(ruleset: &Ruleset, supplies: &Supplies, limits: &Limits, found: &mut Diagnostics) {
    let set = set_by_rules(ruleset);
    for rule in &ruleset.rules {
        let mut said = BTreeSet::new();
        for (field, name, span) in uses(rule) {
            let (is_missing, name) = match &name {
                Use::Variable(name) => (!supplies.has(field), name.clone()),
                Use::Environment(None) => (!supplies.has_variable(None) && !set.any(), "ENV".to_owned()),
                Use::Environment(Some(key)) => {
                    let missing = !supplies.has_variable(Some(key)) && !set.names(key);
                    (missing, format!("ENV:{}", String::from_utf8_lossy(key)))
                }
            };
            if is_missing && !is_said_already(field, supplies, limits) && said.insert(field) {
                found.push(finding(rule, field, &name, span, supplies));
            }
        }
    }
}

/// Whether the reader has warned of it, once for all rules.
fn is_said_already(field: Field, supplies: &Supplies, limits: &Limits) -> bool {
    let is_off = match field {
        Field::StoredUploads => limits.upload_bytes == 0,
        Field::BlockLists => limits.block_lists == 0,
        _ => false,
    };
    is_off && !supplies.is_strict()
}

fn finding(rule: &Rule, field: Field, name: &str, span: Option<Span>, supplies: &Supplies) -> Diagnostic {
    let message = format!("rule {} looks at `{name}`, but this host does not supply it ({})", rule.id, field.name());
    let help = format!(
        "it supplies {supplies}; remove the rule, or let the host say that it has more: `WafBuilder::supplies`"
    );
    match supplies.is_strict() {
        true => Diagnostic::error(codes::CONTRACT, span, message).help(help),
        false => Diagnostic::warning(codes::NOT_SUPPLIED, span, message).help(help),
    }
}

/// What a rule looks at.
enum Use {
    /// A variable or an operator, by name.
    Variable(String),
    /// An environment variable; `None`: all of them, or those that a pattern names.
    Environment(Option<Box<[u8]>>),
}

/// All that a rule uses which hosts supply.
fn uses(rule: &Rule) -> Vec<(Field, Use, Option<Span>)> {
    let mut all = Vec::new();
    for condition in &rule.conditions {
        let targets = condition.targets.iter();
        all.extend(targets.filter_map(|target| {
            let key = match &target.selector {
                Selector::Key(key) => Some(key.clone()),
                _ => None,
            };
            Some((Field::of(target.variable)?, used(target.variable, key), condition.span))
        }));
        if let Some(Operator::Rbl(zone)) = condition.test.as_ref().map(|test| &test.operator) {
            all.push((Field::BlockLists, Use::Variable(format!("@rbl {zone}")), condition.span));
        }
    }
    let parts = keys::macros_of(rule).flat_map(|text: &Macro| &text.parts);
    all.extend(parts.filter_map(|part| {
        let (variable, key) = match part {
            MacroPart::Variable { variable, key } => (*variable, key.clone()),
            MacroPart::Matching { variable, .. } => (*variable, None),
            _ => return None,
        };
        Some((Field::of(variable)?, used(variable, key), rule.span))
    }));
    all
}

fn used(variable: Variable, key: Option<Box<[u8]>>) -> Use {
    match variable {
        Variable::Env => Use::Environment(key),
        variable => Use::Variable(variable.name().to_owned()),
    }
}

/// The environment variables that the rules themselves set.
struct SetByRules {
    names: Vec<Vec<u8>>,
    /// A name that is put together when the rule has matched: any.
    unknown: bool,
}

impl SetByRules {
    fn any(&self) -> bool {
        self.unknown || !self.names.is_empty()
    }

    fn names(&self, key: &[u8]) -> bool {
        self.unknown || self.names.iter().any(|name| name == key)
    }
}

fn set_by_rules(ruleset: &Ruleset) -> SetByRules {
    let mut set = SetByRules { names: Vec::new(), unknown: false };
    for action in ruleset.rules.iter().flat_map(|rule| &rule.conditions).flat_map(|condition| &condition.actions) {
        let Action::SetEnv { name, .. } = action else { continue };
        match name.as_text() {
            Some(name) => set.names.push(name.to_vec()),
            None => set.unknown = true,
        }
    }
    set
}
