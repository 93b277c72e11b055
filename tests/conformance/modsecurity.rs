//! The regression cases of libmodsecurity, one test each.

use crate::case::{Case, Expected};
use crate::exchange::{self, Data, Observation, Outcome};
use crate::unusable::{self, Reason};
use crate::{error_log, journal, pattern};
use fusewall::diag::Severity;
use fusewall::store::LoadReport;
use libtest_mimic::Trial;
use std::path::Path;

/// The tests of the suite.
pub struct Suite {
    /// One per case; those that cannot be used are there, ignored.
    pub trials: Vec<Trial>,
    /// Why they cannot.
    pub reasons: Vec<Reason>,
    /// Cases that the suite itself has switched off.
    pub disabled: usize,
    /// Usable cases that are not met, and are not meant to be.
    pub declined: usize,
}

/// Reads the suite.
pub fn suite(folder: &Path) -> Suite {
    let data = Data::new(folder.join("data"));
    let mut suite = Suite { trials: Vec::new(), reasons: Vec::new(), disabled: 0, declined: 0 };
    for (file, cases) in files(&folder.join("regression")) {
        let cases = match cases {
            Ok(cases) => cases,
            Err(why) => {
                suite.trials.push(Trial::test(format!("modsecurity::{file}"), move || Err(why.into())));
                continue;
            }
        };
        for (at, case) in cases.into_iter().enumerate() {
            let name = format!("modsecurity::{}::{}", file.trim_end_matches(".json"), at + 1);
            let (file, data) = (file.clone(), data.clone());
            if case.disabled {
                suite.disabled += 1;
            } else if let Some(reason) = unusable::reason(&file, &case) {
                suite.reasons.push(reason);
                let trial = Trial::test(name, || Ok(()));
                suite.trials.push(trial.with_kind(reason.in_full()).with_ignored_flag(true));
            } else if let Some(why) = unusable::declined(&case) {
                suite.declined += 1;
                let judge = move || match judge(&case, &file, &data) {
                    Ok(()) => Err(format!("{} is met now: it need not be declined", case.title).into()),
                    Err(_) => Ok(()),
                };
                suite.trials.push(Trial::test(name, judge).with_kind(why));
            } else {
                let judge = move || judge(&case, &file, &data).map_err(|why| format!("{}: {why}", case.title).into());
                suite.trials.push(Trial::test(name, judge));
            }
        }
    }
    suite
}

/// The files of the suite with their cases, by name. One that cannot be read is a failed test: nothing is left out silently.
fn files(folder: &Path) -> Vec<(String, Result<Vec<Case>, String>)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = entries.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let mut files: Vec<_> = files.map(|path| (name(&path), read(&path))).collect();
    files.sort_by(|(left, _), (right, _)| left.cmp(right));
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Vec<Case>, String> {
    let text = std::fs::read(path).map_err(|error| error.to_string())?;
    // Some files are not UTF-8 throughout.
    serde_json::from_str(&String::from_utf8_lossy(&text)).map_err(|error| error.to_string())
}

fn judge(case: &Case, file: &str, data: &Data) -> Result<(), String> {
    let expected = &case.expected;
    let outcome = match (exchange::run(case, file, data), expected.parser_error.as_deref()) {
        (Ok(_), Some(error)) if !error.is_empty() => return Err(format!("loads, expected: {error}")),
        (Err(report), Some(error)) if !error.is_empty() => return same_place(error, &report),
        (Err(report), _) => return Err(format!("does not load:\n{report}")),
        (Ok(outcome), _) => outcome,
    };
    // The suite's own runner takes 200 for granted.
    let status = expected.http_code.unwrap_or(200);
    if outcome.status != status {
        return Err(format!("status {}, expected {status}", outcome.status));
    }
    let seen = exchange::observe(case, file, data).map_err(|report| format!("observed, does not load:\n{report}"))?;
    logs(expected, &outcome, &seen, case)
}

