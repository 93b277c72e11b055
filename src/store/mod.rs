//! From rule files to the ruleset that rules: loading, generations, the one pointer that a request reads.
//!
//! Beside them the stores of persistent collections: what outlives a request belongs to no ruleset.
//!
//! Staging, shadowing, promotion and roll-back have their place here.

mod builtin;
mod bundle;
mod cache;
mod checked;
mod collections;
mod confined;
mod files;
pub mod history;
pub mod journal;
mod load;
mod loading;
mod release;
mod releases;
mod remembered;
pub mod rollout;
mod slot;
mod unverified;
mod uploads;
mod watch;

pub use builtin::builtin_files;
pub use bundle::{BundleKey, ENGINE, NotAKey, is_bundle};
pub use cache::write_atomically;
pub use collections::MemoryCollections;
#[cfg(feature = "persist")]
pub use collections::{DiskCollections, DiskError, Restored};
pub use confined::Capabilities;
pub use files::DiskFiles;
pub use load::{Compiled, Prepared, compile, load, prepare, restore};
pub use loading::{LoadReport, Loading, RulePiece, RuleSource};
pub use release::{ContentHash, Release};
pub use releases::{Counts, Releases};
pub use remembered::Remembered;
pub use slot::{Candidate, Deployed, Generation, NothingToRollBackTo, Origin, Refused, Slot};
pub use unverified::Unverified;
pub use uploads::DiskUploads;
pub use watch::{Inventory, WatchedFiles};
