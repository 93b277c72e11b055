//! The folder of an installed release. A new one is made beside it, whole, and takes its place in one step: whatever happens
//! meanwhile, there is one that is whole.
//!
//! `MANIFEST` has the digests of the files that a release has brought, as `sha256sum -c` reads them. So it is known which files are
//! the operator's.

use super::archive::{EXAMPLE, Release};
use super::authentic::{Proof, sha256};
use anyhow::{Context, bail, ensure};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The settings in force: the operator's.
const SETUP: &str = "crs-setup.conf";
const MANIFEST: &str = "MANIFEST";
const VERSION: &str = "VERSION";

/// Changed files that an error names.
const SHOWN: usize = 5;

/// Where a release is, or is to be.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// The digests of what was installed; `None` if nothing was.
    installed: Option<BTreeMap<PathBuf, String>>,
}

/// A release that is whole and not yet in place.
#[derive(Debug)]
pub struct Staged<'f> {
    folder: &'f Folder,
    path: PathBuf,
    /// The operator's own files, as they were before.
    pub kept: Vec<PathBuf>,
    /// Files of the release whose names the operator has taken before.
    pub beside_yours: Vec<PathBuf>,
}

impl Folder {
    /// Looks at a folder, which need not be there.
    ///
    /// # Errors
    /// A folder with rules in it that this command has not installed, or that cannot be read.
    pub fn open(path: &Path) -> anyhow::Result<Folder> {
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(error) if error.kind() == ErrorKind::NotFound => std::path::absolute(path)?,
            Err(error) => return Err(error).context(path.display().to_string()),
        };
        ensure!(path.file_name().is_some(), "{}: a folder that cannot be replaced", path.display());
        let installed = match fs::read_to_string(path.join(MANIFEST)) {
            Ok(text) => Some(manifest(&text)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| path.join(MANIFEST).display().to_string()),
        };
        if installed.is_none() && (path.join("rules").exists() || path.join(VERSION).exists()) {
            bail!(
                "{} holds rules that `fusewall crs install` has not put there, so it cannot tell yours from those of CRS: \
                 install into another folder, and copy {SETUP} and your own files to it before",
                path.display()
            );
        }
        Ok(Folder { path, installed })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The settings that the installed release came with.
    pub fn example(&self) -> Option<Vec<u8>> {
        fs::read(self.path.join(EXAMPLE)).ok().filter(|_| self.installed.is_some())
    }

    fn beside(&self, what: &str) -> PathBuf {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        self.path.with_file_name(format!("{name}.{what}"))
    }

    /// Lays out a release beside the folder, with the operator's files.
    ///
    /// # Errors
    /// Files of the installed release that were changed (unless they may be `discard`ed); a disk that cannot be written.
    pub fn stage(&self, release: &Release, from: &str, proof: &[Proof], discard: bool) -> anyhow::Result<Staged<'_>> {
        let (mut own, mut changed) = (Vec::new(), Vec::new());
        for file in files(&self.path)? {
            match self.installed.as_ref().and_then(|installed| installed.get(&file)) {
                _ if [MANIFEST, VERSION].iter().any(|name| file == Path::new(name)) => {}
                None => own.push(file),
                Some(digest) if sha256(&fs::read(self.path.join(&file))?) != *digest => changed.push(file),
                Some(_) => {}
            }
        }
        if !changed.is_empty() && !discard {
            let names: Vec<_> = changed.iter().take(SHOWN).map(|file| file.display().to_string()).collect();
            bail!(
                "{}: {} files of the release were changed in place ({}): move the changes to files of your own, such as \
                 rules/REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf, or discard them with --discard-changes",
                self.path.display(),
                changed.len(),
                names.join(", ")
            );
        }
        let path = self.beside("new");
        remove(&path)?;
        let mut staged = Staged { folder: self, path, kept: Vec::new(), beside_yours: Vec::new() };
        staged.fill(release, from, proof, own).with_context(|| staged.path.display().to_string())?;
        Ok(staged)
    }
}

