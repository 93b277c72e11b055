//! Records in memory.

use super::key;
use super::shard::{Shard, Stored};
use crate::engine::persist::{Collections, Committed, Record, RecordId, RecordLimits, Unavailable, Update};
use crate::limits::Limits;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Shards, at most.
const SHARDS: usize = 64;

/// Persistent collections in memory, bounded in records and bytes.
///
/// Records lie in shards, chosen by a hash with a random key, each behind a lock of its own. A lock is held while one record is
/// found and copied, or changed: a number of steps bounded by
/// [`Limits::collection_record_bytes`], whatever rules do. No request waits for the evaluation of another one.
///
/// When a shard is full, a record that has expired goes, or else the least used one, never one that many requests have updated
/// for one that a few have: see `docs/collections.md`. The request that needed the room is told so.
///
/// ```
/// use fusewall::engine::persist::{Change, Collections, RecordId, Update, What};
/// use fusewall::rule::Variable;
/// use fusewall::store::MemoryCollections;
///
/// let store = MemoryCollections::new(&fusewall::Limits::default());
/// let id = RecordId { collection: Variable::Ip, scope: b"", key: b"192.0.2.1" };
/// let add = Change { name: (*b"requests").into(), what: What::Add { by: 1, until: None } };
/// let update = Update { changes: &[add], created: 100, timeout: 3600, counts: true };
/// store.commit(&id, &update, 100).unwrap();
/// store.commit(&id, &update, 160).unwrap();
/// let record = store.load(&id, 160).unwrap().expect("it is alive");
/// assert_eq!(record.entry(b"requests").unwrap().number(), 2);
/// assert_eq!(store.load(&id, 160 + 3600).unwrap(), None);
/// ```
#[derive(Debug)]
pub struct MemoryCollections {
    /// Made with the first record: of a thousand tenants few have any.
    shards: OnceLock<Box<[Mutex<Shard>]>>,
    count: usize,
    /// Of one shard.
    most_records: usize,
    most_bytes: usize,
    journal: bool,
    hasher: RandomState,
    limits: RecordLimits,
}

impl MemoryCollections {
    /// An empty store with these limits.
    pub fn new(limits: &Limits) -> Self {
        Self::with_journal(limits, false)
    }

    /// A store that, with a journal, keeps track of what a file does not have yet.
    pub(super) fn with_journal(limits: &Limits, journal: bool) -> Self {
        let record = RecordLimits::from(limits);
        // Small stores have few shards: each must hold its share of records of the largest size.
        let by_bytes = limits.collection_bytes / record.record_bytes.saturating_mul(16).max(1);
        let count = (limits.collection_records / 64).min(by_bytes).clamp(1, SHARDS);
        MemoryCollections {
            shards: OnceLock::new(),
            count,
            most_records: (limits.collection_records / count).max(1),
            most_bytes: limits.collection_bytes / count,
            journal,
            hasher: RandomState::new(),
            limits: record,
        }
    }

    /// Records held, expired ones that were not yet removed included.
    pub fn records(&self) -> usize {
        self.shards().iter().map(|shard| lock(shard).records()).sum()
    }

    /// Bytes that records take, about: an upper bound. At most [`Limits::collection_bytes`].
    pub fn bytes(&self) -> usize {
        self.shards().iter().map(|shard| lock(shard).bytes()).sum()
    }

    /// How large a record may become.
    #[cfg(feature = "persist")]
    pub(super) fn record_limits(&self) -> &RecordLimits {
        &self.limits
    }

    /// The shards; none before the first record.
    pub(super) fn shards(&self) -> &[Mutex<Shard>] {
        self.shards.get().map_or(&[], |shards| shards)
    }

    /// The shard of an id as bytes.
    pub(super) fn shard(&self, id: &[u8]) -> Option<MutexGuard<'_, Shard>> {
        let made = || Mutex::new(Shard::new(self.most_records, self.most_bytes, self.journal));
        let shards = self.shards.get_or_init(|| std::iter::repeat_with(made).take(self.count).collect());
        let at = usize::try_from(self.hasher.hash_one(id) % self.count.max(1) as u64).unwrap_or(0);
        shards.get(at).map(lock)
    }
}

/// A shard that another thread has left in a panic is still a shard: nothing in it is half done that matters.
pub(super) fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collections for MemoryCollections {
    fn load(&self, id: &RecordId<'_>, now: u64) -> Result<Option<Record>, Unavailable> {
        if self.shards().is_empty() {
            return Ok(None);
        }
        let Some(id) = key::encode(id) else { return Ok(None) };
        let copy = self.shard(&id).and_then(|shard| shard.get(&id, now).cloned());
        Ok(copy.map(|mut record| {
            record.expire(now);
            record
        }))
    }

    fn commit(&self, id: &RecordId<'_>, update: &Update<'_>, now: u64) -> Result<Committed, Unavailable> {
        let Some(id) = key::encode(id) else { return Ok(Committed::Cut) };
        let Some(mut shard) = self.shard(&id) else { return Ok(Committed::Cut) };
        let make = || Record::new(update.created, update.timeout);
        let (whole, stored) = shard.change(&id, now, make, |record| record.update(update, now, &self.limits));
        Ok(match (whole, stored) {
            (false, _) => Committed::Cut,
            (true, Stored::Displaced) => Committed::Displaced,
            (true, Stored::Room) => Committed::Whole,
        })
    }
}
