//! `fusewall ftw`: runs regression tests in the format of go-ftw, in process.
//!
//! To be honest about it, a test goes the whole way of a request: the bytes that go-ftw would send ([`request`]) pass the strict
//! HTTP/1 front end, all five phases of the engine and the reflecting backend of the CRS tests ([`exchange`], [`backend`]), and
//! the log lines that were really emitted decide ([`judge`]). There is no list of tests to ignore; what deviates is declared in
//! an overrides file ([`overrides`]) and counted.

pub mod backend;
mod content_type;
mod engine;
pub mod exchange;
pub mod judge;
pub mod overrides;
pub mod report;
pub mod request;
pub mod suite;
mod template;

use super::say;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::progress;
use super::rules::RulesArgs;
use exchange::{Engine, Outcome};
use judge::Pattern;
use report::{Failure, Report};
use suite::{Stage, Suite};

/// The arguments of `fusewall ftw`.
#[derive(Debug, Clone, clap::Args)]
pub struct FtwArgs {
    #[command(flatten)]
    rules: RulesArgs,
    /// The folder of the test files.
    #[arg(long, value_name = "DIR")]
    pub tests: PathBuf,
    /// Declared deviations, in go-ftw's schema for platform overrides.
    #[arg(long, value_name = "FILE")]
    pub overrides: Option<PathBuf>,
    /// Run only the tests whose name (rule and number, as in `942100-3`) this pattern matches.
    #[arg(long, value_name = "REGEX")]
    pub only: Option<String>,
    /// Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// Rules or tests that cannot be loaded.
pub fn run(args: &FtwArgs) -> Result<ExitCode> {
    let waf = args.rules.load(args.rules.builder().allow_empty())?;
    let report = run_on(&waf, args)?;
    if args.json {
        say(serde_json::to_string(&report)?)?;
    } else {
        say(&report)?;
    }
    Ok(ExitCode::from(u8::from(!report.is_clean())))
}

/// Loads the tests that the arguments name and runs them on an engine.
///
/// # Errors
/// If the tests, the overrides or the pattern cannot be read, or no test is left to run.
pub fn run_on(engine: &dyn Engine, args: &FtwArgs) -> Result<Report> {
    let mut suite = Suite::load(&args.tests)?;
    // Front-end stages are those of the suite as it is written, whatever the overrides make of them.
    let kinds: Vec<Vec<bool>> = suite
        .tests
        .iter()
        .map(|test| test.stages.iter().map(|stage| stage.output.is_about_front_end()).collect())
        .collect();
    let mut report = Report::default();
    if let Some(path) = &args.overrides {
        report.overrides = overrides::apply(path, &mut suite)?;
    }
    let only = args.only.as_deref().map(Pattern::new).transpose()?;
    let progress = progress::bar(suite.stages() as u64, "stages");
    for (test, kinds) in suite.tests.iter().zip(kinds) {
        let name = test.name();
        if only.as_ref().is_some_and(|only| !only.is_match(name.as_bytes())) {
            continue;
        }
        for (number, (stage, is_about_front_end)) in test.stages.iter().zip(kinds).enumerate() {
            let why = run_stage(engine, stage);
            let tally = if is_about_front_end { &mut report.front_end } else { &mut report.engine };
            tally.count(why.is_none());
            report.failed.extend(why.map(|why| {
                let name = name.clone();
                let test = if test.stages.len() > 1 { format!("{name} stage {}", number + 1) } else { name };
                Failure { test, why }
            }));
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    anyhow::ensure!(report.engine.stages + report.front_end.stages > 0, "no test matches");
    Ok(report)
}

/// Runs one stage; why it failed, if it did.
fn run_stage(engine: &dyn Engine, stage: &Stage) -> Option<String> {
    let bytes = match request::build(&stage.input) {
        Ok(bytes) => bytes,
        Err(error) => return Some(format!("the request cannot be built: {error:#}")),
    };
    let outcome = exchange::run(engine, &stage.input, &bytes);
    match judge::judge(&stage.output, &outcome) {
        Ok(wrong) if wrong.is_empty() => None,
        Ok(wrong) => Some(format!("{}; {}", wrong.join("; "), describe(&outcome, &bytes))),
        Err(error) => Some(format!("the test cannot be judged: {error:#}")),
    }
}

/// What came instead of what was expected.
fn describe(outcome: &Outcome, bytes: &[u8]) -> String {
    let ids: Vec<u64> = outcome.records.iter().map(|record| record.rule).collect();
    let refused = outcome.refused.map(|reason| format!(", refused: {reason}")).unwrap_or_default();
    let line = bytes.split(|&byte| b"\r\n".contains(&byte)).next().unwrap_or_default().escape_ascii().to_string();
    format!("logged {}; status {}{refused}; {}", judge::list(&ids), outcome.response.status, judge::shortened(&line))
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
