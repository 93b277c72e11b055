//! Operators: what each of them asks, tried at every place.

use std::net::{Ipv4Addr, Ipv6Addr};

/// `@contains`, `@strmatch`; `@within` the other way round.
pub fn contains(value: &[u8], text: &[u8]) -> bool {
    (0..=value.len()).any(|at| value[at..].iter().take(text.len()).eq(text))
}

/// `@containsWord`.
pub fn contains_word(value: &[u8], text: &[u8]) -> bool {
    let letter = |at: Option<usize>| at.and_then(|at| value.get(at)).is_some_and(u8::is_ascii_alphabetic);
    let word = |at: usize| {
        value[at..].iter().take(text.len()).eq(text) && !letter(at.checked_sub(1)) && !letter(Some(at + text.len()))
    };
    text.is_empty() || (0..value.len()).any(word)
}

/// `@beginsWith`, and `@endsWith` of texts that are turned round.
pub fn begins_with(value: impl Iterator<Item = u8>, text: &[u8]) -> bool {
    value.take(text.len()).eq(text.iter().copied())
}

/// The number at the front of a text, cut at the ends of what fits.
pub fn integer(text: &[u8]) -> i64 {
    let text: String = text.iter().map(|&byte| char::from(byte)).collect();
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = text.split(|digit: char| !digit.is_ascii_digit()).next().unwrap_or_default();
    let digits = digits.trim_start_matches('0');
    let value: i128 = if digits.len() > 20 { i128::MAX / 2 } else { digits.parse().unwrap_or(0) };
    (sign * value).clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// `@validateUrlEncoding`: some `%` is not followed by two digits.
pub fn invalid_url_encoding(value: &[u8]) -> bool {
    let digit = |at: usize| value.get(at).is_some_and(u8::is_ascii_hexdigit);
    (0..value.len()).any(|at| value[at] == b'%' && !(digit(at + 1) && digit(at + 2)))
}

/// `@validateUtf8Encoding`: the bytes are not what RFC 3629 writes for any row of characters.
pub fn invalid_utf8(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some(&lead) = rest.first() {
        let (len, bits, least) = match lead {
            0..0x80 => (1, lead, 0),
            0xc0..0xe0 => (2, lead & 0x1f, 0x80),
            0xe0..0xf0 => (3, lead & 0x0f, 0x800),
            0xf0..0xf8 => (4, lead & 0x07, 0x10000),
            _ => return true,
        };
        let Some((character, after)) = rest.split_at_checked(len) else { return true };
        let continues = character[1..].iter().all(|byte| byte & 0xc0 == 0x80);
        let code = character[1..].iter().fold(u32::from(bits), |code, byte| code << 6 | u32::from(byte & 0x3f));
        if !continues || code < least || code > 0x10ffff || (0xd800..0xe000).contains(&code) {
            return true;
        }
        rest = after;
    }
    false
}

/// The bytes that the parameter of `@validateByteRange` allows; `None` if it is none.
pub fn byte_range(text: &str) -> Option<Vec<u8>> {
    let number = |text: &str| {
        let text = text.trim();
        (!text.is_empty() && text.chars().all(|digit| digit.is_ascii_digit())).then_some(())?;
        let text = text.trim_start_matches('0');
        if text.is_empty() { Some(0u8) } else { text.parse().ok() }
    };
    let mut allowed = Vec::new();
    for item in text.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (first, last) = (number(first)?, number(last)?);
        (first <= last).then_some(())?;
        allowed.extend(first..=last);
    }
    Some(allowed)
}

/// `@pm`: the phrase that ends first, of several the longest, of equal ones the first in the list; where it begins and ends.
pub fn phrase(list: &[Box<[u8]>], value: &[u8]) -> Option<(usize, usize, usize)> {
    for end in 0..=value.len() {
        let ends_here =
            |phrase: &[u8]| phrase.len() <= end && value[end - phrase.len()..end].eq_ignore_ascii_case(phrase);
        let longest = list.iter().filter(|phrase| ends_here(phrase)).map(|phrase| phrase.len()).max();
        if let Some(len) = longest {
            let index = list.iter().position(|phrase| phrase.len() == len && ends_here(phrase));
            return index.map(|index| (index, end - len, end));
        }
    }
    None
}

/// `@ipMatch`: an address is in a network if its first bits are those. Networks are of the length that their text has.
pub fn in_network_v4(address: Ipv4Addr, network: Ipv4Addr, length: u32) -> bool {
    (0..length).all(|bit| u32::from(address) << bit >> 31 == u32::from(network) << bit >> 31)
}

/// The same of IPv6.
pub fn in_network_v6(address: Ipv6Addr, network: Ipv6Addr, length: u32) -> bool {
    (0..length).all(|bit| u128::from(address) << bit >> 127 == u128::from(network) << bit >> 127)
}

/// `@verifyCC`: every second digit from the right counts twice, the digits of what comes out are summed up.
pub fn luhn(candidate: &[u8]) -> bool {
    const TWICE: [u32; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let digits = digits(candidate);
    let weigh = |(place, digit): (usize, &u32)| if place.is_multiple_of(2) { *digit } else { TWICE[*digit as usize] };
    !digits.is_empty() && digits.iter().rev().enumerate().map(weigh).sum::<u32>().is_multiple_of(10)
}

/// `@verifyCPF`.
pub fn cpf(candidate: &[u8]) -> bool {
    let digits = digits(candidate);
    let Some(number) = digits.get(..11) else { return false };
    let sum = |weights: std::ops::RangeInclusive<u32>| -> u32 {
        weights.rev().zip(number).map(|(weight, digit)| weight * digit).sum()
    };
    let check = |sum: u32| sum * 10 % 11 % 10;
    let issued = number.iter().any(|digit| *digit != number[0]) && number != [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0];
    issued && check(sum(2..=10)) == number[9] && check(sum(2..=11)) == number[10]
}

/// `@verifySSN`.
pub fn ssn(candidate: &[u8]) -> bool {
    let digits = digits(candidate);
    let Some(number) = digits.get(..9) else { return false };
    let value = number.iter().fold(0, |value, digit| value * 10 + digit);
    let (area, group, serial) = (value / 1_000_000, value / 10_000 % 100, value % 10_000);
    let same = value.is_multiple_of(111_111_111);
    (1..=739).contains(&area)
        && area != 666
        && group != 0
        && serial != 0
        && !same
        && ![12_345_678, 123_456_789].contains(&value)
}

/// `@verifySVNR`.
pub fn svnr(candidate: &[u8]) -> bool {
    let digits = digits(candidate);
    let Some(&[a, b, c, check, e, f, g, h, i, j]) = digits.get(..10) else { return false };
    let sum = 3 * a + 7 * b + 9 * c + 5 * e + 8 * f + 4 * g + 2 * h + i + 6 * j;
    let whole = [a, b, c, check, e, f, g, h, i, j];
    let same = whole.iter().all(|digit| *digit == a);
    let rising = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]].contains(&whole);
    !same && !rising && sum % 11 % 10 == check
}

fn digits(text: &[u8]) -> Vec<u32> {
    text.iter().filter_map(|&byte| char::from(byte).to_digit(10)).collect()
}
