//! D2: rules that are linear, and dear all the same: too many of them, or counted repeats that multiply. Whoever else is served by
//! the same process must not notice.

use super::report::Findings;
use super::setting::{Setting, budget, own, own_rules, verdict};
use super::{Drill, traffic};
use crate::cli::requests::Prepared;
use crate::engine::Verdict;
use crate::lang::seclang::codes;
use crate::limits::Limits;
use crate::plan::Ceilings;
use crate::waf::Waf;
use std::fmt::Write;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D2",
    outage: "the same outage's class: rules that backtrack nowhere, and are dear all the same",
    injected: "30,000 rules that every value matches (3,000 if short), and counted repeats in each other",
    must_hold: "refused at load, or tripped by the budget; a neighbour's fuel and verdicts are the same before, during and after",
    run,
};

/// Repeats that are refused because their automata would be too large.
const REPEATS: &[&str] = &[
    "(?:a{1000}){1000}",
    "(?:[a-z]{1,1000}[0-9]){1,1000}",
    "((((a{20}){20}){20}){20}){20}",
    "(?:(?:a{100}){100}){100}",
    "(?:(?=a{1000}){100}b){1000}",
];

/// Fuel for a KiB that is refused.
const CEILING: u64 = 1_000_000;

/// Arguments of the request that all rules look at.
const ARGUMENTS: usize = 900;

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    for pattern in REPEATS {
        let rule = format!("SecRule ARGS \"@rx {pattern}\" \"id:1,phase:2,deny\"");
        let refused = own(&rule).build().err().is_some_and(|report| report.diagnostics.has(codes::AUTOMATON));
        found.hold(refused, || format!("`{pattern}` is not refused"));
    }
    found.note("repeats_refused", REPEATS.len());

    let count = setting.size(3_000, 30_000);
    let rules = (1..=count).fold(String::new(), |mut text, id| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "SecRule ARGS \"!@rx ^v{id}$\" \"id:{id},phase:2,pass,nolog\"");
        text
    });
    found.note("rules", count);
    let ceilings = Ceilings { fuel_per_kib: Some(CEILING), ..Ceilings::default() };
    let refused = own(&rules).ceilings(ceilings).build().err();
    let refused = refused.is_some_and(|report| report.diagnostics.has(codes::CEILING));
    found.hold(refused, || format!("{count} rules load under a ceiling of {CEILING} fuel for a KiB"));

    let dear = own_rules(&rules, Limits::default())?;
    let hostile = traffic::form("a=b&".repeat(ARGUMENTS));
    let neighbour = setting.ruleset()?;
    let requests = traffic::benign(setting.size(60, 300));
    let before = verdicts(&neighbour, &requests)?;
    let same = || Ok(verdicts(&neighbour, &requests)? == before);
    let (unchanged, tripped) = beside(&dear, &hostile, setting.size(3, 30), same)?;
    let after = verdicts(&neighbour, &requests)?;
    found.note("neighbour", setting.ruleset_name());
    found.note("neighbour_requests", requests.len());
    found.note("neighbour_fuel", before.iter().map(|verdict| verdict.fuel).sum::<u64>());
    found.hold(unchanged && after == before, || "the neighbour's fuel or verdicts have changed".to_owned());
    let Tripped { requests, told } = tripped;
    found.note("dear_requests_meanwhile", requests);
    found.note("dear_request_fuel", told.fuel);
    let limits = Limits::default();
    let granted = limits.budget(hostile.bytes());
    found.note("dear_request_budget", granted);
    found.hold(told.exhausted.is_some() && told.interruption.is_some(), || {
        format!("{} fuel spent of {granted}: {}", told.fuel, budget(&told))
    });
    Ok(found)
}

fn verdicts(waf: &Waf, requests: &[Prepared]) -> anyhow::Result<Vec<Verdict>> {
    requests.iter().map(|request| Ok(verdict(waf, request)?.1)).collect()
}

/// What became of dear requests.
struct Tripped {
    requests: u64,
    /// Of the last.
    told: Verdict,
}

/// Whether something holds as often as it is asked while another thread evaluates one request over and over, at least `times` times.
fn beside(
    dear: &Waf,
    hostile: &Prepared,
    times: u64,
    holds: impl Fn() -> anyhow::Result<bool>,
) -> anyhow::Result<(bool, Tripped)> {
    std::thread::scope(|scope| {
        let other = scope.spawn(|| -> anyhow::Result<Tripped> {
            for _ in 1..times {
                verdict(dear, hostile)?;
            }
            Ok(Tripped { requests: times, told: verdict(dear, hostile)?.1 })
        });
        let mut held = true;
        while !other.is_finished() {
            held &= holds()?;
        }
        let tripped = other.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the thread of dear requests panicked")))?;
        Ok((held, tripped))
    })
}
