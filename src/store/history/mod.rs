//! What was in service, on disk: rulesets as compiled bundles, and a manifest that says when each came. A start needs neither source
//! files nor much time to go on with one of them.
//!
//! | file | holds |
//! |---|---|
//! | `disk` | what is asked of the file system |
//! | `manifest` | the list, and its bytes |
//! | `starts` | starts that have not come through |
//!
//! | in the folder | what it is |
//! |---|---|
//! | `object-HASH.fwb` | a ruleset with its automata: the bytes whose SHA-256 is in the name |
//! | `manifest.0`, `manifest.1` | the list, and the list before; see `manifest` |
//! | `starts` | see `starts`; not there most of the time |
//! | `lock` | locked by the process that uses the folder |
//! | `*.new` | what was being written when the power failed |
//!
//! Objects are durable before a manifest names them, and removed only when neither manifest does. Nothing in the folder is believed:
//! checksums first, and then every check that rules from anywhere must pass.

mod disk;
mod manifest;
mod starts;

pub use disk::{Disk, DiskFile, SystemDisk};
pub use manifest::Entry;
pub use starts::Attempt;

use super::slot::Generation;
use disk::put;
use manifest::{Manifest, NAMES, object_file};
use sha2::{Digest, Sha256};
use starts::Starts;
use std::collections::BTreeSet;
use std::io;

/// A history that is in use.
#[derive(Debug)]
pub struct History {
    disk: Box<dyn Disk>,
    /// The list as it is on disk.
    manifest: Manifest,
    /// Where the next one is written: not over the latest.
    next: usize,
    /// The highest sequence that was tried.
    sequence: u64,
    /// The objects of the list before, and of those that may have been written although that failed.
    also: BTreeSet<[u8; 32]>,
    starts: Starts,
    keep: usize,
    /// What was found damaged.
    damaged: Vec<String>,
}

impl History {
    /// Reads what is there. `keep` rulesets are kept, beside those that are pinned; at least one.
    ///
    /// # Errors
    /// The folder cannot be read. What is damaged in it is left aside: [`damaged`](Self::damaged).
    pub fn open(disk: Box<dyn Disk>, keep: usize) -> io::Result<History> {
        let mut damaged = Vec::new();
        let mut lists = Vec::with_capacity(2);
        for name in NAMES {
            let bytes = match disk.read(name, manifest::BYTES) {
                Ok(bytes) => bytes,
                Err(problem) if problem.kind() == io::ErrorKind::NotFound => continue,
                Err(problem) if problem.kind() == io::ErrorKind::FileTooLarge => {
                    damaged.push(format!("`{name}` is too large"));
                    continue;
                }
                Err(problem) => return Err(problem),
            };
            match Manifest::read(&bytes) {
                Ok(list) => lists.push((list, name)),
                Err(problem) => damaged.push(format!("`{name}`: {problem}")),
            }
        }
        lists.sort_by_key(|(list, _)| list.sequence);
        let (manifest, latest) = lists.pop().unwrap_or_default();
        let also = lists.iter().flat_map(|(list, _)| &list.entries).map(|entry| entry.object).collect();
        let starts = match disk.read(starts::NAME, starts::BYTES) {
            Ok(bytes) => Starts::read(&bytes).unwrap_or_else(|problem| {
                damaged.push(format!("`{}`: {problem}", starts::NAME));
                Starts::default()
            }),
            Err(_) => Starts::default(),
        };
        let (sequence, next) = (manifest.sequence, usize::from(latest == NAMES[0]));
        Ok(History { disk, manifest, next, sequence, also, starts, keep: keep.max(1), damaged })
    }

