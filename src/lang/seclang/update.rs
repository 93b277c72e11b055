//! `SecRuleRemove...` and `SecRuleUpdate...`: they act on the rules loaded so far.

use super::action::{self, Actions};
use super::lexer::Directive;
use super::names::actions::Kind as ActionKind;
use super::names::directives::Kind;
use super::pattern;
use super::reader::Reader;
use super::rules::{Draft, DraftCondition, Drafts, argument, check_link};
use super::target::{self, Listed};
use super::{codes, ids};
use crate::diag::Span;
use crate::lang::pcre::Finder;
use crate::rule::{IdRange, Macro, RuleId, Settings};

/// Which rules an update is about.
enum Which {
    Ids(Vec<IdRange>),
    Tag(Finder),
    Msg(Finder),
}

impl Which {
    fn takes(&self, rule: &Draft) -> bool {
        let actions = rule.conditions.first().map(|head| &head.actions);
        let finds = |finder: &Finder, text: &Macro| finder.finds(&text.to_bytes());
        match self {
            Which::Ids(ranges) => ranges.iter().any(|range| range.contains(rule.id)),
            Which::Tag(finder) => actions.is_some_and(|own| own.tags.iter().any(|tag| finds(finder, tag))),
            Which::Msg(finder) => actions.and_then(|own| own.msg.as_ref()).is_some_and(|msg| finds(finder, msg)),
        }
    }
}

/// Applies one directive.
pub(super) fn apply(
    kind: Kind,
    directive: &Directive,
    drafts: &mut Drafts,
    settings: &mut Settings,
    reader: &mut Reader<'_>,
) {
    match kind {
        Kind::RuleRemoveById => {
            let mut ranges = Vec::new();
            for word in &directive.arguments {
                let Some(found) = ids::ranges(&word.text, reader) else { return };
                for range in found {
                    if !drafts.rules.iter().any(|rule| !rule.removed && range.contains(rule.id)) {
                        no_such_rule(word.span, reader);
                    }
                    ranges.push(range);
                }
            }
            remove(&Which::Ids(ranges), "SecRuleRemoveById", drafts, settings);
        }
        Kind::RuleRemoveByTag | Kind::RuleRemoveByMsg => {
            let Some(finder) = pattern::finder(&argument(directive, 0), reader) else { return };
            let (which, name) = match kind {
                Kind::RuleRemoveByTag => (Which::Tag(finder), "SecRuleRemoveByTag"),
                _ => (Which::Msg(finder), "SecRuleRemoveByMsg"),
            };
            if remove(&which, name, drafts, settings) == 0 {
                no_such_rule(directive.span, reader);
            }
        }
        Kind::RuleUpdateActionById => update_actions(directive, drafts, reader),
        _ => update_targets(kind, directive, drafts, reader),
    }
}

fn no_such_rule(span: Span, reader: &mut Reader<'_>) {
    let help = "removals and updates act on the rules before them: correct the id, or move this line behind the rules";
    reader.warn(codes::NO_SUCH_RULE, span, "no rule loaded so far is meant by this", help);
}

fn remove(which: &Which, name: &'static str, drafts: &mut Drafts, settings: &mut Settings) -> usize {
    let mut count = 0;
    for rule in drafts.rules.iter_mut().filter(|rule| !rule.removed) {
        if which.takes(rule) {
            rule.removed = true;
            count += 1;
            settings.removed.push((RuleId(rule.id), name));
            // The id may be used again: replacing a rule by one's own version is what removals are for.
            drafts.ids.remove(&rule.id);
        }
    }
    count
}

fn update_targets(kind: Kind, directive: &Directive, drafts: &mut Drafts, reader: &mut Reader<'_>) {
    let rules = argument(directive, 0);
    let which = match kind {
        Kind::RuleUpdateTargetById => ids::ranges(&rules, reader).map(Which::Ids),
        Kind::RuleUpdateTargetByTag => pattern::finder(&rules, reader).map(Which::Tag),
        _ => pattern::finder(&rules, reader).map(Which::Msg),
    };
    let named = argument(directive, 1);
    let listed = target::list(&named, reader);
    let replaced = directive.arguments.get(2).map(|word| (target::list(&word.text, reader), word.span));
    let Some(which) = which else { return };
    let limit = reader.limits.targets;
    let (mut rules, mut replacements, mut full) = (0, 0, false);
    for rule in drafts.rules.iter_mut().filter(|rule| !rule.removed && which.takes(rule)) {
        rules += 1;
        for condition in rule.conditions.iter_mut().filter(|condition| condition.test.is_some()) {
            let removed = replaced.as_ref().map(|(old, _)| remove_targets(condition, old));
            replacements += removed.unwrap_or(0);
            if removed != Some(0) {
                full |= !add(condition, &listed, limit);
            }
        }
    }
    if full {
        target::too_many(directive.span, reader);
    }
    match replaced {
        _ if rules == 0 => no_such_rule(directive.span, reader),
        Some((_, span)) if replacements == 0 => {
            let message = "none of these rules has the target to be replaced";
            reader.warn(codes::NO_SUCH_RULE, span, message, "write the target as the rule has it");
        }
        _ => {}
    }
}

/// Adds targets and exclusions that a condition does not have yet; false if they are too many. As in v2 all links of a chain
/// get them.
fn add(condition: &mut DraftCondition, listed: &[Listed], limit: usize) -> bool {
    for one in listed {
        let count = condition.targets.len() + condition.exclusions.len();
        let list = if one.excluded { &mut condition.exclusions } else { &mut condition.targets };
        if list.contains(&one.target) {
            continue;
        }
        if count >= limit {
            return false;
        }
        list.push(one.target.clone());
    }
    true
}

/// Takes targets out of a condition; how many it had.
fn remove_targets(condition: &mut DraftCondition, old: &[Listed]) -> usize {
    let mut count = 0;
    for one in old {
        let list = if one.excluded { &mut condition.exclusions } else { &mut condition.targets };
        let before = list.len();
        list.retain(|target| *target != one.target);
        count += before - list.len();
    }
    count
}

fn update_actions(directive: &Directive, drafts: &mut Drafts, reader: &mut Reader<'_>) {
    let named = argument(directive, 0);
    let over = action::read(&argument(directive, 1), reader);
    let (id, offset) = match named.split_once(b':') {
        Some((id, offset)) => (id, offset.show().parse::<usize>().ok()),
        None => (named.clone(), Some(0)),
    };
    let (Ok(number), Some(offset)) = (id.show().parse::<u64>(), offset) else {
        let message = format!("`{}` is not a rule id", named.show());
        reader.error(codes::UPDATE, named.span(), message, "write `942100`, or `942100:1` for its first chain link");
        return;
    };
    for kind in [ActionKind::Id, ActionKind::Phase, ActionKind::Chain] {
        if let Some(span) = over.find(kind) {
            let message = "an update cannot change id, phase or chain of a rule";
            reader.error(codes::UPDATE, span, message, "remove the rule with SecRuleRemoveById and write it anew");
        }
    }
    let Some(rule) = drafts.rules.iter_mut().find(|rule| !rule.removed && rule.id == number) else {
        no_such_rule(named.span(), reader);
        return;
    };
    let links = rule.conditions.len();
    if offset > 0 {
        check_link(&over, rule.span, reader);
    }
    match rule.conditions.get_mut(offset) {
        Some(condition) => condition.actions = condition.actions.merged(&Actions { seen: Vec::new(), ..over }),
        None => {
            let message = format!("rule {number} has no link {offset}: its chain has {links} rules");
            reader.error(codes::UPDATE, named.span(), message, "links are counted from 0, the first rule");
        }
    }
}
