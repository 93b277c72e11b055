//! The memory of all patterns' scans. A request touches that of the patterns it runs, and no other.

use super::scratch::BitSet;
use crate::program::PatternId;
use crate::scan::Cache;

/// A cache for each pattern of a program.
#[derive(Debug, Default)]
pub(super) struct Caches {
    list: Vec<Cache>,
    /// Those that this request has used, and the same as a set.
    used: Vec<u32>,
    is_used: BitSet,
}

impl Caches {
    pub(super) fn new(patterns: usize) -> Caches {
        let mut caches = Caches::default();
        caches.list.resize_with(patterns, Cache::default);
        caches.next_request();
        caches
    }

    /// The cache of a pattern.
    pub(super) fn get_mut(&mut self, id: PatternId) -> Option<&mut Cache> {
        let cache = self.list.get_mut(id.index())?;
        if !self.is_used.contains(id.index()) {
            self.is_used.insert(id.index());
            self.used.push(id.index() as u32);
            cache.clear();
        }
        Some(cache)
    }

    /// What earlier requests visited is unpaid again.
    pub(super) fn next_request(&mut self) {
        self.used.clear();
        self.is_used.clear(self.list.len());
    }

    /// Gives back what searches that were left half-way have needed.
    pub(super) fn rest(&mut self) {
        for at in &self.used {
            self.list.get_mut(*at as usize).into_iter().for_each(Cache::rest);
        }
    }
}
