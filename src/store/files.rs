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
            return Ok(if is_there(pattern) { vec![pattern.to_path_buf()] } else { Vec::new() });
        }
        // Wildcards may stand in any part: go down part by part. As in Apache and in shells they do not name what is hidden: editors
        // and Kubernetes keep copies there.
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
                let entries = match std::fs::read_dir(here) {
                    Ok(entries) => entries,
                    Err(problem) if is_absence(&problem) => continue,
                    // Rules in there would be missing, and nobody told.
                    Err(problem) => return Err(problem),
                };
                for entry in entries {
                    let entry_name = entry?.file_name();
                    let is_hidden = entry_name.as_encoded_bytes().starts_with(b".") && !name.starts_with('.');
                    if !is_hidden && glob_match(name.as_bytes(), entry_name.to_string_lossy().as_bytes()) {
                        deeper.push(folder.join(entry_name));
                    }
                }
            }
            found = deeper;
        }
        found.retain(|path| is_there(path));
        found.sort();
        Ok(found)
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
    }
}

/// Whether a file has this name. A link that leads nowhere counts: reading it says what is wrong.
fn is_there(path: &Path) -> bool {
    std::fs::symlink_metadata(path).map_or_else(|problem| !is_absence(&problem), |_| true)
}

/// Whether an error says that there is nothing of this name.
fn is_absence(problem: &io::Error) -> bool {
    matches!(problem.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
