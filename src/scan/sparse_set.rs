//! A set of small integers that remembers the order of insertion and forgets everything in constant time.

/// A sparse set (Briggs and Torczon, 1993) over `0..capacity`, where capacity grows on demand.
#[derive(Debug, Clone, Default)]
pub(super) struct SparseSet {
    members: Vec<u32>,
    places: Vec<u32>,
}

impl SparseSet {
    /// Makes room for the members `0..capacity`.
    pub(super) fn grow(&mut self, capacity: usize) {
        if self.places.len() < capacity {
            self.places.resize(capacity, 0);
        }
    }

    /// Forgets every member.
    pub(super) fn clear(&mut self) {
        self.members.clear();
    }

    /// Adds `value`; false when it was there already (or is beyond the capacity).
    #[inline]
    pub(super) fn insert(&mut self, value: u32) -> bool {
        let Some(place) = self.places.get_mut(value as usize) else { return false };
        if self.members.get(*place as usize) == Some(&value) {
            return false;
        }
        *place = self.members.len() as u32;
        self.members.push(value);
        true
    }

    /// Number of members.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        (self.members.capacity() + self.places.capacity()) * size_of::<u32>()
    }
}
