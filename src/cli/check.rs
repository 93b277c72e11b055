//! `fusewall check`: everything that is wrong with rules, and what they may cost at most.

use super::rate::{self, Rate};
use super::rules::{RulesArgs, print_findings};
use super::say;
use crate::diag::json::JsonDiagnostic;
use crate::limits::Limits;
use crate::plan::{Ceilings, bounds, cost, largest_proven};
use crate::program::Loaded;
use crate::store::load;
use serde::Serialize;
use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Instant;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    #[command(flatten)]
    rules: RulesArgs,
    /// A configuration of `serve`: checks it, and the rules that it names
    #[cfg(feature = "serve")]
    #[arg(long, value_name = "FILE", conflicts_with = "rules")]
    config: Option<std::path::PathBuf>,
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
    /// The rules to check, and the limits that they get; `None` if a configuration is wrong, which was printed.
    fn asked(&self) -> anyhow::Result<Option<(RulesArgs, Limits)>> {
        #[cfg(feature = "serve")]
        if let Some(config) = &self.config {
            return super::serve::configured(config);
        }
        Ok(Some((self.rules.clone(), Limits::default())))
    }

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
    rate: Rate,
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
    /// What requests of some sizes can cost at most: 1 KiB, 64 KiB, and the largest that the rules admit.
    requests: Vec<RequestCost>,
    /// Bytes of the largest request that cannot spend the default budget whatever is in it; none if there is none.
    largest_proven: Option<usize>,
}

#[derive(Debug, Serialize)]
struct RequestCost {
    bytes: usize,
    /// Without a budget.
    fuel: u64,
    /// With the budget that a request of this size has.
    effective_fuel: u64,
}

#[derive(Debug, Serialize)]
struct RuleCost {
    id: u64,
    per_call: u64,
    per_byte: f64,
    max_fuel: u64,
    /// In a whole request of 64 KiB, whatever is where in it.
    request_fuel: u64,
}

/// Runs the command.
///
/// # Errors
/// An answer that cannot be written.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let Some((rules, limits)) = args.asked()? else { return Ok(ExitCode::from(1)) };
    rules.descriptors()?;
    let started = Instant::now();
    // What `serve` can do is no finding.
    let limits = Limits { upload_bytes: Limits::UPLOAD_BYTES, ..limits };
    let loading = rules.loading(limits)?;
    let mut loaded = load(&rules.source(), &*rules.files(), &loading);
    let load_ms = started.elapsed().as_secs_f64() * 1000.0;
    let mut ceilings = Vec::new();
    let (report, program_bytes, count, certificate) = match &mut loaded {
        Ok((loaded, report)) => {
            let program = loaded.program();
            // What would refuse the load elsewhere is said here beside the certificate.
            for error in args.ceilings().exceeded(program) {
                ceilings.push(error.message.clone());
                report.diagnostics.push(error);
            }
            (&*report, loaded.memory(), program.ruleset.rules.len(), Some(table(loaded)))
        }
        Err(report) => (&*report, 0, 0, None),
    };
    let differences = args.verify.then(|| report.unverified.as_ref().map(|it| it.differences()).unwrap_or_default());
    let ok = certificate.is_some() && ceilings.is_empty() && differences.as_ref().is_none_or(Vec::is_empty);
    if args.json {
        let answer = Answer {
            ok,
            rules: count,
            diagnostics: report.json(),
            cost: certificate.unwrap_or_default(),
            rate: rate::measure(),
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
            "{verdict}: {count} rules, {errors} errors, loaded in {load_ms:.0} ms, {program_bytes} bytes of automata"
        ))?;
    }
    Ok(ExitCode::from(u8::from(!ok)))
}

/// Bytes of the request that figures for one request are about.
const SIZE: usize = 64 << 10;

fn table(loaded: &Loaded) -> Cost {
    let program = loaded.program();
    let limits = &program.limits;
    let cost = cost(program);
    let bound = bounds(loaded);
    let usual = bound(SIZE);
    let of_request: HashMap<u64, u64> = usual.rules.iter().map(|(id, fuel)| (id.0, *fuel)).collect();
    let rules = cost.rules.iter().map(|rule| RuleCost {
        id: rule.id.0,
        per_call: rule.price.per_call,
        per_byte: rule.price.per_kib as f64 / 1024.0,
        max_fuel: rule.max_fuel,
        request_fuel: of_request.get(&rule.id.0).copied().unwrap_or_default(),
    });
    let largest = usize::try_from(program.ruleset.settings.request_body_limit).unwrap_or(usize::MAX);
    let largest = largest.saturating_add(limits.header_bytes);
    let requests = [bound(1 << 10), usual, bound(largest)].map(|bound| RequestCost {
        bytes: bound.bytes,
        fuel: bound.fuel,
        effective_fuel: bound.fuel.min(limits.budget(bound.bytes)),
    });
    Cost {
        max_request_fuel: cost.max_request_fuel,
        fuel_per_kib: cost.fuel_per_kib,
        rules: rules.collect(),
        requests: requests.into(),
        largest_proven: largest_proven(loaded, limits),
    }
}

fn print_cost(cost: &Cost) -> std::io::Result<()> {
    say(format_args!(
        "{:>10}  {:>12}  {:>12}  {:>14}  {:>18}",
        "rule", "per call", "per byte", "64 KiB a value", "64 KiB a request"
    ))?;
    for rule in cost.rules.iter().take(10) {
        say(format_args!(
            "{:>10}  {:>12}  {:>12}  {:>14}  {:>18}",
            rule.id, rule.per_call, rule.per_byte, rule.max_fuel, rule.request_fuel
        ))?;
    }
    say(format_args!(
        "a request with 64 KiB in one value: {} fuel; each KiB more: {}",
        cost.max_request_fuel, cost.fuel_per_kib
    ))?;
    for request in &cost.requests {
        say(format_args!(
            "any request of {} bytes: {} fuel at most without a budget, {} with it",
            request.bytes, request.fuel, request.effective_fuel
        ))?;
    }
    match cost.largest_proven {
        Some(bytes) => say(format_args!("no request of {bytes} bytes or less can spend its budget"))?,
        None => say("requests of any size may spend their budget")?,
    }
    let Rate { nominal_ns_per_fuel: nominal, measured_ns_per_fuel: measured } = rate::measure();
    say(format_args!("a fuel is nominally {nominal:.2} ns; on this machine, now, it takes {measured:.2} ns"))
}
