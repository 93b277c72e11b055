//! `fusewall ftw`: runs regression tests in the format of go-ftw, in process or against a server that runs ([`live`]).
//!
//! To be honest about it, in process, too, a test goes the whole way of a request: the bytes that go-ftw would send ([`request`])
//! pass the strict HTTP/1 front end, all five phases of the engine and the reflecting backend of the CRS tests ([`exchange`],
//! [`backend`]), and the log lines that were really emitted decide ([`judge`]). There is no list of tests to ignore; what deviates
//! is declared in an overrides file ([`overrides`]) and counted.

pub mod backend;
mod content_type;
mod engine;
pub mod exchange;
pub mod judge;
pub mod live;
pub mod overrides;
pub mod report;
pub mod request;
pub mod suite;
mod template;

use super::say;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use super::progress;
use super::rules::RulesArgs;
use exchange::{Engine, Outcome};
use judge::Pattern;
use live::Live;
use report::{Failure, Report};
use suite::{Input, Stage, Suite};

/// The arguments of `fusewall ftw`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct FtwArgs {
    /// What is tested, without a target.
    #[command(flatten)]
    pub rules: RulesArgs,
    /// The folder of the test files.
    #[arg(long, value_name = "DIR")]
    pub tests: PathBuf,
    /// Send the stages to this server, http://HOST:PORT, instead of running them in process.
    #[arg(long, value_name = "URL", requires = "log", conflicts_with = "rules")]
    pub target: Option<String>,
    /// The log of that server. Its rules must log the header X-CRS-Test (docs/nginx.md shows how).
    #[arg(long, value_name = "FILE", requires = "target")]
    pub log: Option<PathBuf>,
    /// Meanwhile be the backend of the Core Rule Set's tests, at this address: where that server passes requests to.
    #[arg(long, value_name = "ADDRESS", requires = "target")]
    pub backend: Option<SocketAddr>,
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
    let report = if args.target.is_some() {
        run_live(args)?
    } else {
        run_on(&args.rules.load(args.rules.builder().allow_empty())?, args)?
    };
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
    run_stages(args, |input, bytes| Ok(exchange::run(engine, input, bytes)))
}

/// The same, on the server that the arguments name.
///
/// # Errors
/// As [`run_on`]; if there is no server, or its log does not show what it should.
pub fn run_live(args: &FtwArgs) -> Result<Report> {
    let target = args.target.as_deref().context("`--target` is missing")?;
    let log = args.log.as_deref().context("`--log` is missing")?;
    if let Some(address) = args.backend {
        live::origin::start(address).with_context(|| format!("cannot listen on {address}"))?;
    }
    let mut live = Live::begin(target, log)?;
    run_stages(args, |_, bytes| live.exchange(bytes))
}

fn run_stages(args: &FtwArgs, mut send: impl FnMut(&Input, &[u8]) -> Result<Outcome>) -> Result<Report> {
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
            let (why, refused) = run_stage(stage, &mut send)?;
            let stage_name = || match test.stages.len() {
                0 | 1 => name.clone(),
                _ => format!("{name} stage {}", number + 1),
            };
            report.refused.extend(refused.then(stage_name));
            let tally = if is_about_front_end { &mut report.front_end } else { &mut report.engine };
            tally.count(why.is_none());
            report.failed.extend(why.map(|why| Failure { test: stage_name(), why }));
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    anyhow::ensure!(report.engine.stages + report.front_end.stages > 0, "no test matches");
    Ok(report)
}

/// Runs one stage; why it failed, if it did, and whether the server's parser refused it.
fn run_stage(stage: &Stage, send: &mut impl FnMut(&Input, &[u8]) -> Result<Outcome>) -> Result<(Option<String>, bool)> {
    let bytes = match request::build(&stage.input) {
        Ok(bytes) => bytes,
        Err(error) => return Ok((Some(format!("the request cannot be built: {error:#}")), false)),
    };
    let outcome = send(&stage.input, &bytes)?;
    let why = match judge::judge(&stage.output, &outcome) {
        Ok(wrong) if wrong.is_empty() => None,
        Ok(wrong) => Some(format!("{}; {}", wrong.join("; "), describe(&outcome, &bytes))),
        Err(error) => Some(format!("the test cannot be judged: {error:#}")),
    };
    Ok((why, outcome.refused.is_some()))
}

/// What came instead of what was expected.
fn describe(outcome: &Outcome, bytes: &[u8]) -> String {
    // 0 stands for lines of the log that no rule has written.
    let ids: Vec<u64> = outcome.records.iter().map(|record| record.rule).filter(|&rule| rule != 0).collect();
    let refused = outcome.refused.map(|reason| format!(", refused: {reason}")).unwrap_or_default();
    let line = bytes.split(|&byte| b"\r\n".contains(&byte)).next().unwrap_or_default().escape_ascii().to_string();
    format!("logged {}; status {}{refused}; {}", judge::list(&ids), outcome.response.status, judge::shortened(&line))
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;
