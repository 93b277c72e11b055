//! What the fuzz targets start from, and what they have found once (`fuzz/seeds`, `fuzz/regressions`), tried without a fuzzer, and some
//! bytes of chance besides. `PROPTEST_CASES` asks for more of these, `FUSEWALL_FUZZ_TARGETS` names the targets to try, with blanks in
//! between; without it all are tried.
//!
//! What each target is there for show the bugs of `fuzz/bugs`, which `fuzz/bugs/show` puts into the code one by one.

#[path = "../fuzz/src/lib.rs"]
// The targets of hosts are replayed where they are built: what they need the engine alone does not have.
#[allow(dead_code, unexpected_cfgs)]
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
    let Some(asked) = replay::asked_for() else { return fuzz::TARGETS.to_vec() };
    let known =
        |name: &String| *fuzz::TARGETS.iter().find(|(target, _)| *target == name).expect("the name of a target");
    asked.iter().map(known).collect()
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
    let hosts = fuzz::OF_HOSTS.iter().map(|(name, _)| *name);
    let targets: BTreeSet<_> = fuzz::TARGETS.iter().map(|(name, _)| *name).chain(hosts).map(str::to_owned).collect();
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

#[test]
fn every_target_has_a_bug_that_it_catches() {
    let targets = names("fuzz_targets");
    let mut shown = BTreeSet::new();
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

/// Those of hosts are not in the list that is tried here.
#[test]
fn every_target_of_a_host_is_replayed_by_a_test_of_that_host() {
    for (target, test) in fuzz::OF_HOSTS {
        let text = fs::read_to_string(package().join("..").join(test)).expect("a test");
        assert!(text.contains(&format!("(\"{target}\", ")), "{test} does not try {target}");
    }
}

/// A dictionary has entries in quotes, with escapes of libFuzzer, and comments; a target has one dictionary at most.
#[test]
fn dictionaries_can_be_read_and_belong_to_targets() {
    let folder = package().join("dictionaries");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a file of the folder");
    let of_targets = read("targets.txt");
    let lines = of_targets.lines().filter(|line| !line.starts_with('#'));
    let pairs: Vec<_> = lines.map(|line| line.split_once(' ').expect("a target and its dictionary")).collect();
    let targets: BTreeSet<_> = pairs.iter().map(|(target, _)| *target).collect();
    assert_eq!(targets.len(), pairs.len(), "a target stands twice");
    for target in targets {
        assert!(fuzz::TARGETS.iter().any(|(name, _)| *name == target), "there is no target {target}");
    }
    let used: BTreeSet<_> = pairs.iter().map(|(_, dictionary)| format!("{dictionary}.dict")).collect();
    let kept: BTreeSet<_> = replay::files(&folder).iter().map(|path| path.file_name().map(Into::into)).collect();
    let named = used.iter().map(String::as_str).chain(["targets.txt"]);
    assert_eq!(kept, named.map(|name| Some(std::ffi::OsString::from(name))).collect());
    for dictionary in used {
        for line in read(&dictionary).lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let entry = line.strip_prefix('"').and_then(|line| line.strip_suffix('"'));
            assert!(entry.is_some_and(is_an_entry), "{dictionary}: {line}");
        }
    }
}

/// Whether that stands between quotes: printable, with `\\`, `\"` and `\xAB` for the rest.
fn is_an_entry(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'\\', [b'\\' | b'"', after @ ..]) => after,
            (b'\\', [b'x', high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => after,
            (b'\\' | b'"', _) => return false,
            (b' '..=b'~', after) => after,
            _ => return false,
        };
    }
    !text.is_empty()
}

/// The words of SecLang as `docs/rule-support.md` has them, which is made from the tables of the loader.
#[test]
fn the_dictionary_of_seclang_has_the_names_that_are_supported() {
    let page = fs::read_to_string(package().join("../docs/rule-support.md")).expect("the page");
    let mut text = "# Words of SecLang, for libFuzzer: those of docs/rule-support.md that are not refused. \
                    FUSEWALL_BLESS=1 cargo test --test regressions dictionary\n"
        .to_owned();
    let mut before = "";
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            before = match title {
                "Operators" => "@",
                "Transformations" => "t:",
                "Options of `ctl`" => "ctl:",
                _ => "",
            };
            text.push_str(&format!("\n# {title}\n"));
        } else if let Some((name, rest)) = line.strip_prefix("| `").and_then(|line| line.split_once("` | "))
            && !rest.starts_with("refused ")
        {
            text.push_str(&format!("\"{before}{name}\"\n"));
        }
    }
    let path = package().join("dictionaries/seclang.dict");
    if std::env::var_os("FUSEWALL_BLESS").is_some() {
        fs::write(&path, &text).expect("a writable file");
    }
    assert!(fs::read_to_string(&path).is_ok_and(|written| written == text), "run with FUSEWALL_BLESS=1");
}
