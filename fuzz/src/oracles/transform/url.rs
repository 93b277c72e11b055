//! URL encoding, looked for at each per cent sign.

use super::super::super::generators::spelled_in;
use super::{Family, holds, low_byte, number, replaced};
use fusewall::transform::{Context, Transformation as T, UnicodeMap};
use std::collections::BTreeMap;

pub const FAMILY: Family = Family {
    tokens: b"%|%%|+|%u|%U|%4|%41|%2b|%25|%u0041|%uff1c|%uFF5E|%uff5f|%uff00|%u2215|%u0021|%u00|%zz|%u00zz|u|f|F|\
        0|g| |*|-|~|\0|\xff|&|plain",
    members: &[
        (T::UrlDecode, decode),
        (T::UrlDecodeUni, |input| decode_uni(input, &BTreeMap::new())),
        (T::UrlEncode, encode),
    ],
};

/// `urlDecodeUni` with a map that says otherwise of some code points.
pub fn agrees_with_a_map(data: &[u8]) {
    let value = spelled_in(FAMILY.tokens, data);
    let map = BTreeMap::from([(0x0021, b'?'), (0x2215, b'/'), (0xff1c, 0), (0xffff, 0xff), (0x0000, b'0')]);
    let expected = decode_uni(&value, &map);
    holds(T::UrlDecodeUni, &value, &Context { unicode_map: Some(&UnicodeMap { map }) }, &expected);
}

/// `+` and `%hh`.
fn plain(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    if text[0] == b'+' {
        return Some((b" ".to_vec(), 1));
    }
    Some((vec![number(text.strip_prefix(b"%")?, 2, 16)? as u8], 3))
}

fn decode(input: &[u8]) -> Vec<u8> {
    replaced(input, plain)
}

fn decode_uni(input: &[u8], map: &BTreeMap<u16, u8>) -> Vec<u8> {
    replaced(input, |text| {
        let Some(digits) = text.strip_prefix(b"%u").or(text.strip_prefix(b"%U")) else { return plain(text) };
        let code_point = number(digits, 4, 16)?;
        let byte = map.get(&(code_point as u16)).copied().unwrap_or(low_byte(code_point));
        Some((vec![byte], 6))
    })
}

fn encode(input: &[u8]) -> Vec<u8> {
    let encoded = |&byte: &u8| match byte {
        b' ' => "+".to_owned(),
        b'*' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    };
    input.iter().flat_map(|byte| encoded(byte).into_bytes()).collect()
}
