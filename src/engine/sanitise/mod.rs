//! What logs must not show: marks that `sanitise...` actions leave while rules run, and the [`Mask`] that is made of them when
//! a log is written.
//!
//! A mark is a name or some bytes. The mask knows every value that the marks mean and covers it wherever it stands: in its own
//! place, and also where it shows again, in another header, in the other body, in the text of a record, plain or encoded.
//! Where it cannot tell, it covers more.

mod bodies;
mod mask;
mod pairs;
mod search;
mod views;

pub(super) use mask::Mask;

use super::matched::Match;
use super::memory::Slice;
use super::scratch::Scratch;
use super::values::shows;
use crate::meter::{Exhausted, Meter, Price};
use crate::program::{KeyId, Loaded};
use crate::rule::{Sanitise, Variable};

/// Keeping a mark.
const MARK: Price = Price::new(16, 512);
/// Bytes that all marks of one request may hold; past it logs show none of its values.
const MOST_BYTES: usize = 1 << 20;
/// Marks that one request may have; past it logs show none of its values.
const MOST_MARKS: usize = 4096;

/// Where a named value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Arg,
    Cookie,
    RequestHeader,
    ResponseHeader,
}

/// What one action asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// All values of this name.
    Named(Place, Box<[u8]>),
    /// These bytes, wherever they stand, but for so many at either end.
    Bytes { text: Box<[u8]>, first: usize, last: usize },
    /// The request body.
    RequestBody,
    /// The response body.
    ResponseBody,
}

/// The marks of one request.
#[derive(Debug, Default)]
pub(super) struct Marks {
    list: Vec<Mark>,
    bytes: usize,
    /// There were too many: nothing may be shown.
    all: bool,
}

impl Marks {
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.bytes = 0;
        self.all = false;
    }

    fn push(&mut self, mark: Mark, meter: &mut Meter) -> Result<(), Exhausted> {
        let length = match &mark {
            Mark::Named(_, name) => name.len(),
            Mark::Bytes { text, .. } => text.len(),
            Mark::RequestBody | Mark::ResponseBody => 0,
        };
        meter.charge_rule(MARK.of(length) + self.list.len() as u64)?;
        if self.list.contains(&mark) {
            return Ok(());
        }
        if self.list.len() >= MOST_MARKS || self.bytes.saturating_add(length) > MOST_BYTES {
            self.all = true;
            return Ok(());
        }
        self.bytes += length;
        self.list.push(mark);
        Ok(())
    }
}

/// Runs a `sanitise...` action.
pub(super) fn run(what: &Sanitise, loaded: &Loaded, scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    let named = |place, name: &[u8]| Mark::Named(place, name.to_ascii_lowercase().into());
    match what {
        Sanitise::Arg(name) => scratch.marks.push(named(Place::Arg, name), meter),
        Sanitise::RequestHeader(name) => scratch.marks.push(named(Place::RequestHeader, name), meter),
        Sanitise::ResponseHeader(name) => scratch.marks.push(named(Place::ResponseHeader, name), meter),
        Sanitise::Matched => match scratch.matched.last() {
            Some(found) => matched(&found, scratch, meter),
            None => Ok(()),
        },
        Sanitise::MatchedBytes { first, last } => {
            let Some(found) = scratch.matched.last() else { return Ok(()) };
            let Some(text) = captured(&found, loaded, scratch, meter)? else { return matched(&found, scratch, meter) };
            let mark = Mark::Bytes { text: text.into(), first: *first as usize, last: *last as usize };
            scratch.marks.push(mark, meter)
        }
    }
}

/// The bytes that the rule's operator found in a value; `None` if they are not known, or do not stand in the value as it was
/// received: then nothing less than the whole value hides them.
fn captured(
    found: &Match,
    loaded: &Loaded,
    scratch: &Scratch,
    meter: &mut Meter,
) -> Result<Option<Vec<u8>>, Exhausted> {
    let rule = scratch.state.rule.and_then(|rule| loaded.program().rules.get(rule.index()));
    if !rule.is_some_and(|rule| rule.links.iter().any(|link| link.capture)) {
        return Ok(None);
    }
    let Some(text) = scratch.tx.get(KeyId::new(0)).filter(|text| !text.is_empty()) else { return Ok(None) };
    meter.charge_rule(scratch.memory.fields.items().len() as u64)?;
    let mut received = raw(found, scratch);
    if received.is_empty() {
        received.push(found.value);
    }
    for slice in received {
        let value = scratch.memory.get(slice);
        meter.charge_rule(MARK.of(value.len() + text.len()))?;
        let (value, text) = (value.to_ascii_lowercase(), text.to_ascii_lowercase());
        if memchr::memmem::find(&value, &text).is_none() {
            return Ok(None);
        }
    }
    Ok(Some(text.to_vec()))
}

/// The values that a match may have come from, as they were received.
fn raw(found: &Match, scratch: &Scratch) -> Vec<Slice> {
    match (shows(found.variable), found.member) {
        (Some((group, _)), Some(member)) => {
            let name = scratch.memory.get(member);
            let fields = scratch.memory.fields.items();
            let members = scratch.values.members(group).iter().filter_map(|at| fields.get(*at as usize));
            members
                .filter(|field| scratch.memory.fields.bytes(field.name) == name)
                .map(|field| Slice::Field(field.value))
                .collect()
        }
        _ => scratch.values.scalar(found.variable).into_iter().collect(),
    }
}

/// Hides what a rule has matched.
fn matched(found: &Match, scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    let place = match found.variable {
        Variable::Args | Variable::ArgsGet | Variable::ArgsPost => Some(Place::Arg),
        Variable::ArgsNames | Variable::ArgsGetNames | Variable::ArgsPostNames => Some(Place::Arg),
        Variable::RequestHeaders | Variable::RequestHeadersNames => Some(Place::RequestHeader),
        Variable::ResponseHeaders | Variable::ResponseHeadersNames => Some(Place::ResponseHeader),
        Variable::RequestCookies | Variable::RequestCookiesNames => Some(Place::Cookie),
        _ => None,
    };
    if let (Some(place), Some(member)) = (place, found.member) {
        let name = scratch.memory.get(member).to_ascii_lowercase();
        scratch.marks.push(Mark::Named(place, name.into()), meter)?;
        let names = found.variable.name().ends_with("_NAMES");
        // What rules saw after transformation may have been copied into messages.
        return if names || matches!(found.value, Slice::Field(_)) {
            Ok(())
        } else {
            hide(found.value, scratch, meter)
        };
    }
    match found.variable {
        Variable::RequestBody | Variable::Xml | Variable::XmlAttributes | Variable::FilesTmpContent => {
            scratch.marks.push(Mark::RequestBody, meter)
        }
        Variable::MultipartPartHeaders => scratch.marks.push(Mark::RequestBody, meter),
        Variable::ResponseBody => scratch.marks.push(Mark::ResponseBody, meter),
        Variable::FullRequest => {
            scratch.marks.all = true;
            Ok(())
        }
        _ => {
            for slice in raw(found, scratch) {
                hide(slice, scratch, meter)?;
            }
            hide(found.value, scratch, meter)
        }
    }
}

fn hide(slice: Slice, scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
    let text = scratch.memory.get(slice);
    if text.is_empty() {
        return Ok(());
    }
    if text.len() > MOST_BYTES {
        scratch.marks.all = true;
        return Ok(());
    }
    meter.charge_rule(MARK.of(text.len()))?;
    let mark = Mark::Bytes { text: text.into(), first: 0, last: 0 };
    scratch.marks.push(mark, meter)
}
