//! Patterns: PCRE2 takes the same ones and finds the same.

use super::super::generators::{halves, pattern};
use super::super::oracle::generate::Choices;
use fusewall::Limits;
use fusewall::lang::pcre::{Parsed, parse, status_set};
use fusewall::meter::Meter;
use fusewall::scan::{Cache, Cursor, Groups, Outcome, Want};
use pcre2::bytes::{Regex, RegexBuilder};

/// Fuel after which a search ends: some patterns are exponential.
const ENOUGH: u64 = 3_000_000;
/// Bytes of a pattern that is tried as it is.
const LONGEST: usize = 60;

/// Groups 0 to 9.
type Spans = Vec<Option<(usize, usize)>>;

/// Any bytes as a pattern, or, if the first byte is odd, one that means something.
pub fn pcre_parse(data: &[u8]) {
    let Some((&how, data)) = data.split_first() else { return };
    let (choices, text) = halves(data);
    let text = text_of(text);
    if how & 1 == 1 {
        generated(choices, &text, u64::from(how) * 3);
    } else {
        any(choices, &text);
    }
}

/// A short text of what patterns look for, without a newline at its end, before which `$` matches in PCRE2 alone.
fn text_of(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8] = b"aaabbcA1 -\n\r_\0\xe9B\t\x0b\\()[]{}*+?.^$|x9Z";
    let mut text: Vec<u8> = bytes.iter().take(24).map(|byte| LETTERS[usize::from(*byte) % LETTERS.len()]).collect();
    while text.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        text.pop();
    }
    text
}

fn oracle(pattern: &str) -> Result<Regex, pcre2::Error> {
    RegexBuilder::new().dotall(true).build(pattern)
}

/// What PCRE2 finds; `Err` if it gives up.
fn expected(oracle: &Regex, text: &[u8]) -> Result<Option<Spans>, pcre2::Error> {
    let mut locations = oracle.capture_locations();
    let found = oracle.captures_read(&mut locations, text)?;
    Ok(found.map(|_| (0..10).map(|group| locations.get(group)).collect()))
}

/// What we find, in steps of so much fuel; `None` if the fuel is spent.
fn found(parsed: &Parsed, text: &[u8], quantum: u64) -> Option<Option<Spans>> {
    let pattern = parsed.build(Want::Groups, &Limits::default(), None).ok()?;
    let (mut cache, mut cursor, mut groups) = (Cache::default(), Cursor::default(), Groups::default());
    let mut meter = Meter::new(ENOUGH);
    meter.enter_rule(0, ENOUGH);
    loop {
        match pattern.scan(&mut cache, text, &mut cursor, quantum, &mut groups, &mut meter).ok()? {
            Outcome::Pending => {}
            Outcome::Miss => return Some(None),
            Outcome::Hit => return Some(Some((0..10).map(|group| groups.get(group)).collect())),
        }
    }
}

/// A pattern that both read: the same match, and where the documentation promises it the same groups.
fn generated(choices: &[u8], text: &[u8], quantum: u64) {
    let pattern = pattern(&mut Choices(choices), 4);
    // PCRE2 refuses what is too long for it, and quantifiers that nest too widely.
    let Ok(oracle) = oracle(&pattern.text) else { return };
    let parsed = match parse(pattern.text.as_bytes(), false, &Limits::default()) {
        Ok(parsed) => parsed,
        Err(error) => panic!("{}: {error}", pattern.text),
    };
    let (Ok(expected), Some(ours)) = (expected(&oracle, text), found(&parsed, text, u64::MAX)) else { return };
    assert_eq!(found(&parsed, text, quantum), Some(ours.clone()), "{} in pieces", pattern.text);
    let shown = || format!("{} on {}", pattern.text, text.escape_ascii());
    if parsed.exact.is_some() || !pattern.loops_over_nothing {
        assert_eq!(ours, expected, "{}", shown());
    } else {
        let start = |spans: &Option<Spans>| spans.as_ref().and_then(|spans| spans[0]).map(|span| span.0);
        assert_eq!(start(&ours), start(&expected), "{}", shown());
    }
}

/// Any bytes: no panic, what is wrong has a place, and what PCRE2 takes is taken unless the documentation says why not, and misses
/// nothing.
fn any(bytes: &[u8], text: &[u8]) {
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    let parsed = parse(bytes, false, &Limits::default());
    for error in [parsed.as_ref().err(), status_set(bytes).as_ref().err()].into_iter().flatten() {
        assert!(error.offset + error.len <= bytes.len(), "{error:?}");
        assert!(error.len > 0 || error.offset == bytes.len(), "{error:?}");
    }
    // PCRE2 takes patterns as text. Braces with blanks in them, or without a first number, are text to versions before 10.43.
    let Some(pattern) = std::str::from_utf8(bytes).ok().filter(|pattern| pattern.is_ascii()) else { return };
    let mut braces = pattern.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or_default());
    if braces.any(|inside| inside.starts_with(',') || inside.contains([' ', '\t'])) {
        return;
    }
    match (parsed, oracle(pattern)) {
        (Ok(_), Err(error)) => assert!(is_ours_alone(&error), "{pattern}: PCRE2 refuses it: {error}"),
        (Err(error), Ok(_)) => assert!(is_theirs_alone(&error.message), "{pattern}: we refuse it: {error}"),
        (Ok(parsed), Ok(oracle)) => {
            let (Ok(expected), Some(ours)) = (expected(&oracle, text), found(&parsed, text, u64::MAX)) else { return };
            let shown = || format!("{pattern} on {}", text.escape_ascii());
            assert!(ours.is_some() || expected.is_none(), "{}: missed", shown());
            // Where an automaton decides alone, two readings are wider.
            let wider = parsed.exact.is_none() && ["\\R", "m"].iter().any(|part| pattern.contains(part));
            assert!(wider || ours.is_some() == expected.is_some(), "{}: found", shown());
        }
        (Err(_), Err(_)) => {}
    }
}

/// A hyphen beside a class in a class, what is too large for PCRE2, and `\x` without digits, which is a NUL for versions before 10.45.
fn is_ours_alone(error: &pcre2::Error) -> bool {
    const TOO_LARGE: i32 = 120;
    const CLASS_HYPHEN: i32 = 150;
    const NO_DIGITS: i32 = 178;
    [TOO_LARGE, CLASS_HYPHEN, NO_DIGITS].contains(&error.code())
}

/// Refused on purpose (references to groups that come later are), or new in PCRE2 since 10.43, such as the flag `a`.
fn is_theirs_alone(message: &str) -> bool {
    const REASONS: &[&str] = &[
        "not supported",
        "possible only at the end",
        "cannot be repeated",
        "has no meaning in a class",
        "neither a group nor a flag",
        "no group before this has that name",
    ];
    REASONS.iter().any(|part| message.contains(part))
}
