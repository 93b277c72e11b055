//! Base64 (RFC 4648, section 4).
//!
//! `base64Decode` ends at the first byte outside the alphabet, so padding, NUL and blanks end it. `base64DecodeExt` skips such
//! bytes, NUL and padding included, as lenient decoders of applications do. Both give the whole bytes of an incomplete last
//! group. Neither knows the URL-safe alphabet. (libmodsecurity's base64Decode leaves a value with a foreign byte in it as it is,
//! its base64DecodeExt gives nothing when padding stands inside; v2 and the manual do not.)

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
