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
        // Most values are short: four words in registers are cheaper there than a table to clear and to gather.
        if bytes.len() <= Self::SHORT {
            let mut words = [0_u64; 4];
            for &byte in bytes {
                let (bit, at) = (1_u64 << (byte & 63), u64::from(byte >> 6));
                for (own, word) in (0_u64..).zip(&mut words) {
                    *word |= bit & u64::from(at == own).wrapping_neg();
                }
            }
            return ByteSet(words);
        }
        // A store per byte is cheaper than a shift and an or on one of four words. Eight flags then become eight bits at once: the
        // multiplication moves the flag of byte i to bit 56 + i, and nothing else comes there.
        const GATHER: u64 = 0x0102_0408_1020_4080;
        let mut seen = [0_u8; 256];
        for &byte in bytes {
            seen[usize::from(byte)] = 1;
        }
        let mut set = Self::EMPTY;
        for (word, flags) in set.0.iter_mut().zip(seen.as_chunks::<64>().0) {
            *word = flags.as_chunks::<8>().0.iter().enumerate().fold(0, |bits, (at, flags)| {
                bits | (u64::from_le_bytes(*flags).wrapping_mul(GATHER) >> 56) << (8 * at)
            });
        }
        set
    }

    /// Bytes of a short value.
    const SHORT: usize = 48;

    /// The set and one byte more.
    #[must_use]
    pub const fn with(mut self, byte: u8) -> Self {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
        self
    }

    /// The set without one byte.
    #[must_use]
    pub const fn without(mut self, byte: u8) -> Self {
        self.0[(byte >> 6) as usize] &= !(1 << (byte & 63));
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

    /// Its bytes, and its letters in the other case, too.
    #[must_use]
    pub const fn either_case(mut self) -> Self {
        // Both cases are in one word, 32 bits apart.
        const UPPER: u64 = 0x07ff_fffe;
        self.0[1] |= (self.0[1] & UPPER) << 32 | (self.0[1] >> 32) & UPPER;
        self
    }

    /// The bytes of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        ByteSet([self.0[0] | other.0[0], self.0[1] | other.0[1], self.0[2] | other.0[2], self.0[3] | other.0[3]])
    }

    /// The bytes in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        ByteSet([self.0[0] & other.0[0], self.0[1] & other.0[1], self.0[2] & other.0[2], self.0[3] & other.0[3]])
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

    /// A bit for each byte, from the lowest on.
    pub fn to_bits(self) -> [u8; 32] {
        let mut bits = [0; 32];
        for (place, word) in bits.as_chunks_mut().0.iter_mut().zip(self.0) {
            *place = word.to_le_bytes();
        }
        bits
    }

    /// The set of these bits.
    pub fn from_bits(bits: &[u8; 32]) -> Self {
        let mut set = Self::EMPTY;
        for (word, place) in set.0.iter_mut().zip(bits.as_chunks().0) {
            *word = u64::from_le_bytes(*place);
        }
        set
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

/// The numbers in a bit set of 64 to a word, from the least on.
///
/// ```
/// use fusewall::byteset::ones;
/// assert_eq!(ones(&[0b101, 1]).collect::<Vec<_>>(), [0, 2, 64]);
/// ```
pub fn ones(words: &[u64]) -> impl Iterator<Item = usize> + '_ {
    words.iter().enumerate().flat_map(|(at, &word)| {
        let mut left = word;
        std::iter::from_fn(move || {
            let bit = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (bit < 64).then_some(at * 64 + bit)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::ByteSet;

    #[test]
    fn finds_what_occurs() {
        for len in [0, 1, 47, 48, 49, 1000] {
            let bytes: Vec<u8> = (0..len as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            let set = ByteSet::in_bytes(&bytes);
            assert!((0..=255).all(|byte| set.contains(byte) == bytes.contains(&byte)), "{len}");
        }
        let set = ByteSet::in_bytes(b"\x00a\xffz?");
        assert_eq!(set.iter().collect::<Vec<_>>(), b"\x00?az\xff");
        assert_eq!(set.complement().len(), 251);
        assert!(ByteSet::of(b"az").is_subset(&set));
    }
}
