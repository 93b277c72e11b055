//! From rule files to the ruleset that rules: loading, generations, the one pointer that a request reads.
//!
//! Staging, shadowing, promotion and roll-back have their place here.

mod builtin;
mod files;
mod load;
mod slot;

pub use builtin::builtin_files;
pub use files::DiskFiles;
pub use load::{LoadReport, Loading, RuleSource, load};
pub use slot::{Deployed, Slot};
