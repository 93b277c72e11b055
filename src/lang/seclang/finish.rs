//! From drafts to the ruleset: default actions resolved, positions fixed, and the checks that need everything.

use super::action::{Actions, Disrupt};
use super::codes;
use super::names::actions::Kind;
use super::reader::Reader;
use super::rules::{Draft, DraftCondition, Drafts};
use crate::diag::{Diagnostic, Span};
use crate::rule::{
    Action, Condition, Disruptive, Flow, Marker, Phase, Rule, RuleId, Ruleset, Selector, SetVar, Settings, Variable,
};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Builds the ruleset.
pub(super) fn ruleset(settings: Settings, drafts: Drafts, reader: &mut Reader<'_>) -> Ruleset {
    check_named_rules(&drafts, reader);
    check_collections(&drafts, reader);
    let labels: BTreeSet<Arc<str>> = drafts.markers.iter().map(|marker| marker.label.clone()).collect();
    let mut rules = Vec::with_capacity(drafts.rules.len());
    let mut flows: Vec<(usize, Arc<str>, Span)> = Vec::new();
    // How many rules stay before each draft: markers move with removals.
    let mut kept = Vec::with_capacity(drafts.rules.len() + 1);
    for draft in drafts.rules {
        kept.push(rules.len());
        if draft.removed {
            continue;
        }
        check_exclusions(&draft, reader);
        let flow = draft.conditions.first().and_then(|head| head.actions.flow.clone());
        if let Some((Flow::SkipAfter(label), span)) = flow {
            flows.push((rules.len(), label, span));
        }
        rules.extend(rule(draft, reader));
    }
    kept.push(rules.len());
    let place = |before: usize| kept.get(before).copied().unwrap_or(rules.len());
    let mut markers: Vec<Marker> = drafts
        .markers
        .into_iter()
        .map(|marker| Marker { label: marker.label, before: place(marker.before), span: Some(marker.span) })
        .collect();
    markers.extend(rules_as_markers(&rules, &flows, &labels));
    markers.sort_by_key(|marker| marker.before);
    check_markers(&markers, &flows, reader);
    Ruleset { settings, rules, markers }
}

/// v2 lets `skipAfter` name a rule by its id: such a rule becomes a marker behind itself.
fn rules_as_markers(rules: &[Rule], flows: &[(usize, Arc<str>, Span)], labels: &BTreeSet<Arc<str>>) -> Vec<Marker> {
    let ids: HashMap<String, usize> = match flows.iter().any(|(_, label, _)| !labels.contains(label)) {
        true => rules.iter().enumerate().map(|(index, rule)| (rule.id.to_string(), index)).collect(),
        false => HashMap::new(),
    };
    let missing: BTreeSet<_> =
        flows.iter().map(|(_, label, _)| label).filter(|label| !labels.contains(*label)).collect();
    let marker = |label: &Arc<str>| {
        let index = *ids.get(&**label)?;
        Some(Marker { label: label.clone(), before: index + 1, span: rules[index].span })
    };
    missing.into_iter().filter_map(marker).collect()
}

/// Markers looked through for a suggestion.
const SUGGESTED: usize = 1000;

fn check_markers(markers: &[Marker], flows: &[(usize, Arc<str>, Span)], reader: &mut Reader<'_>) {
    let mut last: HashMap<&str, usize> = HashMap::new();
    for marker in markers {
        last.insert(&marker.label, marker.before);
    }
    for (index, label, span) in flows {
        if last.get(&**label).is_none_or(|before| before <= index) {
            let message = format!("no marker `{label}` follows: the rest of the phase would be skipped");
            let help = reader
                .nearest(label.as_bytes(), last.keys().copied().take(SUGGESTED))
                .filter(|near| **near != **label)
                .map_or_else(|| format!("add `SecMarker {label}`"), |near| format!("did you mean `{near}`?"));
            reader.warn(codes::NO_MARKER, *span, message, help);
        }
    }
}

/// `ctl:ruleRemove...ById` with ids that no rule has.
fn check_named_rules(drafts: &Drafts, reader: &mut Reader<'_>) {
    let ids: BTreeSet<u64> = drafts.rules.iter().filter(|rule| !rule.removed).map(|rule| rule.id).collect();
    let conditions = drafts.rules.iter().filter(|rule| !rule.removed).flat_map(|rule| &rule.conditions);
    for (range, span) in conditions.flat_map(|condition| &condition.actions.named) {
        if ids.range(range.first..=range.last).next().is_none() {
            let message = match range.first == range.last {
                true => format!("no rule has the id {}", range.first),
                false => format!("no rule has an id from {} to {}", range.first, range.last),
            };
            reader.warn(codes::NO_SUCH_RULE, *span, message, "correct the id, or remove the action");
        }
    }
}

