//! What the fuzz targets start from, and what they have found once (`fuzz/seeds`, `fuzz/regressions`), tried without a fuzzer, and some
//! bytes of chance besides. `PROPTEST_CASES` asks for more of these, `FUSEWALL_FUZZ_TARGETS` names the targets to try, with blanks in
//! between; without it all are tried.
//!
//! What each target is there for show the bugs of `fuzz/bugs`, which `fuzz/bugs/show` puts into the code one by one.

#[path = "../fuzz/src/lib.rs"]
#[allow(dead_code)]
mod fuzz;
mod replay;

use fusewall::transform::Transformation;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// Names of what is in a folder, without what stands behind a dot.
fn names(folder: &str) -> BTreeSet<String> {
    let stem = |path: &PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    replay::files(&package().join(folder)).iter().filter_map(stem).collect()
}

/// The targets that somebody asks for.
fn targets() -> Vec<fuzz::Target> {
    let Ok(asked) = std::env::var("FUSEWALL_FUZZ_TARGETS") else { return fuzz::TARGETS.to_vec() };
    let known = |name| *fuzz::TARGETS.iter().find(|(target, _)| *target == name).expect("the name of a target");
    asked.split_whitespace().map(known).collect()
}

#[test]
fn what_was_found_once_is_not_found_again() {
    targets().into_iter().for_each(|target| _ = replay::kept(&package(), target));
}

/// Tries targets with bytes of chance.
fn try_any_bytes(which: impl Fn(&str) -> bool) {
    targets().into_iter().filter(|(target, _)| which(target)).for_each(replay::any_bytes);
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

/// The bugs that show what targets catch.
fn bugs() -> impl Iterator<Item = PathBuf> {
    replay::files(&package().join("bugs"))
        .into_iter()
        .filter(|file| file.extension().is_some_and(|kind| kind == "patch"))
}

/// Targets for which there is no bug yet.
const WITHOUT_BUG: &[&str] = &["bundle"];

#[test]
fn every_target_has_a_bug_that_it_catches() {
    let targets = names("fuzz_targets");
    let mut shown: BTreeSet<_> = WITHOUT_BUG.iter().map(|target| target.to_string()).collect();
    let readme = fs::read_to_string(package().join("README.md")).expect("a description");
    for patch in bugs() {
        let (name, bug) = (patch.file_stem().unwrap().to_string_lossy(), fs::read_to_string(&patch).expect("a patch"));
        let named = bug.lines().next().and_then(|line| line.strip_prefix("# target: ")).unwrap_or_default();
        assert!(!named.is_empty(), "{name} names no target");
        assert!(readme.contains(&format!("`{name}`")), "{name} is not in fuzz/README.md");
        shown.extend(named.split_whitespace().map(str::to_owned));
    }
    assert_eq!(shown, targets, "fuzz/bugs and fuzz/fuzz_targets");
}

#[test]
fn every_bug_still_fits_the_code() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = |arguments: &[&str]| Command::new("git").current_dir(root).args(arguments).output();
    let here = git(&["rev-parse", "--show-prefix"]).ok().filter(|answer| answer.status.success());
    if here.is_none_or(|answer| !answer.stdout.trim_ascii().is_empty()) {
        eprintln!("left out: this is not the root of a git repository");
        return;
    }
    for patch in bugs() {
        let answer = git(&["apply", "--check", &patch.to_string_lossy()]).expect("git runs");
        assert!(answer.status.success(), "{}: {}", patch.display(), String::from_utf8_lossy(&answer.stderr));
    }
}
