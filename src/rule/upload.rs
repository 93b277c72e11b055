//! What becomes of uploaded files.

/// `SecUploadKeepFiles`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KeepFiles {
    /// They are removed when the transaction ends.
    #[default]
    Off,
    /// They stay.
    On,
    /// Those of relevant transactions stay.
    RelevantOnly,
}

/// Where uploaded files are stored, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadSettings {
    /// `SecUploadDir`, as written: the folder of files that may stay.
    pub dir: Option<Box<str>>,
    /// `SecTmpDir`, as written: the folder of files that end with their transaction.
    pub tmp_dir: Option<Box<str>>,
    /// `SecUploadKeepFiles`.
    pub keep: KeepFiles,
    /// `SecUploadFileMode`: permission bits.
    pub mode: u32,
    /// `SecTmpSaveUploadedFiles`: files are stored although no rule names them and none stays.
    pub save: bool,
    /// `SecUploadFileLimit`: files of one request that are stored.
    pub files: usize,
}

impl Default for UploadSettings {
    fn default() -> Self {
        UploadSettings { dir: None, tmp_dir: None, keep: KeepFiles::Off, mode: 0o600, save: false, files: 100 }
    }
}

impl UploadSettings {
    /// The folder for a new file; `None`: the host's own folder for temporary files. What may stay is written where it stays:
    /// its path does not change, and the two folders may be on different file systems.
    pub fn folder(&self) -> Option<&str> {
        match self.keep {
            KeepFiles::Off => self.tmp_dir.as_deref().or(self.dir.as_deref()),
            KeepFiles::On | KeepFiles::RelevantOnly => self.dir.as_deref(),
        }
    }
}
