//! What the fuzz targets start from, and what they have found once (`fuzz/seeds`, `fuzz/regressions`), tried without a fuzzer, and some
//! bytes of chance besides. `PROPTEST_CASES` asks for more of these.

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code)]
mod fuzz;

use fusewall::transform::Transformation;
use proptest::collection::vec;
use proptest::test_runner::{Config, TestError, TestRunner};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::panic::{catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
                if catch_unwind(|| tried(&input)).is_err() {
                    panic!("{target} fails with {}", file.display());
                }
            }
        }
    }
}

/// What a target may take with bytes of chance: those that build rules for each of them try a few only.
const A_WHILE: Duration = Duration::from_millis(150);

/// Tries targets with bytes of chance: as many as somebody asks for, or 200 of each if that does not take too long.
fn try_any_bytes(which: impl Fn(&str) -> bool) {
    let asked = std::env::var("PROPTEST_CASES").ok().map(|cases| cases.parse().expect("a number of cases"));
    let config = Config { cases: asked.unwrap_or(200), failure_persistence: None, ..Config::default() };
    for (target, tried) in fuzz::TARGETS.iter().filter(|(target, _)| which(target)) {
        let (start, failed) = (Instant::now(), Cell::new(false));
        let tries = TestRunner::new(config.clone()).run(&vec(0u8.., 0..200), |input| {
            // What fails is made smaller, however long that takes.
            if asked.is_some() || failed.get() || start.elapsed() < A_WHILE {
                catch_unwind(|| tried(&input)).unwrap_or_else(|panic| {
                    failed.set(true);
                    resume_unwind(panic)
                });
            }
            Ok(())
        });
        match tries {
            Ok(()) => {}
            Err(TestError::Fail(why, input)) => panic!("{target} fails with b\"{}\": {why}", input.escape_ascii()),
            Err(stopped) => panic!("{target}: {stopped}"),
        }
    }
}

#[test]
fn transformations_of_any_bytes_are_right() {
    try_any_bytes(|target| target.starts_with("transform_"));
}

#[test]
fn bytes_of_chance_find_nothing() {
    try_any_bytes(|target| !target.starts_with("transform_"));
}

#[test]
fn every_transformation_has_a_second_implementation() {
    let families = fuzz::oracles::transform::FAMILIES.iter().flat_map(|family| family.members);
    let compared: BTreeSet<_> = families.map(|(transformation, _)| *transformation).collect();
    assert_eq!(compared, BTreeSet::from(Transformation::ALL));
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
