//! Base64 (RFC 4648), as rows of bits.

use super::Family;
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b"=|==|===|+|/|-|_|\0| |\t|\r\n|\x0b|.|\xff|A|Zm9v|Zm9vYg|PHNjcmlwdD4=|w6nDqT8_Pz4-|w6nDqT8/Pz4+|\
        IDEgT1IgMT0x|wp8AfwoNCQ==|7aCA|woVhYsKfY2Q=|Zg==",
    members: &[
        (T::Base64Decode, decode),
        (T::Base64DecodeExt, decode_forgiving),
        (T::Base64DecodeText, decode_text),
        (T::Base64Encode, encode),
    ],
};

const USUAL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The lowest `width` bits, the highest of them first.
fn bits(number: usize, width: u32) -> impl Iterator<Item = bool> {
    (0..width).rev().map(move |bit| number >> bit & 1 == 1)
}

fn number(bits: &[bool]) -> usize {
    bits.iter().fold(0, |number, &bit| number * 2 + usize::from(bit))
}

/// The whole bytes in six bits a character.
fn bytes(characters: impl IntoIterator<Item = u8>, alphabet: &[u8]) -> Vec<u8> {
    let values = characters.into_iter().map(|character| alphabet.iter().position(|&known| known == character).unwrap());
    let all: Vec<bool> = values.flat_map(|value| bits(value, 6)).collect();
    all.chunks_exact(8).map(|byte| number(byte) as u8).collect()
}

fn decode(input: &[u8]) -> Vec<u8> {
    bytes(input.iter().copied().take_while(|character| USUAL.contains(character)), USUAL)
}

fn decode_forgiving(input: &[u8]) -> Vec<u8> {
    bytes(input.iter().copied().filter(|character| USUAL.contains(character)), USUAL)
}

fn decode_text(input: &[u8]) -> Vec<u8> {
    text_in(input.trim_ascii()).unwrap_or_else(|| input.to_vec())
}

/// The text in a value that is Base64 as a whole.
fn text_in(value: &[u8]) -> Option<Vec<u8>> {
    let length = value.iter().position(|&character| character == b'=').unwrap_or(value.len());
    let (characters, padding) = value.split_at(length);
    let alphabet = [USUAL, URL_SAFE].into_iter().find(|alphabet| characters.iter().all(|it| alphabet.contains(it)))?;
    let full = padding.is_empty() || (value.len().is_multiple_of(4) && [&b"="[..], b"=="].contains(&padding));
    if length < 8 || length % 4 == 1 || !full {
        return None;
    }
    let text = String::from_utf8(bytes(characters.iter().copied(), alphabet)).ok()?;
    let plain = text.bytes().all(|byte| !byte.is_ascii_control() || b"\t\n\r".contains(&byte));
    plain.then(|| text.into_bytes())
}

fn encode(input: &[u8]) -> Vec<u8> {
    let mut all: Vec<bool> = input.iter().flat_map(|&byte| bits(byte.into(), 8)).collect();
    all.resize(all.len().next_multiple_of(6), false);
    let mut out: Vec<u8> = all.chunks(6).map(|six| USUAL[number(six)]).collect();
    out.resize(out.len().next_multiple_of(4), b'=');
    out
}
