//! The list of actions of a rule.

use super::lexer::closing;
use super::names::actions::{Argument, Kind, TABLE};
use super::names::{Support, find, offered};
use super::reader::Reader;
use super::text::{Text, is_blank};
use super::{codes, ctl, macros, settings, setvar};
use crate::diag::{Diagnostic, Span};
use crate::rule::{Action, AllowScope, Ctl, Disruptive, Flow, IdRange, Macro, Phase, RuleSeverity, Sanitise, Variable};
use crate::transform::Transformation;

/// What a list of actions says. Lists merge: a rule's own onto the default of its phase, an update onto a rule.
#[derive(Debug, Clone, Default)]
pub(super) struct Actions {
    pub id: Option<(u64, Span)>,
    pub phase: Option<Phase>,
    pub disruptive: Option<Disrupt>,
    /// The one before it in the same list.
    pub overridden: Option<Disrupt>,
    pub status: Option<u16>,
    pub log: Option<bool>,
    pub auditlog: Option<bool>,
    pub flow: Option<(Flow, Span)>,
    pub msg: Option<Macro>,
    pub logdata: Option<Macro>,
    pub severity: Option<RuleSeverity>,
    pub tags: Vec<Macro>,
    pub version: Option<Box<str>>,
    pub revision: Option<Box<str>>,
    pub maturity: Option<u8>,
    pub accuracy: Option<u8>,
    /// `t:none` was among the transformations: what was inherited goes.
    pub none: bool,
    /// The transformations after the last `t:none`.
    pub pipeline: Vec<Transformation>,
    pub multi_match: bool,
    pub capture: bool,
    pub chain: bool,
    pub actions: Vec<Action>,
    /// Ids that `ctl:ruleRemove...ById` names, and where.
    pub named: Vec<(IdRange, Span)>,
    /// Every action and its place, for checks that depend on where the list stands.
    pub seen: Vec<(Kind, Span)>,
}

/// A disruptive action, `block` not yet resolved.
#[derive(Debug, Clone)]
pub(super) enum Disrupt {
    /// What the default action of the phase does.
    Block,
    /// As named.
    Own(Disruptive),
}

impl Actions {
    /// What ModSecurity assumes where no `SecDefaultAction` was given.
    pub fn built_in() -> Self {
        Actions {
            disruptive: Some(Disrupt::Own(Disruptive::Pass)),
            log: Some(true),
            auditlog: Some(true),
            ..Actions::default()
        }
    }

    /// `self`, changed by what `over` says. Single values are replaced, lists grow, `t:none` clears.
    #[must_use]
    pub fn merged(&self, over: &Actions) -> Actions {
        let mut all = self.clone();
        macro_rules! replace { ($($field:ident)*) => { $(if over.$field.is_some() { all.$field = over.$field.clone(); })* } }
        replace!(id phase disruptive status log auditlog flow msg logdata severity version revision maturity accuracy);
        all.tags.extend(over.tags.iter().cloned());
        if over.none {
            all.none = true;
            all.pipeline.clear();
        }
        all.pipeline.extend(&over.pipeline);
        all.multi_match |= over.multi_match;
        all.capture |= over.capture;
        all.chain = over.chain;
        all.actions.extend(over.actions.iter().cloned());
        all.named.extend(&over.named);
        all.seen = over.seen.clone();
        all
    }

    /// Where an action of this kind stands.
    pub fn find(&self, kind: Kind) -> Option<Span> {
        self.seen.iter().find(|(seen, _)| *seen == kind).map(|(_, span)| *span)
    }
}

/// One entry of the list.
struct Item {
    name: Text,
    value: Option<Text>,
    span: Span,
}

/// Reads a list; findings are pushed and their actions left out.
pub(super) fn read(text: &Text, reader: &mut Reader<'_>) -> Actions {
    let mut all = Actions::default();
    for item in items(text, reader) {
        apply(item, &mut all, reader);
    }
    all
}