    /// What was damaged when it was opened, in words. None of it is used.
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// The rulesets, the latest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.manifest.entries.iter().rev()
    }

    /// The highest number that a generation has had.
    pub fn last_number(&self) -> u64 {
        self.manifest.last
    }

    /// The lowest serial that may be in service.
    pub fn minimum(&self) -> Option<u64> {
        self.manifest.minimum
    }

    /// The bytes of a ruleset, which are those that were recorded.
    ///
    /// # Errors
    /// They cannot be read, or are others.
    pub fn read(&self, entry: &Entry, most: usize) -> io::Result<Vec<u8>> {
        let bytes = self.disk.read(&entry.file(), most)?;
        if *Sha256::digest(&bytes) == entry.object {
            Ok(bytes)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "it is not complete, or damaged"))
        }
    }

    /// The name of the file that holds a ruleset.
    pub fn file(&self, entry: &Entry) -> String {
        entry.file()
    }

    /// Records what comes into service. When this returns it is durable; an older entry of the same content goes.
    ///
    /// # Errors
    /// The disk. The list is then what it was; if the disk failed at the last moment and goes on failing, the next start may find
    /// this entry all the same.
    pub fn record(&mut self, generation: Generation, packed: &[u8]) -> io::Result<()> {
        let object = Sha256::digest(packed).into();
        let name = object_file(&object);
        let is_there = self.manifest.entries.iter().any(|entry| entry.object == object)
            && self.disk.read(&name, packed.len()).is_ok_and(|bytes| bytes == packed);
        if !is_there {
            put(&*self.disk, &name, packed)?;
        }
        self.append(generation, object)
    }

    /// Records that something comes into service again.
    ///
    /// # Errors
    /// As [`record`](Self::record); or there is nothing of that content.
    pub fn record_again(&mut self, generation: Generation) -> io::Result<()> {
        let known = self.entries().find(|entry| entry.generation.content == generation.content);
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "these rules are not in it");
        let object = known.map(|entry| entry.object).ok_or_else(unknown)?;
        self.append(generation, object)
    }

    /// Records that a start goes on with an entry. Under other limits its content has another hash than it had.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn restored(&mut self, entry: &Entry, generation: Generation) -> io::Result<()> {
        self.append(generation, entry.object)
    }

    fn append(&mut self, generation: Generation, object: [u8; 32]) -> io::Result<()> {
        let mut list = self.manifest.clone();
        let pinned = list.entries.iter().any(|entry| entry.pinned && entry.object == object);
        list.entries.retain(|entry| entry.generation.content != generation.content && entry.object != object);
        list.entries.push(Entry { generation, pinned, object });
        list.last = list.last.max(generation.number);
        let mut beyond = list.entries.iter().filter(|entry| !entry.pinned).count().saturating_sub(self.keep);
        list.entries.retain(|entry| {
            let goes = beyond > 0 && !entry.pinned;
            beyond -= usize::from(goes);
            !goes
        });
        self.write(list)
    }

    /// Takes back what was recorded and has not come into service after all.
    ///
    /// # Errors
    /// The disk.
    pub fn withdraw(&mut self, number: u64) -> io::Result<()> {
        let mut list = self.manifest.clone();
        list.entries.retain(|entry| entry.generation.number != number);
        self.write(list)
    }

    /// Keeps a ruleset whatever comes later, or no longer. Answers whether there is one of that number.
    ///
    /// # Errors
    /// The disk.
    pub fn pin(&mut self, number: u64, pinned: bool) -> io::Result<bool> {
        let mut list = self.manifest.clone();
        let Some(entry) = list.entries.iter_mut().find(|entry| entry.generation.number == number) else {
            return Ok(false);
        };
        entry.pinned = pinned;
        self.write(list).map(|()| true)
    }

    /// Records the lowest serial that may be in service. It is never lowered.
    ///
    /// # Errors
    /// The disk.
    pub fn raise_minimum(&mut self, minimum: u64) -> io::Result<()> {
        if self.manifest.minimum.is_some_and(|before| before >= minimum) {
            return Ok(());
        }
        self.write(Manifest { minimum: Some(minimum), ..self.manifest.clone() })
    }

    /// How often something was tried at a start since one has settled.
    pub fn starts(&self, attempt: Attempt) -> u32 {
        self.starts.of(attempt)
    }

    /// Notes what a start is about to try.
    ///
    /// # Errors
    /// The disk: then it may be forgotten.
    pub fn trying(&mut self, attempt: Attempt) -> io::Result<()> {
        self.starts.count(attempt);
        put(&*self.disk, starts::NAME, &self.starts.to_bytes())
    }

    /// The start has come through: what was tried before counts no longer.
    ///
    /// # Errors
    /// The disk: then it may count all the same.
    pub fn settled(&mut self) -> io::Result<()> {
        self.starts = Starts::default();
        match self.disk.remove(starts::NAME) {
            Err(problem) if problem.kind() != io::ErrorKind::NotFound => Err(problem),
            _ => self.disk.sync_folder(),
        }
    }

    /// Writes a list over the one before the latest. If that fails it may have been written all the same, so the latest is written
    /// once more behind it.
    fn write(&mut self, list: Manifest) -> io::Result<()> {
        let failed = match self.write_once(list.clone()) {
            Ok(()) => {
                self.sweep();
                return Ok(());
            }
            Err(problem) => problem,
        };
        self.also.extend(list.entries.iter().map(|entry| entry.object));
        // Nobody knows more about it than the next start, which reads what is there.
        let _ = self.write_once(self.manifest.clone());
        Err(failed)
    }

    fn write_once(&mut self, mut list: Manifest) -> io::Result<()> {
        self.sequence += 1;
        list.sequence = self.sequence;
        put(&*self.disk, NAMES[self.next], &list.to_bytes())?;
        self.next = 1 - self.next;
        // What one list names, and what the one before it does.
        self.also = self.manifest.entries.iter().map(|entry| entry.object).collect();
        self.manifest = list;
        Ok(())
    }

    /// Removes what no list names. What cannot be removed is tried again.
    fn sweep(&self) {
        let named: BTreeSet<String> = {
            let latest = self.manifest.entries.iter().map(|entry| &entry.object);
            latest.chain(&self.also).map(object_file).collect()
        };
        let is_left = |name: &String| {
            let object = name.starts_with("object-") && name.ends_with(".fwb") && !named.contains(name);
            object || name.ends_with(".new")
        };
        for name in self.disk.list().unwrap_or_default().iter().filter(|name| is_left(name)) {
            let _ = self.disk.remove(name);
        }
    }
}
