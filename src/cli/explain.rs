//! `fusewall explain`: how rules were compiled, or why one request got its verdict.

use super::requests;
use super::rules::RulesArgs;
use super::say;
use crate::engine::{Event, Test};
use crate::plan::Options;
use crate::program::{self, RuleIx};
use crate::waf::{Transaction, Waf};
use serde_json::{Value, json};
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
    let options = Options { spans: args.request.is_some(), ..Options::default() };
    let waf = args.rules.load(args.rules.builder().allow_empty().planner(options))?;
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
        let transaction = request.trace(&waf)?;
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
            "steps": steps(&waf, &transaction),
        });
        if args.json {
            say(answer)?;
        } else {
            say(serde_json::to_string_pretty(&answer)?)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What led to the matches, in order: each value at which a rule's link matched, and what rules set.
fn steps(waf: &Waf, transaction: &Transaction) -> Vec<Value> {
    let loaded = waf.loaded();
    let id = |rule: RuleIx| loaded.program().source(rule).map_or(0, |rule| rule.id.0);
    let mut place = (0, 0);
    let mut steps = Vec::new();
    for event in transaction.trace() {
        match event {
            Event::Link { rule, link } => place = (id(*rule), *link),
            Event::Tested(test) if test.matched => steps.push(step(place, test)),
            Event::Set { collection, key, value } => steps.push(json!({
                "rule": place.0,
                "set": format!("{}.{}", collection.name(), key.escape_ascii()),
                "value": value.as_ref().map(|value| value.escape_ascii().to_string()),
            })),
            Event::LeftOut { rule, why } => {
                steps.push(json!({ "left_out": id(*rule), "why": format!("{why:?}"), "rule": place.0 }));
            }
            _ => {}
        }
    }
    steps
}

fn step((rule, link): (u64, usize), test: &Test) -> Value {
    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
    let stages: Vec<_> = test
        .stages
        .iter()
        .map(|(step, value)| json!({ "transformation": step.name(), "value": text(value) }))
        .collect();
    let matched = test.spans.first().map(|&(start, end)| {
        json!({ "start": start, "end": end, "bytes": text(test.tested().get(start..end).unwrap_or_default()) })
    });
    json!({
        "rule": rule,
        "link": link,
        "target": text(&test.name),
        "value": text(&test.value),
        "stages": stages,
        "matched": matched,
        "fuel": test.fuel,
    })
}
