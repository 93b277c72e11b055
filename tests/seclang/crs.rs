//! The OWASP Core Rule Set as data: what loading it must yield.

use super::comparable;
use fusewall::Limits;
use fusewall::diag::{Diagnostics, SourceMap, text};
use fusewall::files::{Files, glob_match};
use fusewall::lang::seclang;
use fusewall::rule::{Operator, Phase, RuleId, Ruleset, Variable};
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
fn every_entry_file_loads_whole() {
    let Some(setup) = setup() else { return };
    for (name, own) in [("crs-pl1.conf", 1), ("crs-pl4.conf", 1), ("crs-ftw.conf", 1), ("crs-reference.conf", 2)] {
        let (set, found, sources) = load(setup.join(name));
        assert_eq!(found.errors(), 0, "{name}\n{}", text::render(&found, &sources, false));
        let of = |folder: &str| set.rules.iter().filter(|rule| rule.file.contains(folder)).count();
        let (crs, base) = (of("/crs/"), of("base.conf"));
        println!("{name}: {crs} rule heads of CRS, {base} of base.conf, {own} of its own");
        assert_eq!((crs, base, set.rules.len()), (630, 7, 637 + own));
        assert_eq!(set.rules.iter().filter(|rule| rule.conditions.len() > 1).count(), 55, "chains");
        assert_eq!(set.rules.iter().map(|rule| rule.conditions.len()).max(), Some(5));
        assert_eq!(set.markers.len(), 30);
        // Only notes and the two warnings that such a setup deserves.
        let odd = |code: &str| !["N0801", "N0802", "W0705", "W0708"].contains(&code);
        assert!(!found.iter().any(|found| odd(found.code)), "{}", text::render(&found, &sources, false));
    }
}

#[test]
fn counts_are_those_of_the_text() {
    let Some(setup) = setup() else { return };
    let (set, ..) = load(setup.join("crs-pl4.conf"));
    let conditions: Vec<_> = set.rules.iter().flat_map(|rule| &rule.conditions).collect();
    let tests = conditions.iter().filter_map(|condition| condition.test.as_ref());
    let rx = tests.filter(|test| matches!(test.operator, Operator::Rx(_))).count();
    assert!((318..=322).contains(&rx), "318 in CRS, 2 in base.conf: {rx}");
    let xml = |variable| conditions.iter().filter(|c| c.targets.iter().any(|t| t.variable == variable)).count();
    assert!(xml(Variable::Xml) > 150 && xml(Variable::Xml) >= xml(Variable::XmlAttributes));
    let phases = Phase::ALL.map(|phase| set.rules.iter().filter(|rule| rule.phase == phase).count());
    // 173/292/43/109/13 in CRS; 8 more in phases 1 and 2.
    assert_eq!(phases, [176, 297, 43, 109, 13]);
    let by_id = |id| set.rules.iter().find(|rule| rule.id == RuleId(id)).unwrap();
    let excluded =
        |id| by_id(id).conditions[0].exclusions.iter().filter(|t| t.variable == Variable::RequestCookies).count();
    assert!(excluded(942421) >= 10, "SecRuleUpdateTargetById");
    assert_eq!(by_id(200005).conditions[0].targets[0].variable, Variable::Tx);
    assert_eq!(set.settings.audit.relevant_status.as_ref().map(|statuses| statuses.len()), Some(199));
    assert!(set.settings.unicode_map.as_ref().is_some_and(|map| map.map.len() > 100));
}

#[test]
fn printing_and_reading_is_the_identity() {
    let Some(setup) = setup() else { return };
    for name in ["crs-pl4.conf", "crs-ftw.conf"] {
        let (first, ..) = load(setup.join(name));
        let printed = first.to_seclang();
        let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(100));
        // Data files are named relative to the rules.
        let place = setup.join("../crs/rules/printed.conf");
        let second = seclang::load_text(
            &place.to_string_lossy(),
            printed.as_bytes(),
            &Disk,
            &Limits::default(),
            &mut sources,
            &mut found,
        );
        assert_eq!(found.errors(), 0, "{}", text::render(&found, &sources, false));
        let (first, second) = (comparable(first), comparable(second));
        assert_eq!(first.settings, second.settings);
        assert_eq!(first.markers, second.markers);
        for (a, b) in first.rules.iter().zip(&second.rules) {
            assert_eq!(a, b);
        }
        assert_eq!(first.rules.len(), second.rules.len());
    }
}
