//! How rule text is reached. The load side never opens a file itself: a [`Files`] does, so that tests, built-in rules and
//! tenants confined to a folder all use the same reader.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// A source of rule and data files. Paths are as written in the rules, joined with the folder of the including file.
pub trait Files {
    /// The bytes of one file.
    ///
    /// # Errors
    /// Whatever hinders reading; the message is shown to the rule author.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The first bytes of a file, at most `most`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn beginning(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.read(path)?;
        bytes.truncate(most);
        Ok(bytes)
    }

    /// Bytes of a file.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    fn length(&self, path: &Path) -> io::Result<u64> {
        self.read(path).map(|bytes| bytes.len() as u64)
    }

    /// The files that a pattern with `*`, `?` and `[..]` in its last parts names, sorted; a plain path names itself
    /// if it exists.
    ///
    /// # Errors
    /// An unreadable folder.
    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>>;

    /// Who fetches rules from elsewhere (`SecRemoteRules`); nobody unless the host allows it.
    fn remote(&self) -> Option<&dyn RemoteRules> {
        None
    }

    /// A name by which two spellings of the same file are known to be one (cyclic includes).
    fn canonical(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }
}

/// Why a file is not read that lies outside of the folder to which its readers are confined. Inside of an [`io::Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these rules are confined to their own folder")]
pub struct Outside;

impl Outside {
    /// Whether that is the problem.
    pub fn of(problem: &io::Error) -> Option<Outside> {
        problem.get_ref()?.downcast_ref().copied()
    }
}

/// Who fetches rules from elsewhere: `SecRemoteRules`.
pub trait RemoteRules: Send + Sync {
    /// The text behind an `https` URL, at most `most` bytes of it. `key` is for the server that has it: ModSecurity sends it as
    /// the header `ModSec-key`.
    ///
    /// # Errors
    /// Whatever hinders fetching, a longer text too; the message is shown to the rule author.
    fn fetch(&self, url: &str, key: &str, most: usize) -> io::Result<Vec<u8>>;
}

/// Files, and somebody who fetches rules from elsewhere.
pub struct WithRemote<F> {
    /// Where files come from.
    pub files: F,
    /// Who fetches.
    pub remote: Box<dyn RemoteRules>,
}

impl<F: Files> Files for WithRemote<F> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.read(path)
    }

    fn beginning(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        self.files.beginning(path, most)
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        self.files.length(path)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        self.files.glob(pattern)
    }

    fn remote(&self) -> Option<&dyn RemoteRules> {
        Some(&*self.remote)
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        self.files.canonical(path)
    }
}

impl Files for Box<dyn Files + Send + Sync> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        (**self).read(path)
    }

    fn beginning(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        (**self).beginning(path, most)
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        (**self).length(path)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        (**self).glob(pattern)
    }

    fn remote(&self) -> Option<&dyn RemoteRules> {
        (**self).remote()
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        (**self).canonical(path)
    }
}

/// Files held in memory: tests, and rules that come with the binary.
///
/// ```
/// use fusewall::files::{Files, MemoryFiles};
/// let files = MemoryFiles::new().with("a.conf", "SecRuleEngine On");
/// assert_eq!(files.read("a.conf".as_ref()).unwrap(), b"SecRuleEngine On");
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl MemoryFiles {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same files and one more.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, text: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), text.into());
        self
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such file"))
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let pattern = pattern.to_string_lossy();
        Ok(self
            .files
            .keys()
            .filter(|path| glob_match(pattern.as_bytes(), path.to_string_lossy().as_bytes()))
            .cloned()
            .collect())
    }
}

/// Whether `name` matches the shell pattern: `*` and `?` stop at `/`, `[a-z]` and `[!a-z]` are classes. Linear in
/// `pattern` x `name`, no recursion.
pub fn glob_match(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            None if n == name.len() => return true,
            None => None,
            Some(b'[') => name.get(n).and_then(|&byte| class_match(&pattern[p..], byte)),
            Some(b'?') => name.get(n).filter(|&&byte| byte != b'/').map(|_| 1),
            Some(&want) => name.get(n).filter(|&&byte| byte == want).map(|_| 1),
        };
        match (step, star) {
            (Some(width), _) => {
                p += width;
                n += 1;
            }
            // The last star takes one byte more.
            (None, Some((at, from))) if name.get(from).is_some_and(|&byte| byte != b'/') => {
                star = Some((at, from + 1));
                p = at + 1;
                n = from + 1;
            }
            (None, _) => return false,
        }
    }
}

/// The width of the class at the start of `pattern` if it takes `byte`.
fn class_match(pattern: &[u8], byte: u8) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|&b| b == b']')? + 2;
    let body = &pattern[1..end];
    let (negated, body) = match body.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, body),
    };
    let mut hit = false;
    let mut at = 0;
    while at < body.len() {
        if at + 2 < body.len() && body[at + 1] == b'-' {
            hit |= (body[at]..=body[at + 2]).contains(&byte);
            at += 3;
        } else {
            hit |= body[at] == byte;
            at += 1;
        }
    }
    (hit != negated && byte != b'/').then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::glob_match;

    #[test]
    fn globs() {
        assert!(glob_match(b"rules/*.conf", b"rules/a.conf"));
        assert!(!glob_match(b"rules/*.conf", b"rules/sub/a.conf"));
        assert!(glob_match(b"r*/[0-9]?.c*", b"rules/1x.conf"));
        assert!(!glob_match(b"[!a]", b"a"));
        assert!(glob_match(b"*a*b", b"xxaxxaxb"));
    }
}
