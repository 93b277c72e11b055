//! Base64 (RFC 4648, section 4).
//!
//! `base64Decode` ends at the first byte outside the alphabet, so padding, NUL and blanks end it. `base64DecodeExt` skips such
//! bytes, NUL and padding included, as lenient decoders of applications do. Both give the whole bytes of an incomplete last
//! group. Neither knows the URL-safe alphabet. (libmodsecurity's base64Decode leaves a value with a foreign byte in it as it is,
//! its base64DecodeExt gives nothing when padding stands inside; v2 and the manual do not.)
//!
//! `base64DecodeText` is Fusewall's own: it decodes a value only if that is Base64 as a whole and text comes out, and leaves any other
//! value alone, so that rules may try it on every argument. A value is Base64 as a whole if, without ASCII white space around it, it
//! has at least [`SHORTEST`] characters of one alphabet, the usual one (`+`, `/`) or the URL-safe one (`-`, `_`), then at most two `=`,
//! which only fill the last group of four, and no last group of one. Text is UTF-8 without control characters of ASCII but TAB, LF and CR.

use super::Changed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(super) fn encode(input: &[u8], out: &mut Vec<u8>) -> Changed {
    if input.is_empty() {
        return Changed::No;
    }
    // Borrows the (empty) buffer as a string, so that its memory is used again.
    let mut text = String::from_utf8(std::mem::take(out)).unwrap_or_default();
    STANDARD.encode_string(input, &mut text);
    *out = text.into_bytes();
    Changed::Yes
}

pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> Changed {
    collect(input.iter().map_while(|&byte| sextet(byte)), out);
    shorter(input)
}

pub(super) fn decode_forgiving(input: &[u8], out: &mut Vec<u8>) -> Changed {
    collect(input.iter().filter_map(|&byte| sextet(byte)), out);
    shorter(input)
}

/// Characters that a value has at least to be Base64 for `base64DecodeText`: shorter ones are mostly words.
const SHORTEST: usize = 8;

pub(super) fn decode_text(input: &[u8], out: &mut Vec<u8>) -> Changed {
    let value = input.trim_ascii();
    let padding = value.iter().rev().take(3).take_while(|&&byte| byte == b'=').count();
    let (characters, _) = value.split_at(value.len() - padding);
    let url_safe = characters.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let sextets = characters.iter().map_while(|&byte| match byte {
        b'+' | b'/' if url_safe => None,
        b'-' => Some(62),
        b'_' => Some(63),
        _ => sextet(byte),
    });
    let whole = characters.len() % 4 != 1 && (padding == 0 || padding <= 2 && value.len().is_multiple_of(4));
    if characters.len() < SHORTEST || !whole {
        return Changed::No;
    }
    collect(sextets, out);
    let complete = out.len() == characters.len() * 6 / 8;
    let control = |&byte: &u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7F;
    let is_text = complete && !out.iter().any(control) && std::str::from_utf8(out).is_ok();
    if is_text { Changed::Yes } else { Changed::No }
}

/// Decoding anything makes it shorter.
fn shorter(input: &[u8]) -> Changed {
    if input.is_empty() { Changed::No } else { Changed::Yes }
}

/// Six bits at a time into bytes; bits that do not fill a byte are dropped.
fn collect(sextets: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    let mut bits = 0u16;
    let mut filled = 0u8;
    for sextet in sextets {
        bits = bits << 6 | u16::from(sextet);
        filled += 6;
        if filled >= 8 {
            filled -= 8;
            out.push((bits >> filled) as u8);
        }
    }
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}
