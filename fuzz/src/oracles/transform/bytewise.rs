//! Letter case and parity, a byte at a time.

use super::Family;
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b"plain text|PLAIN TEXT|@AZ[`az{|\0\x7f\x80\xff|\xc1\xda\xe1\xfa|a|A|\xe9",
    members: &[
        (T::Lowercase, |input| each(input, lower)),
        (T::Uppercase, |input| each(input, upper)),
        (T::ParityZero7bit, |input| each(input, |byte| byte % 128)),
        (T::ParityEven7bit, |input| each(input, |byte| with_ones(byte, 0))),
        (T::ParityOdd7bit, |input| each(input, |byte| with_ones(byte, 1))),
    ],
};

fn each(input: &[u8], becomes: fn(u8) -> u8) -> Vec<u8> {
    input.iter().map(|&byte| becomes(byte)).collect()
}

fn lower(byte: u8) -> u8 {
    if byte.is_ascii_uppercase() { byte - b'A' + b'a' } else { byte }
}

fn upper(byte: u8) -> u8 {
    if byte.is_ascii_lowercase() { byte - b'a' + b'A' } else { byte }
}

/// Of the two bytes with the same low seven bits, the one whose number of ones leaves `rest` when halved.
fn with_ones(byte: u8, rest: u32) -> u8 {
    let low = byte % 128;
    [low, low + 128].into_iter().find(|byte| byte.count_ones() % 2 == rest).unwrap()
}
