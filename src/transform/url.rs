//! URL encoding.
//!
//! Decoding is that of a lenient server: `+` is a space, and a `%` that no two digits follow stands. `urlDecodeUni` also takes
//! IIS's `%uHHHH`: the map of `SecUnicodeMapFile` decides first, then full-width ASCII becomes ASCII, then the lowest byte counts;
//! an invalid `%u` stands. `urlEncode` leaves letters, digits and `*`, writes a space as `+` and anything else as `%hh`.

use super::rewrite::{Step, find_either, rewrite};
use super::{Changed, UnicodeMap, hex, unicode};
use crate::byteset::ByteSet;

/// What `urlEncode` leaves as it is.
pub(super) const UNRESERVED: ByteSet =
    ByteSet::range(b'0', b'9').union(ByteSet::range(b'A', b'Z')).union(ByteSet::range(b'a', b'z')).with(b'*');

pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) -> Changed {
    rewrite(input, out, find_either(b'%', b'+'), plus_or_percent)
}

pub(super) fn decode_unicode(input: &[u8], out: &mut Vec<u8>, map: Option<&UnicodeMap>) -> Changed {
    rewrite(input, out, find_either(b'%', b'+'), |rest| match rest {
        [b'%', b'u' | b'U', tail @ ..] => match tail {
            [a, b, c, d, ..] => match hex::quad(*a, *b, *c, *d) {
                Some(code) => Step::put(6, mapped(code, map)),
                None => Step::Keep(2),
            },
            _ => Step::Keep(2),
        },
        _ => plus_or_percent(rest),
    })
}

pub(super) fn encode(input: &[u8], out: &mut Vec<u8>) -> Changed {
    let first = input.iter().position(|&byte| !UNRESERVED.contains(byte));
    let Some((same, rest)) = first.and_then(|first| input.split_at_checked(first)) else {
        return Changed::No;
    };
    out.extend_from_slice(same);
    for &byte in rest {
        if UNRESERVED.contains(byte) {
            out.push(byte);
        } else if byte == b' ' {
            out.push(b'+');
        } else {
            let [high, low] = hex::digits(byte);
            out.extend_from_slice(&[b'%', high, low]);
        }
    }
    Changed::Yes
}

fn plus_or_percent(rest: &[u8]) -> Step {
    match rest {
        [b'+', ..] => Step::put(1, b' '),
        [_, high, low, ..] => hex::pair(*high, *low).map_or(Step::Keep(1), |byte| Step::put(3, byte)),
        _ => Step::Keep(1),
    }
}

fn mapped(code: u16, map: Option<&UnicodeMap>) -> u8 {
    map.and_then(|map| map.map.get(&code).copied()).unwrap_or_else(|| unicode::to_byte(u32::from(code)))
}
