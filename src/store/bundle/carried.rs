//! The files of a bundle: what a load has read, for loads that read nothing else.

use crate::files::{Files, RemoteRules};
use crate::wire::{Damaged, Reader, Writer};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What reading files has answered. As [`Files`] it gives the same answers, and knows of nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    pub(super) files: BTreeMap<PathBuf, Arc<[u8]>>,
    globs: BTreeMap<PathBuf, Vec<PathBuf>>,
    canonical: BTreeMap<PathBuf, PathBuf>,
    fetched: BTreeMap<String, Arc<[u8]>>,
}

/// The hash of each file and of each text that was fetched.
pub(in crate::store) type Hashes = BTreeMap<String, [u8; 32]>;

impl Carried {
    pub(in crate::store) fn hashes(&self) -> Hashes {
        let files = self.files.iter().map(|(path, bytes)| (name_of(path), hash(bytes)));
        files.chain(self.fetched.iter().map(|(url, bytes)| (url.clone(), hash(bytes)))).collect()
    }

    /// Number of files, and their bytes.
    pub(in crate::store) fn size(&self) -> (usize, usize) {
        let texts = self.files.values().chain(self.fetched.values());
        (self.files.len() + self.fetched.len(), texts.map(|bytes| bytes.len()).sum())
    }

    /// Writes them. Names are Unicode: [`Recorder::finish`] has seen to it.
    pub(super) fn store(&self, writer: &mut Writer) {
        let path = |path: &Path, writer: &mut Writer| writer.bytes(path.to_string_lossy().as_bytes());
        writer.number(self.files.len());
        for (name, bytes) in &self.files {
            path(name, writer);
            store_text(bytes, writer);
        }
        writer.number(self.globs.len());
        for (pattern, found) in &self.globs {
            path(pattern, writer);
            writer.number(found.len());
            found.iter().for_each(|name| path(name, writer));
        }
        writer.number(self.canonical.len());
        for (name, canonical) in &self.canonical {
            path(name, writer);
            path(canonical, writer);
        }
        writer.number(self.fetched.len());
        for (url, bytes) in &self.fetched {
            writer.bytes(url.as_bytes());
            store_text(bytes, writer);
        }
    }

    /// Reads what [`Carried::store`] has written: at most `most` bytes of files.
    pub(super) fn restore(reader: &mut Reader<'_>, most: usize) -> Result<Carried, Damaged> {
        const NAME: usize = 64 << 10;
        let path = |reader: &mut Reader<'_>| reader.text(NAME).map(PathBuf::from);
        let mut carried = Carried::default();
        let mut left = most;
        for _ in 0..reader.count(2, usize::MAX)? {
            let name = path(reader)?;
            carried.files.insert(name, restore_text(reader, &mut left)?);
        }
        for _ in 0..reader.count(2, usize::MAX)? {
            let pattern = path(reader)?;
            let count = reader.count(1, usize::MAX)?;
            let found = (0..count).map(|_| path(reader)).collect::<Result<_, _>>()?;
            carried.globs.insert(pattern, found);
        }
        for _ in 0..reader.count(2, usize::MAX)? {
            let name = path(reader)?;
            carried.canonical.insert(name, path(reader)?);
        }
        for _ in 0..reader.count(2, usize::MAX)? {
            let url = reader.text(NAME)?.to_owned();
            carried.fetched.insert(url, restore_text(reader, &mut left)?);
        }
        Ok(carried)
    }
}

/// A text, compressed.
fn store_text(text: &[u8], writer: &mut Writer) {
    writer.number(text.len());
    writer.bytes(&lz4_flex::block::compress(text));
}

fn restore_text(reader: &mut Reader<'_>, left: &mut usize) -> Result<Arc<[u8]>, Damaged> {
    const COMPRESSED: Damaged = Damaged("a file is compressed in a wrong way");
    let len = reader.number(*left).map_err(|_| Damaged("the files in it are too large"))?;
    *left -= len;
    let packed = reader.bytes(usize::MAX)?;
    // LZ4 makes at most 255 bytes of one: what claims more is refused before there is memory for it.
    if len / 255 > packed.len() {
        return Err(COMPRESSED);
    }
    let mut text = vec![0; len];
    match lz4_flex::block::decompress_into(packed, &mut text) {
        Ok(read) if read == len => Ok(text.into()),
        _ => Err(COMPRESSED),
    }
}

