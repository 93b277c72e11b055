//! Hexadecimal: `hexEncode`, `hexDecode`, MySQL's `0x..` literals (`sqlHexDecode`), and the digits that other families share.
//!
//! `hexDecode` takes two bytes at a time and does not ask whether they are digits: what is none gives the byte that ModSecurity
//! computes for it; a last odd byte is dropped. `sqlHexDecode` touches `0x` (either case of `x`) only when two digits follow.

use super::Changed;
use super::rewrite::find;

/// The value of a hexadecimal digit.
pub(super) const fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The byte that two digits name.
pub(super) fn pair(high: u8, low: u8) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

/// The number that four digits name.
pub(super) fn quad(a: u8, b: u8, c: u8, d: u8) -> Option<u16> {
    Some(u16::from_be_bytes([pair(a, b)?, pair(c, d)?]))
}

/// The two lower-case digits of a byte.
pub(super) const fn digits(byte: u8) -> [u8; 2] {
    [lower_digit(byte >> 4), lower_digit(byte & 15)]
}

/// The lower-case digit of a value from 0 to 15.
pub(super) const fn lower_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + (value & 15) - 10 }
}

pub(super) fn encode(input: &[u8], out: &mut Vec<u8>) -> Changed {
    out.extend(input.iter().flat_map(|&byte| digits(byte)));
    if input.is_empty() { Changed::No } else { Changed::Yes }
}

pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> Changed {
    /// The digit's value; for another byte what the same arithmetic gives.
    fn loose(byte: u8) -> u8 {
        if byte >= b'A' { (byte & 0xDF).wrapping_sub(b'A').wrapping_add(10) } else { byte.wrapping_sub(b'0') }
    }
    let (pairs, _) = input.as_chunks::<2>();
    out.extend(pairs.iter().map(|&[high, low]| (loose(high) << 4).wrapping_add(loose(low))));
    if input.is_empty() { Changed::No } else { Changed::Yes }
}

pub(super) fn decode_sql(input: &[u8], out: &mut Vec<u8>) -> Changed {
    let mut changed = Changed::No;
    let mut kept = input;
    let mut rest = input;
    let next_zero = find(b'0');
    while let Some(found) = next_zero(rest) {
        rest = rest.get(found..).unwrap_or_default();
        let literal = match rest {
            [_, b'x' | b'X', tail @ ..] => tail.as_chunks::<2>().0,
            _ => &[],
        };
        let mut bytes = literal.iter().map_while(|&[high, low]| pair(high, low)).peekable();
        if bytes.peek().is_none() {
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        out.extend_from_slice(kept.get(..kept.len().saturating_sub(rest.len())).unwrap_or_default());
        let before = out.len();
        out.extend(bytes);
        rest = rest.get(2 + 2 * (out.len() - before)..).unwrap_or_default();
        kept = rest;
        changed = Changed::Yes;
    }
    if changed == Changed::Yes {
        out.extend_from_slice(kept);
    }
    changed
}
