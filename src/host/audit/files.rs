//! Files and folders of the audit log.

use super::AuditLogError;
use crate::engine::AuditRecord;
use crate::engine::audit::{CivilTime, WrittenForm};
use crate::rule::{AuditSettings, AuditType};
use md5::{Digest, Md5};
use std::fmt::Write as _;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

/// Records of one second and one id that get files of their own.
const SAME_NAME: u32 = 100;
/// Bytes of a transaction id in a file name.
const ID_IN_NAME: usize = 100;

/// Where records go.
#[derive(Debug)]
pub(super) struct Place {
    settings: AuditSettings,
    form: WrittenForm,
    /// The log, or the index; and its second copy.
    logs: Vec<Log>,
}

/// A file that grows.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: Option<File>,
    /// The last write may have left half a line.
    torn: bool,
}

impl Place {
    pub(super) fn open(settings: &AuditSettings, form: WrittenForm) -> Result<Place, AuditLogError> {
        match settings.kind {
            AuditType::Serial if settings.path.is_none() => return Err(AuditLogError::NoPlace("SecAuditLog")),
            AuditType::Serial => {}
            AuditType::Concurrent => {
                let Some(folder) = &settings.storage_dir else {
                    return Err(AuditLogError::NoPlace("SecAuditLogStorageDir"));
                };
                let path = PathBuf::from(&**folder);
                let found = std::fs::metadata(&path).and_then(|found| match found.is_dir() {
                    true => Ok(()),
                    false => Err(io::ErrorKind::NotADirectory.into()),
                });
                found.map_err(|source| AuditLogError::Open { path, source })?;
            }
        }
        let paths = [&settings.path, &settings.second_path].into_iter().flatten();
        let logs = paths.map(|path| Log { path: PathBuf::from(&**path), file: None, torn: false }).collect();
        let mut place = Place { settings: settings.clone(), form, logs };
        for log in &mut place.logs {
            log.open(settings.file_mode).map_err(|source| AuditLogError::Open { path: log.path.clone(), source })?;
        }
        Ok(place)
    }

    /// Opens the files anew, after somebody has moved them away. One that cannot be opened stays the one it was.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        let mode = self.settings.file_mode;
        let mut result = Ok(());
        for log in &mut self.logs {
            if let Err(error) = log.open(mode) {
                result = Err(error);
            }
        }
        result
    }

    /// Writes a record; answers its bytes. Every place is tried, also if one fails.
    pub(super) fn write(&mut self, record: &AuditRecord) -> io::Result<usize> {
        let mut text = record.written(self.form);
        let size = text.len();
        text.push('\n');
        let line = match self.settings.kind {
            AuditType::Serial => text,
            AuditType::Concurrent => {
                let name = self.store(record, text.as_bytes())?;
                let hash = Md5::digest(text.as_bytes()).iter().fold(String::new(), |mut hash, byte| {
                    let _ = write!(hash, "{byte:02x}");
                    hash
                });
                record.to_index(&name, text.len(), &hash)
            }
        };
        let mode = self.settings.file_mode;
        let written: Vec<_> = self.logs.iter_mut().map(|log| log.append(line.as_bytes(), mode)).collect();
        written.into_iter().collect::<io::Result<()>>().map(|()| size)
    }

    /// Writes a file of its own, in folders by day and by minute; answers its name below the storage folder.
    fn store(&self, record: &AuditRecord, text: &[u8]) -> io::Result<String> {
        let CivilTime { year, month, day, hour, minute, second, .. } = CivilTime::from_micros(record.started);
        let date = format!("{year:04}{month:02}{day:02}");
        let folder = format!("/{date}/{date}-{hour:02}{minute:02}");
        let root = self.settings.storage_dir.as_deref().unwrap_or(".");
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, self.settings.dir_mode);
        builder.create(format!("{root}{folder}"))?;
        // An id may be the client's choice; a name of a file must not be.
        let id = record.unique_id.chars().take(ID_IN_NAME);
        let id: String = id.map(|c| if c.is_ascii_alphanumeric() || "-_@".contains(c) { c } else { '_' }).collect();
        let first = format!("{folder}/{date}-{hour:02}{minute:02}{second:02}-{id}");
        for number in 0..SAME_NAME {
            let name = if number == 0 { first.clone() } else { format!("{first}.{number}") };
            let path = format!("{root}{name}");
            let mut options = OpenOptions::new();
            // Never through a link, and never over another record.
            options.write(true).create_new(true);
            let opened = with_mode(&mut options, self.settings.file_mode).open(&path);
            match opened {
                Ok(mut file) => {
                    return file.write_all(text).map(|()| name).inspect_err(|_| {
                        // Half a record is none. That it cannot be removed either is no other error.
                        let _ = std::fs::remove_file(&path);
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Log {
    fn open(&mut self, mode: u32) -> io::Result<()> {
        let mut options = OpenOptions::new();
        self.file = Some(with_mode(options.append(true).create(true), mode).open(&self.path)?);
        self.torn = false;
        Ok(())
    }

    fn append(&mut self, text: &[u8], mode: u32) -> io::Result<()> {
        if self.file.is_none() {
            self.open(mode)?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut written = Ok(());
        if self.torn {
            written = file.write_all(b"\n");
        }
        let written = written.and_then(|()| file.write_all(text));
        self.torn = written.is_err();
        written
    }
}

fn with_mode(options: &mut OpenOptions, mode: u32) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, mode);
    options
}
