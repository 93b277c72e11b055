//! `fusewall check`: everything that is wrong with rules, and what they may cost at most.

use super::rules::{RulesArgs, print_findings};
use super::say;
use crate::diag::json::JsonDiagnostic;
use crate::limits::Limits;
use crate::plan::{RulesetCost, cost};
use crate::store::load;
use serde::Serialize;
use std::process::ExitCode;
use std::time::Instant;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    rules: RulesArgs,
    /// Fail if a request with 64 KiB in one value may cost more fuel than this
    #[arg(long, value_name = "FUEL")]
    max_fuel: Option<u64>,
    /// Fail if each KiB more may cost more fuel than this
    #[arg(long, value_name = "FUEL")]
    max_fuel_per_kib: Option<u64>,
    /// Fail if a single rule may cost more fuel than this on a value of 64 KiB
    #[arg(long, value_name = "FUEL")]
    max_rule_fuel: Option<u64>,
    /// Compile again what came from a bundle or from the cache, and fail if it is another
    #[arg(long)]
    verify: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Answer {
    ok: bool,
    rules: usize,
    diagnostics: Vec<JsonDiagnostic>,
    cost: Cost,
    load_ms: f64,
    program_bytes: usize,
    ceilings: Vec<String>,
    /// With `--verify`: patterns whose automata are not what compiling makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<Vec<String>>,
}

#[derive(Debug, Default, Serialize)]
struct Cost {
    max_request_fuel: u64,
    fuel_per_kib: u64,
    rules: Vec<RuleCost>,
}

#[derive(Debug, Serialize)]
struct RuleCost {
    id: u64,
    per_call: u64,
    per_byte: f64,
    max_fuel: u64,
}

/// Runs the command.
///
/// # Errors
/// An answer that cannot be written.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    args.rules.descriptors()?;
    let started = Instant::now();
    // What `serve` can do is no finding.
    let limits = Limits { upload_bytes: Limits::UPLOAD_BYTES, ..Limits::default() };
    let loading = args.rules.loading(limits)?;
    let loaded = load(&args.rules.source(), &*args.rules.files(), &loading);
    let load_ms = started.elapsed().as_secs_f64() * 1000.0;
    let (report, program_bytes, rules, certificate) = match &loaded {
        Ok((loaded, report)) => {
            let program = loaded.program();
            (report, loaded.memory(), program.ruleset.rules.len(), Some(cost(program)))
        }
        Err(report) => (report, 0, 0, None),
    };
    let ceilings = certificate.as_ref().map(|cost| over(args, cost)).unwrap_or_default();
    let differences = args.verify.then(|| report.unverified.as_ref().map(|it| it.differences()).unwrap_or_default());
    let ok = loaded.is_ok() && ceilings.is_empty() && differences.as_ref().is_none_or(Vec::is_empty);
    if args.json {
        let answer = Answer {
            ok,
            rules,
            diagnostics: report.json(),
            cost: certificate.as_ref().map(table).unwrap_or_default(),
            load_ms,
            program_bytes,
            ceilings,
            differences,
        };
        say(serde_json::to_string(&answer)?)?;
    } else {
        print_findings(report);
        if let Some(cost) = &certificate {
            print_cost(cost)?;
        }
        for ceiling in &ceilings {
            say(format_args!("over a ceiling: {ceiling}"))?;
        }
        for pattern in differences.iter().flatten() {
            say(format_args!("not what compiling makes: the automata of {pattern}"))?;
        }
        if let (Some(unverified), Some([])) = (&report.unverified, differences.as_deref()) {
            let from = unverified.from().display();
            say(format_args!("compared with what compiling makes: {} patterns of {from}", unverified.patterns()))?;
        }
        let errors = report.diagnostics.errors();
        let verdict = if ok { "ok" } else { "not ok" };
        say(format_args!(
            "{verdict}: {rules} rules, {errors} errors, loaded in {load_ms:.0} ms, {program_bytes} bytes of automata"
        ))?;
    }
    Ok(ExitCode::from(u8::from(!ok)))
}

/// Which ceilings the certificate exceeds, and where.
fn over(args: &CheckArgs, cost: &RulesetCost) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(most) = args.max_fuel.filter(|most| cost.max_request_fuel > *most) {
        found.push(format!("a request may cost {} fuel, allowed are {most}", cost.max_request_fuel));
    }
    if let Some(most) = args.max_fuel_per_kib.filter(|most| cost.fuel_per_kib > *most) {
        found.push(format!("a KiB may cost {} fuel, allowed are {most}", cost.fuel_per_kib));
    }
    if let Some(most) = args.max_rule_fuel {
        let dear = cost.rules.iter().filter(|rule| rule.max_fuel > most);
        found.extend(dear.map(|rule| format!("rule {} may cost {} fuel, allowed are {most}", rule.id, rule.max_fuel)));
    }
    found
}

fn table(cost: &RulesetCost) -> Cost {
    let rules = cost.rules.iter().map(|rule| RuleCost {
        id: rule.id.0,
        per_call: rule.price.per_call,
        per_byte: rule.price.per_kib as f64 / 1024.0,
        max_fuel: rule.max_fuel,
    });
    Cost { max_request_fuel: cost.max_request_fuel, fuel_per_kib: cost.fuel_per_kib, rules: rules.collect() }
}

fn print_cost(cost: &RulesetCost) -> std::io::Result<()> {
    say(format_args!("{:>10}  {:>12}  {:>12}  {:>14}", "rule", "per call", "per KiB", "at 64 KiB"))?;
    for rule in cost.rules.iter().take(10) {
        say(format_args!(
            "{:>10}  {:>12}  {:>12}  {:>14}",
            rule.id, rule.price.per_call, rule.price.per_kib, rule.max_fuel
        ))?;
    }
    say(format_args!(
        "a request with 64 KiB in one value: {} fuel; each KiB more: {}",
        cost.max_request_fuel, cost.fuel_per_kib
    ))
}
