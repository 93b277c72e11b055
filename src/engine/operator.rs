//! Running one operator on one value.

use super::buffers::{BufferId, Source};
use super::env::Answer;
use super::expand::{borrowed, expand};
use super::expanded;
use super::memory::{Memory, Slice};
use super::missing;
use super::scratch::Scratch;
use crate::detect;
use crate::meter::{Exhausted, Meter};
use crate::net::parse_address;
use crate::ops::{block_list, check_digits, numeric, text, validate};
use crate::program::{CheckDigits, LEVELS, Loaded, PatternId, Screen, Test, Text, TextTest};
use crate::scan::{Cursor, Groups, Outcome, Plain, Want};

/// Looking at a value's screen.
const SCREEN: u64 = 4;

/// What an operator found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tested {
    /// It is not done: go on with the same cursor.
    Pending,
    Miss,
    Hit(Captured),
}

/// What a match captures.
#[derive(Debug, Clone, Copy)]
pub(super) enum Captured {
    Nothing,
    /// The groups that the scan left in the scratch.
    Groups,
    /// This text, as TX:0.
    Text(Slice),
}

impl Tested {
    fn when(holds: bool) -> Tested {
        if holds { Tested::Hit(Captured::Nothing) } else { Tested::Miss }
    }
}

/// Runs `test` on the buffer for about `quantum` fuel.
pub(super) fn run(
    test: &Test,
    buffer: BufferId,
    cursor: &mut Cursor,
    quantum: u64,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<Tested, Exhausted> {
    let slice = scratch.buffers.slice(buffer);
    let len = scratch.buffers.len(buffer);
    match test {
        Test::Rx(id) => rx(*id, buffer, cursor, quantum, loaded, scratch, meter),
        Test::RxGlobal(id) => every_match(*id, buffer, loaded, scratch, meter, |_, _| true),
        Test::RxExpanded { text, want, global } => {
            expanded::run(text, *want, *global, buffer, cursor, quantum, loaded, scratch, meter)
        }
        Test::Verify(digits, id) => {
            let check = match digits {
                CheckDigits::Luhn => check_digits::luhn,
                CheckDigits::Cpf => check_digits::cpf,
                CheckDigits::Ssn => check_digits::ssn,
                CheckDigits::Svnr => check_digits::svnr,
            };
            every_match(*id, buffer, loaded, scratch, meter, |candidate, done| {
                *done = check(candidate);
                *done
            })
        }
        Test::Pm(id) => {
            let (Some(phrases), Some(plan)) = (loaded.phrases(*id), loaded.program().phrases.get(id.index())) else {
                return Ok(Tested::Miss);
            };
            if !passes(buffer, &plan.screens, loaded, scratch, meter)? {
                return Ok(Tested::Miss);
            }
            let found = phrases.find(scratch.memory.get(slice), meter)?;
            let Some((phrase, ..)) = found else { return Ok(Tested::Miss) };
            let phrase = plan.phrases.list.get(phrase).map(|phrase| &**phrase).unwrap_or_default();
            let kept = scratch.memory.keep(phrase)?;
            Ok(Tested::Hit(Captured::Text(kept)))
        }
        Test::Text(kind, parameter) => text_test(*kind, parameter, slice, loaded, scratch, meter),
        Test::Number(kind, parameter) => {
            let limit = loaded.program().limits.macro_bytes;
            let value = |scratch: &Scratch| numeric::integer(scratch.memory.get(slice));
            if let Some(other) = borrowed(parameter, limit, &scratch.tx) {
                meter.charge_rule(numeric::PRICE.of(len))?;
                let holds = kind.holds(value(scratch), numeric::integer(other));
                show_text(parameter, loaded, scratch);
                return Ok(Tested::when(holds));
            }
            let mut other = std::mem::take(&mut scratch.expanded);
            other.clear();
            let expanded = expand(parameter, &mut other, loaded, scratch, meter)
                .and_then(|()| meter.charge_rule(numeric::PRICE.of(len)));
            let holds = expanded.map(|()| kind.holds(value(scratch), numeric::integer(&other)));
            scratch.expanded = other;
            Ok(Tested::when(holds?))
        }
        Test::IpMatch(set) => {
            meter.charge_rule(set.price().of(len))?;
            let address = parse_address(scratch.memory.get(slice));
            Ok(if address.is_some_and(|address| set.contains(address)) {
                Tested::Hit(Captured::Text(slice))
            } else {
                Tested::Miss
            })
        }
        Test::Rbl(zone) => {
            meter.charge_rule(block_list::PRICE.of(len))?;
            let settings = &loaded.program().ruleset.settings;
            let wants_key = zone.ends_with("httpbl.org");
            let key = settings.http_bl_key.as_deref().filter(|_| wants_key);
            let resolver = scratch.resolver.as_ref().filter(|_| key.is_some() || !wants_key);
            let Some(resolver) = resolver else {
                scratch.flags.miss(missing::NAME_LOOK_UP_FAILED);
                return Ok(Tested::Miss);
            };
            let value = scratch.memory.get(slice);
            let Some(name) = block_list::query(value, parse_address(value), zone, key) else { return Ok(Tested::Miss) };
            let answer = resolver.answer(&name);
            match answer {
                Answer::Unknown => scratch.flags.miss(missing::NAME_LOOK_UP),
                Answer::Unavailable => scratch.flags.miss(missing::NAME_LOOK_UP_FAILED),
                Answer::NotListed | Answer::Listed(_) => {}
            }
            Ok(Tested::when(matches!(answer, Answer::Listed(_))))
        }
        Test::GeoLookup => {
            scratch.geo = None;
            meter.charge_rule(1)?;
            let Some(database) = &loaded.program().ruleset.settings.geo else {
                scratch.flags.miss(missing::PLACE_LOOK_UP);
                return Ok(Tested::Miss);
            };
            if let Some(address) = parse_address(scratch.memory.get(slice)) {
                scratch.geo = database.find(address, meter)?;
            }
            Ok(Tested::when(scratch.geo.is_some()))
        }
        Test::DetectSqli => match detect::sqli(scratch.memory.get(slice), meter)? {
            Some(fingerprint) => Ok(Tested::Hit(Captured::Text(scratch.memory.keep(fingerprint.as_bytes())?))),
            None => Ok(Tested::Miss),
        },
        Test::DetectXss => Ok(if detect::xss(scratch.memory.get(slice), meter)? {
            Tested::Hit(Captured::Text(slice))
        } else {
            Tested::Miss
        }),
        Test::ByteRange(allowed) => {
            meter.charge_rule(validate::BYTE_RANGE_PRICE.of(len))?;
            Ok(Tested::when(validate::outside_byte_range(scratch.memory.get(slice), allowed).is_some()))
        }
        Test::UrlEncoding => {
            meter.charge_rule(validate::URL_ENCODING_PRICE.of(len))?;
            Ok(Tested::when(validate::invalid_url_encoding(scratch.memory.get(slice))))
        }
        Test::Utf8Encoding => {
            meter.charge_rule(validate::UTF8_PRICE.of(len))?;
            Ok(Tested::when(validate::invalid_utf8(scratch.memory.get(slice))))
        }
        Test::Always => {
            meter.charge_rule(1)?;
            Ok(Tested::when(true))
        }
        Test::Never => {
            meter.charge_rule(1)?;
            Ok(Tested::Miss)
        }
    }
}

/// Compares a value with a text, which is copied only if it has to be put together.
fn text_test(
    kind: TextTest,
    parameter: &Text,
    slice: Slice,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<Tested, Exhausted> {
    let mut put_together = std::mem::take(&mut scratch.expanded);
    put_together.clear();
    let tested = match borrowed(parameter, loaded.program().limits.macro_bytes, &scratch.tx) {
        Some(other) => compare(kind, slice, other, &mut scratch.memory, meter),
        None => expand(parameter, &mut put_together, loaded, scratch, meter)
            .and_then(|()| compare(kind, slice, &put_together, &mut scratch.memory, meter)),
    };
    scratch.expanded = put_together;
    show_text(parameter, loaded, scratch);
    tested
}

/// Traces tell what a test has compared with, and look for it among what was expanded.
fn show_text(parameter: &Text, loaded: &Loaded, scratch: &mut Scratch) {
    if scratch.trace.is_some()
        && let Some(text) = borrowed(parameter, loaded.program().limits.macro_bytes, &scratch.tx)
    {
        scratch.expanded.clear();
        scratch.expanded.extend_from_slice(text);
    }
}

fn compare(
    kind: TextTest,
    slice: Slice,
    other: &[u8],
    memory: &mut Memory,
    meter: &mut Meter,
) -> Result<Tested, Exhausted> {
    let value = memory.get(slice);
    meter.charge_rule(match kind {
        TextTest::Equal | TextTest::BeginsWith | TextTest::EndsWith => {
            text::COMPARE_PRICE.of(value.len().min(other.len()))
        }
        TextTest::Contains | TextTest::ContainsWord | TextTest::Within => {
            text::SEARCH_PRICE.of(value.len() + other.len())
        }
    })?;
    let holds = match kind {
        TextTest::Equal => text::equal(value, other),
        TextTest::Contains => text::contains(value, other),
        TextTest::ContainsWord => text::contains_word(value, other),
        TextTest::BeginsWith => text::begins_with(value, other),
        TextTest::EndsWith => text::ends_with(value, other),
        TextTest::Within => text::within(value, other),
    };
    Ok(match kind {
        _ if !holds => Tested::Miss,
        TextTest::Within | TextTest::Equal => Tested::Hit(Captured::Text(slice)),
        _ => Tested::Hit(Captured::Text(memory.keep(other)?)),
    })
}

/// Whether a test with these screens may match the buffer.
fn passes(
    buffer: BufferId,
    screens: &[Option<Screen>; LEVELS],
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    meter.charge(SCREEN)?;
    let program = loaded.program();
    let literals = loaded.literals(scratch.buffers.searches_response());
    let mut source = Source { program, memory: &mut scratch.memory, meter };
    scratch.buffers.passes(buffer, screens, literals, &mut source)
}

fn rx(
    id: PatternId,
    buffer: BufferId,
    cursor: &mut Cursor,
    quantum: u64,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<Tested, Exhausted> {
    let (Some(pattern), Some(plan)) = (loaded.pattern(id), loaded.program().patterns.get(id.index())) else {
        return Ok(Tested::Miss);
    };
    if cursor.is_new() && !passes(buffer, &plan.screens, loaded, scratch, meter)? {
        return Ok(Tested::Miss);
    }
    if let Some(plain) = plan.plain.as_ref().filter(|_| cursor.is_new()) {
        let (facts, _) = scratch.buffers.facts(buffer);
        if let Some(matches) = plain.matches_all(facts.len, &facts.mask) {
            meter.charge_rule(Plain::PRICE.of(facts.len))?;
            scratch.groups = if plan.want == Want::Match { Groups::default() } else { Groups::of((0, facts.len)) };
            return Ok(if matches { Tested::Hit(Captured::Groups) } else { Tested::Miss });
        }
    }
    let Some(cache) = scratch.caches.get_mut(id) else { return Ok(Tested::Miss) };
    cache.admit(scratch.memory.left());
    let haystack = scratch.memory.get(scratch.buffers.slice(buffer));
    Ok(match pattern.scan(cache, haystack, cursor, quantum, &mut scratch.groups, meter)? {
        Outcome::Pending => Tested::Pending,
        Outcome::Miss => Tested::Miss,
        Outcome::Hit => Tested::Hit(Captured::Groups),
    })
}

/// Looks at match after match of a pattern, as [`each_match`] does.
fn every_match(
    id: PatternId,
    buffer: BufferId,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
    accept: impl FnMut(&[u8], &mut bool) -> bool,
) -> Result<Tested, Exhausted> {
    let (Some(pattern), Some(cache)) = (loaded.pattern(id), scratch.caches.get_mut(id)) else {
        return Ok(Tested::Miss);
    };
    let mut cache = std::mem::take(cache);
    cache.admit(scratch.memory.left());
    let search = |haystack: &[u8], cursor: &mut Cursor, groups: &mut Groups, meter: &mut Meter| {
        pattern.scan(&mut cache, haystack, cursor, u64::MAX, groups, meter)
    };
    let tested = each_match(buffer, scratch, meter, search, accept);
    if let Some(place) = scratch.caches.get_mut(id) {
        *place = cache;
    }
    tested
}

/// Looks at match after match until `accept` says that one will do (it sets its second argument to end the search); the
/// groups of the accepted matches are captured, the last of each number.
pub(super) fn each_match(
    buffer: BufferId,
    scratch: &mut Scratch,
    meter: &mut Meter,
    mut search: impl FnMut(&[u8], &mut Cursor, &mut Groups, &mut Meter) -> Result<Outcome, Exhausted>,
    mut accept: impl FnMut(&[u8], &mut bool) -> bool,
) -> Result<Tested, Exhausted> {
    let haystack = scratch.memory.get(scratch.buffers.slice(buffer));
    let mut hit = false;
    let mut done = false;
    let mut from = 0;
    while !done && from <= haystack.len() {
        let mut cursor = Cursor::from(from);
        let mut groups = Groups::default();
        let outcome = loop {
            match search(haystack, &mut cursor, &mut groups, meter)? {
                Outcome::Pending => {}
                other => break other,
            }
        };
        let (Outcome::Hit, Some((start, end))) = (outcome, groups.get(0)) else { break };
        meter.charge_rule(32 + (end - start) as u64)?;
        if accept(haystack.get(start..end).unwrap_or_default(), &mut done) {
            if let Some(trace) = &mut scratch.trace {
                trace.found(&groups);
            }
            scratch.groups = if hit { groups.or(&scratch.groups) } else { groups };
            hit = true;
        }
        from = end.max(start + 1);
    }
    Ok(if hit { Tested::Hit(Captured::Groups) } else { Tested::Miss })
}
