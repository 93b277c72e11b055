//! The TX collection: keys that rules spell out have a fixed place, all others are added as they come.

use crate::program::{KeyId, Loaded, Preset, Program, tail};

/// Entries beyond those of the program, and bytes, whose room waits for the next request.
const KEPT: usize = 256;
const KEPT_BYTES: usize = 64 << 10;

/// One transaction's TX entries: all of them in one list, all their bytes in one arena, for a request touches many of them once.
#[derive(Debug, Default)]
pub(super) struct Tx {
    /// By key: first those of the program, then those made while the request runs.
    entries: Vec<Entry>,
    /// Keys in order of their first `setvar`; entries that were unset later stay listed.
    order: Vec<u32>,
    /// The names made while the request runs, in order of their entries.
    names: Vec<Place>,
    /// Which of them there are, in order of their tails and, where these are the same, of the names.
    index: Vec<(u64, u32)>,
    bytes: Vec<u8>,
    fixed: usize,
    /// Bytes of all values and, twice, of the names made while the request runs.
    held: usize,
}

/// Where some bytes are.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    start: usize,
    len: usize,
}

/// An entry.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    value: Place,
    /// Bytes that a value may take where this one is.
    room: usize,
    set: bool,
    listed: bool,
}

impl Tx {
    /// Empty, with a place for each key of the program.
    pub(super) fn reset(&mut self, program: &Program) {
        self.fixed = program.tx_keys.len();
        self.entries.truncate(self.fixed);
        // Only what the request before has set: rules name hundreds of entries.
        for at in self.order.drain(..) {
            self.entries.get_mut(at as usize).into_iter().for_each(|entry| *entry = Entry::default());
        }
        self.entries.resize(self.fixed, Entry::default());
        self.names.clear();
        self.index.clear();
        self.bytes.clear();
        self.held = 0;
    }

    /// Gives back what is more than ordinary requests need.
    pub(super) fn rest(&mut self) {
        self.entries.shrink_to(self.fixed + KEPT);
        self.order.shrink_to(self.fixed + KEPT);
        self.names.shrink_to(KEPT);
        self.index.shrink_to(KEPT);
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
    }

    fn at(&self, place: Place) -> &[u8] {
        self.bytes.get(place.start..place.start + place.len).unwrap_or_default()
    }

    fn own_name(&self, number: u32) -> &[u8] {
        self.names.get(number as usize).map(|place| self.at(*place)).unwrap_or_default()
    }

    /// Where a name made while the request runs is in the index, or belongs.
    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        let wanted = tail(name);
        self.index.binary_search_by(|(tail, number)| tail.cmp(&wanted).then_with(|| self.own_name(*number).cmp(name)))
    }

    /// Bytes of all entries.
    pub(super) fn memory(&self) -> usize {
        self.held
    }

    pub(super) fn get(&self, key: KeyId) -> Option<&[u8]> {
        let entry = self.entries.get(key.index()).filter(|entry| entry.set)?;
        Some(self.at(entry.value))
    }

    /// Sets an entry.
    pub(super) fn set(&mut self, key: KeyId, value: &[u8]) {
        let end = self.bytes.len();
        let Some(entry) = self.entries.get_mut(key.index()) else { return };
        if value.len() > entry.room {
            // Twice the room each time: what was outgrown is never more than what is in use.
            let room = if entry.room == 0 { value.len() } else { value.len().max(2 * entry.room) };
            entry.value.start = end;
            entry.room = room;
            self.bytes.extend_from_slice(value);
            self.bytes.resize(end + room, 0);
        } else if let Some(place) = self.bytes.get_mut(entry.value.start..entry.value.start + value.len()) {
            place.copy_from_slice(value);
        }
        self.held = self.held - entry.value.len + value.len();
        entry.value.len = value.len();
        entry.set = true;
        if !entry.listed {
            entry.listed = true;
            self.order.push(key.index() as u32);
        }
    }

    /// Sets the entries of a preset, in order.
    pub(super) fn preset(&mut self, preset: &Preset) {
        let base = self.bytes.len();
        self.bytes.extend_from_slice(&preset.text);
        let mut start = 0;
        for (key, end) in &preset.sets {
            let len = end - start;
            if let Some(entry) = self.entries.get_mut(key.index()) {
                self.held = self.held - entry.value.len + len;
                if !entry.listed {
                    self.order.push(key.index() as u32);
                }
                *entry = Entry { value: Place { start: base + start, len }, room: len, set: true, listed: true };
            }
            start = *end;
        }
    }

    pub(super) fn unset(&mut self, key: KeyId) {
        if let Some(entry) = self.entries.get_mut(key.index()) {
            entry.set = false;
        }
    }

    /// The key of that (lower-case) name, if it has a place.
    pub(super) fn find(&self, loaded: &Loaded, name: &[u8]) -> Option<KeyId> {
        loaded.tx_key(name).or_else(|| {
            let (_, number) = self.index.get(self.place(name).ok()?)?;
            Some(KeyId::new(self.fixed + *number as usize))
        })
    }

    /// The key of that (lower-case) name; makes a place for it. `None` when `limit` entries exist.
    pub(super) fn find_or_add(&mut self, loaded: &Loaded, name: &[u8], limit: usize) -> Option<KeyId> {
        if let Some(key) = loaded.tx_key(name) {
            return Some(key);
        }
        let at = match self.place(name) {
            Ok(at) => return self.index.get(at).map(|(_, number)| KeyId::new(self.fixed + *number as usize)),
            Err(at) => at,
        };
        let number = self.names.len();
        if number >= limit {
            return None;
        }
        self.names.push(Place { start: self.bytes.len(), len: name.len() });
        self.bytes.extend_from_slice(name);
        self.index.insert(at, (tail(name), number as u32));
        self.entries.push(Entry::default());
        self.held += 2 * name.len();
        Some(KeyId::new(self.fixed + number))
    }

    pub(super) fn name<'a>(&'a self, program: &'a Program, key: KeyId) -> &'a [u8] {
        match key.index().checked_sub(self.fixed) {
            None => program.tx_keys.get(key.index()).map(|name| &**name).unwrap_or_default(),
            Some(number) => self.own_name(number as u32),
        }
    }

    /// How many entries have names that the program does not know.
    pub(super) fn made(&self) -> usize {
        self.names.len()
    }

    /// How many entries were ever set.
    pub(super) fn listed(&self) -> usize {
        self.order.len()
    }

    /// The entries that are set, in order of their first `setvar`.
    pub(super) fn iter(&self) -> impl Iterator<Item = (KeyId, &[u8])> {
        self.order.iter().filter_map(|&at| {
            let key = KeyId::new(at as usize);
            Some((key, self.get(key)?))
        })
    }
}
