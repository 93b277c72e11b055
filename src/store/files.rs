//! Rule files on disk.

use crate::files::{Files, glob_match};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The file system as the process sees it.
#[derive(Debug, Clone, Copy, Default)]
pub struct DiskFiles;

impl Files for DiskFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn beginning(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        Ok(std::fs::metadata(path)?.len())
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let text = pattern.to_string_lossy();
        if !text.contains(['*', '?', '[']) {
            return Ok(if pattern.exists() { vec![pattern.to_path_buf()] } else { Vec::new() });
        }
        // Wildcards may stand in any part: go down part by part.
        let mut found = vec![PathBuf::new()];
        for part in pattern.components() {
            let part = part.as_os_str();
            let name = part.to_string_lossy();
            if !name.contains(['*', '?', '[']) {
                found.iter_mut().for_each(|path| path.push(part));
                continue;
            }
            let mut deeper = Vec::new();
            for folder in found {
                let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder.as_path() };
                let Ok(entries) = std::fs::read_dir(here) else { continue };
                for entry in entries.flatten() {
                    let entry_name = entry.file_name();
                    if glob_match(name.as_bytes(), entry_name.to_string_lossy().as_bytes()) {
                        deeper.push(folder.join(entry_name));
                    }
                }
            }
            found = deeper;
        }
        found.retain(|path| path.exists());
        found.sort();
        Ok(found)
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
    }
}
