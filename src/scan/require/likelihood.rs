//! How often ordinary values have a byte or a word. Only an order: it decides what is kept, never what is true.

use super::windows::{Place, Window};
use crate::byteset::ByteSet;

/// The share of values (parameters, headers, paths) that have the byte; rounded from browser and API traffic.
pub(in crate::scan) const fn of_byte(byte: u8) -> f64 {
    match byte {
        b'a' | b'e' | b'i' | b't' => 0.55,
        b'l' | b'n' | b'o' | b'p' => 0.46,
        b'c' | b'd' | b'm' | b'r' | b's' => 0.37,
        b'b' | b'f' | b'g' | b'h' => 0.26,
        b'j' | b'y' => 0.08,
        b'k' | b'q' | b'u'..=b'x' | b'z' => 0.16,
        b'0' | b'1' | b'8' => 0.24,
        b'2'..=b'7' | b'9' => 0.16,
        b'J' | b'Q' | b'V' | b'Y' | b'Z' => 0.012,
        b'A'..=b'Z' => 0.07,
        b'.' | b'/' => 0.34,
        b' ' | b',' | b'-' | b';' => 0.23,
        b'=' | b':' => 0.14,
        b'_' => 0.09,
        b'"' | b'(' | b')' | b'*' | b'+' => 0.06,
        b'?' | b'{' | b'}' => 0.02,
        b'\n' | b'\r' => 0.015,
        b'@' | b'[' | b']' | b'\\' => 0.01,
        b'%' | b'&' | b'\'' | b'#' | b'<' | b'>' | b'`' | b'|' | b'~' => 0.004,
        b'!' | b'$' | b'\t' => 0.002,
        b'^' | 0x80..=0xff => 0.0006,
        0x00..=0x1f | 0x7f => 0.0001,
    }
}

/// The share of values that lack the byte, as a table: sets are rated often.
static LACKING: [f64; 256] = {
    let mut table = [1.0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::indexing_slicing)] // At compile time.
        {
            table[byte] = 1.0 - of_byte(byte as u8);
        }
        byte += 1;
    }
    table
};

/// The share of ordinary values that have a byte of the set: a guess, from 0 to 1.
pub fn of_set(set: &ByteSet) -> f64 {
    1.0 - set.iter().filter_map(|byte| LACKING.get(usize::from(byte))).product::<f64>()
}

/// The share of values that contain a literal: no larger than for its rarest byte, and falling with each byte.
pub(super) fn of_literal(literal: &[u8]) -> f64 {
    // A value has some forty places, and a byte that occurs in half of the values stands at one place in twenty.
    let (places, share_of_place) = (40.0, 0.1);
    let together = literal.iter().map(|&byte| share_of_place * of_byte(byte)).product::<f64>();
    literal.iter().map(|&byte| of_byte(byte)).fold(places * together, f64::min)
}

/// The share of places of a text at which some bytes in a row stand, in lower case: a guess from single letters and common pairs
/// of English prose, which is what long values mostly are.
pub(in crate::scan) fn of_gram(gram: &[u8]) -> f64 {
    let pairs = gram.array_windows().filter(|pair| is_pair(pair));
    gram.iter().map(|&byte| share_of_places(byte)).product::<f64>() * PAIR.powi(pairs.count() as i32)
}

/// How many times more often the letters of a pair stand together than they would by chance.
const PAIR: f64 = 4.0;

fn is_pair(&[first, second]: &[u8; 2]) -> bool {
    let row = PAIRS.get(usize::from(first.wrapping_sub(b'a'))).copied().unwrap_or_default();
    second.is_ascii_lowercase() && row >> (second.wrapping_sub(b'a') & 31) & 1 == 1
}

fn share_of_places(byte: u8) -> f64 {
    LETTERS.get(usize::from(byte)).copied().unwrap_or_default()
}

/// The share of values in which a window stands somewhere: a guess.
pub(super) fn of_window(window: &Window) -> f64 {
    // What long values have of places.
    const VALUE: f64 = 200.0;
    let share = |place: &Place| {
        let bytes = place.bytes.iter().filter(|byte| !byte.is_ascii_uppercase()).map(share_of_places).sum::<f64>();
        (bytes + if place.end { 1.0 / VALUE } else { 0.0 }).min(1.0)
    };
    let single = |place: &Place| {
        let mut letters = place.bytes.iter().filter(|byte| !byte.is_ascii_uppercase());
        letters.next().filter(|_| letters.next().is_none())
    };
    let pairs = window.0.array_windows().filter(|[one, next]| match (single(one), single(next)) {
        (Some(one), Some(next)) => is_pair(&[one, next]),
        _ => false,
    });
    let by_chance = VALUE * window.0.iter().map(share).product::<f64>() * PAIR.powi(pairs.count() as i32);
    // No more values than those that have the byte of each place.
    window.0.iter().filter(|place| !place.end).map(|place| of_set(&place.bytes)).fold(by_chance.min(1.0), f64::min)
}

/// For each letter a bit for each one that often follows it.
static PAIRS: [u32; 26] = {
    const LIST: &[u8; 122] = b"thheinereranreonatentiesorteofedisitalarsttontndngsehaasouiolevecomedehiriroicneearacelichllbemasiomurldulghhtwhwoshprkeay";
    let mut pairs = [0; 26];
    let mut rest = LIST.as_slice();
    while let [first, second, others @ ..] = rest {
        #[allow(clippy::indexing_slicing)] // At compile time.
        {
            pairs[(*first - b'a') as usize] |= 1 << (*second - b'a');
        }
        rest = others;
    }
    pairs
};

/// The share of places of a text at which a byte stands.
static LETTERS: [f64; 256] = {
    let mut table = [0.0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::indexing_slicing)] // At compile time.
        {
            table[byte] = of_letter(byte as u8);
        }
        byte += 1;
    }
    table
};

const fn of_letter(byte: u8) -> f64 {
    match byte {
        b' ' => 0.17,
        b'e' => 0.1,
        b't' | b'a' | b'o' | b'i' | b'n' => 0.062,
        b's' | b'r' | b'h' => 0.05,
        b'l' | b'd' => 0.034,
        b'u' | b'c' | b'm' | b'w' => 0.023,
        b'f' | b'g' | b'y' | b'p' | b'b' => 0.017,
        b'v' | b'k' => 0.008,
        b'.' | b',' => 0.01,
        b'0'..=b'9' => 0.005,
        b'x' | b'j' | b'q' | b'z' => 0.001,
        b'-' | b'/' | b'=' | b'"' | b':' => 0.003,
        b'\'' | b'(' | b')' | b'_' | b'&' | b'%' | b'\n' => 0.001,
        _ => 0.0003,
    }
}
