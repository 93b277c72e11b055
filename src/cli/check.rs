//! `fusewall check`: everything that is wrong with rules, and what they may cost at most.

use super::rules::{RulesArgs, print_findings};
use super::say;
use crate::diag::json::JsonDiagnostic;
use crate::limits::Limits;
use crate::plan::{Ceilings, RulesetCost, cost};
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

impl CheckArgs {
    fn ceilings(&self) -> Ceilings {
        let CheckArgs { max_fuel: request_fuel, max_fuel_per_kib: fuel_per_kib, max_rule_fuel: rule_fuel, .. } = *self;
        Ceilings { request_fuel, fuel_per_kib, rule_fuel }
    }
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
    let mut loaded = load(&args.rules.source(), &*args.rules.files(), &loading);
    let load_ms = started.elapsed().as_secs_f64() * 1000.0;
    let mut ceilings = Vec::new();
    let (report, program_bytes, rules, certificate) = match &mut loaded {
        Ok((loaded, report)) => {
            let program = loaded.program();
            // What would refuse the load elsewhere is said here beside the certificate.
            for error in args.ceilings().exceeded(program) {
                ceilings.push(error.message.clone());
                report.diagnostics.push(error);
            }
            (&*report, loaded.memory(), program.ruleset.rules.len(), Some(cost(program)))
        }
        Err(report) => (&*report, 0, 0, None),
    };
    let differences = args.verify.then(|| report.unverified.as_ref().map(|it| it.differences()).unwrap_or_default());
    let ok = certificate.is_some() && ceilings.is_empty() && differences.as_ref().is_none_or(Vec::is_empty);
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
