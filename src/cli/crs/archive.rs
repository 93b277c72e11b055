//! The archive of a release, read without trust: into memory, within limits, and nothing of it that is not wanted.

use anyhow::{Context, bail, ensure};
use flate2::read::GzDecoder;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use tar::{Archive, EntryType};

/// Bytes of all that is unpacked, whether it is wanted or not. Source archives have some twenty megabytes.
const UNPACKED_BYTES: u64 = 256 << 20;

/// Bytes of a file. The largest of the rules has half a megabyte.
const FILE_BYTES: u64 = 16 << 20;

/// Entries of an archive; the tests of CRS are in it.
const ENTRIES: usize = 20_000;

/// Bytes of a path.
const PATH_BYTES: usize = 255;

/// The settings that operators begin with.
pub const EXAMPLE: &str = "crs-setup.conf.example";

/// The file that says which release it is.
const INITIALIZATION: &str = "rules/REQUEST-901-INITIALIZATION.conf";

/// A release of the Core Rule Set.
#[derive(Debug)]
pub struct Release {
    /// Such as `4.19.0`.
    pub version: String,
    /// The files that are laid out: settings, rules and plugins, by their path in the release.
    pub files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Release {
    /// Reads a `.tar.gz`.
    ///
    /// # Errors
    /// An archive that is damaged, over its limits, with paths that lead elsewhere, with links or devices among what is laid out,
    /// or without the files of a release.
    pub fn read(bytes: &[u8]) -> anyhow::Result<Release> {
        let mut archive = Archive::new(Limited { input: GzDecoder::new(bytes), left: UNPACKED_BYTES });
        let mut files = BTreeMap::new();
        let entries = archive.entries().context("no .tar.gz")?;
        for (number, entry) in entries.enumerate() {
            let mut entry = entry.context("a damaged .tar.gz")?;
            ensure!(number < ENTRIES, "more than {ENTRIES} entries");
            if entry.header().entry_type() == EntryType::XGlobalHeader {
                continue;
            }
            let Some(path) = inside(&entry.path().context("a path that cannot be read")?)? else { continue };
            if !is_wanted(&path) {
                continue;
            }
            match entry.header().entry_type() {
                EntryType::Directory => continue,
                EntryType::Regular | EntryType::Continuous => {}
                other => bail!("{}: neither a file nor a folder ({other:?})", path.display()),
            }
            ensure!(entry.size() <= FILE_BYTES, "{}: more than {FILE_BYTES} bytes", path.display());
            let mut text = Vec::new();
            entry.read_to_end(&mut text).with_context(|| path.display().to_string())?;
            ensure!(files.insert(path.clone(), text).is_none(), "{}: twice in the archive", path.display());
        }
        // The digest of what was packed stands at the end.
        std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).context("a damaged .tar.gz")?;
        // A file and a folder cannot have the same name.
        for path in files.keys() {
            let parent = path.ancestors().skip(1).find(|parent| files.contains_key(*parent));
            ensure!(parent.is_none(), "{}: its folder is a file of the archive as well", path.display());
        }
        ensure!(files.contains_key(Path::new(EXAMPLE)), "no {EXAMPLE} in it: is that a release of the Core Rule Set?");
        let initialization = files.get(Path::new(INITIALIZATION));
        let initialization = initialization.with_context(|| format!("no {INITIALIZATION} in it"))?;
        let version = version(initialization).with_context(|| format!("{INITIALIZATION} does not name its release"))?;
        Ok(Release { version, files })
    }

    /// The settings that operators begin with.
    pub fn example(&self) -> Option<&[u8]> {
        self.files.get(Path::new(EXAMPLE)).map(|text| &text[..])
    }
}

/// The path below the folder that everything in an archive stands in; `None` for that folder.
fn inside(path: &Path) -> anyhow::Result<Option<PathBuf>> {
    let shown = path.display();
    ensure!(path.as_os_str().len() <= PATH_BYTES, "a path of more than {PATH_BYTES} bytes: {shown}");
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => {
                let text = part.to_str().filter(|text| !text.contains(['\\', ':']) && !text.contains(char::is_control));
                parts.push(text.with_context(|| format!("a path with odd characters: {shown}"))?);
            }
            Component::CurDir => {}
            _ => bail!("a path that leads out of the archive: {shown}"),
        }
    }
    let below: PathBuf = parts.iter().skip(1).collect();
    Ok(Some(below).filter(|path| !path.as_os_str().is_empty()))
}

/// What is laid out; tests, tools and documentation are not.
fn is_wanted(path: &Path) -> bool {
    path.starts_with("rules")
        || path.starts_with("plugins")
        || [EXAMPLE, "LICENSE"].iter().any(|name| path == Path::new(name))
}

