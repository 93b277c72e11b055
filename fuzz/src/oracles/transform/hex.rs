//! Hexadecimal, two bytes at a time.

use super::{Family, digits, number, replaced};
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b"0x|0X|00x|0x0x|0|x|61|6A|fF|g|G|@|`|:|/|\xff|\0|0x616263|0x616|4d5a| ",
    members: &[(T::HexDecode, decode), (T::HexEncode, encode), (T::SqlHexDecode, decode_sql)],
};

/// What ModSecurity takes for the value of a digit: it does not ask whether it is one.
fn digit(byte: u8) -> u8 {
    match byte {
        b'A'.. => (byte & !0x20).wrapping_sub(b'A').wrapping_add(10),
        _ => byte.wrapping_sub(b'0'),
    }
}

fn decode(input: &[u8]) -> Vec<u8> {
    input.chunks_exact(2).map(|pair| digit(pair[0]).wrapping_mul(16).wrapping_add(digit(pair[1]))).collect()
}

fn encode(input: &[u8]) -> Vec<u8> {
    input.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
}

fn decode_sql(input: &[u8]) -> Vec<u8> {
    replaced(input, |text| {
        let rest = text.strip_prefix(b"0x").or(text.strip_prefix(b"0X"))?;
        let pairs = digits(rest, 16) / 2;
        let bytes = (0..pairs).filter_map(|pair| number(&rest[2 * pair..], 2, 16)).map(|byte| byte as u8);
        (pairs > 0).then(|| (bytes.collect(), 2 + 2 * pairs))
    })
}
