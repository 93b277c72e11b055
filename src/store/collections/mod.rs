//! Where persistent collections are kept: in memory, and (feature `persist`) in a file behind it.
//!
//! | file | holds |
//! |---|---|
//! | `memory` | the store that requests talk to: shards, each behind a lock |
//! | `shard` | one shard: an index, and who has to go when it is full |
//! | `key` | a record's id as bytes |
//! | `row` | a record as bytes: what stands in the file, checked when it is read |
//! | `disk` | the file, written behind the memory |
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)
)]

#[cfg(feature = "persist")]
mod disk;
mod key;
mod memory;
#[cfg(feature = "persist")]
mod row;
mod shard;

#[cfg(feature = "persist")]
pub use disk::{DiskCollections, DiskError, Restored};
pub use memory::MemoryCollections;
