//! Sieves: the screens of all tests that look at the same values, so that one look at a value answers for all of them.

use super::{NodeId, SelectionId, TestId, Trigger};
use crate::byteset::ByteSet;

/// Bytes that ordinary values consist of, each set within the next: words and numbers; paths, dates and lists of them; header
/// fields and prose. Of three values in four no byte is outside the first. What a pattern can match within such a set is often
/// nothing, or much less.
pub const ALPHABETS: [ByteSet; LEVELS - 1] = {
    const WORDS: ByteSet = ByteSet::range(b'a', b'z')
        .union(ByteSet::range(b'A', b'Z'))
        .union(ByteSet::range(b'0', b'9'))
        .union(ByteSet::of(b"_.-"));
    const LISTS: ByteSet = WORDS.union(ByteSet::of(b"/ ,:+"));
    [WORDS, LISTS, LISTS.union(ByteSet::of(b";=()*?&%@"))]
};

/// Levels of values: one for each of [`ALPHABETS`], and one for all others.
pub const LEVELS: usize = 4;

/// The level of a value that has these bytes: the first of [`ALPHABETS`] that has them all.
pub fn level(mask: &ByteSet) -> usize {
    ALPHABETS.iter().position(|alphabet| mask.is_subset(alphabet)).unwrap_or(LEVELS - 1)
}

/// The screens of tests that look at the same values in one phase. Each test after its transformations has a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sieve {
    /// The values.
    pub selection: SelectionId,
    /// The test of each slot; at most [`Sieve::SLOTS`].
    pub tests: Vec<TestId>,
    /// The slots behind each pipeline. Most values come out of all of them as they went in: one look is enough.
    pub nodes: Vec<(NodeId, u64)>,
    /// What some pipeline may change.
    pub trigger: Trigger,
    /// What values of each level must have.
    pub levels: [Conditions; LEVELS],
}

/// What the values of one level must have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    /// The slots of tests that can match such values at all.
    pub slots: u64,
    /// Bytes that a value must have at least, and the slots that want so many.
    pub lengths: Vec<(usize, u64)>,
    /// Sets of which a value must have a byte, and the slots that want one. Those that say no most often come first.
    pub sets: Vec<(ByteSet, u64)>,
}

impl Sieve {
    /// The most tests that one sieve holds.
    pub const SLOTS: usize = 64;

    /// Those of `slots` whose tests a value may pass that has `len` bytes, `mask` among them. Those left out cannot match.
    pub fn pass(&self, slots: u64, level: usize, len: usize, mask: &ByteSet) -> u64 {
        let Some(conditions) = self.levels.get(level) else { return slots };
        let mut slots = slots & conditions.slots;
        for (least, want) in &conditions.lengths {
            if len < *least {
                slots &= !want;
            }
        }
        for (set, want) in &conditions.sets {
            if slots == 0 {
                break;
            }
            if slots & want != 0 && !set.intersects(mask) {
                slots &= !want;
            }
        }
        slots
    }

    /// Fuel of a look at one value of a level.
    pub fn price(&self, level: usize) -> u64 {
        4 + self.levels.get(level).map_or(0, |conditions| conditions.lengths.len() + conditions.sets.len()) as u64 / 2
    }

    /// Fuel of all looks at any value, after each of its transformations.
    pub fn most(&self) -> u64 {
        let once = (0..LEVELS).map(|level| self.price(level)).max().unwrap_or_default();
        once.saturating_mul(1 + self.nodes.len() as u64)
    }
}

/// The slot of a test in a sieve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotId {
    /// The sieve, by its position in [`Program::sieves`](super::Program::sieves).
    pub sieve: u32,
    /// The bit of the slot.
    pub bit: u8,
}

impl SlotId {
    /// Whether its bit is set.
    pub const fn is_in(self, slots: u64) -> bool {
        slots >> (self.bit & 63) & 1 == 1
    }
}
