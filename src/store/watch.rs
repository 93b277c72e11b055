//! Which files rules have come from, and whether they still are what was read. Who watches them asks here: an event of the system says
//! that something may have changed, the content decides.

use super::files::DiskFiles;
use crate::files::Files;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files of more bytes are only read again if the disk says that they are others: geographic databases, not rules.
const LARGE: u64 = 4 << 20;

/// What was read of a file.
#[derive(Debug, Clone)]
struct Print {
    hash: [u8; 32],
    stamp: Option<Stamp>,
}

/// Two prints are the same if the content is.
impl PartialEq for Print {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

/// What the disk says about a file without reading it: device, number, length, and the times of the last change of content and entry.
type Stamp = (u64, u64, u64, [i64; 4]);

#[cfg(unix)]
fn stamp(about: &Metadata) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let times = [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()];
    Some((about.dev(), about.ino(), about.len(), times))
}

/// Elsewhere files are read.
#[cfg(not(unix))]
fn stamp(_: &Metadata) -> Option<Stamp> {
    None
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    stamp(&std::fs::metadata(path).ok()?)
}

/// All that reading rules has asked of the disk, and what it has answered: what was not there, too.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Inventory {
    /// `None`: it could not be read.
    files: BTreeMap<PathBuf, Option<Print>>,
    globs: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl Inventory {
    /// What the disk would answer to the same questions now.
    pub fn look_again(&self) -> Inventory {
        let files = self.files.iter().map(|(path, seen)| (path.clone(), print(path, seen.as_ref())));
        let globs = self.globs.keys().map(|pattern| (pattern.clone(), DiskFiles.glob(pattern).unwrap_or_default()));
        Inventory { files: files.collect(), globs: globs.collect() }
    }

    /// Nothing was read.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.globs.is_empty()
    }

    /// The folders in which something would happen if any of it changed: those of the files as they are named, the folders above
    /// them, where links are swapped, and the folders that links lead to.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let mut folders = BTreeSet::new();
        for path in self.files.keys().chain(self.globs.keys()) {
            let Some(folder) = path.parent() else { continue };
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            folders.extend([folder, folder.parent().unwrap_or(folder)].map(Path::to_path_buf));
            folders.extend(std::fs::canonicalize(path).ok().and_then(|real| Some(real.parent()?.to_path_buf())));
        }
        folders.remove(Path::new(""));
        folders
    }
}

/// What is in a file now; what was `seen` of a large one stands if it looks the same from outside.
fn print(path: &Path, seen: Option<&Print>) -> Option<Print> {
    let stamp = stamp_of(path);
    let is_large = stamp.is_some_and(|(_, _, length, _)| length > LARGE);
    match seen {
        Some(seen) if is_large && seen.stamp == stamp => Some(seen.clone()),
        _ => Some(Print { hash: Sha256::digest(DiskFiles.read(path).ok()?).into(), stamp }),
    }
}

/// Rule files on disk that remember what was asked of them. Clones share their memory.
///
/// ```
/// use fusewall::{Waf, store::WatchedFiles};
/// # let folder = std::env::temp_dir().join(format!("fusewall-watched-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder).unwrap();
/// # let path = folder.join("a.conf");
/// # std::fs::write(&path, "SecRuleEngine On\nSecAction \"id:1,phase:1,pass\"").unwrap();
/// let files = WatchedFiles::default();
/// let waf = Waf::builder().files(files.clone()).rules_path(&path).build().expect("it loads");
/// assert!(files.are_current());
/// std::fs::write(&path, "SecRuleEngine On\nSecAction \"id:2,phase:1,pass\"").unwrap();
/// assert!(!files.are_current());
/// # std::fs::remove_dir_all(&folder).unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct WatchedFiles(Arc<Mutex<Inventory>>);

impl WatchedFiles {
    /// Forgets what was asked so far: another load begins.
    pub fn begin(&self) {
        *self.seen() = Inventory::default();
    }

    /// What was asked since, and answered last.
    pub fn inventory(&self) -> Inventory {
        self.seen().clone()
    }

    /// Remembers something else: what was asked in an earlier load.
    pub fn resume(&self, inventory: Inventory) {
        *self.seen() = inventory;
    }

    /// Whether the disk still answers the same.
    pub fn are_current(&self) -> bool {
        let seen = self.inventory();
        seen == seen.look_again()
    }

    fn seen(&self) -> MutexGuard<'_, Inventory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Files for WatchedFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let stamp = stamp_of(path);
        let read = DiskFiles.read(path);
        let print = read.as_ref().ok().map(|bytes| Print { hash: Sha256::digest(bytes).into(), stamp });
        self.seen().files.insert(path.to_path_buf(), print);
        read
    }

    fn beginning(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        // Of bundles and their signatures this is all that is read. First looked at, then read: what changes in between is noticed.
        let print = print(path, None);
        self.seen().files.insert(path.to_path_buf(), print);
        DiskFiles.beginning(path, most)
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        DiskFiles.length(path)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let found = DiskFiles.glob(pattern);
        self.seen().globs.insert(pattern.to_path_buf(), found.as_ref().cloned().unwrap_or_default());
        found
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        DiskFiles.canonical(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_remembered_until_it_is_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.conf");
        std::fs::write(&path, "one").expect("a file");
        let files = WatchedFiles::default();
        assert_eq!(files.read(&path).expect("it is there"), b"one");
        assert_eq!(files.glob(&folder.path().join("*.conf")).expect("a folder"), std::slice::from_ref(&path));
        assert!(files.are_current() && files.inventory().folders().contains(folder.path()));
        let before = files.inventory();
        std::fs::write(&path, "two").expect("a file");
        assert!(!files.are_current());
        files.begin();
        assert!(files.inventory().is_empty() && files.are_current());
        files.resume(before);
        assert!(!files.are_current());
        std::fs::write(&path, "one").expect("a file");
        assert!(files.are_current(), "the content decides");
        std::fs::write(folder.path().join("b.conf"), "").expect("a file");
        assert!(!files.are_current(), "a file more is another answer");
    }
}
