//! Non-disruptive actions: data run by small matches.

use super::expand::expand;
use super::scratch::Scratch;
use crate::meter::{Exhausted, Meter, Price};
use crate::ops::numeric;
use crate::program::{CtlStep, KeyId, Loaded, SetStep, Step, Text};
use crate::rule::{PartsMode, Variable};

/// Setting one entry.
const SET: Price = Price::new(16, 128);

/// Runs one action.
pub(super) fn run(step: &Step, loaded: &Loaded, scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    match step {
        Step::SetTx(key, right) => set_tx(*key, right, loaded, scratch, meter),
        Step::SetVar(Variable::Tx, name, right) => {
            let name = expanded(name, loaded, scratch, meter)?;
            let lower = name.to_ascii_lowercase();
            meter.charge_rule(SET.of(lower.len()))?;
            let limit = loaded.program().limits.tx_entries;
            match scratch.tx.find_or_add(loaded.program(), &lower, limit) {
                Some(key) => set_tx(key, right, loaded, scratch, meter),
                None => {
                    scratch.flags.note("tx entries");
                    Ok(())
                }
            }
        }
        Step::SetVar(collection, name, right) => set_other(*collection, name, right, loaded, scratch, meter),
        Step::Ctl(ctl) => {
            meter.charge_rule(16)?;
            control(ctl, loaded, scratch, meter)
        }
        Step::InitCollection(collection, key) => {
            let key = expanded(key, loaded, scratch, meter)?;
            meter.charge_rule(SET.of(key.len()))?;
            match collection {
                // setsid and setuid also name the session and the user.
                Variable::Session => keep_scalar(Variable::SessionId, &key, scratch),
                Variable::User => keep_scalar(Variable::UserId, &key, scratch),
                _ => {}
            }
            put(*collection, b"key", &key, scratch, loaded.program().limits.tx_entries);
            Ok(())
        }
        Step::SetEnv(name, value) => {
            let name = expanded(name, loaded, scratch, meter)?;
            let value = expanded(value, loaded, scratch, meter)?;
            meter.charge_rule(SET.of(name.len() + value.len()))?;
            put(Variable::Env, &name, &value, scratch, loaded.program().limits.tx_entries);
            Ok(())
        }
    }
}

fn expanded(text: &Text, loaded: &Loaded, scratch: &mut Scratch, meter: &mut Meter) -> Result<Vec<u8>, Exhausted> {
    let mut out = Vec::new();
    expand(text, &mut out, loaded, scratch, meter)?;
    Ok(out)
}

fn keep_scalar(variable: Variable, text: &[u8], scratch: &mut Scratch) {
    if let Ok(bytes) = scratch.memory.fields.store(text) {
        scratch.set_scalar(variable, super::memory::Slice::Field(bytes));
    }
}

/// Computes the right side and stores it.
fn set_tx(
    key: KeyId,
    right: &SetStep,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let (text, sign) = match right {
        SetStep::Unset => {
            meter.charge_rule(SET.per_call)?;
            scratch.tx.unset(key);
            return Ok(());
        }
        SetStep::Set(text) => (text, 0),
        SetStep::Add(text) => (text, 1),
        SetStep::Subtract(text) => (text, -1),
    };
    let mut value = std::mem::take(&mut scratch.expanded);
    value.clear();
    scratch.flags.macro_cut = false;
    let done = expand(text, &mut value, loaded, scratch, meter).and_then(|()| meter.charge_rule(SET.of(value.len())));
    if done.is_ok() {
        if scratch.flags.macro_cut {
            scratch.flags.note("tx value");
        }
        let base = scratch.tx.get(key).map_or(0, numeric::integer);
        let limit = loaded.program().limits.tx_value_bytes;
        if value.len() > limit {
            scratch.flags.note("tx value");
            value.truncate(limit);
        }
        scratch.tx.set_with(key, |place| {
            if sign == 0 {
                place.extend_from_slice(&value);
            } else {
                write_number(changed(base, &value, sign), place);
            }
        });
    }
    scratch.expanded = value;
    done
}

