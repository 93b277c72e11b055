//! Expansion of `%{...}`.

use super::matched::full_name;
use super::memory::Slice;
use super::scratch::Scratch;
use super::selection::{self, itoa};
use super::tx::Tx;
use super::values::{Part, shows};
use crate::meter::{Exhausted, Meter, Price};
use crate::program::{Loaded, Step, Text, TextPart};
use crate::rule::Variable;

/// Copying bytes of a macro.
const COPY: Price = Price::new(8, 128);
/// Looking at one member on the way to the one that a macro names.
const LOOK: u64 = 6;

/// Appends the expanded text to `out`, which never grows past the limit for macros: what is longer is cut and flagged.
pub(super) fn expand(
    text: &Text,
    out: &mut Vec<u8>,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let limit = loaded.program().limits.macro_bytes;
    for part in &text.parts {
        if !expand_part(limit, part, out, loaded, scratch, meter)? {
            scratch.flags.note("macro");
            break;
        }
    }
    Ok(())
}

/// The text where it stands, if it is one piece that need not be copied: a constant or an entry of TX, no longer than macros may be.
pub(super) fn borrowed<'t>(text: &'t Text, limit: usize, tx: &'t Tx) -> Option<&'t [u8]> {
    let found = match text.parts.as_slice() {
        [] => &[],
        [TextPart::Literal(text)] => &**text,
        [TextPart::Tx(key)] => tx.get(*key).unwrap_or_default(),
        _ => return None,
    };
    (found.len() <= limit).then_some(found)
}

/// Appends one part of a text up to `limit` bytes in all; answers whether it fitted.
pub(super) fn expand_part(
    limit: usize,
    part: &TextPart,
    out: &mut Vec<u8>,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    let slice = match part {
        TextPart::Literal(text) => return append(out, text, limit, meter),
        TextPart::Tx(key) => {
            let Some(value) = scratch.tx.get(*key) else { return Ok(true) };
            return append(out, value, limit, meter);
        }
        TextPart::Variable(variable, key) => member(*variable, key.as_deref(), loaded, scratch, meter)?,
        TextPart::Matching(variable, pattern) => {
            selection::first_matching(*variable, *pattern, loaded, scratch, meter)?
        }
    };
    slice.map_or(Ok(true), |slice| append(out, scratch.memory.get(slice), limit, meter))
}

/// Whether a part shows a value of the exchange, or a piece of one: not a name, a number of ours, or a fact about the
/// connection. Entries of TX other than the captures are what rules made of such values; they are not told apart.
pub(super) fn shows_value(part: &TextPart) -> bool {
    match part {
        TextPart::Literal(_) => false,
        TextPart::Tx(key) => key.index() < 10,
        TextPart::Variable(variable, _) | TextPart::Matching(variable, _) => {
            let name = variable.name();
            let fact =
                ["TIME", "REMOTE_ADDR", "REMOTE_PORT", "SERVER_", "UNIQUE_ID", "RULE", "TX", "ENV", "REQUEST_METHOD"];
            !name.ends_with("_NAME") && !name.ends_with("_NAMES") && !fact.iter().any(|start| name.starts_with(start))
        }
    }
}

/// Appends what fits; answers whether that was all.
fn append(out: &mut Vec<u8>, bytes: &[u8], limit: usize, meter: &mut Meter) -> Result<bool, Exhausted> {
    let room = limit.saturating_sub(out.len()).min(bytes.len());
    meter.charge_rule(COPY.of(room))?;
    out.extend_from_slice(bytes.get(..room).unwrap_or_default());
    Ok(room == bytes.len())
}

