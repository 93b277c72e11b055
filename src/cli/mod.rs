//! The command line. One file per command; every answer that a machine may want is also JSON.
//!
//! Exit status: 0 ok, 1 findings or failures, 2 usage.

mod bench;
mod check;
mod compile;
mod crs;
mod diff;
mod drill;
mod examples;
mod explain;
#[cfg(feature = "ext-proc")]
mod ext_proc;
pub mod ftw;
mod man;
mod panics;
mod progress;
mod rate;
mod replay;
mod requests;
#[cfg(unix)]
mod rollout;
mod rules;
mod run;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "spoa")]
mod spoa;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// A web application firewall that compiles rules into linear-time matchers and meters every step.
#[derive(Debug, Parser)]
#[command(name = "fusewall", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load rules and say what is wrong with them and what they may cost
    Check(check::CheckArgs),
    /// Compile rules into one file that loads without compiling
    Compile(compile::CompileArgs),
    /// Evaluate requests from a file, one answer a line
    Run(run::RunArgs),
    /// Try rules on traffic of your own: logs, archives, captures; beside the engine in service if you like
    Replay(replay::ReplayArgs),
    /// Measure what rules cost on given traffic
    Bench(bench::BenchArgs),
    /// Compare two rulesets on the same traffic: verdicts that change, matches, fuel
    Diff(diff::DiffArgs),
    /// Run go-ftw regression tests, in process or against a server
    Ftw(ftw::FtwArgs),
    /// Protect a web server: a reverse proxy that blocks
    #[cfg(feature = "serve")]
    Serve(serve::ServeArgs),
    /// Inspect for HAProxy: the agent that it asks about requests and responses (SPOE)
    #[cfg(feature = "spoa")]
    Spoa(spoa::SpoaArgs),
    /// Inspect what Envoy sends: its external processor
    #[cfg(feature = "ext-proc")]
    ExtProc(ext_proc::ExtProcArgs),
    /// Look after a running `serve`: put rulesets into service, roll back, switch rules off
    #[cfg(unix)]
    Rollout(rollout::RolloutArgs),
    /// Install or upgrade the OWASP Core Rule Set
    Crs(crs::CrsArgs),
    /// Show how rules were compiled, or why one request got its verdict
    Explain(explain::ExplainArgs),
    /// Try outages that others had: what is injected, what must hold, what was measured
    Drill(drill::DrillArgs),
    /// Print or write the manual pages
    Man(man::ManArgs),
    /// Print the completions for a shell
    Completions(man::CompletionsArgs),
}

/// The definition of the command line.
fn command_line() -> clap::Command {
    examples::with_examples(Cli::command())
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    let parsed = command_line().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let outcome = match &cli.command {
        Command::Check(args) => check::run(args),
        Command::Compile(args) => compile::run(args),
        Command::Run(args) => run::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Ftw(args) => ftw::run(args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(args),
        #[cfg(feature = "spoa")]
        Command::Spoa(args) => spoa::run(args),
        #[cfg(feature = "ext-proc")]
        Command::ExtProc(args) => ext_proc::run(args),
        #[cfg(unix)]
        Command::Rollout(args) => rollout::run(args),
        Command::Crs(args) => crs::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Drill(args) => drill::run(args),
        Command::Man(args) => man::run(args, command_line()),
        Command::Completions(args) => man::complete(args, command_line()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fusewall: {error:#}");
            ExitCode::from(if error.is::<rules::RulesHaveErrors>() { 1 } else { 2 })
        }
    }
}

/// Prints a line; unlike `println!` it does not panic when the reader has gone.
fn say(line: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

/// The reader of our output has gone (`fusewall run | head`): no reason to complain.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
