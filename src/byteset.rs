//! A set of byte values: what a buffer contains, what a pattern needs, what triggers a transformation.

use std::fmt;

/// A set of bytes as 256 bits.
///
/// ```
/// use fusewall::byteset::ByteSet;
/// let needs = ByteSet::of(b"%+");
/// assert!(!needs.intersects(&ByteSet::in_bytes(b"hello")));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct ByteSet([u64; 4]);

impl ByteSet {
    /// No byte.
    pub const EMPTY: ByteSet = ByteSet([0; 4]);
    /// All bytes.
    pub const FULL: ByteSet = ByteSet([u64::MAX; 4]);

    /// The bytes of a list.
    pub const fn of(bytes: &[u8]) -> Self {
        let mut set = Self::EMPTY;
        let mut at = 0;
        while at < bytes.len() {
            set = set.with(bytes[at]);
            at += 1;
        }
        set
    }

    /// The bytes `first..=last`.
    pub const fn range(first: u8, last: u8) -> Self {
        let mut set = Self::EMPTY;
        let mut byte = first as u16;
        while byte <= last as u16 {
            set = set.with(byte as u8);
            byte += 1;
        }
        set
    }

    /// The bytes that occur in `bytes`.
    pub fn in_bytes(bytes: &[u8]) -> Self {
        // A table of flags first: a store per byte is cheaper than a shift and an or on one of four words.
        let mut seen = [false; 256];
        for &byte in bytes {
            seen[usize::from(byte)] = true;
        }
        let mut set = Self::EMPTY;
        for (word, flags) in set.0.iter_mut().zip(seen.chunks_exact(64)) {
            *word = flags.iter().enumerate().fold(0, |bits, (at, &flag)| bits | (u64::from(flag) << at));
        }
        set
    }

    /// The set and one byte more.
    #[must_use]
    pub const fn with(mut self, byte: u8) -> Self {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
        self
    }

    /// Whether the byte is in it.
    pub const fn contains(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] >> (byte & 63) & 1 == 1
    }

    /// Whether both have a byte in common.
    pub const fn intersects(&self, other: &Self) -> bool {
        (self.0[0] & other.0[0]) | (self.0[1] & other.0[1]) | (self.0[2] & other.0[2]) | (self.0[3] & other.0[3]) != 0
    }

    /// Whether all its bytes are in `other`.
    pub const fn is_subset(&self, other: &Self) -> bool {
        (self.0[0] & !other.0[0]) | (self.0[1] & !other.0[1]) | (self.0[2] & !other.0[2]) | (self.0[3] & !other.0[3])
            == 0
    }

    /// The bytes of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        ByteSet([self.0[0] | other.0[0], self.0[1] | other.0[1], self.0[2] | other.0[2], self.0[3] | other.0[3]])
    }

    /// All other bytes.
    #[must_use]
    pub const fn complement(self) -> Self {
        ByteSet([!self.0[0], !self.0[1], !self.0[2], !self.0[3]])
    }

    /// Number of bytes in it.
    pub const fn len(&self) -> u32 {
        self.0[0].count_ones() + self.0[1].count_ones() + self.0[2].count_ones() + self.0[3].count_ones()
    }

    /// No byte in it.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes in order.
    pub fn iter(&self) -> impl Iterator<Item = u8> + '_ {
        self.0.iter().zip([0, 64, 128, 192]).flat_map(|(&word, first)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let at = left.trailing_zeros() as u8;
                left &= left.wrapping_sub(1);
                (at < 64).then(|| first + at)
            })
        })
    }
}

impl fmt::Debug for ByteSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", String::from_utf8_lossy(&self.iter().collect::<Vec<_>>()).escape_debug())
    }
}

#[cfg(test)]
mod tests {
    use super::ByteSet;

    #[test]
    fn finds_what_occurs() {
        let set = ByteSet::in_bytes(b"\x00a\xffz?");
        assert_eq!(set.iter().collect::<Vec<_>>(), b"\x00?az\xff");
        assert_eq!(set.complement().len(), 251);
        assert!(ByteSet::of(b"az").is_subset(&set));
    }
}
