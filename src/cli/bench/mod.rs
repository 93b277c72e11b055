//! `fusewall bench`: what a ruleset costs on given traffic.

mod html;
mod measure;
mod report;
mod worst;

use super::requests;
use super::rules::RulesArgs;
use super::say;
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub struct BenchArgs {
    #[command(flatten)]
    rules: RulesArgs,
    /// Requests: JSON lines, plain or gzipped
    #[arg(long, value_name = "FILE", required_unless_present = "worst")]
    requests: Option<PathBuf>,
    /// Search for the dearest request instead, for some seconds, and hold it against the certificate
    #[arg(long, conflicts_with_all = ["requests", "html"])]
    worst: bool,
    /// How often each request is evaluated; its median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    passes: u32,
    /// How many threads evaluate at the same time, each all requests
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,
    /// Also write a report with plots, a page without references to anything outside
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Rules that do not load, a request file that cannot be read, no requests in it, verdicts that differ between passes.
pub fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let Some(file) = args.requests.as_ref().filter(|_| !args.worst) else { return worst(args) };
    let started = Instant::now();
    let waf = args.rules.load(args.rules.builder().allow_empty())?;
    let load = started.elapsed();
    let mut traffic = Vec::new();
    for request in requests::read(file)? {
        traffic.push(request?.prepare()?);
    }
    anyhow::ensure!(!traffic.is_empty(), "{}: no requests in it", file.display());
    let measured = measure::measure(&waf, &traffic, args.passes as usize, args.threads as usize)?;
    let report = Report::new(&measured, load);
    if let Some(path) = &args.html {
        std::fs::write(path, html::page(&report, &measured))?;
    }
    if args.json {
        say(serde_json::to_string(&report)?)?;
    } else {
        report.print()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Searches for the dearest request.
fn worst(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let waf = args.rules.load(args.rules.builder().allow_empty().limits(worst::unbounded()))?;
    let found = worst::search(&waf)?;
    if args.json {
        say(serde_json::to_string(&found)?)?;
    } else {
        found.print()?;
    }
    Ok(ExitCode::SUCCESS)
}
