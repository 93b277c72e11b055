//! Backslash escapes: of C (`escapeSeqDecode`), of JavaScript (`jsDecode`) and of CSS 2 (`cssDecode`).
//!
//! A code point becomes one byte, its lowest, as in ModSecurity (full-width ASCII becomes ASCII, see [`unicode::to_byte`]):
//! Coraza writes UTF-8 for it, but the patterns of rule sets are written for one byte. A backslash before anything else is dropped
//! and what follows stands; a backslash at the very end stands, except in CSS, where it continues to nothing.

use super::rewrite::{Step, find, rewrite};
use super::whitespace::is_space;
use super::{Changed, hex, unicode};

pub(super) fn ansi_c(input: &[u8], out: &mut Vec<u8>) -> Changed {
    rewrite(input, out, find(b'\\'), |rest| match rest {
        [_, b'x' | b'X', high, low, ..] => match hex::pair(*high, *low) {
            Some(byte) => Step::put(4, byte),
            None => Step::put(2, rest.get(1).copied().unwrap_or_default()),
        },
        // \777 is 511: its low byte counts.
        [_, tail @ ..] if octal(tail, 3).1 > 0 => {
            let (value, width) = octal(tail, 3);
            Step::put(1 + width, value as u8)
        }
        [_, byte, ..] => Step::put(2, control(*byte)),
        _ => Step::Keep(1),
    })
}

pub(super) fn javascript(input: &[u8], out: &mut Vec<u8>) -> Changed {
    rewrite(input, out, find(b'\\'), |rest| match rest {
        [_, b'u', a, b, c, d, ..] => match hex::quad(*a, *b, *c, *d) {
            Some(code) => Step::put(6, unicode::to_byte(u32::from(code))),
            None => Step::put(2, b'u'),
        },
        [_, b'x', high, low, ..] => match hex::pair(*high, *low) {
            Some(byte) => Step::put(4, byte),
            None => Step::put(2, b'x'),
        },
        [_, tail @ ..] if octal(tail, 3).1 > 0 => {
            // \400 and above do not fit in a byte: only two digits count.
            let (value, width) = if octal(tail, 3).0 > 0xFF { octal(tail, 2) } else { octal(tail, 3) };
            Step::put(1 + width, value as u8)
        }
        [_, byte, ..] => Step::put(2, control(*byte)),
        _ => Step::Keep(1),
    })
}

pub(super) fn css(input: &[u8], out: &mut Vec<u8>) -> Changed {
    rewrite(input, out, find(b'\\'), |rest| {
        let tail = rest.get(1..).unwrap_or_default();
        let (mut code, mut width) = (0, 0);
        for digit in tail.iter().take(6).map_while(|&byte| hex::digit(byte)) {
            code = code << 4 | u32::from(digit);
            width += 1;
        }
        if width > 0 {
            // One blank ends the escape and belongs to it.
            let blank = tail.get(width).is_some_and(|&byte| is_space(byte));
            return Step::put(1 + width + usize::from(blank), unicode::to_byte(code));
        }
        match tail.first() {
            None => Step::drop(1),
            Some(b'\n') => Step::drop(2),
            Some(&byte) => Step::put(2, byte),
        }
    })
}

/// The number in the octal digits at the front, at most `most` of them, and how many there are.
fn octal(text: &[u8], most: usize) -> (u32, usize) {
    let digits = text.iter().take(most).take_while(|byte| matches!(byte, b'0'..=b'7'));
    digits.fold((0, 0), |(value, width), &byte| (value << 3 | u32::from(byte - b'0'), width + 1))
}

/// The control character of a one-letter escape; any other byte stands for itself.
fn control(letter: u8) -> u8 {
    match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0B,
        _ => letter,
    }
}