fn logs(expected: &Expected, outcome: &Outcome, seen: &Observation, case: &Case) -> Result<(), String> {
    if let Some(url) = expected.redirect.as_deref()
        && !pattern::finds(url, outcome.location.as_deref().unwrap_or_default().as_bytes())?
    {
        return Err(format!("redirected to {:?}, expected {url}", outcome.location));
    }
    if let Some(line) = &expected.error_log {
        let log = error_log::tell(outcome, seen, |record| record.log);
        if !pattern::finds(&error_log::without_positions(line), log.as_bytes())? {
            return Err(format!("error log:\n{log}expected: {line}"));
        }
    }
    if let Some(line) = &expected.audit_log {
        let log = audit_log(outcome, seen);
        if !pattern::finds(line, log.as_bytes())? {
            return Err(format!("audit log:\n{log}expected: {line}"));
        }
    }
    let Some(line) = expected.debug_log.as_deref().filter(|line| unusable::tells(line)) else { return Ok(()) };
    let facts = journal::body_facts(&pattern::words(line));
    if let Some((variable, value)) = facts.iter().find(|(variable, value)| !journal::holds(seen, variable, value)) {
        return Err(format!("{variable} is not {value}, expected: {line}"));
    }
    let journal = journal::tell(seen, &case.rules.text());
    // Names of headers, cookies and collections have no case of their own.
    let caseless = ["HEADERS", "COOKIES", "TX", "IP", "GLOBAL", "RESOURCE", "SESSION", "USER"];
    let named =
        pattern::words(line).contains("ariable: ") && caseless.iter().any(|name| line.contains(&format!("{name}:")));
    let line = if named { format!("(?i){line}") } else { line.to_owned() };
    if facts.is_empty() && !pattern::finds(&line, &journal)? {
        return Err(format!("journal:\n{}expected: {line}", String::from_utf8_lossy(&journal)));
    }
    Ok(())
}

/// The audit log's own frame, and the lines of the matches that belong into it.
fn audit_log(outcome: &Outcome, seen: &Observation) -> String {
    if !outcome.audited {
        return String::new();
    }
    let lines = error_log::tell(outcome, seen, |record| record.auditlog);
    format!("---x---A--\n---x---H--\n{lines}---x---Z--\n")
}

/// Whether an error is reported where the expectation says: the file, the line, the words in quotes and after `got:`.
fn same_place(expected: &str, report: &LoadReport) -> Result<(), String> {
    let words = pattern::words(expected);
    let after = |mark: &str| {
        let rest = words.split_once(mark)?.1.trim_start();
        Some(rest.split_whitespace().next().unwrap_or_default().trim_end_matches('.').to_owned())
    };
    let line = after("Line:").and_then(|number| number.parse::<u32>().ok());
    let file = after("File:").filter(|file| !file.is_empty());
    let word = after("got:").or_else(|| after("Rule id:")).or_else(|| after("file from:"));
    let word = word.map(|word| word.trim_matches(['"', '\'', ',']).split([',', '"']).next().unwrap_or("").to_owned());
    let errors = report.diagnostics.iter().filter(|found| found.severity == Severity::Error);
    for error in errors {
        let Some(span) = error.span else { continue };
        let place = report.sources.locate(span);
        let text = String::from_utf8_lossy(report.sources.text(span.source)).into_owned();
        let shown = text.lines().nth(place.line as usize - 1).unwrap_or_default().to_owned() + &error.message;
        let same_file = file.as_ref().is_none_or(|file| place.file.ends_with(file.rsplit('/').next().unwrap_or(file)));
        let same_word = word.as_ref().is_none_or(|word| shown.contains(word.as_str()));
        if line.is_none_or(|line| line == place.line) && same_file && same_word {
            return Ok(());
        }
    }
    Err(format!("reported elsewhere:\n{report}expected: {expected}"))
}
