//! `fusewall diff`: two rulesets on the same traffic, and what would change.

use super::rules::RulesArgs;
use super::{requests, say};
use crate::engine::Env;
use crate::governor::SystemEnv;
use crate::store::rollout::{Comparison, ComparisonFigures, Outcome, Side};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Changes and rules that people see; machines see all.
const SHOWN: usize = 20;

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
pub struct DiffArgs {
    #[command(flatten)]
    rules: RulesArgs,
    /// The rules to compare with: a .conf file, a folder or a bundle, may be repeated
    #[arg(long = "with", value_name = "PATH", required = true)]
    with: Vec<PathBuf>,
    /// Requests: JSON lines, plain or gzipped
    #[arg(long, value_name = "FILE")]
    requests: PathBuf,
    /// Exit with 1 if a verdict changes
    #[arg(long)]
    fail_on_change: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// The time that both rulesets see: that of the moment in which the first of them began with the request.
#[derive(Debug, Clone, Default)]
struct Moment(Arc<AtomicU64>);

impl Moment {
    fn pass(&self) {
        self.0.store(SystemEnv::default().epoch_micros(), Ordering::Relaxed);
    }
}

impl Env for Moment {
    fn epoch_micros(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs the command.
///
/// # Errors
/// Rules that do not load, a request file that cannot be read, no requests in it.
pub fn run(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let now = Moment::default();
    now.pass();
    let other = RulesArgs { rules: args.with.clone(), ..args.rules.clone() };
    let a = args.rules.load(args.rules.builder().env(now.clone()))?;
    let b = other.load(other.builder().env(now.clone()))?;
    let mut comparison = Comparison::new(usize::MAX);
    for request in requests::read(&args.requests)? {
        let request = request?.prepare()?;
        now.pass();
        let [a, b] = [&a, &b].map(|waf| Outcome::of(request.evaluate(waf).verdict().as_ref()));
        comparison.add(request.id(), &a, &b);
    }
    let found = comparison.figures();
    anyhow::ensure!(found.requests > 0, "{}: no requests in it", args.requests.display());
    if args.json {
        say(serde_json::to_string(&found)?)?;
    } else {
        print(&found)?;
    }
    let fail = args.fail_on_change && found.changes > 0;
    Ok(if fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The tables for people.
fn print(found: &ComparisonFigures) -> std::io::Result<()> {
    let ComparisonFigures { requests, changes, newly_blocked, newly_passed, logged_differently, failed, .. } = found;
    say(format_args!(
        "{requests} requests, {changes} verdicts change: {newly_blocked} newly blocked, {newly_passed} newly passed; \
         {logged_differently} more are logged differently"
    ))?;
    if failed.a + failed.b > 0 {
        say(format_args!("internal errors: {} before, {} now", failed.a, failed.b))?;
    }
    let percent = |share: f64| 100.0 * share;
    say(format_args!("{:22}{:>12}{:>12}", "", "--rules", "--with"))?;
    let (blocked, matched, fuel) = (found.block_rate, found.match_share, found.fuel);
    say(format_args!("{:22}{:>12.3}{:>12.3}", "blocked, %", percent(blocked.a), percent(blocked.b)))?;
    say(format_args!("{:22}{:>12.3}{:>12.3}", "logged by a rule, %", percent(matched.a), percent(matched.b)))?;
    say(format_args!("{:22}{:>12.0}{:>12.0}", "fuel, mean", fuel.a.mean, fuel.b.mean))?;
    say(format_args!("{:22}{:>12}{:>12}", "fuel, p99", fuel.a.p99, fuel.b.p99))?;
    say(format_args!("{:22}{:>12}{:>12}", "fuel, max", fuel.a.max, fuel.b.max))?;
    let mut differing = found.rules.iter().filter(|rule| rule.only.a + rule.only.b > 0);
    for rule in differing.by_ref().take(SHOWN) {
        say(format_args!("rule {:<17}{:>12}{:>12}  requests that only one logs", rule.id, rule.only.a, rule.only.b))?;
    }
    more(differing.count(), "rules")?;
    for change in found.changed.iter().take(SHOWN) {
        say(format_args!("{}: {} -> {}", change.id, side(&change.a), side(&change.b)))?;
    }
    more(found.changed.len().saturating_sub(SHOWN), "changes")
}

fn more(left_out: usize, what: &str) -> std::io::Result<()> {
    if left_out == 0 { Ok(()) } else { say(format_args!("and {left_out} more {what}: --json has them")) }
}

/// One side of a change: `deny 403 (942100 949110)`.
fn side(side: &Side) -> String {
    let error = if side.failed { ", internal error" } else { "" };
    let rules: Vec<_> = side.only.iter().map(u64::to_string).collect();
    let rules = if rules.is_empty() { String::new() } else { format!(" ({})", rules.join(" ")) };
    format!("{} {}{error}{rules}", side.action, side.status)
}
