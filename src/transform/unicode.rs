//! Code points: `utf8toUnicode`, and what becomes of a code point where one byte must do.
//!
//! `utf8toUnicode` writes each sequence of two to four bytes as `%uhhhh`, lower case, at least four digits; ASCII and bytes that
//! are no UTF-8 sequence stand. Overlong forms and surrogates are written as the code point that a lenient decoder would take
//! them for, so that `C0 AF` is a slash to what comes after. (ModSecurity writes their first byte once more behind, and drops NUL and the
//! first byte of a broken sequence; here nothing is added or lost.)

use super::Changed;
use super::hex::lower_digit;

/// The byte that stands for a code point: its lowest, except that full-width ASCII (U+FF01 to U+FF5E) becomes ASCII.
pub(super) const fn to_byte(code: u32) -> u8 {
    match code {
        0xFF01..=0xFF5E => (code as u8) + 0x20,
        _ => code as u8,
    }
}

pub(super) fn from_utf8(input: &[u8], out: &mut Vec<u8>) -> Changed {
    let mut changed = Changed::No;
    let mut kept = input;
    let mut rest = input;
    while let Some(found) = rest.iter().position(|&byte| byte >= 0xC0) {
        rest = rest.get(found..).unwrap_or_default();
        let Some((code, width)) = sequence(rest) else {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        };
        out.extend_from_slice(kept.get(..kept.len().saturating_sub(rest.len())).unwrap_or_default());
        write(code, out);
        rest = rest.get(width..).unwrap_or_default();
        kept = rest;
        changed = Changed::Yes;
    }
    if changed == Changed::Yes {
        out.extend_from_slice(kept);
    }
    changed
}

/// The code point of the sequence of two to four bytes at the front, and its width.
fn sequence(bytes: &[u8]) -> Option<(u32, usize)> {
    let (&first, tail) = bytes.split_first()?;
    let (bits, width) = match first {
        0xC0..=0xDF => (first & 0x1F, 2),
        0xE0..=0xEF => (first & 0x0F, 3),
        0xF0..=0xF4 => (first & 0x07, 4),
        _ => return None,
    };
    let code = tail
        .get(..width - 1)?
        .iter()
        .try_fold(u32::from(bits), |code, &byte| (byte & 0xC0 == 0x80).then_some(code << 6 | u32::from(byte & 0x3F)))?;
    (code <= 0x10_FFFF).then_some((code, width))
}

/// `%u` and at least four digits.
fn write(code: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"%u");
    let width = if code > 0xF_FFFF {
        6
    } else if code > 0xFFFF {
        5
    } else {
        4
    };
    out.extend((0..width).rev().map(|nibble| lower_digit((code >> (4 * nibble)) as u8 & 15)));
}
