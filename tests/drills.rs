//! The outage drills in their short form, through the binary.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// All drills that there are: none may get lost.
const NAMES: &[&str] = &[
    "D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8", "D9", "D10", "D11", "D12", "D13", "D14", "D15", "D16", "D17",
    "D18", "D19", "D20", "D21", "D22", "D23",
];

/// What all of them may take together; an unoptimised build is no measure.
const TOGETHER: Duration = Duration::from_secs(if cfg!(debug_assertions) { 600 } else { 60 });

/// The one that needs a thousand requests a second, which an unoptimised build may not manage.
const AT_A_RATE: &str = "D3";

fn drill(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fusewall")).arg("drill").args(args).output().expect("it runs")
}

#[test]
fn every_drill_holds() {
    let begun = Instant::now();
    let output = drill(&["--short", "--json"]);
    let took = begun.elapsed();
    let answers: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let answers = answers.as_array().expect("a list");
    let names: Vec<_> = answers.iter().filter_map(|answer| answer["name"].as_str()).collect();
    assert_eq!(names, NAMES);
    for answer in answers {
        assert!(answer["measured"].as_object().is_some_and(|measured| !measured.is_empty()), "{answer}");
        assert_eq!(answer.get("why").is_none(), answer["held"] == true, "{answer}");
        let is_slow = cfg!(debug_assertions) && answer["name"] == AT_A_RATE;
        assert!(is_slow || answer["held"] == true, "{answer}");
    }
    let held = answers.iter().all(|answer| answer["held"] == true);
    assert_eq!(output.status.code(), Some(i32::from(!held)));
    assert!(took <= TOGETHER, "{took:?}");
}

#[test]
fn every_drill_has_a_guard_that_can_be_taken_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("a file");
    // In the documentation: `guard`, what it does, drills.
    let documented = read("src/cli/drill/mod.rs");
    let rows = documented.lines().filter_map(|line| line.strip_prefix("//! | `")?.strip_suffix(" |"));
    let rows = rows.map(|row| (row.split('`').next().unwrap_or(row), row.rsplit(" | ").next().unwrap_or(row)));
    let documented: BTreeMap<_, BTreeSet<_>> =
        rows.map(|(guard, drills)| (guard, drills.split(", ").collect())).collect();
    // In the script: `guard | guard) echo drill drill ;;`.
    let script = read(".ci/guards");
    let cases = script.lines().filter_map(|line| line.trim().strip_suffix(" ;;")?.split_once(") echo D"));
    let mut shown = BTreeMap::new();
    for (guards, drills) in cases {
        let drills: BTreeSet<_> =
            drills.split(' ').map(|drill| format!("D{}", drill.trim_start_matches('D'))).collect();
        shown.extend(guards.split(" | ").map(|guard| (guard, drills.clone())));
    }
    let tried = script.split("guards=${*:-").nth(1).and_then(|rest| rest.split('}').next()).expect("a list");
    let manifest = read("Cargo.toml");
    let known =
        manifest.split("fusewall_without, values(").nth(1).and_then(|rest| rest.split(')').next()).expect("a list");
    let known: BTreeSet<_> = known.split(", ").map(|guard| guard.trim_matches('"')).collect();
    let mut sources = String::new();
    read_all(&folder.join("src"), &mut sources);
    let built: BTreeSet<_> =
        sources.split("fusewall_without = \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();

    assert_eq!(
        documented,
        shown.iter().map(|(guard, drills)| (*guard, drills.iter().map(String::as_str).collect())).collect()
    );
    for guards in [documented.keys().copied().collect(), tried.split_whitespace().collect(), built] {
        assert_eq!(known, guards);
    }
    let drills: BTreeSet<_> = documented.values().flatten().copied().collect();
    assert_eq!(drills, NAMES.iter().copied().collect());
}

/// The text of all files in a folder.
fn read_all(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, text);
        } else {
            text.push_str(&String::from_utf8_lossy(&std::fs::read(path).expect("a file")));
        }
    }
}

#[test]
fn people_read_what_was_injected_and_what_must_hold() {
    let output = drill(&["--short", "d4"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.starts_with("D4   held"), "{shown}");
    for line in ["injected", "must hold", "measured"] {
        assert_eq!(shown.matches(&format!("\n     {line}")).count(), 1, "{line}: {shown}");
    }
}

#[test]
fn an_unknown_drill_is_an_error_that_names_the_known_ones() {
    let output = drill(&["D4", "D99"]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("`D99`") && NAMES.iter().all(|name| told.contains(name)), "{told}");
}

#[test]
fn a_drill_takes_the_rules_that_it_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("mine.conf");
    std::fs::write(&rules, "SecRuleEngine On\nSecRule ARGS \"@rx (?:a|b)+c\" \"id:1,phase:2,deny\"").expect("a file");
    let output = drill(&["--short", "--json", "D1", "D21", "--rules", &rules.to_string_lossy()]);
    let answers: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for answer in answers.as_array().expect("a list") {
        assert_eq!(answer["held"], true, "{answer}");
        assert_eq!(answer["measured"]["rules"], Value::from(rules.to_string_lossy()));
    }
    assert_eq!(answers[1]["measured"]["patterns"], 1);
}

#[test]
fn rules_that_do_not_load_are_not_held() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("broken.conf");
    std::fs::write(&rules, "SecRule ARGS \"@rx (\" \"id:1\"").expect("a file");
    let output = drill(&["--short", "--json", "D1", "--rules", &rules.to_string_lossy()]);
    assert_eq!(output.status.code(), Some(1));
    let answers: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answers[0]["held"], false);
    assert!(answers[0]["why"].as_str().is_some_and(|why| why.contains("do not load")), "{answers}");
}
