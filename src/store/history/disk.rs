//! The few things that a history asks of a file system, so that tests can make each of them fail.

use super::super::cache::{is_private, make, read};
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file that a process locks as long as it uses the folder.
const LOCK: &str = "lock";

/// A folder without folders in it. What an operation has done outlives a crash of the system only after the next
/// [`DiskFile::sync`] of the file, or [`Disk::sync_folder`] for names.
pub trait Disk: Send + fmt::Debug {
    /// The names in it.
    ///
    /// # Errors
    /// Whatever hinders.
    fn list(&self) -> io::Result<Vec<String>>;

    /// A whole file.
    ///
    /// # Errors
    /// Whatever hinders; more than `most` bytes.
    fn read(&self, name: &str, most: usize) -> io::Result<Vec<u8>>;

    /// An empty file, also where there was one.
    ///
    /// # Errors
    /// Whatever hinders.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in one step; a file that had that name is gone.
    ///
    /// # Errors
    /// Whatever hinders.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Whatever hinders.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Waits until the names are as durable as the files.
    ///
    /// # Errors
    /// Whatever hinders; the names may be durable or not.
    fn sync_folder(&self) -> io::Result<()>;
}

/// A file that is being written.
pub trait DiskFile {
    /// Writes all of it behind what is there.
    ///
    /// # Errors
    /// Whatever hinders; some of it may be written.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Waits until what was written is durable.
    ///
    /// # Errors
    /// Whatever hinders; it may be durable or not.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file as a whole or not at all, and durable when this returns: beside its place, then moved there.
///
/// # Errors
/// Whatever hinders. The file is then what it was, or what it was to be.
pub(super) fn put(disk: &dyn Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = format!("{name}.new");
    let written = disk.create(&beside).and_then(|mut file| {
        file.write(bytes)?;
        file.sync()
    });
    let moved = written.and_then(|()| disk.rename(&beside, name));
    if let Err(problem) = moved {
        // What is left of it goes with the next sweep, if not now.
        let _ = disk.remove(&beside);
        return Err(problem);
    }
    disk.sync_folder()
}

/// A folder of the file system, locked against other processes as long as this lives.
#[derive(Debug)]
pub struct SystemDisk {
    folder: PathBuf,
    lock: File,
}

impl SystemDisk {
    /// Uses `folder`, which is made if there is none.
    ///
    /// # Errors
    /// It cannot be made or written to; others may write to it; another process uses it.
    pub fn open(folder: &Path) -> io::Result<SystemDisk> {
        make(folder)?;
        is_private(folder).map_err(|problem| io::Error::new(io::ErrorKind::PermissionDenied, problem))?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => Ok(SystemDisk { folder: folder.to_path_buf(), lock }),
            Err(TryLockError::WouldBlock) => {
                Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process uses the folder"))
            }
            Err(TryLockError::Error(problem)) => Err(problem),
        }
    }
}

impl Drop for SystemDisk {
    /// Closing the file would not do: a program that this process is just starting has it open, too, until it is another program.
    fn drop(&mut self) {
        let _ = self.lock.unlock();
    }
}

impl Disk for SystemDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
        names.collect()
    }

    fn read(&self, name: &str, most: usize) -> io::Result<Vec<u8>> {
        read(&self.folder.join(name), most)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::create(self.folder.join(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    #[cfg(unix)]
    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    #[cfg(not(unix))]
    fn sync_folder(&self) -> io::Result<()> {
        // Folders cannot be opened as files there; names are journalled by the file system.
        Ok(())
    }
}

impl DiskFile for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}
