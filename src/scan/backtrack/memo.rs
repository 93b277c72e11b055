//! What has been tried, from which instruction at which place, and how it ended.
//!
//! Only what follows from the instruction and the place alone may be remembered. The pieces of a body (a look-around, an atomic
//! group) end where the body ends, so what they lead to does not depend on what stands behind it: both outcomes of a
//! look-around and every end of an atomic group can be remembered, which keeps nested ones linear. (Fujinami and Hasuo, Efficient
//! Matching with Memoization for Regexes with Look-around and Atomic Grouping, 2024.)

use super::program::{Note, Program};

/// How an instruction ended that was tried before at the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// It was not, or it has to be tried again. It is marked as failed until it is said to have succeeded.
    New,
    /// Without a match.
    Failed,
    /// With a match of the body around it, which ends at this place (an atomic group; a look-around has no end).
    Matched(Option<u32>),
}

/// The table of one attempt. Without one nothing is remembered.
#[derive(Debug, Default)]
pub(super) struct Memo {
    bits: Vec<u64>,
    ends: Vec<u32>,
    /// The first place that is in the table.
    base: usize,
    /// The number of places; 0 if there is no table.
    places: usize,
    bits_of_place: usize,
    ends_of_place: usize,
}

impl Memo {
    /// Words and ends that a table over `places` needs.
    fn size(program: &Program, places: usize) -> (usize, usize) {
        (places.saturating_mul(program.bits).div_ceil(64), places.saturating_mul(program.ends))
    }

    /// Bytes of the table over `places`.
    pub(super) fn bytes(program: &Program, places: usize) -> usize {
        let (words, ends) = Memo::size(program, places);
        words.saturating_mul(size_of::<u64>()).saturating_add(ends.saturating_mul(size_of::<u32>()))
    }

    /// Begins a table over `places` from `base` on; none remembers nothing.
    pub(super) fn begin(&mut self, program: &Program, base: usize, places: usize) {
        let (words, ends) = Memo::size(program, places);
        self.bits.clear();
        self.bits.resize(words, 0);
        if self.ends.len() < ends {
            self.ends.resize(ends, 0);
        }
        (self.base, self.places) = (base, places);
        (self.bits_of_place, self.ends_of_place) = (program.bits, program.ends);
    }

    /// Gives memory back that is above `bytes`.
    pub(super) fn shrink(&mut self, bytes: usize) {
        if self.memory() > bytes {
            *self = Memo::default();
        }
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.bits.capacity() * size_of::<u64>() + self.ends.capacity() * size_of::<u32>()
    }

    fn row(&self, at: usize) -> Option<usize> {
        at.checked_sub(self.base).filter(|row| *row < self.places)
    }

    fn bit(&self, row: usize, bit: u32) -> (usize, u64) {
        let index = row * self.bits_of_place + bit as usize;
        (index / 64, 1 << (index % 64))
    }

    fn has(&self, row: usize, bit: u32) -> bool {
        let (word, mask) = self.bit(row, bit);
        self.bits.get(word).is_some_and(|word| word & mask != 0)
    }

    fn put(&mut self, row: usize, bit: u32, on: bool) {
        let (word, mask) = self.bit(row, bit);
        if let Some(word) = self.bits.get_mut(word) {
            *word = if on { *word | mask } else { *word & !mask };
        }
    }

    fn put_end(&mut self, row: usize, number: u32, end: u32) {
        if let Some(place) = self.ends.get_mut(row * self.ends_of_place + number as usize) {
            *place = end;
        }
    }

    /// Looks an instruction up, and marks it as tried.
    #[inline]
    pub(super) fn enter(&mut self, note: Note, at: usize) -> Before {
        let (Note::Tried { bit } | Note::Failed { bit } | Note::Holds { bit } | Note::Ends { bit, .. }) = note else {
            return Before::New;
        };
        let Some(row) = self.row(at) else { return Before::New };
        if !self.has(row, bit) {
            self.put(row, bit, true);
            if let Note::Ends { end, .. } = note {
                self.put_end(row, end, u32::MAX);
            }
            return Before::New;
        }
        match note {
            Note::Holds { bit } if self.has(row, bit + 1) => Before::Matched(None),
            Note::Ends { end, .. } => {
                let end = self.ends.get(row * self.ends_of_place + end as usize).copied();
                end.filter(|end| *end != u32::MAX).map_or(Before::Failed, |end| Before::Matched(Some(end)))
            }
            _ => Before::Failed,
        }
    }

    /// An instruction that was marked as tried has led to a match of its body, which ended at `end`.
    pub(super) fn matched(&mut self, note: Note, at: usize, end: u32) {
        let Some(row) = self.row(at) else { return };
        match note {
            Note::None | Note::Tried { .. } => {}
            Note::Failed { bit } => self.put(row, bit, false),
            Note::Holds { bit } => self.put(row, bit + 1, true),
            Note::Ends { end: number, .. } => self.put_end(row, number, end),
        }
    }
}