fn name_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

impl Files for Carried {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no such file in the bundle");
        self.files.get(path).map(|bytes| bytes.to_vec()).ok_or_else(missing)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.globs.get(pattern).cloned().unwrap_or_default())
    }

    fn remote(&self) -> Option<&dyn RemoteRules> {
        Some(self)
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        self.canonical.get(path).cloned().unwrap_or_else(|| path.to_path_buf())
    }
}

impl RemoteRules for Carried {
    fn fetch(&self, url: &str, _key: &str, most: usize) -> io::Result<Vec<u8>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "it was not fetched when the bundle was compiled");
        let text = self.fetched.get(url).ok_or_else(missing)?;
        if text.len() > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(text.to_vec()) }
    }
}

/// Files that note what is asked of them.
pub struct Recorder<'a> {
    inner: &'a dyn Files,
    /// Whether texts are kept, or only their hashes.
    keep: bool,
    log: RefCell<Log>,
    fetching: Option<Fetching<'a>>,
}

#[derive(Default)]
struct Log {
    carried: Carried,
    hashes: Hashes,
    changed: Option<PathBuf>,
}

struct Fetching<'a> {
    inner: &'a dyn RemoteRules,
    fetched: Mutex<BTreeMap<String, Arc<[u8]>>>,
}

/// What a [`Recorder`] has noted.
pub(in crate::store) struct Recorded {
    pub(in crate::store) carried: Carried,
    pub(in crate::store) hashes: Hashes,
    /// A file that was another one when it was read again, or whose name is not Unicode: what was noted is no use then.
    pub(in crate::store) unusable: Option<PathBuf>,
}

impl<'a> Recorder<'a> {
    pub(in crate::store) fn new(inner: &'a dyn Files, keep: bool) -> Self {
        let fetching = inner.remote().map(|inner| Fetching { inner, fetched: Mutex::default() });
        Recorder { inner, keep, log: RefCell::default(), fetching }
    }

    pub(in crate::store) fn finish(self) -> Recorded {
        let Log { mut carried, mut hashes, changed } = self.log.into_inner();
        let fetched = self.fetching.and_then(|fetching| fetching.fetched.into_inner().ok()).unwrap_or_default();
        hashes.extend(fetched.iter().map(|(url, text)| (url.clone(), hash(text))));
        if self.keep {
            carried.fetched = fetched;
        }
        let names = carried.files.keys().chain(carried.globs.keys()).chain(carried.globs.values().flatten());
        let names = names.chain(carried.canonical.iter().flat_map(|(name, canonical)| [name, canonical]));
        let unusable = changed.or_else(|| names.into_iter().find(|name| name.to_str().is_none()).cloned());
        Recorded { carried, hashes, unusable }
    }
}

impl Files for Recorder<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let bytes = self.inner.read(path)?;
        let mut log = self.log.borrow_mut();
        let seen = hash(&bytes);
        if log.hashes.insert(name_of(path), seen).is_some_and(|before| before != seen) {
            log.changed = Some(path.to_path_buf());
        }
        if self.keep {
            log.carried.files.insert(path.to_path_buf(), bytes.as_slice().into());
        }
        Ok(bytes)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let found = self.inner.glob(pattern)?;
        if self.keep && !found.is_empty() {
            self.log.borrow_mut().carried.globs.insert(pattern.to_path_buf(), found.clone());
        }
        Ok(found)
    }

    fn remote(&self) -> Option<&dyn RemoteRules> {
        self.fetching.as_ref().map(|fetching| fetching as &dyn RemoteRules)
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        let canonical = self.inner.canonical(path);
        if self.keep {
            self.log.borrow_mut().carried.canonical.insert(path.to_path_buf(), canonical.clone());
        }
        canonical
    }
}

impl RemoteRules for Fetching<'_> {
    fn fetch(&self, url: &str, key: &str, most: usize) -> io::Result<Vec<u8>> {
        let text = self.inner.fetch(url, key, most)?;
        if let Ok(mut fetched) = self.fetched.lock() {
            fetched.insert(url.to_owned(), text.as_slice().into());
        }
        Ok(text)
    }
}
