//! Uploaded files on disk.

use crate::engine::upload::{NotStored, UploadFile, UploadSink};
use crate::rule::UploadSettings;
use std::collections::hash_map::RandomState;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names that are tried before a folder is given up. A name that is taken is an accident of 128 random bits.
const ATTEMPTS: u32 = 3;

/// Stores uploaded files where `SecUploadDir` and `SecTmpDir` say; without either in the system's folder for temporary files.
///
/// A name is made of 128 bits that nobody can guess, never of anything that a client sends. A file is always a
/// new one (`O_EXCL`): neither is a link followed nor another file overwritten.
///
/// ```
/// use fusewall::Waf;
/// use fusewall::store::DiskUploads;
///
/// let rules = r#"
///     SecRuleEngine On
///     SecRequestBodyAccess On
///     SecTmpSaveUploadedFiles On
///     SecRule FILES_TMP_CONTENT "@contains <?php" "id:1,phase:2,deny"
/// "#;
/// let waf = Waf::builder().rules_text("my.conf", rules).uploads(DiskUploads::new()).build().expect("the rules load");
/// # drop(waf);
/// ```
#[derive(Debug, Default)]
pub struct DiskUploads {
    keys: RandomState,
    count: AtomicU64,
}

impl DiskUploads {
    /// With a random key of its own.
    pub fn new() -> Self {
        Self::default()
    }

    fn name(&self) -> String {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let half = |which: u64| {
            let mut hasher = self.keys.build_hasher();
            hasher.write_u64(count);
            hasher.write_u64(which);
            // A process that forks hands its key and count on.
            hasher.write_u32(std::process::id());
            hasher.finish()
        };
        format!("upload-{:016x}{:016x}", half(0), half(1))
    }
}

impl UploadSink for DiskUploads {
    fn check(&self, settings: &UploadSettings) -> Result<(), NotStored> {
        self.create(settings).map(drop)
    }

    fn create(&self, settings: &UploadSettings) -> Result<Box<dyn UploadFile>, NotStored> {
        let folder = settings.folder().map_or_else(std::env::temp_dir, PathBuf::from);
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..ATTEMPTS {
            let path = folder.join(self.name());
            let Some(shown) = path.to_str().map(str::to_owned) else {
                return Err(NotStored(format!("the name of {} is not UTF-8", folder.display())));
            };
            match open(&shown, settings.mode) {
                Ok(file) => return Ok(Box::new(Stored { path: shown, file: Some(file), stays: false })),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => {
                    last = error;
                    break;
                }
            }
        }
        Err(NotStored(format!("in {}: {last}", folder.display())))
    }
}

/// Opens a new file. What the system's mask takes from the permissions is given back once the file exists.
fn open(path: &str, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let file = options.mode(0o600).open(path)?;
        let set = file.set_permissions(std::fs::Permissions::from_mode(mode));
        set.inspect_err(|_| {
            // The error that is told is the first one.
            let _ = std::fs::remove_file(path);
        })?;
        Ok(file)
    }
    #[cfg(not(unix))]
    {
        let _ = mode;
        options.open(path)
    }
}

/// A file on disk; removed when it is dropped, unless it stays.
#[derive(Debug)]
struct Stored {
    path: String,
    /// Until it is written: a stored file holds no descriptor.
    file: Option<File>,
    stays: bool,
}

impl UploadFile for Stored {
    fn path(&self) -> &str {
        &self.path
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), NotStored> {
        let Some(file) = &mut self.file else { return Err(NotStored(format!("{} is written", self.path))) };
        file.write_all(bytes).map_err(|error| NotStored(format!("{}: {error}", self.path)))
    }

    fn written(&mut self) {
        self.file = None;
    }

    fn keep(mut self: Box<Self>) {
        self.stays = true;
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = self.path, %error, "an uploaded file cannot be removed");
        }
    }
}