/// The first value that a macro's variable selects.
fn member(
    variable: Variable,
    key: Option<&[u8]>,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<Option<Slice>, Exhausted> {
    if let Some((group, part)) = shows(variable) {
        for &at in scratch.values.members(group) {
            meter.charge_rule(LOOK)?;
            let Some(field) = scratch.memory.fields.items().get(at as usize) else { break };
            let name = scratch.memory.fields.bytes(field.name);
            let fits =
                key.is_none_or(|key| if variable.folds_case() { name.eq_ignore_ascii_case(key) } else { name == key });
            if fits {
                return Ok(Some(Slice::Field(if part == Part::Name { field.name } else { field.value })));
            }
        }
        return Ok(None);
    }
    match variable {
        Variable::Tx => {
            // A key that the rules spell out is a `TextPart::Tx`; without a key there is no first entry worth naming.
            Ok(None)
        }
        Variable::MatchedVars | Variable::MatchedVarsNames => {
            let Some(found) = scratch.matched.list().first().copied() else { return Ok(None) };
            if variable == Variable::MatchedVars {
                return Ok(Some(found.value));
            }
            name_of(found, scratch, meter).map(Some)
        }
        Variable::Geo => {
            let fits = |name: &str| key.is_none_or(|key| name.as_bytes().eq_ignore_ascii_case(key));
            let found = scratch.geo.as_ref().and_then(|place| place.members().find(|(name, _)| fits(name)));
            let Some((_, value)) = found else { return Ok(None) };
            meter.charge_rule(COPY.of(value.len()))?;
            scratch.memory.keep(value).map(Some)
        }
        Variable::PerfRules => {
            let id = key.and_then(|key| std::str::from_utf8(key).ok()).and_then(|key| key.parse().ok());
            let Some((_, micros)) = super::performance::rules(loaded, scratch).find(|(rule, _)| Some(rule.0) == id)
            else {
                return Ok(None);
            };
            scratch.memory.keep(itoa(micros).as_bytes()).map(Some)
        }
        Variable::Rule => rule_member(key.unwrap_or(b"id"), loaded, scratch, meter),
        Variable::Env => {
            let env = scratch.env.clone();
            let set = scratch.environment.iter().map(|(name, value)| (&**name, value.as_slice()));
            let given = env.variables().iter().map(|given| (&*given.name, &*given.value));
            for (name, value) in set.chain(given) {
                meter.charge_rule(2)?;
                if key.is_none_or(|key| name == key) {
                    meter.charge_rule(COPY.of(value.len()))?;
                    return scratch.memory.keep(value).map(Some);
                }
            }
            Ok(None)
        }
        collection if collection.is_persistent() => {
            let looked_at = if key.is_some() { scratch.opened.len(collection) } else { 1 };
            meter.charge_rule(Step::FIND.saturating_mul(looked_at as u64))?;
            let found = match key {
                Some(key) => scratch.opened.get(collection, key),
                None => scratch.opened.entries(collection).next().map(|(_, value)| value),
            };
            let Some(value) = found else { return Ok(None) };
            meter.charge_rule(COPY.of(value.len()))?;
            scratch.memory.keep(value).map(Some)
        }
        scalar => match scratch.values.scalar(scalar) {
            Some(slice) => Ok(Some(slice)),
            None => live_scalar(scalar, scratch, meter),
        },
    }
}

fn name_of(found: super::matched::Match, scratch: &mut Scratch, meter: &mut Meter) -> Result<Slice, Exhausted> {
    let mut name = std::mem::take(&mut scratch.name);
    name.clear();
    full_name(&found, &scratch.memory, &mut name);
    let kept = meter.charge_rule(COPY.of(name.len())).and_then(|()| scratch.memory.keep(&name));
    scratch.name = name;
    kept
}

/// A scalar that changes while rules run.
pub(super) fn live_scalar(
    variable: Variable,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<Option<Slice>, Exhausted> {
    meter.charge(16)?;
    let number = match variable {
        Variable::MatchedVar => return Ok(scratch.matched.last().map(|found| found.value)),
        Variable::MatchedVarName => {
            return match scratch.matched.last() {
                Some(found) => name_of(found, scratch, meter).map(Some),
                None => Ok(None),
            };
        }
        Variable::ReqbodyProcessor => {
            // Without a processor the value is empty, not absent: rules ask for it with negated operators.
            let name = scratch.state.processor.map_or("", |processor| processor.name());
            return Ok(Some(Slice::Static(name.as_bytes())));
        }
        Variable::HighestSeverity => u64::from(scratch.state.highest_severity),
        Variable::BudgetExhausted => {
            let scope = match scratch.state.exhausted.map(|exhausted| exhausted.scope) {
                None => "",
                Some(crate::meter::Scope::Request) => "request",
                Some(crate::meter::Scope::Rule) => "rule",
                Some(crate::meter::Scope::Memory) => "memory",
            };
            return Ok(Some(Slice::Static(scope.as_bytes())));
        }
        Variable::Uninspected => {
            let all = scratch.flags.uninspected().join(", ");
            return scratch.memory.keep(all.as_bytes()).map(Some);
        }
        Variable::PerfAll => {
            let text = super::performance::summary(&scratch.state.phase_fuel);
            meter.charge(COPY.of(text.len()))?;
            return scratch.memory.keep(text.as_bytes()).map(Some);
        }
        Variable::CollectionLimit => {
            let all = scratch.opened.notes().join(", ");
            return scratch.memory.keep(all.as_bytes()).map(Some);
        }
        Variable::Duration => scratch.now().saturating_sub(scratch.state.started),
        other if let Some(micros) = super::performance::micros(other, &scratch.state.phase_fuel) => micros,
        other => match super::env::clock_field(other, scratch.now()) {
            Some(super::env::ClockField::Number(number)) => number,
            Some(super::env::ClockField::Time { hour, minute, second }) => {
                let mut text = [b':'; 8];
                for (place, number) in text.chunks_mut(3).zip([hour, minute, second]) {
                    if let [tens, ones, ..] = place {
                        *tens = b'0' + (number / 10) as u8;
                        *ones = b'0' + (number % 10) as u8;
                    }
                }
                return scratch.memory.keep(&text).map(Some);
            }
            None => return Ok(None),
        },
    };
    scratch.memory.keep(itoa(number).as_bytes()).map(Some)
}

/// A member of RULE: something about the rule that runs.
pub(super) fn rule_member(
    key: &[u8],
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<Option<Slice>, Exhausted> {
    let Some(ix) = scratch.state.rule else { return Ok(None) };
    let (Some(rule), Some(planned)) = (loaded.program().source(ix), loaded.program().rules.get(ix.index())) else {
        return Ok(None);
    };
    let mut out = std::mem::take(&mut scratch.name);
    out.clear();
    let write = |text: Option<&str>, out: &mut Vec<u8>| text.map(|text| out.extend_from_slice(text.as_bytes()));
    let found = match key {
        b"id" => Some(itoa(rule.id.0)).map(|id| out.extend_from_slice(id.as_bytes())),
        b"rev" => write(rule.revision.as_deref(), &mut out),
        b"ver" => write(rule.version.as_deref(), &mut out),
        b"severity" => rule.severity.map(|severity| out.extend_from_slice(itoa(u64::from(severity.0)).as_bytes())),
        b"msg" => planned.msg.as_ref().map(|text| literals(text, &mut out)),
        b"logdata" => planned.logdata.as_ref().map(|text| literals(text, &mut out)),
        _ => None,
    };
    let kept = meter.charge_rule(COPY.of(out.len())).and_then(|()| scratch.memory.keep(&out));
    scratch.name = out;
    kept.map(|slice| found.map(|()| slice))
}

/// The literal parts of a text alone: one that names itself must not loop.
fn literals(text: &Text, out: &mut Vec<u8>) {
    for part in &text.parts {
        if let TextPart::Literal(text) = part {
            out.extend_from_slice(text);
        }
    }
}
