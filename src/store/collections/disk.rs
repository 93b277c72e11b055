//! The file behind the memory.
//!
//! Requests talk to the memory alone. What has changed is written to the file at every flush, in one transaction of the database,
//! which is on the disk when it returns: a process that is killed loses what came after its last flush. At start the file is read
//! back into the memory. It is not trusted: the database checks its pages, each row has a checksum, and every field is held
//! against the limits.

use super::memory::{MemoryCollections, lock};
use super::{key, row};
use crate::engine::persist::{Collections, Committed, Record, RecordId, Unavailable, Update};
use crate::limits::Limits;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition, TableError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The file in the folder.
const FILE: &str = "collections.redb";
const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");
/// Rows after which a transaction of the database ends; what a shard adds to them is written with them.
const ROWS: usize = 4096;
/// Bytes of the file that the database keeps in memory. The records are there already.
const CACHE: usize = 4 << 20;
/// Slots of a shard that a flush looks at for expired records.
const SWEEP: usize = 1024;

/// Why collections cannot be kept in a folder.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// Another process, or another WAF of this one, has the file open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The folder or the file cannot be used.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database refuses to write.
    #[error("{}: {problem}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

/// What was found in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// Records taken in.
    pub records: usize,
    /// Records that had expired meanwhile.
    pub expired: usize,
    /// Rows that are damaged or exceed the limits; they are dropped.
    pub damaged: usize,
    /// The database has repaired the file, and may have gone back to an earlier state.
    pub repaired: bool,
    /// Records that the limits have no room for.
    pub displaced: usize,
    /// The file was no usable database: where it is now, for whoever wants to look at it, and what was wrong with it.
    pub set_aside: Option<(PathBuf, String)>,
}

/// Persistent collections in memory, with a file behind them.
#[derive(Debug)]
pub struct DiskCollections {
    memory: MemoryCollections,
    database: Database,
    path: PathBuf,
    /// The latest time that a request has told.
    now: AtomicU64,
    flushing: Mutex<()>,
}

/// An id and its row; without one the id leaves the file.
type Line = (Arc<[u8]>, Option<Vec<u8>>);

/// Why a file cannot be read.
enum Unread {
    Error(DiskError),
    /// It is no usable database.
    Broken(String),
}

