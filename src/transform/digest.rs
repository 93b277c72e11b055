//! What a value is reduced to: its length, its MD5 (RFC 1321) and SHA-1 (FIPS 180-4) as raw bytes; `hexEncode` makes them text.

use super::Changed;
use ::sha1::{Digest, Sha1};
use md5::Md5;
use std::io::Write;

pub(super) fn length(input: &[u8], out: &mut Vec<u8>) -> Changed {
    let mut digits = [0; 20];
    let mut rest = digits.as_mut_slice();
    // No number of bytes has more than 20 digits.
    let _ = write!(rest, "{}", input.len());
    let blank = rest.len();
    reduce(input, out, digits.get(..digits.len() - blank).unwrap_or_default())
}

pub(super) fn md5(input: &[u8], out: &mut Vec<u8>) -> Changed {
    reduce(input, out, &Md5::digest(input))
}

pub(super) fn sha1(input: &[u8], out: &mut Vec<u8>) -> Changed {
    reduce(input, out, &Sha1::digest(input))
}

/// The result may be the input: the length of `1` is `1`.
fn reduce(input: &[u8], out: &mut Vec<u8>, result: &[u8]) -> Changed {
    out.extend_from_slice(result);
    if input == result { Changed::No } else { Changed::Yes }
}