impl Staged<'_> {
    /// Where it is so far.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn fill(&mut self, release: &Release, from: &str, proof: &[Proof], own: Vec<PathBuf>) -> io::Result<()> {
        fs::create_dir_all(&self.path)?;
        let mut manifest = String::new();
        for (file, text) in &release.files {
            let mut name = file.clone();
            if own.contains(file) {
                name.as_mut_os_string().push(".new");
                self.beside_yours.push(name.clone());
            }
            self.write(&name, text)?;
            manifest.push_str(&format!("{}  {}\n", sha256(text), name.display()));
        }
        for file in own {
            let (old, new) = (self.folder.path.join(&file), self.path.join(&file));
            make_parent(&new)?;
            match fs::symlink_metadata(&old)?.is_symlink() {
                true => link(&fs::read_link(&old)?, &new)?,
                false => {
                    File::open(&new).or_else(|_| fs::copy(&old, &new).and_then(|_| File::open(&new)))?.sync_all()?
                }
            }
            self.kept.push(file);
        }
        if let (false, Some(example)) = (self.path.join(SETUP).exists(), release.example()) {
            self.write(Path::new(SETUP), example)?;
        }
        let proof: String = proof.iter().map(|proof| format!("{proof}\n")).collect();
        self.write(Path::new(VERSION), format!("{}\n{from}\n{proof}", release.version).as_bytes())?;
        self.write(Path::new(MANIFEST), manifest.as_bytes())?;
        File::open(&self.path)?.sync_all()
    }

    fn write(&self, name: &Path, text: &[u8]) -> io::Result<()> {
        let path = self.path.join(name);
        make_parent(&path)?;
        let mut file = File::create_new(path)?;
        file.write_all(text)?;
        file.sync_all()
    }

    /// Takes the place of the folder. Answers where what was there before is now.
    ///
    /// # Errors
    /// A folder that cannot be renamed; it is as it was then.
    pub fn put_in_place(self) -> anyhow::Result<Option<PathBuf>> {
        let (new, place) = (&self.path, &self.folder.path);
        let moved = || format!("{} cannot be put in the place of {}", new.display(), place.display());
        if !place.exists() {
            fs::rename(new, place).with_context(moved)?;
            sync_parent(place);
            return Ok(None);
        }
        let previous = self.folder.beside("previous");
        exchange(new, place, &previous).with_context(moved)?;
        sync_parent(place);
        Ok(Some(previous))
    }
}

/// Lets two folders change places, in one step where the system can do that, and names what was in the place `previous`.
fn exchange(new: &Path, place: &Path, previous: &Path) -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, new, CWD, place, RenameFlags::EXCHANGE).is_ok() {
            remove(previous)?;
            return Ok(fs::rename(new, previous)?);
        }
    }
    // File systems that cannot do it, and other systems: between the two steps the folder is not there.
    remove(previous)?;
    fs::rename(place, previous)?;
    if let Err(error) = fs::rename(new, place) {
        fs::rename(previous, place)?;
        return Err(error.into());
    }
    Ok(())
}

/// All files below a folder, links included, by their paths in it; none if it is not there.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        let entries = match fs::read_dir(folder.join(&below)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound && below.as_os_str().is_empty() => return Ok(found),
            Err(error) => return Err(error).with_context(|| folder.join(&below).display().to_string()),
        };
        for entry in entries {
            let entry = entry?;
            let path = below.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file() || kind.is_symlink() {
                found.push(path);
            } else {
                bail!("{}: neither a file nor a folder", folder.join(path).display());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn manifest(text: &str) -> BTreeMap<PathBuf, String> {
    let line = |line: &str| line.split_once("  ").map(|(digest, path)| (PathBuf::from(path), digest.to_owned()));
    text.lines().filter_map(line).collect()
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).context(path.display().to_string()),
        _ => Ok(()),
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// So that the new name outlives a loss of power; a system that cannot do that does what it can.
fn sync_parent(path: &Path) {
    if let Some(Ok(parent)) = path.parent().map(File::open) {
        let _ = parent.sync_all();
    }
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(not(unix))]
fn link(_: &Path, at: &Path) -> io::Result<()> {
    Err(io::Error::other(format!("{}: a link", at.display())))
}
