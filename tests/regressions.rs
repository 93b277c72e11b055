//! What the fuzz targets start from, and what they have found once (`fuzz/seeds`, `fuzz/regressions`), tried without a fuzzer.

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code)]
mod fuzz;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The files of a folder in order; none if there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// Names of what is in a folder, without what stands behind a dot.
fn names(folder: &str) -> BTreeSet<String> {
    let stem = |path: &PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    files(&package().join(folder)).iter().filter_map(stem).collect()
}

#[test]
fn what_was_found_once_is_not_found_again() {
    for (target, tried) in fuzz::TARGETS {
        for folder in ["seeds", "regressions"] {
            for file in files(&package().join(folder).join(target)) {
                let input = fs::read(&file).expect("an input");
                if std::panic::catch_unwind(|| tried(&input)).is_err() {
                    panic!("{target} fails with {}", file.display());
                }
            }
        }
    }
}

#[test]
fn every_target_has_seeds_and_a_program() {
    let targets: BTreeSet<_> = fuzz::TARGETS.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(names("fuzz_targets"), targets, "fuzz/fuzz_targets and the list in fuzz/src/lib.rs");
    assert_eq!(names("seeds"), targets, "fuzz/seeds and the list in fuzz/src/lib.rs");
    assert!(names("regressions").is_subset(&targets), "fuzz/regressions has a folder of no target");
    let manifest = fs::read_to_string(package().join("Cargo.toml")).expect("a manifest");
    for target in &targets {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")),
            "{target} is not in fuzz/Cargo.toml"
        );
    }
}
