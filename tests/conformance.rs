//! Suites of others, run as tests: the unit cases of the SecLang test suite, the regression cases of libmodsecurity. They lie
//! outside the project, in any number; `FUSEWALL_CONFORMANCE_DIR` says where. Without a harness, because each case is a test.

#[path = "conformance/case.rs"]
mod case;
#[path = "conformance/error_log.rs"]
mod error_log;
#[path = "conformance/exchange.rs"]
mod exchange;
#[path = "conformance/journal.rs"]
mod journal;
#[path = "conformance/modsecurity.rs"]
mod modsecurity;
#[path = "conformance/pattern.rs"]
mod pattern;
#[path = "conformance/secrules.rs"]
mod secrules;
#[path = "conformance/unusable.rs"]
mod unusable;

use libtest_mimic::{Arguments, Trial};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use unusable::Reason;

/// The folder of a suite, if it is there.
fn suite(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("FUSEWALL_CONFORMANCE_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"), PathBuf::from);
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("left out: {name} is not in {} (set FUSEWALL_CONFORMANCE_DIR)", root.display());
    None
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Vec::new();
    let mut summary = Vec::new();
    if let Some(folder) = suite("secrules-language-tests") {
        let (files, usable, reasons) = secrules::trials(&folder);
        summary.push(format!(
            "secrules-language-tests: {usable} usable cases in {} files; {}",
            files.len(),
            tell(&reasons)
        ));
        trials.extend(files);
    }
    if let Some(folder) = suite("modsecurity-regression") {
        let cases = modsecurity::suite(&folder);
        let usable = cases.trials.len() - cases.reasons.len();
        summary.push(format!(
            "modsecurity-regression: {usable} usable cases of {}, {} of them declined; {}; switched off by the suite itself: {}",
            cases.trials.len(),
            cases.declined,
            tell(&cases.reasons),
            cases.disabled
        ));
        trials.extend(cases.trials);
    }
    let result = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        summary.iter().for_each(|line| println!("{line}"));
        println!("tests: {} passed, {} failed", result.num_passed, result.num_failed);
    }
    result.exit_code()
}

/// How many cases cannot be used, by reason.
fn tell(reasons: &[Reason]) -> String {
    let mut counts = BTreeMap::new();
    reasons.iter().for_each(|reason| *counts.entry(reason.to_string()).or_insert(0) += 1);
    let counts: Vec<_> = counts.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    format!("unusable {}: {}", reasons.len(), counts.join(", "))
}
