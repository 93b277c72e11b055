//! Backslash escapes of C, CSS and JavaScript, looked for at each place.

use super::{Family, digits, low_byte, number, replaced};
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b"\\|\\u|\\x|\\X|\\U|\\u00|\\uff|\\uFF1c|\\uff5f|\\uff00|\\x4|\\x41|\\0|\\377|\\400|\\8|\
        \\n|\\a|\\v|\\\n|\\\r\n|\\6a |\\ff21|\\0ff21|\\00FF21|\\10ff21|\\1ff21|\\6a\t| |\x0c|f|F|g|7|0|1|\xff|'|script|\0",
    members: &[(T::CssDecode, css), (T::EscapeSeqDecode, c), (T::JsDecode, js)],
};

/// The control character that a letter stands for behind a backslash, in C and JavaScript.
fn control(letter: u8) -> Option<u8> {
    let at = b"abtnvfr".iter().position(|&known| known == letter)?;
    Some(b"\x07\x08\x09\x0a\x0b\x0c\x0d"[at])
}

fn c(input: &[u8]) -> Vec<u8> {
    replaced(input, |text| {
        let escape = text.strip_prefix(b"\\")?;
        let &first = escape.first()?;
        if first.eq_ignore_ascii_case(&b'x') && digits(&escape[1..], 16) >= 2 {
            return Some((vec![number(&escape[1..], 2, 16)? as u8], 4));
        }
        let octal = digits(escape, 8).min(3);
        if octal > 0 {
            return Some((vec![number(escape, octal, 8)? as u8], 1 + octal));
        }
        Some((vec![control(first).unwrap_or(first)], 2))
    })
}

fn js(input: &[u8]) -> Vec<u8> {
    replaced(input, |text| {
        let escape = text.strip_prefix(b"\\")?;
        let &first = escape.first()?;
        if first == b'u' && digits(&escape[1..], 16) >= 4 {
            return Some((vec![low_byte(number(&escape[1..], 4, 16)?)], 6));
        }
        if first == b'x' && digits(&escape[1..], 16) >= 2 {
            return Some((vec![number(&escape[1..], 2, 16)? as u8], 4));
        }
        // As many octal digits as make one byte.
        if let Some((byte, width)) =
            (1..=3).rev().find_map(|width| Some((number(escape, width, 8)?, width)).filter(|it| it.0 < 256))
        {
            return Some((vec![byte as u8], 1 + width));
        }
        Some((vec![control(first).unwrap_or(first)], 2))
    })
}

fn css(input: &[u8]) -> Vec<u8> {
    replaced(input, |text| {
        let escape = text.strip_prefix(b"\\")?;
        let hex = digits(escape, 16).min(6);
        if hex > 0 {
            let blank = matches!(escape.get(hex), Some(b' ' | b'\t' | b'\n' | b'\x0b' | b'\x0c' | b'\r'));
            return Some((vec![low_byte(number(escape, hex, 16)?)], 1 + hex + usize::from(blank)));
        }
        match escape.first() {
            None => Some((vec![], 1)),
            Some(b'\n') => Some((vec![], 2)),
            Some(&other) => Some((vec![other], 2)),
        }
    })
}
