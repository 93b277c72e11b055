//! Code points: `utf8toUnicode`, and what becomes of a code point where one byte must do.
//!
//! `utf8toUnicode` writes each sequence of two to four bytes as `%uhhhh`, lower case, at least four digits; other bytes stand.
//! The reference manual says no more; what becomes of input that is no UTF-8 is ModSecurity's (v2 and v3 alike), because patterns
//! of rule sets were tuned on it:
//!
//! - NUL is dropped, and so is a first byte (`C0` to `F4`) whose continuation is missing: `C0 2E` becomes `.`;
//! - overlong forms and surrogates are written as the code point that a lenient decoder would take them for, so that `C0 AF` is a
//!   slash to what comes after, and their first byte stands behind;
//! - `F5` to `F7` stand, and a sequence that they begin is written behind them.

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
    while let Some(found) = rest.iter().position(|&byte| byte == 0 || (0xC0..=0xF7).contains(&byte)) {
        rest = rest.get(found..).unwrap_or_default();
        let lead = rest.first().copied().unwrap_or_default();
        let sequence = sequence(rest);
        if sequence.is_none() && lead >= BEYOND {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        out.extend_from_slice(kept.get(..kept.len().saturating_sub(rest.len())).unwrap_or_default());
        if let Some((code, width)) = sequence {
            out.extend((lead >= BEYOND).then_some(lead));
            write(code, out);
            out.extend(matches!(code, 0xD800..=0xDFFF).then_some(lead));
            out.extend(is_overlong(code, width).then_some(lead));
        }
        rest = rest.get(sequence.map_or(1, |(_, width)| width)..).unwrap_or_default();
        kept = rest;
        changed = Changed::Yes;
    }
    if changed == Changed::Yes {
        out.extend_from_slice(kept);
    }
    changed
}

/// The first of the bytes that would begin a sequence of four, were Unicode larger.
const BEYOND: u8 = 0xF5;

/// Whether fewer bytes would have done.
const fn is_overlong(code: u32, width: usize) -> bool {
    code < match width {
        2 => 0x80,
        3 => 0x800,
        _ => 0x1_0000,
    }
}

/// The code point of the sequence of two to four bytes at the front, and its width.
fn sequence(bytes: &[u8]) -> Option<(u32, usize)> {
    let (&first, tail) = bytes.split_first()?;
    let (bits, width) = match first {
        0xC0..=0xDF => (first & 0x1F, 2),
        0xE0..=0xEF => (first & 0x0F, 3),
        0xF0..=0xF7 => (first & 0x07, 4),
        _ => return None,
    };
    tail.get(..width - 1)?
        .iter()
        .try_fold(u32::from(bits), |code, &byte| (byte & 0xC0 == 0x80).then_some(code << 6 | u32::from(byte & 0x3F)))
        .map(|code| (code, width))
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
