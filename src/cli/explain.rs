//! `fusewall explain`: how rules were compiled, or why one request got its verdict.

use super::requests;
use super::rules::RulesArgs;
use super::say;
use crate::program;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub struct ExplainArgs {
    #[command(flatten)]
    rules: RulesArgs,
    /// A file of requests (JSON lines): explain the verdict of each
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Rules that do not load, a request file that cannot be read.
pub fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let waf = args.rules.load(args.rules.builder())?;
    let Some(path) = &args.request else {
        let text = program::explain(waf.loaded().program());
        if args.json {
            say(json!({ "program": text.lines().collect::<Vec<_>>() }))?;
        } else {
            say(text.trim_end())?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    for request in requests::read(path)? {
        let request = request?;
        let transaction = request.evaluate(&waf)?;
        let Some(verdict) = transaction.verdict() else { anyhow::bail!("request {}: internal error", request.id) };
        let matches: Vec<_> = transaction
            .records()
            .iter()
            .map(|record| {
                json!({
                    "rule": record.rule.0,
                    "phase": record.phase.number(),
                    "target": record.variable,
                    "value": record.value,
                    "matched": record.matched,
                    "message": record.message,
                    "data": record.data,
                    "file": &*record.file,
                    "line": record.line,
                })
            })
            .collect();
        let dearest: Vec<_> = transaction
            .dearest_rules(10)
            .into_iter()
            .map(|(rule, fuel)| json!({ "rule": rule.0, "fuel": fuel }))
            .collect();
        let answer = json!({
            "id": request.id,
            "interruption": verdict.interruption.as_ref().map(|i| json!({ "status": i.status, "reason": format!("{:?}", i.reason) })),
            "score": { "inbound": verdict.score.inbound, "outbound": verdict.score.outbound },
            "fuel": verdict.fuel,
            "fuel_by_phase": verdict.fuel_by_phase,
            "uninspected": verdict.uninspected,
            "matches": matches,
            "dearest_rules": dearest,
        });
        if args.json {
            say(answer)?;
        } else {
            say(serde_json::to_string_pretty(&answer)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
