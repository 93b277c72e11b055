//! A folder that remembers what took long to make.
//!
//! What is in it is used without a signature, so nobody else may write to it: on Unix it must belong to the user of the process,
//! and neither group nor others may write. A file is named after everything that it depends on; one that does not fit is as good
//! as none, and is written anew. Losing the folder loses nothing but time.

use super::bundle::{Bundle, Identity, is_bundle};
use crate::diag::Diagnostic;
use crate::lang::seclang::codes;
use crate::limits::Limits;
use crate::plan::Artefacts;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Rulesets that are remembered. Past it the one that was written first goes.
const FILES: usize = 16;

/// Tells the temporary files of one process apart.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A folder that can be trusted.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
}

/// What was found for a ruleset.
pub(super) enum Found {
    Artefacts(Artefacts),
    Nothing,
    /// Something that is of no use.
    Useless(Diagnostic),
}

impl Cache {
    /// Uses `folder`, which is made if there is none.
    ///
    /// # Errors
    /// A warning: the folder cannot be used, and why.
    pub(super) fn open(folder: &Path) -> Result<Cache, Box<Diagnostic>> {
        let refused = |problem: String| {
            let found = warning(format!("the cache `{}` is not used: {problem}", folder.display()));
            let help = "name a folder of the user that runs the process, and let nobody else write to it: `chmod 700`";
            Box::new(found.help(help))
        };
        make(folder).map_err(|problem| refused(format!("it cannot be made: {problem}")))?;
        is_private(folder).map_err(refused)?;
        Ok(Cache { folder: folder.to_path_buf() })
    }

    pub(super) fn path(&self, identity: &Identity) -> PathBuf {
        Cache::place(&self.folder, identity)
    }

    /// Where a folder has what belongs to a ruleset.
    pub(super) fn place(folder: &Path, identity: &Identity) -> PathBuf {
        folder.join(format!("{}.fwb", identity.name()))
    }

    /// The artefacts of a ruleset.
    pub(super) fn find(&self, identity: &Identity, limits: &Limits) -> Found {
        let path = self.path(identity);
        let bytes = match read(&path, limits.bundle_bytes) {
            Ok(bytes) => bytes,
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Found::Nothing,
            Err(problem) => return Found::Useless(useless(&path, &problem)),
        };
        match Bundle::read(bytes, false, limits) {
            Ok(bundle) if bundle.identity == *identity => Found::Artefacts(bundle.artefacts),
            Ok(_) => Found::Useless(useless(&path, &"it belongs to other rules")),
            Err(problem) => Found::Useless(useless(&path, &problem)),
        }
    }

    /// Remembers a ruleset: the file is there as a whole or not at all.
    ///
    /// # Errors
    /// A warning.
    pub(super) fn keep(&self, bundle: &Bundle) -> Result<(), Box<Diagnostic>> {
        let path = self.path(&bundle.identity);
        write_atomically(&path, &bundle.to_bytes()).map_err(|problem| {
            let found = warning(format!("`{}` cannot be written: {problem}", path.display()));
            Box::new(found.help("the rules were loaded all the same; the next load takes as long again"))
        })?;
        self.forget();
        Ok(())
    }

    /// Removes the oldest files beyond the number that is kept.
    fn forget(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "fwb"))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        let beyond = files.len().saturating_sub(FILES);
        for (_, path) in files.into_iter().take(beyond) {
            // Nothing else goes: the folder may be one that others use, too.
            if read_start(&path).is_ok_and(|start| is_bundle(&start)) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

fn warning(message: String) -> Diagnostic {
    Diagnostic::warning(codes::CACHE, None, message)
}

pub(super) fn useless(path: &Path, problem: &dyn std::fmt::Display) -> Diagnostic {
    warning(format!("`{}` is not used: {problem}", path.display())).help("nothing needs to be done: it is written anew")
}

fn read_start(path: &Path) -> io::Result<[u8; 8]> {
    let mut start = [0; 8];
    File::open(path)?.read_exact(&mut start)?;
    Ok(start)
}

/// A file of at most `most` bytes.
pub(super) fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    if len > most as u64 {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::with_capacity(len as usize);
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file beside its place and moves it there.
///
/// # Errors
/// Whatever hinders; nothing is left behind then.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}-{}.new", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    let beside = PathBuf::from(name);
    let write = || {
        let mut file = new_file(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
pub(super) fn make(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
pub(super) fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Whether the folder is this user's, and nobody else can write to it.
#[cfg(unix)]
pub(super) fn is_private(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(folder).map_err(|problem| problem.to_string())?;
    if !metadata.is_dir() {
        return Err("it is no folder".to_owned());
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(format!("others may write to it (mode {:o})", metadata.mode() & 0o7777));
    }
    // Whose process this is, a file of its own tells.
    let probe = folder.join(format!(".{}-{}.probe", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
    let own = new_file(&probe).and_then(|file| file.metadata()).map(|metadata| metadata.uid());
    let _ = fs::remove_file(&probe);
    match own {
        Ok(own) if own == metadata.uid() => Ok(()),
        Ok(own) => Err(format!("it belongs to user {}, the process runs as {own}", metadata.uid())),
        Err(problem) => Err(format!("this process cannot write to it: {problem}")),
    }
}

#[cfg(not(unix))]
pub(super) fn is_private(folder: &Path) -> Result<(), String> {
    if folder.is_dir() { Ok(()) } else { Err("it is no folder".to_owned()) }
}