fn items(text: &Text, reader: &mut Reader<'_>) -> Vec<Item> {
    let bytes = text.bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b',' || is_blank(bytes[at]) {
            at += 1;
            continue;
        }
        let start = at;
        at += bytes[at..].iter().take_while(|byte| !b":,".contains(byte) && !is_blank(**byte)).count();
        let name = text.slice(start..at);
        let mut value = None;
        let colon = skip_blanks(bytes, at);
        if bytes.get(colon) == Some(&b':') {
            let from = skip_blanks(bytes, colon + 1);
            if bytes.get(from) == Some(&b'\'') {
                let Some(close) = closing(bytes, from + 1, b'\'') else {
                    let help = "close it; a quote inside the value is written `\\'`";
                    reader.error(codes::ACTION_LIST, text.span_of(from..from + 1), "this quote is never closed", help);
                    return found;
                };
                value = Some(text.unescaped(from + 1..close, b'\''));
                at = close + 1;
                if bytes.get(at).is_some_and(|byte| *byte != b',' && !is_blank(*byte)) {
                    let rest = bytes[at..].iter().position(|byte| *byte == b',').map_or(bytes.len(), |n| at + n);
                    let message = "the value ends at its closing quote, and this follows it";
                    let help = "a quote inside the value is written `\\'`; actions are separated by commas";
                    reader.error(codes::ACTION_LIST, text.span_of(at..rest), message, help);
                    at = rest;
                }
            } else {
                at = value_end(bytes, from, name.is("ctl"));
                value = Some(text.slice(from..at));
            }
        }
        found.push(Item { name, value, span: text.span_of(start..at) });
    }
    found
}

fn skip_blanks(bytes: &[u8], at: usize) -> usize {
    at + bytes[at.min(bytes.len())..].iter().take_while(|byte| is_blank(**byte)).count()
}

/// The end of a value without quotes around it: a comma or blank, except inside `'..'` after `:`, `=` or `;`, and inside
/// `/../` after `;NAME:` of a `ctl`.
fn value_end(bytes: &[u8], mut at: usize, is_ctl: bool) -> usize {
    let mut unclosed = false;
    let mut target = false;
    while let Some(&byte) = bytes.get(at) {
        if byte == b',' || is_blank(byte) {
            break;
        }
        at += 1;
        target |= byte == b';';
        match bytes.get(at) {
            Some(b'\'') if b":=;".contains(&byte) && !unclosed => match closing(bytes, at + 1, b'\'') {
                Some(close) => at = close + 1,
                None => unclosed = true,
            },
            Some(b'/') if byte == b':' && is_ctl && target => {
                if let Some(close) = closing(bytes, at + 1, b'/') {
                    at = close + 1;
                }
                target = false;
            }
            _ => {}
        }
    }
    at
}

fn apply(item: Item, all: &mut Actions, reader: &mut Reader<'_>) {
    let shown = item.name.show();
    let Some(row) = find(TABLE, item.name.bytes()) else {
        let found = Diagnostic::error(codes::UNKNOWN_ACTION, item.name.span(), format!("unknown action `{shown}`"));
        reader.out.push(match reader.nearest(item.name.bytes(), offered(TABLE)) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => found.help("a value that holds blanks or commas needs quotes: `msg:'one, two'`"),
        });
        return;
    };
    match row.support {
        Support::Yes(kind) => {
            let wrong = match (kind.argument(), &item.value) {
                (Argument::Always, None) => Some("needs an argument"),
                (Argument::Never, Some(value)) if !value.is_empty() => Some("takes no argument"),
                _ => None,
            };
            if let Some(wrong) = wrong {
                let help = if wrong.starts_with("needs") {
                    format!("write `{shown}:...`")
                } else {
                    format!("write `{shown}`")
                };
                reader.error(codes::ACTION_ARGUMENT, item.span, format!("`{shown}` {wrong}"), help);
                return;
            }
            let withheld = kind.withheld();
            if !reader.may(withheld, codes::WITHHELD_ACTION, item.name.span(), &format!("`{}`", row.name)) {
                return;
            }
            let value = item.value.unwrap_or_else(|| item.name.slice(item.name.len()..item.name.len()));
            all.seen.push((kind, item.span));
            // An action with a finding is left out; the ruleset will not be used.
            let _ = act(kind, &value, item.span, all, reader);
        }
        Support::Ignored(why) => {
            let message = format!("`{shown}` has no effect: {why}");
            reader.out.push(Diagnostic::note(codes::IGNORED, item.span, message));
        }
        Support::NoEffect(why) | Support::OnlyOff(why) => {
            reader.warn(codes::NO_EFFECT, item.span, format!("`{shown}` has no effect: {why}"), "");
        }
        Support::Refused(why, help) => {
            reader.error(codes::REFUSED_ACTION, item.span, format!("`{shown}` is not supported: {why}"), help);
        }
    }
}

