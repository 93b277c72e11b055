//! One shard of the memory: records by id, bounded in number and bytes, and who has to go when it is full.
//!
//! A record that is alive is somebody's counter, so the question is whom an attacker with many addresses can push out. Records
//! are therefore ranked by how many requests have updated them (the logarithm of it), and inside a rank by the last update:
//!
//! 1. What has expired goes first. With equal timeouts the expired records of a rank are at its old end; a hand that goes round
//!    finds the others.
//! 2. Rank 0, records that one request has updated, may fill an eighth of the shard; above that its oldest goes. A flood of
//!    addresses that come once pushes out each other and nobody else.
//! 3. Otherwise the oldest of the lowest rank above 0 goes. To push out a counter of `n` updates, the shard must be filled with
//!    records of about `n` updates each, which is the rest of the shard times `n` requests.
//!
//! Each of it is a bounded number of steps: lists, no search.

use crate::engine::persist::Record;
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::sync::Arc;

/// Ranks: 1 update, 2-3, 4-7, ... and everything from 2^15 on.
const RANKS: usize = 16;
/// Slots that the hand looks at each time a record is made.
const HAND: usize = 4;
/// Not a slot.
const NONE: u32 = u32::MAX;

/// What storing a record came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// There was room.
    Room,
    /// Another record had to go that was still alive.
    Displaced,
}

/// One shard.
#[derive(Debug)]
pub(super) struct Shard {
    index: HashMap<Arc<[u8]>, u32, RandomState>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    ranks: [List; RANKS],
    records: usize,
    bytes: usize,
    most_records: usize,
    most_bytes: usize,
    hand: usize,
    /// Slots changed since the last flush, each once; and ids that left although the file has them.
    changed: Vec<u32>,
    gone: Vec<Arc<[u8]>>,
    /// Whether a file wants to know what changes.
    journal: bool,
}

#[derive(Debug, Default)]
struct Slot {
    held: Option<Held>,
    changed: bool,
}

#[derive(Debug)]
struct Held {
    id: Arc<[u8]>,
    record: Record,
    bytes: usize,
    rank: usize,
    older: u32,
    newer: u32,
    /// The file has it.
    filed: bool,
}

/// The records of a rank, by their last update.
#[derive(Debug, Clone, Copy)]
struct List {
    oldest: u32,
    newest: u32,
    len: usize,
}

impl Default for List {
    fn default() -> Self {
        List { oldest: NONE, newest: NONE, len: 0 }
    }
}

impl Shard {
    pub(super) fn new(most_records: usize, most_bytes: usize, journal: bool) -> Shard {
        Shard {
            index: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            ranks: [List::default(); RANKS],
            records: 0,
            bytes: 0,
            most_records,
            most_bytes,
            hand: 0,
            changed: Vec::new(),
            gone: Vec::new(),
            journal,
        }
    }