/// Writes to persistent collections that no rule initialises; said once for each collection.
fn check_collections(drafts: &Drafts, reader: &mut Reader<'_>) {
    let conditions = || drafts.rules.iter().filter(|rule| !rule.removed).flat_map(|rule| &rule.conditions);
    let mut known: BTreeSet<Variable> = conditions()
        .flat_map(|condition| &condition.actions.actions)
        .filter_map(|action| match action {
            Action::InitCollection { collection, .. } => Some(*collection),
            _ => None,
        })
        .collect();
    for condition in conditions() {
        for action in &condition.actions.actions {
            let (Action::SetVar(SetVar { collection, .. })
            | Action::ExpireVar { collection, .. }
            | Action::DeprecateVar { collection, .. }) = action
            else {
                continue;
            };
            if collection.is_persistent() && known.insert(*collection) {
                let name = collection.name();
                let message = format!("no rule initialises {name}: nothing is written to it");
                let help = match collection {
                    Variable::Session => "add `setsid` to a rule of phase 1",
                    Variable::User => "add `setuid` to a rule of phase 1",
                    Variable::Resource => "add `setrsc:%{REQUEST_FILENAME}` to a rule of phase 1",
                    Variable::Global => "add `initcol:global=global` to a rule of phase 1",
                    _ => "add `initcol:ip=%{REMOTE_ADDR}` to a rule of phase 1",
                };
                reader.warn(codes::NOT_INITIALISED, condition.span, message, help);
            }
        }
    }
}

fn check_exclusions(draft: &Draft, reader: &mut Reader<'_>) {
    for condition in &draft.conditions {
        let excluded = |variable| {
            condition
                .exclusions
                .iter()
                .any(|out| out.variable == variable && !out.count && out.selector == Selector::All)
        };
        let targets = &condition.targets;
        if !targets.is_empty() && targets.iter().all(|target| !target.count && excluded(target.variable)) {
            let message = format!("exclusions leave rule {} nothing to inspect", draft.id);
            let help = "remove the rule with SecRuleRemoveById instead";
            reader.warn(codes::ALL_EXCLUDED, condition.span, message, help);
        }
    }
}

fn rule(draft: Draft, reader: &mut Reader<'_>) -> Option<Rule> {
    let head: Actions = draft.conditions.first()?.actions.clone();
    let own = |actions: &Actions| match &actions.disruptive {
        Some(Disrupt::Own(action)) => Some(action.clone()),
        Some(Disrupt::Block) | None => None,
    };
    let disruptive = own(&head).or_else(|| own(&draft.defaults)).unwrap_or(Disruptive::Pass);
    if draft.phase == Phase::Logging
        && matches!(disruptive, Disruptive::Deny | Disruptive::Drop | Disruptive::Redirect(_))
    {
        let span = [Kind::Deny, Kind::Drop, Kind::Redirect, Kind::Block].into_iter().find_map(|kind| head.find(kind));
        let message = "phase 5 runs when the response has been sent: nothing can be refused";
        let found = Diagnostic::error(codes::LOGGING_PHASE, span.unwrap_or(draft.span), message);
        reader.out.push(found.help("use `pass`, or an earlier phase"));
    }
    let status = match (head.status, &disruptive) {
        (Some(status @ (301..=303 | 307 | 308)), Disruptive::Redirect(_)) => status,
        (_, Disruptive::Redirect(_)) => 302,
        (status, _) => status.unwrap_or(403),
    };
    Some(Rule {
        id: RuleId(draft.id),
        phase: draft.phase,
        disruptive,
        status,
        log: head.log.unwrap_or(true),
        auditlog: head.auditlog.unwrap_or(true),
        flow: head.flow.map_or(Flow::Next, |(flow, _)| flow),
        msg: head.msg,
        logdata: head.logdata,
        severity: head.severity,
        tags: head.tags,
        version: head.version,
        revision: head.revision,
        maturity: head.maturity,
        accuracy: head.accuracy,
        conditions: draft.conditions.into_iter().map(condition).collect(),
        file: draft.file,
        line: reader.sources.locate(draft.span).line,
        span: Some(draft.span),
    })
}

fn condition(draft: DraftCondition) -> Condition {
    Condition {
        targets: draft.targets,
        exclusions: draft.exclusions,
        pipeline: draft.actions.pipeline,
        test: draft.test,
        multi_match: draft.actions.multi_match,
        capture: draft.actions.capture,
        actions: draft.actions.actions,
        span: Some(draft.span),
    }
}