/// The number in `ver:'OWASP_CRS/4.19.0'`.
fn version(initialization: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(initialization);
    let (_, behind) = text.split_once("ver:'OWASP_CRS/")?;
    let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-')).unwrap_or(behind.len());
    Some(behind[..end].to_owned()).filter(|version| !version.is_empty())
}

/// Ends with an error where too much comes out: an archive of a few kilobytes can unpack to terabytes.
struct Limited<R> {
    input: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| std::io::Error::other(format!("more than {UNPACKED_BYTES} bytes when it is unpacked")))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    const RULES: &[u8] = b"SecAction \"id:901001,phase:1,pass,ver:'OWASP_CRS/4.1.0'\"";

    /// An archive with what a release must have, and more; paths are written as they are.
    fn archive(more: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let needed = [
            ("crs-4.1.0/crs-setup.conf.example", EntryType::Regular, &b"# settings"[..]),
            ("crs-4.1.0/rules/REQUEST-901-INITIALIZATION.conf", EntryType::Regular, RULES),
        ];
        for (path, kind, text) in needed.iter().chain(more) {
            let mut header = Header::new_gnu();
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            if matches!(kind, EntryType::Symlink | EntryType::Link) {
                header.as_old_mut().linkname[..text.len()].copy_from_slice(text);
            }
            let text = if *kind == EntryType::Regular { text } else { &[][..] };
            header.set_entry_type(*kind);
            header.set_size(text.len() as u64);
            header.set_cksum();
            builder.append(&header, text).expect("memory");
        }
        builder.into_inner().expect("memory").finish().expect("memory")
    }

    fn refused(more: &[(&str, EntryType, &[u8])]) -> String {
        format!("{:#}", Release::read(&archive(more)).expect_err("refused"))
    }

    #[test]
    fn a_release_is_its_settings_rules_and_plugins() {
        let release = Release::read(&archive(&[
            ("crs-4.1.0/tests/a.yaml", EntryType::Regular, b"x"),
            ("crs-4.1.0/tests/link", EntryType::Symlink, b"/etc/passwd"),
            ("crs-4.1.0/plugins/empty-before.conf", EntryType::Regular, b""),
        ]));
        let release = release.expect("a release");
        assert_eq!(release.version, "4.1.0");
        let names: Vec<_> = release.files.keys().map(|path| path.display().to_string()).collect();
        assert_eq!(
            names,
            ["crs-setup.conf.example", "plugins/empty-before.conf", "rules/REQUEST-901-INITIALIZATION.conf"]
        );
    }

    #[test]
    fn what_leads_out_of_the_archive_is_refused() {
        for path in ["crs/../../etc/cron.d/x", "/etc/cron.d/x", "../x", "crs/rules/../../../x"] {
            assert!(refused(&[(path, EntryType::Regular, b"x")]).contains("leads out of the archive"), "{path}");
        }
        assert!(refused(&[("crs/rules/a\\..\\b", EntryType::Regular, b"x")]).contains("odd characters"));
    }

    #[test]
    fn links_and_devices_are_refused() {
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo] {
            let text = refused(&[("crs/rules/x.conf", kind, b"/etc/passwd")]);
            assert!(text.contains("neither a file nor a folder"), "{kind:?}: {text}");
        }
    }

    #[test]
    fn names_that_stand_for_two_things_are_refused() {
        let twice = ("crs/rules/x.conf", EntryType::Regular, &b"x"[..]);
        assert!(refused(&[twice, ("other/rules/x.conf", EntryType::Regular, b"y")]).contains("twice in the archive"));
        assert!(refused(&[twice, ("crs/rules/x.conf/y", EntryType::Regular, b"y")]).contains("a file of the archive"));
    }

    #[test]
    fn archives_that_unpack_to_too_much_are_refused() {
        let large = vec![0; FILE_BYTES as usize + 1];
        assert!(refused(&[("crs/rules/x.data", EntryType::Regular, &large)]).contains("more than 16777216 bytes"));
        let mut limited = Limited { input: &large[..], left: 1000 };
        let error = std::io::copy(&mut limited, &mut std::io::sink()).expect_err("too much");
        assert!(error.to_string().contains("when it is unpacked"));
    }

    #[test]
    fn what_is_no_archive_is_refused_and_nothing_panics() {
        let whole = archive(&[]);
        assert!(Release::read(b"not an archive").is_err());
        for end in (0..whole.len()).step_by(7) {
            assert!(Release::read(&whole[..end]).is_err(), "{end}");
        }
        for at in (0..whole.len()).step_by(3) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            let _ = Release::read(&damaged);
        }
    }
}
