//! Non-disruptive actions: data run by small matches.

use super::collections;
use super::expand::expand;
use super::scratch::Scratch;
use super::trace::Event;
use crate::limits::Limits;
use crate::meter::{Exhausted, Meter};
use crate::ops::numeric;
use crate::program::{CtlStep, KeyId, Loaded, SetStep, Step, Text, weaker};
use crate::rule::{PartsMode, Variable};

/// Comparing the name of one entry.
const LOOK: u64 = 2;

/// Runs one action.
pub(super) fn run(step: &Step, loaded: &Loaded, scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    match step {
        Step::SetTx(key, right) => set_tx(*key, right, loaded, scratch, meter),
        Step::SetVar(Variable::Tx, name, right) => {
            let mut lower = std::mem::take(&mut scratch.name);
            lower.clear();
            let limit = loaded.program().limits.tx_entries;
            let key = expand(name, &mut lower, loaded, scratch, meter).and_then(|()| {
                lower.make_ascii_lowercase();
                meter.charge_rule(Step::SET.of(lower.len()))?;
                if scratch.tx.find(loaded, &lower).is_none() {
                    // Its place in the index is made between the others.
                    meter.charge_rule(scratch.tx.made() as u64 / Step::MOVED)?;
                }
                Ok(scratch.tx.find_or_add(loaded, &lower, limit))
            });
            scratch.name = lower;
            match key? {
                Some(key) => set_tx(key, right, loaded, scratch, meter),
                None => {
                    scratch.flags.note("tx entries");
                    Ok(())
                }
            }
        }
        Step::SetVar(collection, name, right) => collections::set(*collection, name, right, loaded, scratch, meter),
        Step::InitCollection(collection, key) => collections::open(*collection, key, loaded, scratch, meter),
        Step::Expire(collection, name, seconds) => {
            collections::expire(*collection, name, seconds, loaded, scratch, meter)
        }
        Step::Deprecate(collection, name, rate) => {
            collections::deprecate(*collection, name, rate, loaded, scratch, meter)
        }
        Step::Ctl(ctl) => {
            meter.charge_rule(16)?;
            control(ctl, loaded, scratch, meter)
        }
        Step::Sanitise(what) => super::sanitise::run(what, loaded, scratch, meter),
        Step::SetEnv(name, value) => {
            let name = expanded(name, loaded, scratch, meter)?;
            let value = expanded(value, loaded, scratch, meter)?;
            let entries = LOOK * scratch.environment.len() as u64;
            meter.charge_rule(Step::SET.of(name.len() + value.len()).saturating_add(entries))?;
            note(Variable::Env, &name, Some(&value), scratch);
            set_env(&name, value, scratch, loaded.program().limits.tx_entries)
        }
    }
}

pub(super) fn expanded(
    text: &Text,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<Vec<u8>, Exhausted> {
    let mut out = Vec::new();
    expand(text, &mut out, loaded, scratch, meter)?;
    Ok(out)
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
            meter.charge_rule(Step::SET.per_call)?;
            scratch.tx.unset(key);
            note_tx(key, loaded, scratch);
            return Ok(());
        }
        SetStep::Set(text) => (text, 0),
        SetStep::Add(text) => (text, 1),
        SetStep::Subtract(text) => (text, -1),
    };
    let limits = &loaded.program().limits;
    if let Some(value) = constant(text, limits) {
        // Nothing to expand: the text is copied from where it is.
        meter.charge_rule(Step::SET.of(value.len()))?;
        scratch.memory.admit(scratch.tx.memory() + value.len())?;
        store(key, value, sign, scratch);
        note_tx(key, loaded, scratch);
        return Ok(());
    }
    let mut value = std::mem::take(&mut scratch.expanded);
    value.clear();
    let done =
        expand(text, &mut value, loaded, scratch, meter).and_then(|()| meter.charge_rule(Step::SET.of(value.len())));
    let done = done.and_then(|()| scratch.memory.admit(scratch.tx.memory() + value.len()));
    if done.is_ok() {
        if value.len() > limits.tx_value_bytes {
            scratch.flags.note("tx value");
            value.truncate(limits.tx_value_bytes);
        }
        store(key, &value, sign, scratch);
    }
    scratch.expanded = value;
    note_tx(key, loaded, scratch);
    done
}

