//! From rule files to the ruleset that rules: loading, generations, the one pointer that a request reads.
//!
//! Beside them the stores of persistent collections: what outlives a request belongs to no ruleset.
//!
//! Staging, shadowing, promotion and roll-back have their place here.

mod builtin;
mod collections;
mod files;
mod load;
mod slot;
mod uploads;

pub use builtin::builtin_files;
pub use collections::MemoryCollections;
#[cfg(feature = "persist")]
pub use collections::{DiskCollections, DiskError, Restored};
pub use files::DiskFiles;
pub use load::{LoadReport, Loading, RuleSource, load};
pub use slot::{Deployed, Slot};
pub use uploads::DiskUploads;
