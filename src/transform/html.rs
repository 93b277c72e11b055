//! `htmlEntityDecode`: `&#38;`, `&#x26;` and `&quot; &amp; &lt; &gt; &nbsp;`, each with or without the semicolon.
//!
//! A number gives one byte, its lowest; one of more than 63 bits gives FF, as ModSecurity's `strtol` has it. A name counts only if
//! the whole run of letters and digits is the name (any case): `&ltx` stands, as in ModSecurity v2. (libmodsecurity takes the run for
//! the name that it begins with and drops the rest of it.) Other names stand: the patterns of rule sets know them (`&colon;`, `&Tab;`).

use super::Changed;
use super::rewrite::{Step, find, rewrite};

/// The byte of `&nbsp;` (ISO 8859-1).
const NO_BREAK_SPACE: u8 = 0xA0;

pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> Changed {
    rewrite(input, out, find(b'&'), |rest| match rest {
        [_, b'#', b'x' | b'X', digits @ ..] => numeric(digits, 16, 3),
        [_, b'#', digits @ ..] => numeric(digits, 10, 2),
        [_, name @ ..] => named(name),
        [] => Step::Keep(1),
    })
}

/// `digits` follow `prefix` bytes of `&#` or `&#x`.
fn numeric(digits: &[u8], radix: u8, prefix: usize) -> Step {
    let (mut value, mut width) = (0u64, 0);
    for digit in digits.iter().map_while(|&byte| char::from(byte).to_digit(u32::from(radix))) {
        value = value.saturating_mul(u64::from(radix)).saturating_add(u64::from(digit));
        width += 1;
    }
    if width == 0 {
        return Step::Keep(prefix);
    }
    Step::put(prefix + with_semicolon(digits, width), value.min(i64::MAX as u64) as u8)
}

fn named(name: &[u8]) -> Step {
    let width = name.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let name_only = name.get(..width).unwrap_or_default();
    let known: [(&[u8], u8); 5] =
        [(b"quot", b'"'), (b"amp", b'&'), (b"lt", b'<'), (b"gt", b'>'), (b"nbsp", NO_BREAK_SPACE)];
    match known.iter().find(|(known, _)| known.eq_ignore_ascii_case(name_only)) {
        Some(&(_, byte)) => Step::put(1 + with_semicolon(name, width), byte),
        None => Step::Keep(1 + width),
    }
}

/// The width of a reference and of the semicolon after it, if one is there.
fn with_semicolon(text: &[u8], width: usize) -> usize {
    width + usize::from(text.get(width) == Some(&b';'))
}
