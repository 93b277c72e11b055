//! Transformations that look at one byte at a time: letter case and parity.
//!
//! Parity is that of the low seven bits, as the manual says ("of 7-bit data"); what stood in the eighth bit does not count, so
//! each of them is idempotent. (ModSecurity counts the eighth bit, too.)

use super::Changed;

pub(super) fn lowercase(input: &[u8], out: &mut Vec<u8>) -> Changed {
    map(input, out, |byte| byte.to_ascii_lowercase())
}

pub(super) fn uppercase(input: &[u8], out: &mut Vec<u8>) -> Changed {
    map(input, out, |byte| byte.to_ascii_uppercase())
}

pub(super) fn parity_even(input: &[u8], out: &mut Vec<u8>) -> Changed {
    map(input, out, even)
}

pub(super) fn parity_odd(input: &[u8], out: &mut Vec<u8>) -> Changed {
    map(input, out, odd)
}

pub(super) fn parity_zero(input: &[u8], out: &mut Vec<u8>) -> Changed {
    map(input, out, |byte| byte & 0x7F)
}

/// The low seven bits and an eighth that makes the number of ones even.
pub(super) const fn even(byte: u8) -> u8 {
    let low = byte & 0x7F;
    low | ((low.count_ones() as u8 & 1) << 7)
}

/// The low seven bits and an eighth that makes the number of ones odd.
pub(super) const fn odd(byte: u8) -> u8 {
    even(byte) ^ 0x80
}

fn map(input: &[u8], out: &mut Vec<u8>, image: impl Fn(u8) -> u8) -> Changed {
    let Some((same, rest)) =
        input.iter().position(|&byte| image(byte) != byte).and_then(|first| input.split_at_checked(first))
    else {
        return Changed::No;
    };
    out.extend_from_slice(same);
    out.extend(rest.iter().map(|&byte| image(byte)));
    Changed::Yes
}
