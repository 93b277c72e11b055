//! Reading a text byte by byte, to see what the next byte would cost: for whoever searches for dear texts.

use super::super::pattern::{Machine, Pattern};
use super::tail::{MATCHED, Tail};
use super::{exit, step};

/// A search for a hybrid pattern that has not matched yet.
#[derive(Debug, Clone)]
pub struct Walk<'p> {
    tail: &'p Tail,
    pub(super) alive: Vec<u16>,
    matched: bool,
}

impl Pattern {
    /// A walk from the start of a text; `None` unless the pattern's engine is hybrid, whose bytes differ most in what they cost.
    pub fn walk(&self) -> Option<Walk<'_>> {
        let Machine::Hybrid(hybrid) = &self.forward else { return None };
        let start = hybrid.tail.starts.first().copied()?;
        Some(Walk { tail: &hybrid.tail, alive: vec![start], matched: false })
    }
}

impl Walk<'_> {
    /// The walk behind one more byte, and the fuel that it takes if no state is in the pattern's table; none once it has matched.
    #[must_use]
    pub fn read(&self, byte: u8) -> (Self, u64) {
        if self.matched {
            return (self.clone(), 0);
        }
        let column = self.tail.column(byte);
        let (mut alive, mut listed, mut matched) = (Vec::with_capacity(self.alive.len() + 8), 0, false);
        for &state in &self.alive {
            let entry = self.tail.entry(state, column);
            matched |= entry & MATCHED != 0;
            let list = self.tail.list(entry);
            listed += if list.len() > 2 { list.len() } else { 0 };
            alive.extend_from_slice(list);
        }
        alive.sort_unstable();
        alive.dedup();
        let fuel = exit(listed) + step(alive.len());
        (Walk { tail: self.tail, alive, matched }, fuel)
    }

    /// Whether the pattern has matched.
    pub fn has_matched(&self) -> bool {
        self.matched
    }

    /// What all bytes of a kind have in common: for this pattern they are the same.
    pub fn kind(&self, byte: u8) -> usize {
        self.tail.column(byte)
    }
}