    pub(super) fn records(&self) -> usize {
        self.records
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The record of that id, unless it has expired.
    pub(super) fn get(&self, id: &[u8], now: u64) -> Option<&Record> {
        let slot = *self.index.get(id)?;
        self.held(slot).map(|held| &held.record).filter(|record| !record.is_expired(now))
    }

    /// Changes the record of that id, or makes it first.
    pub(super) fn change<T>(
        &mut self,
        id: &[u8],
        now: u64,
        make: impl FnOnce() -> Record,
        with: impl FnOnce(&mut Record) -> T,
    ) -> (T, Stored) {
        if let Some(&slot) = self.index.get(id)
            && self.held(slot).is_some_and(|held| held.record.is_expired(now))
        {
            self.remove(slot);
        }
        let known = self.index.get(id).copied();
        let mut record = match known.and_then(|slot| self.held_mut(slot)) {
            // Its place in the lists stays; the record comes back to it.
            Some(held) => std::mem::replace(&mut held.record, Record::new(0, 0)),
            None => make(),
        };
        let answer = with(&mut record);
        let stored = match known {
            Some(slot) => self.put_back(slot, record, now),
            None => self.insert(id, record, now, false),
        };
        (answer, stored)
    }

    /// Removes what has expired by `now`, looking at `count` slots from where the last look ended.
    pub(super) fn sweep(&mut self, count: usize, now: u64) {
        for _ in 0..count.min(self.slots.len()) {
            self.hand = if self.hand + 1 < self.slots.len() { self.hand + 1 } else { 0 };
            let slot = self.hand as u32;
            if self.held(slot).is_some_and(|held| held.record.is_expired(now)) {
                self.remove(slot);
            }
        }
    }

    fn put_back(&mut self, slot: u32, record: Record, now: u64) -> Stored {
        let (bytes, rank) = (bytes_of(&record), rank_of(&record));
        self.unlink(slot);
        let Some(held) = self.held_mut(slot) else { return Stored::Room };
        let before = std::mem::replace(&mut held.bytes, bytes) + 2 * held.id.len();
        held.record = record;
        held.rank = rank;
        let all = bytes + 2 * held.id.len();
        self.bytes = (self.bytes + all).saturating_sub(before);
        // It is in no list while room is made: it cannot push out itself.
        let stored = self.make_room(0, now);
        self.link(slot, rank);
        self.mark(slot);
        stored
    }

    fn insert(&mut self, id: &[u8], record: Record, now: u64, filed: bool) -> Stored {
        let bytes = bytes_of(&record);
        let rank = rank_of(&record);
        self.sweep(HAND, now);
        self.bytes += bytes + 2 * id.len();
        let stored = self.make_room(1, now);
        let id: Arc<[u8]> = id.into();
        let held = Held { id: id.clone(), record, bytes, rank, older: NONE, newer: NONE, filed };
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(Slot::default());
                self.slots.len() as u32 - 1
            }
        };
        if let Some(place) = self.slots.get_mut(slot as usize) {
            place.held = Some(held);
        }
        self.index.insert(id, slot);
        self.records += 1;
        self.link(slot, rank);
        if !filed {
            self.mark(slot);
        }
        stored
    }

    /// Removes records until `coming` more fit.
    fn make_room(&mut self, coming: usize, now: u64) -> Stored {
        let mut stored = Stored::Room;
        while self.records + coming > self.most_records || self.bytes > self.most_bytes {
            let Some((slot, alive)) = self.victim(now) else { break };
            self.remove(slot);
            if alive {
                stored = Stored::Displaced;
            }
        }
        stored
    }

    /// Who goes next, and whether it is still alive.
    fn victim(&self, now: u64) -> Option<(u32, bool)> {
        let expired = |slot: &u32| self.held(*slot).is_some_and(|held| held.record.is_expired(now));
        if let Some(slot) = self.ranks.iter().map(|list| list.oldest).find(expired) {
            return Some((slot, false));
        }
        let (first, others) = self.ranks.split_first()?;
        let higher = others.iter().find(|list| list.len > 0);
        let list = match higher {
            Some(higher) if first.len <= self.most_records / 8 => higher,
            _ => first,
        };
        (list.len > 0).then_some((list.oldest, true))
    }

    fn remove(&mut self, slot: u32) {
        self.unlink(slot);
        let Some(held) = self.slots.get_mut(slot as usize).and_then(|slot| slot.held.take()) else { return };
        self.records -= 1;
        self.bytes = self.bytes.saturating_sub(held.bytes + 2 * held.id.len());
        self.index.remove(&held.id);
        self.free.push(slot);
        if self.journal && held.filed {
            self.gone.push(held.id);
        }
    }

    fn mark(&mut self, slot: u32) {
        if self.journal
            && let Some(place) = self.slots.get_mut(slot as usize)
            && !std::mem::replace(&mut place.changed, true)
        {
            self.changed.push(slot);
        }
    }

    fn held(&self, slot: u32) -> Option<&Held> {
        self.slots.get(slot as usize)?.held.as_ref()
    }

    fn held_mut(&mut self, slot: u32) -> Option<&mut Held> {
        self.slots.get_mut(slot as usize)?.held.as_mut()
    }

    fn link(&mut self, slot: u32, rank: usize) {
        let Some(list) = self.ranks.get_mut(rank) else { return };
        let before = std::mem::replace(&mut list.newest, slot);
        list.len += 1;
        if before == NONE {
            list.oldest = slot;
        } else if let Some(held) = self.held_mut(before) {
            held.newer = slot;
        }
        if let Some(held) = self.held_mut(slot) {
            (held.older, held.newer) = (before, NONE);
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(held) = self.held(slot) else { return };
        let (rank, older, newer) = (held.rank, held.older, held.newer);
        let Some(list) = self.ranks.get_mut(rank) else { return };
        list.len = list.len.saturating_sub(1);
        if list.oldest == slot {
            list.oldest = newer;
        }
        if list.newest == slot {
            list.newest = older;
        }
        if let Some(held) = self.held_mut(older) {
            held.newer = newer;
        }
        if let Some(held) = self.held_mut(newer) {
            held.older = older;
        }
    }
}

/// What the file behind the memory needs.
#[cfg(feature = "persist")]
impl Shard {
    /// Takes in a record from the file.
    pub(super) fn restore(&mut self, id: &[u8], record: Record, now: u64) -> Stored {
        self.insert(id, record, now, true)
    }

    /// Slots that have changed since the last call, and ids that the file has and the memory no longer.
    pub(super) fn take_changes(&mut self) -> (Vec<u32>, Vec<Arc<[u8]>>) {
        (std::mem::take(&mut self.changed), std::mem::take(&mut self.gone))
    }

    /// A copy of a changed slot for the file.
    pub(super) fn take_changed(&mut self, slot: u32) -> Option<(Arc<[u8]>, Record)> {
        let slot = self.slots.get_mut(slot as usize)?;
        if !std::mem::take(&mut slot.changed) {
            return None;
        }
        let held = slot.held.as_ref()?;
        Some((held.id.clone(), held.record.clone()))
    }

    /// The file has a record of this id now.
    pub(super) fn filed(&mut self, id: Arc<[u8]>) {
        match self.index.get(&id).copied().and_then(|slot| self.held_mut(slot)) {
            Some(held) => held.filed = true,
            // It has left in between.
            None => self.gone.push(id),
        }
    }

    /// The file does not have what it was given about this id: it is to be told again.
    pub(super) fn give_back(&mut self, id: Arc<[u8]>) {
        match self.index.get(&id).copied() {
            Some(slot) => self.mark(slot),
            None => self.gone.push(id),
        }
    }
}

/// What a slot, its lists and its place in the index take besides the record.
const SLOT_BYTES: usize = 128;

fn bytes_of(record: &Record) -> usize {
    record.bytes() + SLOT_BYTES
}

fn rank_of(record: &Record) -> usize {
    (record.updates.max(1).ilog2() as usize).min(RANKS - 1)
}
