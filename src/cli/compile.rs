//! `fusewall compile`: a ruleset in one file, with what takes long to make of it.

use super::rules::{RulesArgs, RulesHaveErrors, print_findings};
use super::say;
use crate::diag::json::JsonDiagnostic;
use crate::limits::Limits;
use crate::store::{compile, write_atomically};
use anyhow::Context;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `compile`.
#[derive(Debug, clap::Args)]
pub struct CompileArgs {
    #[command(flatten)]
    rules: RulesArgs,
    /// The bundle to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Default, Serialize)]
struct Answer {
    ok: bool,
    bytes: usize,
    files: usize,
    source_bytes: usize,
    patterns: usize,
    automata_bytes: usize,
    diagnostics: Vec<JsonDiagnostic>,
}

/// Runs the command.
///
/// # Errors
/// Rules that do not load, a file that cannot be written.
pub fn run(args: &CompileArgs) -> anyhow::Result<ExitCode> {
    // As `serve` has it: what it can do is no finding.
    let limits = Limits { upload_bytes: Limits::UPLOAD_BYTES, ..Limits::default() };
    let loading = args.rules.loading(limits)?;
    let compiled = match compile(&args.rules.source(), &*args.rules.files(), &loading) {
        Ok(compiled) => compiled,
        Err(report) if args.json => {
            say(serde_json::to_string(&Answer { diagnostics: report.json(), ..Answer::default() })?)?;
            return Ok(ExitCode::from(1));
        }
        Err(report) => {
            print_findings(&report.without_notes());
            return Err(RulesHaveErrors::of(&report).into());
        }
    };
    let written = write_atomically(&args.output, &compiled.bytes);
    written.with_context(|| format!("{} cannot be written", args.output.display()))?;
    if args.json {
        let answer = Answer {
            ok: true,
            bytes: compiled.bytes.len(),
            files: compiled.files,
            source_bytes: compiled.source_bytes,
            patterns: compiled.patterns,
            automata_bytes: compiled.automata_bytes,
            diagnostics: compiled.report.json(),
        };
        say(serde_json::to_string(&answer)?)?;
    } else {
        print_findings(&compiled.report.without_notes());
        let output = args.output.display();
        say(format_args!(
            "{output}: {} bytes; {} files of {} bytes, {} patterns with {} bytes of automata",
            compiled.bytes.len(),
            compiled.files,
            compiled.source_bytes,
            compiled.patterns,
            compiled.automata_bytes
        ))?;
        say(format_args!("sign it before it is loaded: minisign -S -m {output}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
