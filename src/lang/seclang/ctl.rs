//! `ctl:option=value`.

use super::names::actions::{CTL, CtlKind};
use super::names::{Support, find, offered};
use super::reader::Reader;
use super::text::Text;
use super::{codes, ids, pattern, settings, target};
use crate::diag::{Diagnostic, Span};
use crate::rule::{Action, BodyProcessor, Ctl, PartsMode};

/// Reads one `ctl`. One that names several targets becomes several actions.
pub(super) fn read(text: &Text, reader: &mut Reader<'_>) -> Vec<Action> {
    let (name, value) = match text.split_once(b'=') {
        Some((name, value)) => (name.trimmed(), value.trimmed()),
        None => (text.trimmed(), text.slice(text.len()..text.len())),
    };
    let shown = name.show();
    let Some(row) = find(CTL, name.bytes()) else {
        let found = Diagnostic::error(codes::CTL, name.span(), format!("unknown `ctl` option `{shown}`"));
        reader.out.push(match reader.nearest(name.bytes(), offered(CTL)) {
            Some(near) => found.help(format!("did you mean `{near}`?")),
            None => found.help("write `ctl:option=value`, for example `ctl:ruleRemoveById=942100`"),
        });
        return Vec::new();
    };
    let found = match row.support {
        Support::Yes(kind) if !may(kind, row.name, name.span(), reader) => None,
        Support::Yes(kind) => option(kind, row.name, &value, reader),
        Support::Ignored(why) => {
            let message = format!("`ctl:{}` has no effect: {why}", row.name);
            reader.out.push(Diagnostic::note(codes::IGNORED, text.span(), message));
            Some(Vec::new())
        }
        Support::NoEffect(why) => {
            reader.warn(codes::NO_EFFECT, text.span(), format!("`ctl:{}` has no effect: {why}", row.name), "");
            Some(Vec::new())
        }
        Support::OnlyOff(_) if value.is("off") => Some(Vec::new()),
        Support::OnlyOff(why) => {
            let message = format!("`ctl:{}` can only be Off: {why}", row.name);
            reader.error(codes::CTL, text.span(), message, "remove it");
            None
        }
        Support::Refused(why, help) => {
            reader.error(codes::CTL, text.span(), format!("`ctl:{}` is not supported: {why}", row.name), help);
            None
        }
    };
    found.unwrap_or_default().into_iter().map(Action::Ctl).collect()
}

/// Whether the rules being read may use it.
fn may(kind: CtlKind, name: &str, span: Span, reader: &mut Reader<'_>) -> bool {
    reader.may(kind.withheld(), codes::WITHHELD_CTL, span, &format!("`ctl:{name}`"))
}

fn option(kind: CtlKind, name: &str, value: &Text, reader: &mut Reader<'_>) -> Option<Vec<Ctl>> {
    if value.is_empty() {
        let help = format!("write `ctl:{name}=value`");
        reader.error(codes::CTL, value.span(), format!("`ctl:{name}` needs a value"), help);
        return None;
    }
    let one = |ctl| Some(vec![ctl]);
    match kind {
        CtlKind::AuditEngine => one(Ctl::AuditEngine(settings::audit_engine(value, codes::CTL, reader)?)),
        CtlKind::AuditLogParts => {
            let (mode, from) = match value.bytes().first() {
                Some(b'+') => (PartsMode::Add, 1),
                Some(b'-') => (PartsMode::Remove, 1),
                _ => (PartsMode::Replace, 0),
            };
            let parts = settings::audit_parts(&value.slice(from..value.len()), codes::CTL, reader)?;
            one(Ctl::AuditLogParts { parts, mode })
        }
        CtlKind::ForceRequestBodyVariable => {
            one(Ctl::ForceRequestBodyVariable(settings::switch(value, codes::CTL, reader)?))
        }
        CtlKind::ParseXmlIntoArgs => one(Ctl::ParseXmlIntoArgs(settings::xml_into_args(value, codes::CTL, reader)?)),
        CtlKind::RequestBodyAccess => one(Ctl::RequestBodyAccess(settings::switch(value, codes::CTL, reader)?)),
        CtlKind::ResponseBodyAccess => one(Ctl::ResponseBodyAccess(settings::switch(value, codes::CTL, reader)?)),
        CtlKind::RequestBodyLimit => one(Ctl::RequestBodyLimit(settings::number(value, codes::CTL, reader)?)),
        CtlKind::ResponseBodyLimit => one(Ctl::ResponseBodyLimit(settings::number(value, codes::CTL, reader)?)),
        CtlKind::RuleEngine => one(Ctl::RuleEngine(settings::engine(value, codes::CTL, reader)?)),
        CtlKind::RequestBodyProcessor => {
            let choices = BodyProcessor::ALL.map(|processor| (processor.name(), processor));
            one(Ctl::RequestBodyProcessor(settings::choice(value, &choices, codes::CTL, reader)?))
        }
        CtlKind::RuleRemoveById => one(Ctl::RuleRemoveById(ids::ranges(&value.unquoted(), reader)?)),
        CtlKind::RuleRemoveByMsg => one(Ctl::RuleRemoveByMsg(pattern::pattern(&value.unquoted(), false, reader)?)),
        CtlKind::RuleRemoveByTag => one(Ctl::RuleRemoveByTag(pattern::pattern(&value.unquoted(), false, reader)?)),
        CtlKind::RuleRemoveTargetById | CtlKind::RuleRemoveTargetByMsg | CtlKind::RuleRemoveTargetByTag => {
            remove_target(kind, name, value, reader)
        }
    }
}

/// `rules;targets`.
fn remove_target(kind: CtlKind, name: &str, value: &Text, reader: &mut Reader<'_>) -> Option<Vec<Ctl>> {
    let Some((rules, targets)) = value.split_once(b';') else {
        let help = format!("write `ctl:{name}=RULES;TARGET`, for example `;ARGS:password`");
        reader.error(codes::CTL, value.span(), format!("`ctl:{name}` names no target"), help);
        return None;
    };
    let targets = target::list_to_remove(&targets.trimmed(), reader);
    let rules = rules.trimmed();
    match kind {
        CtlKind::RuleRemoveTargetById => {
            let ranges = ids::ranges(&rules, reader)?;
            Some(targets.into_iter().map(|target| Ctl::RuleRemoveTargetById(ranges.clone(), target)).collect())
        }
        CtlKind::RuleRemoveTargetByMsg => {
            let pattern = pattern::pattern(&rules, false, reader)?;
            Some(targets.into_iter().map(|target| Ctl::RuleRemoveTargetByMsg(pattern.clone(), target)).collect())
        }
        _ => {
            let pattern = pattern::pattern(&rules, false, reader)?;
            Some(targets.into_iter().map(|target| Ctl::RuleRemoveTargetByTag(pattern.clone(), target)).collect())
        }
    }
}