fn act(kind: Kind, value: &Text, span: Span, all: &mut Actions, reader: &mut Reader<'_>) -> Option<()> {
    let code = codes::ACTION_ARGUMENT;
    match kind {
        Kind::Id => all.id = Some((id(value, reader)?, span)),
        Kind::Phase => {
            let names = ["1", "2", "3", "4", "5"].into_iter().zip(Phase::ALL);
            let by_name =
                [("request", Phase::RequestBody), ("response", Phase::ResponseBody), ("logging", Phase::Logging)];
            let choices: Vec<_> = names.chain(by_name).collect();
            all.phase = Some(settings::choice(value, &choices, code, reader)?);
        }
        Kind::Allow => {
            let choices =
                [("", AllowScope::Transaction), ("phase", AllowScope::Phase), ("request", AllowScope::Request)];
            let scope = settings::choice(value, &choices, code, reader)?;
            disrupt(Disrupt::Own(Disruptive::Allow(scope)), span, all, reader);
        }
        Kind::Block => disrupt(Disrupt::Block, span, all, reader),
        Kind::Deny => disrupt(Disrupt::Own(Disruptive::Deny), span, all, reader),
        Kind::Drop => disrupt(Disrupt::Own(Disruptive::Drop), span, all, reader),
        Kind::Pass => disrupt(Disrupt::Own(Disruptive::Pass), span, all, reader),
        Kind::Redirect => {
            let url = macros::read(value, reader);
            disrupt(Disrupt::Own(Disruptive::Redirect(url)), span, all, reader);
        }
        Kind::Status => {
            let status = settings::number::<u16>(value, code, reader)?;
            if !(100..=599).contains(&status) {
                reader.error(code, value.span(), format!("{status} is not an HTTP status"), "write 100 to 599");
                return None;
            }
            all.status = Some(status);
        }
        Kind::Log => all.log = Some(true),
        // As in v2 `nolog` takes the other along, and `log` does not bring it back.
        Kind::NoLog => (all.log, all.auditlog) = (Some(false), Some(false)),
        Kind::AuditLog => all.auditlog = Some(true),
        Kind::NoAuditLog => all.auditlog = Some(false),
        Kind::Skip => {
            // As in v2, less than one means one.
            let count = settings::number::<i64>(value, code, reader)?.max(1);
            all.flow = Some((Flow::Skip(u32::try_from(count).unwrap_or(u32::MAX)), span));
        }
        Kind::SkipAfter => {
            if value.is_empty() {
                reader.error(code, span, "`skipAfter` names no marker", "write `skipAfter:END-OF-CHECKS`");
                return None;
            }
            all.flow = Some((Flow::SkipAfter(value.show().into()), span));
        }
        Kind::Msg => all.msg = Some(macros::read(value, reader)),
        Kind::LogData => all.logdata = Some(macros::read(value, reader)),
        Kind::Tag => all.tags.push(macros::read(value, reader)),
        Kind::Ver => all.version = Some(value.show().into()),
        Kind::Rev => all.revision = Some(value.show().into()),
        Kind::Severity => all.severity = Some(severity(value, reader)?),
        Kind::Maturity => all.maturity = Some(grade(value, reader)?),
        Kind::Accuracy => all.accuracy = Some(grade(value, reader)?),
        Kind::Transformation => transformation(value, all, reader)?,
        Kind::MultiMatch => all.multi_match = true,
        Kind::Capture => all.capture = true,
        Kind::Chain => all.chain = true,
        Kind::Ctl => {
            let read = ctl::read(value, reader);
            for action in &read {
                if let Action::Ctl(Ctl::RuleRemoveById(ids) | Ctl::RuleRemoveTargetById(ids, _)) = action {
                    all.named.extend(ids.iter().map(|range| (*range, span)));
                }
            }
            all.actions.extend(read);
        }
        Kind::SanitiseArg => all.actions.push(Action::Sanitise(Sanitise::Arg(value.unquoted().bytes().into()))),
        Kind::SanitiseRequestHeader => {
            all.actions.push(Action::Sanitise(Sanitise::RequestHeader(value.unquoted().bytes().into())));
        }
        Kind::SanitiseResponseHeader => {
            all.actions.push(Action::Sanitise(Sanitise::ResponseHeader(value.unquoted().bytes().into())));
        }
        Kind::SanitiseMatched => all.actions.push(Action::Sanitise(Sanitise::Matched)),
        Kind::SanitiseMatchedBytes => all.actions.push(Action::Sanitise(matched_bytes(value, reader)?)),
        Kind::SetVar => all.actions.push(setvar::setvar(value, reader)?),
        Kind::ExpireVar => all.actions.extend(setvar::expirevar(value, reader)?),
        Kind::DeprecateVar => all.actions.extend(setvar::deprecatevar(value, reader)?),
        Kind::SetEnv => all.actions.push(setvar::setenv(value, reader)?),
        Kind::InitCol => all.actions.push(setvar::initcol(value, reader)?),
        Kind::SetSid => all.actions.push(setvar::init(Variable::Session, value, reader)?),
        Kind::SetUid => all.actions.push(setvar::init(Variable::User, value, reader)?),
        Kind::SetRsc => all.actions.push(setvar::init(Variable::Resource, value, reader)?),
    }
    Some(())
}

