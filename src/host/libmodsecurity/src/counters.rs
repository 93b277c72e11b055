//! Persistent collections, such as counters of addresses: one store for all contexts of a process, as libmodsecurity has it, so that a
//! client is one client in each of them. It is made by the first request that counts something: every worker of a host that forks has
//! its own, and it ends with the worker.

use fusewall::Limits;
use fusewall::engine::persist::{Collections, Committed, Record, RecordId, Unavailable, Update};
use fusewall::store::MemoryCollections;
use std::sync::OnceLock;

static STORE: OnceLock<MemoryCollections> = OnceLock::new();

/// The store of the process.
#[derive(Debug)]
pub struct Counters;

impl Collections for Counters {
    fn load(&self, id: &RecordId<'_>, now: u64) -> Result<Option<Record>, Unavailable> {
        STORE.get().map_or(Ok(None), |store| store.load(id, now))
    }

    fn commit(&self, id: &RecordId<'_>, update: &Update<'_>, now: u64) -> Result<Committed, Unavailable> {
        STORE.get_or_init(|| MemoryCollections::new(&Limits::default())).commit(id, update, now)
    }
}
