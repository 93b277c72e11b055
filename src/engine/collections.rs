//! What rules do to persistent collections: initialise, set, expire, deprecate, and the commit at the end of a phase.
//!
//! A collection that is not initialised has no entries, and writing to it does nothing.

use super::act::{expanded, note};
use super::memory::Slice;
use super::persist::{RecordId, RecordLimits, What};
use super::scratch::Scratch;
use crate::meter::{Exhausted, Meter, Price};
use crate::ops::numeric;
use crate::program::{Loaded, SetStep, Step, Text};
use crate::rule::Variable;
use std::sync::Arc;

/// Storing SESSIONID or USERID.
const SET: Price = Price::new(16, 128);

/// `initcol` and its like. A collection is initialised once: later attempts leave it as it is, as in v2.
pub(super) fn open(
    collection: Variable,
    key: &Text,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let key = expanded(key, loaded, scratch, meter)?;
    let program = loaded.program();
    let named = match collection {
        Variable::Session => Some(Variable::SessionId),
        Variable::User => Some(Variable::UserId),
        _ => None,
    };
    meter.charge_rule(SET.of(key.len()))?;
    if let Some(named) = named
        && let Ok(bytes) = scratch.memory.fields.store(&key)
    {
        scratch.set_scalar(named, Slice::Field(bytes));
    }
    if scratch.opened.is_open(collection) {
        return Ok(());
    }
    if key.len() > program.limits.collection_key_bytes {
        scratch.opened.note("key too long");
        return Ok(());
    }
    meter.charge_rule(Step::LOAD.of(key.len()))?;
    let settings = &program.ruleset.settings;
    let scoped = matches!(collection, Variable::Session | Variable::User | Variable::Resource);
    let scope = settings.web_app_id.as_deref().filter(|_| scoped).unwrap_or_default();
    let id = RecordId { collection, scope: scope.as_bytes(), key: &key };
    let (store, now) = (Arc::clone(&scratch.collections), scratch.seconds());
    let copied = scratch.opened.open(&id, settings.collection_timeout, &*store, now);
    meter.charge_rule(Step::LOAD.of(copied).saturating_sub(Step::LOAD.per_call))
}

/// `setvar`.
pub(super) fn set(
    collection: Variable,
    name: &Text,
    right: &SetStep,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let name = expanded(name, loaded, scratch, meter)?;
    let what = match right {
        SetStep::Unset => What::Unset,
        SetStep::Set(text) => {
            let value = expanded(text, loaded, scratch, meter)?;
            What::Set { value, until: None }
        }
        SetStep::Add(text) => {
            let by = numeric::integer(&expanded(text, loaded, scratch, meter)?);
            What::Add { by, until: None }
        }
        SetStep::Subtract(text) => {
            let by = numeric::integer(&expanded(text, loaded, scratch, meter)?).saturating_neg();
            What::Add { by, until: None }
        }
    };
    change(collection, &name, what, loaded, scratch, meter)
}

/// `expirevar`.
pub(super) fn expire(
    collection: Variable,
    name: &Text,
    seconds: &Text,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let name = expanded(name, loaded, scratch, meter)?;
    let seconds = numeric::integer(&expanded(seconds, loaded, scratch, meter)?);
    let end = scratch.seconds().saturating_add(u64::try_from(seconds).unwrap_or(0));
    change(collection, &name, What::ExpireAt(end), loaded, scratch, meter)
}

/// `deprecatevar`. A rate whose macros come to nothing usable changes nothing.
pub(super) fn deprecate(
    collection: Variable,
    name: &Text,
    rate: &Text,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let name = expanded(name, loaded, scratch, meter)?;
    let rate = expanded(rate, loaded, scratch, meter)?;
    let mut parts = rate.splitn(2, |&byte| byte == b'/').map(numeric::integer);
    let by = parts.next().unwrap_or(0);
    let period = parts.next().and_then(|period| u64::try_from(period).ok()).unwrap_or(0);
    if by <= 0 || period == 0 {
        return Ok(());
    }
    let now = scratch.seconds();
    change(collection, &name, What::Deprecate { by, period, now }, loaded, scratch, meter)
}

fn change(
    collection: Variable,
    name: &[u8],
    what: What,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    if !scratch.opened.is_open(collection) {
        return Ok(());
    }
    let program = loaded.program();
    if name.len() > program.limits.collection_key_bytes {
        scratch.opened.note("key too long");
        return Ok(());
    }
    let value = if let What::Set { value, .. } = &what { value.len() } else { 0 };
    let bytes = name.len() + value.min(program.limits.collection_value_bytes);
    let find = Step::FIND.saturating_mul(scratch.opened.len(collection) as u64);
    let commit = if scratch.opened.is_unchanged(collection) { Step::COMMIT.per_call } else { 0 };
    meter.charge_rule(Step::CHANGE.of(bytes).saturating_add(find).saturating_add(commit))?;
    let (store, now) = (Arc::clone(&scratch.collections), scratch.seconds());
    let limits = RecordLimits::from(&program.limits);
    scratch.opened.write(collection, &name.to_ascii_lowercase(), what, &limits, &*store, now);
    if scratch.trace.is_some() {
        let value = scratch.opened.get(collection, name).map(<[u8]>::to_vec);
        note(collection, name, value.as_deref(), scratch);
    }
    Ok(())
}

/// Commits all changes. Their makers have paid for it.
pub(super) fn commit(scratch: &mut Scratch) {
    if scratch.opened.is_changed() {
        let (store, now) = (Arc::clone(&scratch.collections), scratch.seconds());
        scratch.opened.commit(&*store, now);
    }
}
