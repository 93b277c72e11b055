//! `fusewall run`: evaluates requests, one answer a line.

use super::requests::{self, Request};
use super::rules::RulesArgs;
use crate::engine::{InterruptionAction, Verdict};
use crate::waf::Transaction;
use anyhow::Context;
use serde::Serialize;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    #[command(flatten)]
    rules: RulesArgs,
    /// Requests: JSON lines, plain or gzipped
    #[arg(long, value_name = "FILE")]
    requests: PathBuf,
    /// Writes the audit records of these requests, as SecAuditEngine and SecAuditLogFormat say, to a file
    #[arg(long, value_name = "FILE")]
    audit_log: Option<PathBuf>,
    /// Accepted for uniformity: the answer is always JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    id: &'a str,
    action: &'static str,
    status: u16,
    rules: Vec<u64>,
    score: Score,
    fuel: u64,
    exhausted: Option<Exhausted>,
    generation: u64,
    uninspected: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    collections: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Score {
    inbound: i64,
    outbound: i64,
}

#[derive(Debug, Serialize)]
struct Exhausted {
    scope: String,
    phase: u8,
    rule: Option<u64>,
    policy: &'static str,
}

/// Runs the command.
///
/// # Errors
/// Rules that do not load, a request file that cannot be read, an audit log that cannot be written.
pub fn run(args: &RunArgs) -> anyhow::Result<ExitCode> {
    let waf = args.rules.load(args.rules.builder().allow_empty())?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut audit = match &args.audit_log {
        Some(path) => {
            let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
            Some(BufWriter::new(file))
        }
        None => None,
    };
    for request in requests::read(&args.requests)? {
        let request = request?;
        let transaction = request.evaluate(&waf)?;
        writeln!(out, "{}", answer(&request, &transaction)?)?;
        if let Some(audit) = &mut audit {
            let status = transaction.interruption().map_or(request.status(), |ended| ended.status);
            if let Some(record) = transaction.audit_record(status) {
                let text = record.written(transaction.audit_settings().format.into());
                writeln!(audit, "{text}")?;
            }
        }
    }
    out.flush()?;
    if let Some(audit) = &mut audit {
        audit.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(request: &Request, transaction: &Transaction) -> anyhow::Result<String> {
    let Some(verdict) = transaction.verdict() else { anyhow::bail!("request {}: internal error", request.id) };
    let Verdict { interruption, rules, score, fuel, exhausted, generation, uninspected, collections, .. } = verdict;
    let (action, status) = match &interruption {
        None => ("pass", 200),
        Some(interruption) => {
            let action = match interruption.action {
                InterruptionAction::Deny => "deny",
                InterruptionAction::Drop => "drop",
                InterruptionAction::Redirect(_) => "redirect",
            };
            (action, interruption.status)
        }
    };
    let answer = Answer {
        id: &request.id,
        action,
        status,
        rules: rules.into_iter().map(|rule| rule.0).collect(),
        score: Score { inbound: score.inbound, outbound: score.outbound },
        fuel,
        exhausted: exhausted.map(|exhausted| Exhausted {
            scope: exhausted.scope.to_string(),
            phase: exhausted.phase.number(),
            rule: exhausted.rule.map(|rule| rule.0),
            policy: exhausted.policy.name(),
        }),
        generation,
        uninspected,
        collections,
    };
    Ok(serde_json::to_string(&answer)?)
}
