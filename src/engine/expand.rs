//! Expansion of `%{...}`.

use super::matched::full_name;
use super::memory::Slice;
use super::scratch::Scratch;
use super::selection::itoa;
use super::values::{Part, shows};
use crate::meter::{Exhausted, Meter, Price};
use crate::program::{Loaded, Text, TextPart};
use crate::rule::Variable;

/// Copying bytes of a macro.
const COPY: Price = Price::new(8, 128);

/// Appends the expanded text to `out`, which never grows past the limit for macros.
pub(super) fn expand(
    text: &Text,
    out: &mut Vec<u8>,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let limit = loaded.program().limits.macro_bytes;
    for part in &text.parts {
        let before = out.len();
        match part {
            TextPart::Literal(text) => append(out, text, limit, meter)?,
            TextPart::Tx(key) => {
                if let Some(value) = scratch.tx.get(*key) {
                    append(out, value, limit, meter)?;
                }
            }
            TextPart::Variable(variable, key) => {
                if let Some(slice) = member(*variable, key.as_deref(), loaded, scratch, meter)? {
                    append(out, scratch.memory.get(slice), limit, meter)?;
                }
            }
        }
        if out.len() == limit && before < limit {
            scratch.flags.macro_cut = true;
        }
    }
    Ok(())
}

fn append(out: &mut Vec<u8>, bytes: &[u8], limit: usize, meter: &mut Meter) -> Result<(), Exhausted> {
    let room = limit.saturating_sub(out.len()).min(bytes.len());
    meter.charge_rule(COPY.of(room))?;
    out.extend_from_slice(bytes.get(..room).unwrap_or_default());
    Ok(())
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
            meter.charge_rule(2)?;
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
        Variable::Rule => rule_member(key.unwrap_or(b"id"), loaded, scratch, meter),
        Variable::Ip | Variable::Global | Variable::Session | Variable::User | Variable::Resource | Variable::Env => {
            for (collection, name, value) in &scratch.collections {
                meter.charge_rule(2)?;
                if *collection == variable && key.is_none_or(|key| name.eq_ignore_ascii_case(key)) {
                    meter.charge_rule(COPY.of(value.len()))?;
                    return Ok(Some(scratch.memory.keep(value)));
                }
            }
            Ok(None)
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
    let charged = meter.charge_rule(COPY.of(name.len()));
    let slice = scratch.memory.keep(&name);
    scratch.name = name;
    charged?;
    Ok(slice)
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
            return Ok(Some(scratch.memory.keep(all.as_bytes())));
        }
        Variable::Duration => scratch.now().saturating_sub(scratch.state.started),
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
                return Ok(Some(scratch.memory.keep(&text)));
            }
            None => return Ok(None),
        },
    };
    Ok(Some(scratch.memory.keep(itoa(number).as_bytes())))
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
    meter.charge_rule(COPY.of(16))?;
    let keep =
        |scratch: &mut Scratch, text: &Option<Box<str>>| text.as_ref().map(|text| scratch.memory.keep(text.as_bytes()));
    Ok(match key {
        b"id" => Some(scratch.memory.keep(itoa(rule.id.0).as_bytes())),
        b"rev" => keep(scratch, &rule.revision),
        b"ver" => keep(scratch, &rule.version),
        b"severity" => rule.severity.map(|severity| scratch.memory.keep(itoa(u64::from(severity.0)).as_bytes())),
        b"msg" | b"logdata" => {
            let text = if key == b"msg" { &planned.msg } else { &planned.logdata };
            // Only literal parts: a text that names itself must not loop.
            let literals = text.iter().flat_map(|text| &text.parts).filter_map(|part| match part {
                TextPart::Literal(text) => Some(&**text),
                _ => None,
            });
            let mut joined = std::mem::take(&mut scratch.name);
            joined.clear();
            literals.for_each(|text| joined.extend_from_slice(text));
            let charged = meter.charge_rule(COPY.of(joined.len()));
            let slice = scratch.memory.keep(&joined);
            scratch.name = joined;
            charged?;
            text.as_ref().map(|_| slice)
        }
        _ => None,
    })
}
