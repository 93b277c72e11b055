//! The end of a log that somebody else writes.

use anyhow::{Context, Result, bail, ensure};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes that may stand between two marks.
const MOST: usize = 16 << 20;
const SHORT: Duration = Duration::from_millis(1);

/// A log, from some place on.
#[derive(Debug)]
pub struct Log {
    file: File,
    /// Read, and not yet handed out.
    pending: Vec<u8>,
    /// Instead of what callers say: for tests that something does not come.
    #[cfg(test)]
    pub patience: Option<Duration>,
}

impl Log {
    /// Everything that is written from now on.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn at_its_end(path: &Path) -> io::Result<Log> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Log {
            file,
            pending: Vec::new(),
            #[cfg(test)]
            patience: None,
        })
    }

    /// The lines before the first that has `mark`; that one is taken, too.
    ///
    /// # Errors
    /// It does not come in time, too much comes before it, or the log cannot be read.
    pub fn until(&mut self, mark: &str, patience: Duration) -> Result<Vec<String>> {
        #[cfg(test)]
        let patience = self.patience.unwrap_or(patience);
        let start = Instant::now();
        // Complete lines up to here do not have it.
        let mut seen = 0;
        loop {
            self.file.by_ref().take(MOST as u64).read_to_end(&mut self.pending).context("cannot read the log")?;
            while let Some(length) = self.pending.iter().skip(seen).position(|&byte| byte == b'\n') {
                let end = seen + length + 1;
                let line = self.pending.get(seen..end).unwrap_or_default();
                if contains(line, mark.as_bytes()) {
                    let before = self.pending.get(..seen).unwrap_or_default();
                    let lines = before.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
                    let lines = lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect();
                    self.pending.drain(..end);
                    return Ok(lines);
                }
                seen = end;
            }
            ensure!(self.pending.len() < MOST, "more than {MOST} bytes of the log belong to one request");
            if start.elapsed() > patience {
                bail!("`{mark}` has not come within {} ms", patience.as_millis());
            }
            std::thread::sleep(SHORT);
        }
    }
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    memchr::memmem::find(line, text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::Write;

    #[test]
    fn lines_before_a_mark_once_and_only_whole_ones() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "old\nmark-0\n").unwrap();
        let mut log = Log::at_its_end(&path).unwrap();
        let mut writer = OpenOptions::new().append(true).open(&path).unwrap();
        writer.write_all(b"a\nb\nmark-1-\nc\nmark-2-").unwrap();
        let soon = Duration::from_millis(5);
        assert_eq!(log.until("mark-1-", soon).unwrap(), ["a", "b"]);
        assert!(log.until("mark-2-", soon).is_err(), "the line is not complete");
        writer.write_all(b" x\n").unwrap();
        assert_eq!(log.until("mark-2-", soon).unwrap(), ["c"]);
        assert!(log.until("mark-2-", soon).is_err());
    }
}
