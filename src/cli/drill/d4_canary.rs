//! D4: the guard itself. In 2019 it had been taken out by a refactoring some weeks before, and no test noticed.

use super::report::Findings;
use super::setting::{Setting, budget, own_rules, verdict};
use super::{Drill, traffic};
use crate::engine::Verdict;
use crate::limits::Limits;
use crate::meter::{Meter, Scope};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D4",
    outage: "Cloudflare, 2 July 2019: the guard of the CPU had been removed by a refactoring",
    injected: "rules and requests that must exhaust the budget of a rule, and that of the request",
    must_hold: "both trip, say so, refuse the request, and spend one charge more than granted at most",
    run,
};

/// Many ways to go on at each byte; it never matches what is sent.
const DEAR: &str = r#"SecRule ARGS "@rx (?:a.*b|b.*c|c.*a)d[^x]{60}y" "id:1,phase:2,deny""#;

/// The most that one charge is: a block of 256 bytes with some states alive.
const CHARGE: u64 = 10_000;

/// A rule whose cost no price bounds: its budget alone does. Each way to divide the text
/// in four is tried, and none fits: what comes behind is odd.
const UNBOUNDED: &str = r#"SecRule ARGS "@rx (a+)(a+)(a+)(a+)x\1\1\2\2\3\3\4\4y" "id:1,phase:2,deny""#;

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let mut meter = Meter::new(100);
    let trips = meter.charge(101).is_err();
    found.hold(trips, || "a meter of 100 fuel grants 101".to_owned());

    let body = format!("x=y{}", "abcd".repeat(4000));
    let limits = Limits { fuel_rule: 3000, ..Limits::default() };
    let (spent, of_rule) = trip(DEAR, &body, limits, 3000, Scope::Rule, &mut found)?;
    found.note("rule_budget", 3000);
    found.note("rule_fuel", of_rule);
    found.note("request_fuel", spent);

    let limits = Limits { fuel_base: 200_000, fuel_per_byte: 0, fuel_phase: 0, ..Limits::default() };
    let (spent, _) = trip(DEAR, &body, limits, 200_000, Scope::Request, &mut found)?;
    found.note("tight_request_budget", 200_000);
    found.note("tight_request_fuel", spent);

    if !setting.short {
        // The request may spend more than the rule, which is to trip at its own budget.
        let limits = Limits { fuel_base: Limits::default().fuel_cap, ..Limits::default() };
        let most = limits.fuel_rule;
        let body = format!("x={}x{}y", "a".repeat(150), "a".repeat(401));
        let (_, of_rule) = trip(UNBOUNDED, &body, limits, most, Scope::Rule, &mut found)?;
        found.note("default_rule_budget", most);
        found.note("unbounded_rule_fuel", of_rule);
    }
    Ok(found)
}

/// Sends what must exhaust a budget of `most` fuel; answers what the request and its dearest rule have spent.
fn trip(
    rules: &str,
    body: &str,
    limits: Limits,
    most: u64,
    scope: Scope,
    found: &mut Findings,
) -> anyhow::Result<(u64, u64)> {
    let waf = own_rules(rules, limits)?;
    let (transaction, told) = verdict(&waf, &traffic::form(body))?;
    let Verdict { fuel, exhausted, interruption, .. } = &told;
    let of_rule = transaction.dearest_rules(1).first().map_or(0, |(_, fuel)| *fuel);
    found.hold(exhausted.as_ref().is_some_and(|told| told.scope == scope), || {
        format!("a {scope} budget of {most} fuel did not trip: {fuel} spent, and {}", budget(&told))
    });
    found.hold(interruption.is_some(), || format!("the {scope} budget was spent and the request let through"));
    let spent = if scope == Scope::Rule { of_rule } else { *fuel };
    found.hold(spent <= most + CHARGE, || format!("{spent} fuel spent where the {scope} was granted {most}"));
    Ok((*fuel, of_rule))
}
