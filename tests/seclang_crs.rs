//! The OWASP Core Rule Set as data: what loading it must yield.

use fusewall::Limits;
use fusewall::diag::{Diagnostics, SourceMap, text};
use fusewall::files::{Files, glob_match};
use fusewall::lang::seclang;
use fusewall::rule::Ruleset;
use std::io;
use std::path::{Path, PathBuf};

/// The file system, for tests.
struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let Some(folder) = pattern.parent() else { return Ok(Vec::new()) };
        let mut found: Vec<_> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
        found.retain(|path| glob_match(pattern.as_os_str().as_encoded_bytes(), path.as_os_str().as_encoded_bytes()));
        found.sort();
        Ok(found)
    }

    fn canonical(&self, path: &Path) -> PathBuf {
        path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
    }
}

fn setup() -> Option<PathBuf> {
    let root = std::env::var_os("FUSEWALL_CONFORMANCE_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"), PathBuf::from);
    let setup = root.join("setup");
    if !setup.is_dir() {
        eprintln!("left out: the CRS load tests ({} is not there)", setup.display());
        return None;
    }
    Some(setup)
}

fn load(path: PathBuf) -> (Ruleset, Diagnostics, SourceMap) {
    let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(10_000));
    let rules = seclang::load(&[path], &Disk, &Limits::default(), &mut sources, &mut found);
    (rules, found, sources)
}

#[test]
fn every_entry_file_loads_without_error() {
    let Some(setup) = setup() else { return };
    for name in ["crs-pl1.conf", "crs-pl4.conf", "crs-ftw.conf", "crs-reference.conf"] {
        let (rules, found, sources) = load(setup.join(name));
        println!(
            "{name}: {} rules, {} conditions",
            rules.rules.len(),
            rules.rules.iter().map(|r| r.conditions.len()).sum::<usize>()
        );
        println!("{}", text::render(&found, &sources, false));
        assert_eq!(found.errors(), 0, "{name}");
    }
}
