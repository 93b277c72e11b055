//! The audit log on disk, as the `SecAuditLog...` directives say: one file, or one file for each record and an index.
//!
//! Writing holds up nobody: a record is handed to a thread of the log's own, and when that is behind, or more records come than
//! the limit allows, records are dropped and counted. A disk that is full costs records, never a request. Drops and failures are
//! told in single lines, and counted in [`AuditCounts`].

mod files;
mod queue;
mod rate;

pub use queue::AuditLog;

use std::path::PathBuf;

/// What the audit log may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLimits {
    /// Bytes of one written record; what is longer is cut and says so. Never more than `Limits::audit_record_bytes`.
    pub record_bytes: usize,
    /// Records in one second; the rest is dropped and counted. 1000 ordinary ones are 5 MB.
    pub records_per_second: u32,
    /// Records that may wait to be written; above it they are dropped and counted.
    pub queue_records: usize,
    /// Bytes that they may hold together.
    pub queue_bytes: usize,
}

impl Default for AuditLimits {
    fn default() -> Self {
        AuditLimits { record_bytes: 256 << 10, records_per_second: 1000, queue_records: 4096, queue_bytes: 64 << 20 }
    }
}

/// What has become of the records so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AuditCounts {
    /// Written.
    pub written: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Dropped: more than `records_per_second`.
    pub over_rate: u64,
    /// Dropped: the queue was full.
    pub over_queue: u64,
    /// Lost: the disk was full, or the file could not be written.
    pub failed: u64,
}

/// Why the audit log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditLogError {
    /// A concurrent log without `SecAuditLogStorageDir`, or a serial one without `SecAuditLog`.
    #[error("the audit log has no place: {0} is not set")]
    NoPlace(&'static str),
    /// The file cannot be opened, or the folder is none.
    #[error("{} cannot be used for the audit log", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