fn disrupt(action: Disrupt, span: Span, all: &mut Actions, reader: &mut Reader<'_>) {
    if all.disruptive.is_some() {
        let found =
            Diagnostic::warning(codes::LAST_DISRUPTIVE, span, "a rule has one disruptive action: the last one stands");
        reader.out.push(found.label("this one stands").help("remove the other one"));
    }
    all.overridden = all.disruptive.replace(action);
}

fn id(value: &Text, reader: &mut Reader<'_>) -> Option<u64> {
    let id = settings::number(value, codes::ACTION_ARGUMENT, reader)?;
    if id == 0 {
        reader.error(codes::ACTION_ARGUMENT, value.span(), "0 is no rule id", "ids start at 1");
        return None;
    }
    Some(id)
}

fn severity(value: &Text, reader: &mut Reader<'_>) -> Option<RuleSeverity> {
    let numbers = ["0", "1", "2", "3", "4", "5", "6", "7"];
    let choices: Vec<_> = (0..).map(RuleSeverity).zip(numbers.into_iter().chain(RuleSeverity::NAMES)).collect();
    let choices: Vec<_> = choices.into_iter().map(|(level, name)| (name, RuleSeverity(level.0 % 8))).collect();
    settings::choice(value, &choices, codes::ACTION_ARGUMENT, reader)
}

/// `first/last`: how many bytes stay visible at either end; none without it.
fn matched_bytes(value: &Text, reader: &mut Reader<'_>) -> Option<Sanitise> {
    if value.is_empty() {
        return Some(Sanitise::MatchedBytes { first: 0, last: 0 });
    }
    let Some((first, last)) = value.split_once(b'/') else {
        let message = format!("`{}` does not say what stays visible", value.show());
        let help = "write `sanitiseMatchedBytes:1/4`: the first byte and the last four stay visible";
        reader.error(codes::ACTION_ARGUMENT, value.span(), message, help);
        return None;
    };
    let first = settings::number(&first.trimmed(), codes::ACTION_ARGUMENT, reader)?;
    let last = settings::number(&last.trimmed(), codes::ACTION_ARGUMENT, reader)?;
    Some(Sanitise::MatchedBytes { first, last })
}

/// `maturity` and `accuracy`: 1 to 9.
fn grade(value: &Text, reader: &mut Reader<'_>) -> Option<u8> {
    let names = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let choices: Vec<_> = names.into_iter().zip(1..).collect();
    settings::choice(value, &choices, codes::ACTION_ARGUMENT, reader)
}

fn transformation(value: &Text, all: &mut Actions, reader: &mut Reader<'_>) -> Option<()> {
    let value = value.trimmed();
    if value.is("none") {
        all.none = true;
        all.pipeline.clear();
        return Some(());
    }
    if let Some(found) = std::str::from_utf8(value.bytes()).ok().and_then(Transformation::from_name) {
        all.pipeline.push(found);
        return Some(());
    }
    let message = format!("unknown transformation `{}`", value.show());
    let found = Diagnostic::error(codes::UNKNOWN_TRANSFORMATION, value.span(), message);
    reader.out.push(match reader.nearest(value.bytes(), Transformation::ALL.iter().map(|known| known.name())) {
        Some(near) => found.help(format!("did you mean `t:{near}`?")),
        None => found.help("several transformations are several actions: `t:lowercase,t:urlDecodeUni`"),
    });
    None
}
