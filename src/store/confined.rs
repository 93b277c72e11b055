//! What rule files may do: everything, or what befits the rules of one tenant among many.

use crate::files::{Files, Outside, RemoteRules};
use crate::lang::seclang::Rights;
use std::io;
use std::path::{Component, Path, PathBuf};

/// What rule files may do. Part of what decides a ruleset's [content](super::ContentHash).
///
/// ```
/// use fusewall::{Waf, store::Capabilities};
/// let refused = Waf::builder()
///     .capabilities(Capabilities::tenant("/srv/tenants/shop"))
///     .rules_text("site.conf", "SecRuleEngine Off\nInclude /etc/passwd")
///     .build()
///     .unwrap_err();
/// assert!(refused.to_string().contains("E0207") && refused.to_string().contains("E0112"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    folder: Option<PathBuf>,
}

impl Capabilities {
    /// Everything: rules of whoever runs the host.
    pub fn all() -> Capabilities {
        Capabilities::default()
    }

    /// What concerns the requests of one tenant. Files are read from this folder alone, and named as seen from there, in findings
    /// and in logs: `/srv/tenants/shop/site.conf` is `site.conf`. So equal folders of two tenants are equal rulesets.
    /// `docs/tenants.md` lists what is refused.
    pub fn tenant(folder: impl Into<PathBuf>) -> Capabilities {
        Capabilities { folder: Some(folder.into()) }
    }

    /// The folder that the rules are confined to.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// What directives, actions and operators may be used.
    pub fn rights(&self) -> Rights {
        if self.folder.is_some() { Rights::Tenant } else { Rights::All }
    }
}

/// Files of one folder, named as seen from there. Nothing else can be named: neither by `..`, nor by an absolute path, nor by a
/// symbolic link that leads out. Whoever can replace files by links while they are read must not be the one who is confined.
pub(super) struct Confined<'a> {
    inner: &'a dyn Files,
    folder: &'a Path,
}

impl<'a> Confined<'a> {
    pub(super) fn new(inner: &'a dyn Files, folder: &'a Path) -> Self {
        Confined { inner, folder }
    }

    /// The path as the inner files know it.
    fn inside(&self, path: &Path) -> io::Result<PathBuf> {
        let whole = self.folder.join(plain(path)?);
        // What a link leads to is read, not the link.
        let real = self.inner.canonical(&whole);
        if real.starts_with(self.inner.canonical(self.folder)) { Ok(real) } else { Err(outside()) }
    }
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, Outside)
}

/// A relative path without `.` and `..`: what lies below wherever it is joined to, links aside.
fn plain(path: &Path) -> io::Result<PathBuf> {
    let below = path.components().filter(|part| *part != Component::CurDir).map(|part| match part {
        Component::Normal(name) => Ok(name),
        _ => Err(outside()),
    });
    below.collect()
}

impl Files for Confined<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.inner.read(&self.inside(path)?)
    }

    fn beginning(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        self.inner.beginning(&self.inside(path)?, most)
    }

    fn length(&self, path: &Path) -> io::Result<u64> {
        self.inner.length(&self.inside(path)?)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let found = self.inner.glob(&self.folder.join(plain(pattern)?))?;
        let within: Vec<_> = found.iter().filter_map(|path| path.strip_prefix(self.folder).ok()).collect();
        // A link that leads out is an error, not a file that is missing; nor are names behind it told.
        within.iter().try_for_each(|path| self.inside(path).map(drop))?;
        Ok(within.into_iter().map(Path::to_path_buf).collect())
    }

    fn remote(&self) -> Option<&dyn RemoteRules> {
        None
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        let Ok(real) = self.inside(path) else { return path.to_path_buf() };
        let folder = self.inner.canonical(self.folder);
        real.strip_prefix(folder).map_or(real.clone(), Path::to_path_buf)
    }
}