/// A text without macros, if it is within all limits.
fn constant<'t>(text: &'t Text, limits: &Limits) -> Option<&'t [u8]> {
    text.constant().filter(|text| text.len() <= limits.macro_bytes.min(limits.tx_value_bytes))
}

/// Sets an entry, or adds to it what the value says, or takes that away.
fn store(key: KeyId, value: &[u8], sign: i64, scratch: &mut Scratch) {
    if sign == 0 {
        scratch.tx.set(key, value);
        return;
    }
    let base = scratch.tx.get(key).map_or(0, numeric::integer);
    let sum = changed(base, value, sign);
    let digits = super::selection::itoa(sum.unsigned_abs());
    if sum < 0 {
        let mut text = *b"-00000000000000000000";
        let end = 1 + digits.as_bytes().len();
        text.get_mut(1..end).into_iter().for_each(|place| place.copy_from_slice(digits.as_bytes()));
        scratch.tx.set(key, text.get(..end).unwrap_or_default());
    } else {
        scratch.tx.set(key, digits.as_bytes());
    }
}

/// Notes an entry of a collection for those who listen.
pub(super) fn note(collection: Variable, key: &[u8], value: Option<&[u8]>, scratch: &mut Scratch) {
    scratch.note(|| Event::Set { collection, key: key.to_vec(), value: value.map(<[u8]>::to_vec) });
}

fn note_tx(key: KeyId, loaded: &Loaded, scratch: &mut Scratch) {
    if scratch.trace.is_some() {
        let name = scratch.tx.name(loaded.program(), key).to_vec();
        let value = scratch.tx.get(key).map(<[u8]>::to_vec);
        note(Variable::Tx, &name, value.as_deref(), scratch);
    }
}

fn changed(base: i64, by: &[u8], sign: i64) -> i64 {
    let by = numeric::integer(by);
    if sign < 0 { base.saturating_sub(by) } else { base.saturating_add(by) }
}

/// Sets a variable for the host. What the variables hold counts to the memory of the request.
fn set_env(name: &[u8], value: Vec<u8>, scratch: &mut Scratch, limit: usize) -> Result<(), Exhausted> {
    let held: usize = scratch.environment.iter().map(|(name, value)| name.len() + value.len()).sum();
    scratch.memory.admit(held + name.len() + value.len())?;
    let full = scratch.environment.len() >= limit;
    match scratch.environment.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
        Some((_, place)) => *place = value,
        None if full => scratch.flags.note("collection entries"),
        None => scratch.environment.push((name.into(), value)),
    }
    Ok(())
}

fn control(ctl: &CtlStep, loaded: &Loaded, scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    let program = loaded.program();
    let state = &mut scratch.state;
    match ctl {
        CtlStep::RuleEngine(mode) => state.mode = weaker(*mode, state.strongest),
        CtlStep::RemoveRules(set) => {
            let rules = program.rule_sets.get(set.index()).map(Vec::as_slice).unwrap_or_default();
            meter.charge_rule(rules.len() as u64)?;
            rules.iter().for_each(|rule| scratch.removed.insert(rule.index()));
        }
        CtlStep::RemoveTarget(set, source) => {
            let rules = program.rule_sets.get(set.index()).map(Vec::as_slice).unwrap_or_default();
            meter.charge_rule(rules.len() as u64)?;
            rules.iter().for_each(|rule| scratch.narrowed_rules.insert(rule.index()));
            meter.charge_rule(scratch.narrowed.len() as u64)?;
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
        CtlStep::ParseXmlIntoArgs(mode) => state.xml_into_args = *mode,
        CtlStep::AuditEngine(mode) => state.audit = *mode,
        CtlStep::AuditLogParts(parts, mode) => {
            state.audit_parts = match mode {
                PartsMode::Replace => *parts,
                PartsMode::Add => state.audit_parts.with(*parts),
                PartsMode::Remove => state.audit_parts.without(*parts),
            };
        }
    }
    Ok(())
}