impl DiskCollections {
    /// Opens `collections.redb` in that folder, making both if need be, and reads it. `now` is seconds since 1970. A file that is
    /// damaged beyond repair is renamed, and reported in [`Restored::set_aside`].
    ///
    /// # Errors
    /// [`DiskError`]: the folder cannot be used, or another process uses it.
    pub fn open(folder: &Path, limits: &Limits, now: u64) -> Result<(DiskCollections, Restored), DiskError> {
        let failed = |source| DiskError::File { path: folder.to_path_buf(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let path = folder.join(FILE);
        match Self::read(&path, limits, now) {
            Ok(opened) => Ok(opened),
            Err(Unread::Error(error)) => Err(error),
            Err(Unread::Broken(problem)) => {
                let aside = free_name(folder, now);
                std::fs::rename(&path, &aside).map_err(|source| DiskError::File { path: path.clone(), source })?;
                match Self::read(&path, limits, now) {
                    Ok((store, restored)) => Ok((store, Restored { set_aside: Some((aside, problem)), ..restored })),
                    Err(Unread::Error(error)) => Err(error),
                    Err(Unread::Broken(problem)) => Err(DiskError::Database { path, problem }),
                }
            }
        }
    }

    /// The database may not only answer with errors on a damaged file, but end in a panic.
    fn read(path: &Path, limits: &Limits, now: u64) -> Result<(DiskCollections, Restored), Unread> {
        let read = catch_unwind(AssertUnwindSafe(|| Self::read_checked(path, limits, now)));
        read.unwrap_or_else(|_| Err(Unread::Broken("the file is damaged".to_owned())))
    }

    fn read_checked(path: &Path, limits: &Limits, now: u64) -> Result<(DiskCollections, Restored), Unread> {
        // The database would take an empty file for a new one. It never leaves one behind itself.
        if std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
            return Err(Unread::Broken("the file is empty".to_owned()));
        }
        let mut restored = Restored::default();
        let mut database =
            Database::builder().set_cache_size(CACHE).create(path).map_err(|error| unread(path, error))?;
        if !database.check_integrity().map_err(|error| unread(path, error))? {
            restored.repaired = true;
        }
        let memory = MemoryCollections::with_journal(limits, true);
        let broken = |error: redb::Error| Unread::Broken(error.to_string());
        let reading = database.begin_read().map_err(|error| broken(error.into()))?;
        match reading.open_table(TABLE) {
            Err(TableError::TableDoesNotExist(_)) => {}
            Err(error) => return Err(broken(error.into())),
            Ok(table) => {
                for found in table.iter().map_err(|error| broken(error.into()))? {
                    let (id, row) = found.map_err(|error| broken(error.into()))?;
                    restore(&memory, id.value(), row.value(), limits, now, &mut restored);
                }
            }
        }
        drop(reading);
        let store =
            DiskCollections { memory, database, path: path.to_path_buf(), now: now.into(), flushing: Mutex::new(()) };
        Ok((store, restored))
    }

    /// Writes what has changed since the last flush; answers the number of rows. When it returns they are on the disk.
    ///
    /// # Errors
    /// [`DiskError::Database`]: the disk is full, for example. The changes are kept for the next flush.
    pub fn flush(&self) -> Result<usize, DiskError> {
        let _one_at_a_time = self.flushing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now.load(Ordering::Relaxed);
        let (mut batch, mut written) = (Vec::new(), 0);
        for shard in self.memory.shards() {
            let (changed, gone) = {
                let mut shard = lock(shard);
                shard.sweep(SWEEP, now);
                shard.take_changes()
            };
            batch.extend(gone.into_iter().map(|id| (id, None)));
            for slot in changed {
                // The lock is taken for each record anew: requests do not wait for a flush.
                let taken = lock(shard).take_changed(slot);
                batch.extend(taken.map(|(id, record)| {
                    let row = row::encode(&id, &record);
                    (id, Some(row))
                }));
            }
            if batch.len() >= ROWS {
                written += self.write(&mut batch)?;
            }
        }
        Ok(written + self.write(&mut batch)?)
    }

    fn write(&self, batch: &mut Vec<Line>) -> Result<usize, DiskError> {
        if batch.is_empty() {
            return Ok(0);
        }
        let written = self.transaction(batch);
        let rows = batch.len();
        for (id, row) in batch.drain(..) {
            let Some(mut shard) = self.memory.shard(&id) else { continue };
            match (&written, row) {
                (Ok(()), Some(_)) => shard.filed(id),
                (Ok(()), None) => {}
                (Err(_), _) => shard.give_back(id),
            }
        }
        let failed = |error: redb::Error| DiskError::Database { path: self.path.clone(), problem: error.to_string() };
        written.map(|()| rows).map_err(failed)
    }

    fn transaction(&self, batch: &[Line]) -> Result<(), redb::Error> {
        let writing = self.database.begin_write()?;
        {
            let mut table = writing.open_table(TABLE)?;
            for (id, row) in batch {
                match row {
                    Some(row) => drop(table.insert(&**id, row.as_slice())?),
                    None => drop(table.remove(&**id)?),
                }
            }
        }
        writing.commit()?;
        Ok(())
    }

    /// Records held in memory.
    pub fn records(&self) -> usize {
        self.memory.records()
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Collections for DiskCollections {
    fn load(&self, id: &RecordId<'_>, now: u64) -> Result<Option<Record>, Unavailable> {
        self.now.fetch_max(now, Ordering::Relaxed);
        self.memory.load(id, now)
    }

    fn commit(&self, id: &RecordId<'_>, update: &Update<'_>, now: u64) -> Result<Committed, Unavailable> {
        self.now.fetch_max(now, Ordering::Relaxed);
        self.memory.commit(id, update, now)
    }
}

impl Drop for DiskCollections {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::error!(%error, "persistent collections were not written");
        }
    }
}

/// Takes in one row. What is not taken in leaves the file with the next flush.
fn restore(memory: &MemoryCollections, id: &[u8], row: &[u8], limits: &Limits, now: u64, restored: &mut Restored) {
    let Some(mut shard) = memory.shard(id) else { return };
    let fits = key::decode(id).is_some_and(|id| id.key.len() <= limits.collection_key_bytes);
    let record = if fits { row::decode(id, row, memory.record_limits()) } else { None };
    match record {
        None => {
            restored.damaged += 1;
            shard.give_back(id.into());
        }
        Some(record) if record.is_expired(now) => {
            restored.expired += 1;
            shard.give_back(id.into());
        }
        Some(mut record) => {
            // Whatever the file says, nothing lives longer than if it had been changed just now.
            record.expires = record.expires.min(now.saturating_add(record.timeout));
            restored.records += 1;
            if shard.restore(id, record, now) == super::shard::Stored::Displaced {
                restored.displaced += 1;
            }
        }
    }
}

/// Which errors mean that the file is no usable database, and which that it cannot be used now.
fn unread(path: &Path, error: DatabaseError) -> Unread {
    let of_file = |source: io::Error| DiskError::File { path: path.to_path_buf(), source };
    match error {
        DatabaseError::DatabaseAlreadyOpen => Unread::Error(DiskError::InUse(path.to_path_buf())),
        DatabaseError::Storage(StorageError::Io(error)) => match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => {
                Unread::Broken(error.to_string())
            }
            _ => Unread::Error(of_file(error)),
        },
        other => Unread::Broken(other.to_string()),
    }
}

/// A name beside the file that nothing has yet.
fn free_name(folder: &Path, now: u64) -> PathBuf {
    let name = |count: u64| folder.join(format!("{FILE}.broken-{now}-{count}"));
    (1..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0))
}