fn changed(base: i64, by: &[u8], sign: i64) -> i64 {
    let by = numeric::integer(by);
    if sign < 0 { base.saturating_sub(by) } else { base.saturating_add(by) }
}

fn write_number(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(super::selection::itoa(number.unsigned_abs()).as_bytes());
}

fn set_other(
    collection: Variable,
    name: &Text,
    right: &SetStep,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let name = expanded(name, loaded, scratch, meter)?;
    let (text, sign) = match right {
        SetStep::Unset => {
            meter.charge_rule(SET.of(scratch.collections.len()))?;
            scratch.collections.retain(|(c, key, _)| *c != collection || !key.eq_ignore_ascii_case(&name));
            return Ok(());
        }
        SetStep::Set(text) => (text, 0),
        SetStep::Add(text) => (text, 1),
        SetStep::Subtract(text) => (text, -1),
    };
    let mut value = expanded(text, loaded, scratch, meter)?;
    meter.charge_rule(SET.of(name.len() + value.len() + scratch.collections.len()))?;
    if sign != 0 {
        let base = scratch
            .collections
            .iter()
            .find(|(c, key, _)| *c == collection && key.eq_ignore_ascii_case(&name))
            .map_or(0, |(_, _, value)| numeric::integer(value));
        let sum = changed(base, &value, sign);
        value.clear();
        write_number(sum, &mut value);
    }
    value.truncate(loaded.program().limits.tx_value_bytes);
    put(collection, &name, &value, scratch, loaded.program().limits.tx_entries);
    Ok(())
}

fn put(collection: Variable, name: &[u8], value: &[u8], scratch: &mut Scratch, limit: usize) {
    let full = scratch.collections.len() >= limit;
    let known = scratch.collections.iter_mut().find(|(c, key, _)| *c == collection && key.eq_ignore_ascii_case(name));
    if let Some((_, _, place)) = known {
        place.clear();
        place.extend_from_slice(value);
    } else if full {
        scratch.flags.note("collection entries");
    } else {
        scratch.collections.push((collection, name.into(), value.to_vec()));
    }
}

fn control(ctl: &CtlStep, loaded: &Loaded, scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    let program = loaded.program();
    let state = &mut scratch.state;
    match ctl {
        CtlStep::RuleEngine(mode) => state.mode = *mode,
        CtlStep::RemoveRules(set) => {
            let rules = program.rule_sets.get(set.index()).map(Vec::as_slice).unwrap_or_default();
            meter.charge_rule(rules.len() as u64)?;
            rules.iter().for_each(|rule| scratch.removed.insert(rule.index()));
        }
        CtlStep::RemoveTarget(set, source) => {
            let rules = program.rule_sets.get(set.index()).map(Vec::as_slice).unwrap_or_default();
            meter.charge_rule(rules.len() as u64)?;
            rules.iter().for_each(|rule| scratch.narrowed_rules.insert(rule.index()));
            let known = scratch.narrowed.iter().any(|(other, target)| other == set && target == source);
            if !known {
                scratch.narrowed.push((*set, source.clone()));
            }
        }
        CtlStep::RequestBodyAccess(on) => state.request_body_access = *on,
        CtlStep::ResponseBodyAccess(on) => state.response_body_access = *on,
        CtlStep::RequestBodyLimit(bytes) => state.request_body_limit = *bytes,
        CtlStep::ResponseBodyLimit(bytes) => state.response_body_limit = *bytes,
        CtlStep::RequestBodyProcessor(processor) => state.processor = Some(*processor),
        CtlStep::ForceRequestBodyVariable(on) => state.force_request_body = *on,
        CtlStep::AuditEngine(mode) => state.audit = *mode,
        CtlStep::AuditLogParts(parts, mode) => {
            let now: String = match mode {
                PartsMode::Replace => parts.to_string(),
                PartsMode::Add => {
                    let new = parts.chars().filter(|part| !state.audit_parts.contains(*part));
                    state.audit_parts.chars().chain(new).collect()
                }
                PartsMode::Remove => state.audit_parts.chars().filter(|part| !parts.contains(*part)).collect(),
            };
            state.audit_parts = now.into();
        }
    }
    Ok(())
}
