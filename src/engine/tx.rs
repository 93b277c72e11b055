//! The TX collection: keys that rules spell out have a fixed place, all others are added as they come.

use crate::program::{KeyId, Program};

/// Entries that rules have named while requests ran whose buffers wait for the next request, and the bytes of each of them.
const KEPT: usize = 256;
const KEPT_BYTES: usize = 256;

/// One transaction's TX entries.
#[derive(Debug, Default)]
pub(super) struct Tx {
    /// By key: first those of the program, then those made while the request runs, then buffers that wait to be used again.
    values: Vec<Vec<u8>>,
    /// Keys that there are.
    count: usize,
    set: Vec<bool>,
    /// Keys in order of their first `setvar`; entries that were unset later stay listed.
    order: Vec<u32>,
    listed: Vec<bool>,
    /// The names made while the request runs, and buffers that wait.
    names: Vec<Vec<u8>>,
    /// Which of them there are, in order of the names.
    index: Vec<u32>,
    fixed: usize,
    /// Bytes of all values and of the names made while the request runs.
    held: usize,
}

impl Tx {
    /// Empty, with a place for each key of the program.
    pub(super) fn reset(&mut self, program: &Program) {
        self.fixed = program.tx_keys.len();
        self.count = self.fixed;
        if self.values.len() < self.fixed {
            self.values.resize_with(self.fixed, Vec::new);
        }
        // Only what the request before has set: rules name hundreds of entries.
        for at in self.order.drain(..).map(|at| at as usize) {
            self.values.get_mut(at).into_iter().for_each(Vec::clear);
            let flags = [self.set.get_mut(at), self.listed.get_mut(at)];
            flags.into_iter().flatten().for_each(|flag| *flag = false);
        }
        self.held = 0;
        self.set.resize(self.fixed, false);
        self.listed.resize(self.fixed, false);
        self.index.clear();
    }

    /// Gives back what is more than ordinary requests need.
    pub(super) fn rest(&mut self) {
        self.values.truncate(self.fixed + KEPT);
        self.names.truncate(KEPT);
        for buffer in self.values.iter_mut().skip(self.fixed).chain(&mut self.names) {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES);
        }
    }

    /// Where a name made while the request runs is in the index, or belongs.
    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.index.binary_search_by(|at| self.names.get(*at as usize).map(Vec::as_slice).unwrap_or_default().cmp(name))
    }

    /// Bytes of all entries.
    pub(super) fn memory(&self) -> usize {
        self.held
    }

    pub(super) fn get(&self, key: KeyId) -> Option<&[u8]> {
        self.set.get(key.index()).filter(|set| **set)?;
        self.values.get(key.index()).map(Vec::as_slice)
    }

    /// Sets an entry to what `write` leaves in the (cleared) buffer.
    pub(super) fn set_with(&mut self, key: KeyId, write: impl FnOnce(&mut Vec<u8>)) {
        let at = key.index();
        let (Some(value), Some(set), Some(listed)) =
            (self.values.get_mut(at), self.set.get_mut(at), self.listed.get_mut(at))
        else {
            return;
        };
        self.held -= value.len();
        value.clear();
        write(value);
        self.held += value.len();
        *set = true;
        if !*listed {
            *listed = true;
            self.order.push(at as u32);
        }
    }

    pub(super) fn unset(&mut self, key: KeyId) {
        if let Some(set) = self.set.get_mut(key.index()) {
            *set = false;
        }
    }

    /// The key of that (lower-case) name, if it has a place.
    pub(super) fn find(&self, program: &Program, name: &[u8]) -> Option<KeyId> {
        program.tx_key(name).or_else(|| {
            let at = self.index.get(self.place(name).ok()?)?;
            Some(KeyId::new(self.fixed + *at as usize))
        })
    }

    /// The key of that (lower-case) name; makes a place for it. `None` when `limit` entries exist.
    pub(super) fn find_or_add(&mut self, program: &Program, name: &[u8], limit: usize) -> Option<KeyId> {
        if let Some(key) = self.find(program, name) {
            return Some(key);
        }
        if self.count >= self.fixed + limit {
            return None;
        }
        let (at, number) = (self.count, self.count - self.fixed);
        let place = self.place(name).unwrap_or_else(|place| place);
        if self.values.len() <= at {
            self.values.push(Vec::new());
        }
        match self.names.get_mut(number) {
            Some(buffer) => {
                buffer.clear();
                buffer.extend_from_slice(name);
            }
            None => self.names.push(name.to_vec()),
        }
        self.index.insert(place, number as u32);
        self.count += 1;
        self.set.push(false);
        self.listed.push(false);
        self.held += 2 * name.len();
        Some(KeyId::new(at))
    }

    pub(super) fn name<'a>(&'a self, program: &'a Program, key: KeyId) -> &'a [u8] {
        let at = key.index();
        if at < self.fixed {
            program.tx_keys.get(at).map(|name| &**name).unwrap_or_default()
        } else {
            self.names.get(at - self.fixed).map(Vec::as_slice).unwrap_or_default()
        }
    }

    /// The entries that are set, in order of their first `setvar`.
    pub(super) fn iter(&self) -> impl Iterator<Item = (KeyId, &[u8])> {
        self.order.iter().filter_map(|&at| {
            let key = KeyId::new(at as usize);
            Some((key, self.get(key)?))
        })
    }
}
