//! `SecRule`, `SecAction`, `SecMarker`, `SecDefaultAction`: drafts of rules, open to updates until everything is read.

use super::action::{self, Actions, Disrupt};
use super::lexer::Directive;
use super::names::actions::Kind;
use super::reader::Reader;
use super::text::Text;
use super::{codes, operator, target};
use crate::diag::{Diagnostic, Span};
use crate::rule::{Operator, Phase, Selector, Target, Test, Variable};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// The rules read so far.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    pub rules: Vec<Draft>,
    pub markers: Vec<DraftMarker>,
    /// Where each id in use was given.
    pub ids: HashMap<u64, Span>,
    defaults: [Option<Rc<Actions>>; 5],
    /// How far inside what is read now stands.
    pub depth: usize,
    /// The last rule has `chain`: the next one is its link.
    open: Option<Span>,
    conditions: usize,
}

/// A rule whose actions can still change.
#[derive(Debug)]
pub(super) struct Draft {
    pub id: u64,
    pub phase: Phase,
    pub conditions: Vec<DraftCondition>,
    /// What its phase did by default where it stands: `block` means that.
    pub defaults: Rc<Actions>,
    pub file: Arc<str>,
    pub span: Span,
    pub removed: bool,
    depth: usize,
}

/// A head or link.
#[derive(Debug)]
pub(super) struct DraftCondition {
    pub targets: Vec<Target>,
    pub exclusions: Vec<Target>,
    pub test: Option<Test>,
    pub actions: Actions,
    pub span: Span,
}

/// A marker before `rules[before]`.
#[derive(Debug)]
pub(super) struct DraftMarker {
    pub label: Arc<str>,
    pub before: usize,
    pub span: Span,
    depth: usize,
}

/// Actions that only a chain's first rule can have (as in v2).
const HEAD_ONLY: [Kind; 18] = [
    Kind::Id,
    Kind::Phase,
    Kind::Allow,
    Kind::Block,
    Kind::Deny,
    Kind::Drop,
    Kind::Pass,
    Kind::Redirect,
    Kind::Skip,
    Kind::SkipAfter,
    Kind::Msg,
    Kind::LogData,
    Kind::Rev,
    Kind::Ver,
    Kind::Severity,
    Kind::Maturity,
    Kind::Accuracy,
    Kind::Status,
];

/// Actions that v2 takes on a link and then does not look at.
const NO_EFFECT_ON_LINK: [Kind; 5] = [Kind::Log, Kind::NoLog, Kind::AuditLog, Kind::NoAuditLog, Kind::Tag];

/// Actions that no default can have.
const NEVER_DEFAULT: [Kind; 11] = [
    Kind::Id,
    Kind::Chain,
    Kind::Skip,
    Kind::SkipAfter,
    Kind::Msg,
    Kind::LogData,
    Kind::Rev,
    Kind::Ver,
    Kind::Severity,
    Kind::Maturity,
    Kind::Accuracy,
];

impl Drafts {
    /// Reads a `SecRule` or `SecAction`.
    pub fn rule(&mut self, directive: &Directive, is_action: bool, file: &Arc<str>, reader: &mut Reader<'_>) {
        self.conditions += 1;
        if self.conditions > reader.limits.rules {
            if self.conditions == reader.limits.rules + 1 {
                let message = format!("more than {} rules", reader.limits.rules);
                reader.error(codes::TOO_MANY_RULES, directive.span, message, "raise `rules`");
            }
            return;
        }
        let words = &directive.arguments;
        let (mut targets, mut exclusions, mut test) = (Vec::new(), Vec::new(), None);
        if let ([named, pattern, ..], false) = (words.as_slice(), is_action) {
            let errors = reader.out.errors();
            for listed in target::list(&named.text, reader) {
                if listed.excluded {
                    exclusions.push(listed.target);
                    continue;
                }
                if targets.contains(&listed.target) {
                    let message = "this target stands twice: a match in it counts twice";
                    reader.warn(codes::TARGET_TWICE, listed.span, message, "remove one of them");
                }
                targets.push(listed.target);
            }
            if targets.is_empty() && reader.out.errors() == errors {
                let help = "name at least one variable without `!`";
                reader.error(codes::NO_TARGET, named.span, "the rule inspects nothing", help);
            }
            test = operator::read(pattern, reader);
        }
        let own = match words.get(if is_action { 0 } else { 2 }) {
            Some(word) => action::read(&word.text, reader),
            None => Actions::default(),
        };
        let chained = own.chain.then_some(directive.span);
        let condition = |actions| DraftCondition { targets, exclusions, test, actions, span: directive.span };
        match (self.open, self.rules.last_mut()) {
            (Some(_), Some(head)) => {
                check_link(&own, head.span, reader);
                let inherited = Actions {
                    none: head.defaults.none,
                    pipeline: head.defaults.pipeline.clone(),
                    ..Actions::default()
                };
                head.conditions.push(condition(inherited.merged(&own)));
            }
            _ => {
                let id = self.new_id(&own, directive, reader);
                let phase = own.phase.unwrap_or(Phase::RequestBody);
                let defaults = self.default_of(phase);
                let conditions = vec![condition(defaults.merged(&own))];
                let (file, span, depth) = (file.clone(), directive.span, self.depth);
                self.rules.push(Draft { id, phase, conditions, defaults, file, span, removed: false, depth });
            }
        }
        self.open = chained;
    }

    fn default_of(&mut self, phase: Phase) -> Rc<Actions> {
        self.defaults[phase.index()].get_or_insert_with(|| Rc::new(Actions::built_in())).clone()
    }

