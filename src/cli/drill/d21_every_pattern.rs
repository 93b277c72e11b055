//! D21: a pattern of a ruleset that backtracks catastrophically. Engines that stop at a limit of matches then let the request through.

use super::pumps::{Pump, pumps};
use super::report::Findings;
use super::setting::{Setting, budget, is_closed, verdict};
use super::{Drill, traffic};
use crate::lang::pcre;
use crate::limits::Limits;
use crate::meter::{Exhausted, Meter};
use crate::program::PatternId;
use crate::scan::{Cache, Cursor, Exact, Groups, Outcome, Pattern};
use std::fmt::Write;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D21",
    outage: "OWASP CRS, 2026: a pattern that backtracks catastrophically (GHSA-f5qm-3h4p-8qhg)",
    injected: "texts made from the repetitions of every pattern of the ruleset, each at two lengths, and requests with them",
    must_hold: "twice the text for 2.3 times the fuel at most; the verdict is that of an unlimited budget, or says that one is spent and lets nothing through",
    run,
};

/// How much more fuel twice the text may take: a little for what the first half did not yet need.
const GROWTH: f64 = 2.3;
const CONSTANT: f64 = 1000.0;

/// What stands for an unlimited budget: many times what a linear matcher could use.
const UNLIMITED: u64 = 4_000_000_000;

/// After so many failures the rest is not tried: each of them may take seconds.
const ENOUGH: usize = 3;

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let waf = setting.ruleset()?;
    let loaded = waf.loaded();
    let program = loaded.program();
    let (most, size) = setting.size((3, 4 << 10), (24, 32 << 10));
    let (mut texts, mut metered, mut worst) = (0, 0, 0.0_f64);
    let mut chosen = Vec::new();
    for (at, plan) in program.patterns.iter().enumerate() {
        let text = &plan.pattern.text;
        let (Ok(tree), Some(pattern)) =
            (pcre::parse_tree(text, plan.pattern.fold_case, &program.limits), loaded.pattern(PatternId::new(at)))
        else {
            continue;
        };
        metered += usize::from(plan.exact == Exact::Metered);
        let pumps = pumps(&tree, most);
        for pump in &pumps {
            texts += 1;
            match one(pattern, pump, size, program.limits.fuel_rule) {
                Ok(growth) => worst = worst.max(growth),
                Err(why) => {
                    let shown: String = String::from_utf8_lossy(text).chars().take(60).collect();
                    found.hold(false, || format!("`{shown}`: {why}"));
                }
            }
            if found.broken() >= ENOUGH {
                break;
            }
        }
        chosen.extend(pumps.into_iter().next_back());
    }
    found.note("rules", setting.ruleset_name());
    found.note("patterns", program.patterns.len());
    found.note("patterns_bounded_by_their_rule_alone", metered);
    found.note("texts", texts);
    found.note("fuel_growth", (worst * 100.0).round() / 100.0);
    if found.broken() < ENOUGH {
        chosen.truncate(setting.size(40, 400));
        requests(setting, &chosen, size, &mut found)?;
    }
    Ok(found)
}

/// How much more fuel a pattern takes for twice the text.
fn one(pattern: &Pattern, pump: &Pump, size: usize, budget: u64) -> Result<f64, String> {
    let (text, twice) = (pump.text(size), pump.text(2 * size));
    let shown = || String::from_utf8_lossy(&text).chars().take(40).collect::<String>();
    let (first, one) = scan(pattern, &text, budget, UNLIMITED);
    let (second, two) = scan(pattern, &twice, budget, UNLIMITED);
    if pattern.exact() == Exact::Metered {
        // Nothing bounds it but the budget, which the verdict then tells of.
        let bounded = one.max(two) <= budget.saturating_add(1000);
        return if bounded { Ok(0.0) } else { Err(format!("{two} fuel over a budget of {budget} on {:?}", shown())) };
    }
    let (free, _) = scan(pattern, &twice, u64::MAX, UNLIMITED);
    if first.is_err() || second != free || free.is_err() {
        return Err(format!("{second:?} within the budget of a rule, {free:?} without, on {:?}...", shown()));
    }
    if two as f64 > GROWTH * one as f64 + CONSTANT {
        return Err(format!("{one} fuel for {} bytes, {two} for {}, on {:?}...", text.len(), twice.len(), shown()));
    }
    Ok((two as f64 - CONSTANT).max(0.0) / one.max(1) as f64)
}

/// What a pattern says of a text, and its fuel.
fn scan(pattern: &Pattern, text: &[u8], rule: u64, request: u64) -> (Result<bool, Exhausted>, u64) {
    let (mut cache, mut groups, mut cursor) = (Cache::default(), Groups::default(), Cursor::default());
    let mut meter = Meter::new(request);
    meter.enter_rule(0, rule);
    loop {
        match pattern.scan(&mut cache, text, &mut cursor, u64::MAX, &mut groups, &mut meter) {
            Ok(Outcome::Pending) => {}
            Ok(outcome) => return (Ok(outcome == Outcome::Hit), meter.spent()),
            Err(exhausted) => return (Err(exhausted), meter.spent()),
        }
    }
}

/// Whole requests, within the default budget and without.
fn requests(setting: &Setting<'_>, pumps: &[Pump], size: usize, found: &mut Findings) -> anyhow::Result<()> {
    let waf = setting.ruleset()?;
    let mut limits = Limits::default();
    (limits.fuel_base, limits.fuel_cap, limits.fuel_rule) = (u64::MAX, u64::MAX, u64::MAX);
    let unlimited = setting.ruleset_within(limits)?;
    let mut tripped = 0;
    for pump in pumps {
        let request = traffic::form(format!("x={}", escaped(&pump.text(size))));
        let (transaction, told) = verdict(&waf, &request)?;
        if told.exhausted.is_some() {
            tripped += 1;
            found.hold(is_closed(&transaction, &told), || format!("let through, and {}", budget(&told)));
            continue;
        }
        let (_, free) = verdict(&unlimited, &request)?;
        let same = (&told.rules, &told.interruption) == (&free.rules, &free.interruption);
        found.hold(same, || format!("another verdict without limits: {:?} and {:?}", told.rules, free.rules));
    }
    found.note("requests", pumps.len());
    found.note("requests_over_a_budget", tripped);
    Ok(())
}

/// A value as a form carries it.
fn escaped(text: &[u8]) -> String {
    text.iter().fold(String::with_capacity(3 * text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(*byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
