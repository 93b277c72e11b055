//! Numbers of the wire.

/// A number of the wire, if it is all there.
pub(super) enum Varint {
    Partial,
    Bad,
    Is(u64, usize),
}

/// Reads a number of at most ten bytes, seven bits in each.
pub(super) fn varint(bytes: &[u8]) -> Varint {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7F).checked_shl(7 * at as u32).unwrap_or(0);
        if byte < 0x80 {
            return Varint::Is(value, at + 1);
        }
    }
    if bytes.len() < 10 { Varint::Partial } else { Varint::Bad }
}