    fn new_id(&mut self, own: &Actions, directive: &Directive, reader: &mut Reader<'_>) -> u64 {
        let Some((id, span)) = own.id else {
            // An id that is there but wrong was reported.
            if own.find(Kind::Id).is_none() {
                let found = Diagnostic::error(codes::NO_ID, directive.name.span(), "the rule has no id");
                reader.out.push(found.help("add `id:` with a number that no other rule has"));
            }
            return 0;
        };
        if let Some(first) = self.ids.get(&id) {
            let found = Diagnostic::error(codes::DUPLICATE_ID, span, format!("rule id {id} is taken"));
            reader.out.push(
                found.related(*first, "first used here").help("renumber one of them, or load the file only once"),
            );
        } else {
            self.ids.insert(id, span);
        }
        id
    }

    /// Reads a `SecDefaultAction`.
    pub fn default_action(&mut self, directive: &Directive, reader: &mut Reader<'_>) {
        let Some(word) = directive.arguments.first() else { return };
        let errors = reader.out.errors();
        let mut own = action::read(&word.text, reader);
        if let Some(Disrupt::Block) = own.disruptive {
            // `block` means what the default does: here it adds nothing to an action before it.
            own.disruptive = own.overridden.take();
        }
        for (kind, span) in &own.seen {
            if NEVER_DEFAULT.contains(kind) {
                let message = "this action belongs to one rule and cannot be a default";
                reader.error(codes::DEFAULT_ACTION, *span, message, "move it to the rules");
            }
        }
        let example = "write for example `SecDefaultAction \"phase:2,log,auditlog,pass\"`";
        if own.disruptive.is_none() && reader.out.errors() == errors {
            let message = "`SecDefaultAction` names no disruptive action";
            reader.error(codes::DEFAULT_ACTION, word.span, message, example);
        }
        match own.phase {
            Some(phase) => {
                let mut all = Actions::built_in().merged(&own);
                all.phase = None;
                self.defaults[phase.index()] = Some(Rc::new(all));
            }
            None if own.find(Kind::Phase).is_none() => {
                reader.error(codes::DEFAULT_ACTION, word.span, "`SecDefaultAction` names no phase", example);
            }
            None => {}
        }
    }

    /// Reads a `SecMarker`.
    pub fn marker(&mut self, directive: &Directive, reader: &mut Reader<'_>) {
        self.end_of_chain(reader);
        let Some(word) = directive.arguments.first() else { return };
        if word.text.is_empty() {
            reader.error(codes::ARGUMENT, word.span, "the marker has no name", "write `SecMarker END-OF-CHECKS`");
        }
        let label = word.text.show().into();
        let (before, span, depth) = (self.rules.len(), directive.span, self.depth);
        self.markers.push(DraftMarker { label, before, span, depth });
    }

    /// Everything is read: what stands further inside comes first, with its markers.
    pub fn innermost_first(&mut self) {
        let depths: Vec<usize> = self.rules.iter().map(|rule| rule.depth).collect();
        if depths.is_sorted_by(|before, after| before >= after) {
            return;
        }
        for marker in &mut self.markers {
            let own = marker.depth;
            let deeper = depths.iter().filter(|depth| **depth > own).count();
            let beside = depths.iter().take(marker.before).filter(|depth| **depth == own).count();
            marker.before = deeper + beside;
        }
        self.rules.sort_by_key(|rule| Reverse(rule.depth));
    }

    /// Nothing more can continue a chain: one that is open gets a link that never matches, which is how v2 and v3 take it.
    pub fn end_of_rules(&mut self, reader: &mut Reader<'_>) {
        let (Some(span), Some(head)) = (self.open.take(), self.rules.last_mut()) else { return };
        let help = "remove `chain`, or add the `SecRule` that continues it";
        reader.warn(codes::CHAIN_ENDS, span, "the chain of this rule does not go on: it never matches", help);
        head.conditions.push(DraftCondition {
            targets: vec![Target { variable: Variable::UniqueId, selector: Selector::All, count: false }],
            exclusions: Vec::new(),
            test: Some(Test { negated: false, operator: Operator::NoMatch }),
            actions: Actions::default(),
            span,
        });
    }

    fn end_of_chain(&mut self, reader: &mut Reader<'_>) {
        if let Some(span) = self.open.take() {
            let help = "remove `chain`, or add the `SecRule` that continues it";
            reader.error(codes::CHAIN_OPEN, span, "the chain of this rule does not go on", help);
        }
    }
}

/// Reports actions that a chain link cannot have.
pub(super) fn check_link(own: &Actions, head: Span, reader: &mut Reader<'_>) {
    for (kind, span) in &own.seen {
        if HEAD_ONLY.contains(kind) {
            let found = Diagnostic::error(codes::ON_LINK, *span, "only the first rule of a chain can have this action");
            reader
                .out
                .push(found.related(head, "the chain starts here").help("move it to the first rule of the chain"));
        } else if NO_EFFECT_ON_LINK.contains(kind) {
            let found = Diagnostic::warning(codes::LINK_ACTION, *span, "this action has no effect on a chain link");
            reader
                .out
                .push(found.related(head, "the chain starts here").help("move it to the first rule of the chain"));
        }
    }
}

/// The text of a directive's argument, or an empty one.
pub(super) fn argument(directive: &Directive, index: usize) -> Text {
    match directive.arguments.get(index) {
        Some(word) => word.text.clone(),
        None => directive.name.slice(directive.name.len()..directive.name.len()),
    }
}
