//! D19: a plan that was overtaken. In October 2025 a slow updater applied an old plan over a newer one, and the clean-up then took away
//! what was live.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, own_rules};
use crate::cli::requests::Prepared;
use crate::limits::Limits;
use crate::rule::RuleId;
use crate::store::{Refused, RuleSource};
use crate::waf::{NotPromoted, Staged, Waf};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D19",
    outage: "AWS, 19 October 2025: a stale plan was applied over a newer one, and what was live was removed",
    injected: "two updaters with plans that others overtake, one that goes back, all at once, while requests are evaluated",
    must_hold: "each plan replaces what it was made against or is refused; every request is decided by exactly one of the rulesets",
    run,
};

/// What an updater has done: the generation that each plan was made against, the one that came of it, and the rule in it.
struct Updated {
    applied: Vec<(u64, u64)>,
    stale: usize,
}

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let rules = |id: u64| format!("SecAction \"id:{id},phase:1,pass,log\"\n");
    let waf = own_rules(&rules(1), Limits::default())?;
    let stage = |id: u64| {
        let text = format!("SecRuleEngine On\n{}", rules(id));
        let staged = waf.stage(&RuleSource::Text { name: "drill.conf".into(), text });
        staged.map_err(|report| anyhow::anyhow!("rules of the drill do not load:\n{report}"))
    };
    let plans = [stage(2)?, stage(3)?];
    let swaps = setting.size(20_000, 1_000_000);
    let stop = AtomicBool::new(false);
    let (updated, back, (done, failed, seen)) = std::thread::scope(|scope| {
        let updaters: Vec<_> = plans.iter().map(|plan| scope.spawn(|| update(&waf, plan, swaps / 2))).collect();
        let undo = scope.spawn(|| {
            let mut back = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                back.extend(waf.roll_back().ok().map(|generation| generation.number));
                std::thread::yield_now();
            }
            back
        });
        let reader = scope.spawn(|| read(&waf, &stop));
        let updated: Vec<_> = updaters.into_iter().filter_map(|updater| updater.join().ok()).collect();
        stop.store(true, Ordering::Relaxed);
        (updated, undo.join().unwrap_or_default(), reader.join().unwrap_or_default())
    });
    found.hold(updated.len() == 2, || "an updater has panicked".to_owned());
    // In the order in which they came: each plan was made against what was there just before it.
    let mut order: BTreeMap<u64, Option<u64>> = back.iter().map(|number| (*number, None)).collect();
    let mut owner: BTreeMap<u64, u64> = BTreeMap::from([(1, 1)]);
    for (id, updater) in (2..).zip(&updated) {
        order.extend(updater.applied.iter().map(|(base, number)| (*number, Some(*base))));
        owner.extend(updater.applied.iter().map(|(_, number)| (*number, id)));
    }
    let (mut last, mut over) = (1, 0);
    for (number, base) in &order {
        over += usize::from(base.is_some_and(|base| base != last));
        last = *number;
    }
    let (applied, stale) = updated
        .iter()
        .fold((0, 0), |(applied, stale), updater| (applied + updater.applied.len(), stale + updater.stale));
    let mixed = seen.iter().filter(|(generation, rule)| owner.get(generation).is_some_and(|id| RuleId(*id) != **rule));
    let mixed = mixed.count();
    found.note("swaps", applied);
    found.note("stale_plans_refused", stale);
    found.note("rollbacks", back.len());
    found.note("requests", done);
    found.hold(over == 0, || format!("{over} plans were applied over a generation that they did not know"));
    found.hold(applied > 0 && stale > 0, || format!("{applied} swaps, {stale} stale plans: nothing was tried"));
    found.hold(done > 0 && failed == 0, || format!("{failed} of {done} requests failed"));
    found.hold(mixed == 0, || format!("{mixed} generations decided as another one"));
    Ok(found)
}

/// Applies a plan again and again, each time made against what is in service; every fourth updater is slow.
fn update(waf: &Waf, plan: &Staged, times: usize) -> Updated {
    let mut updated = Updated { applied: Vec::with_capacity(times), stale: 0 };
    for time in 0..times {
        let base = waf.generation().number;
        if time % 4 == 0 {
            std::thread::yield_now();
        }
        match waf.promote(plan.clone().onto(base)) {
            Ok(generation) => updated.applied.push((base, generation.number)),
            Err(NotPromoted::Refused(Refused::Stale { .. })) => updated.stale += 1,
            Err(_) => {}
        }
    }
    updated
}

/// Evaluates requests: how many, how many failed, and which rule decided in which generation.
fn read(waf: &Waf, stop: &AtomicBool) -> (usize, usize, BTreeMap<u64, RuleId>) {
    let request = Prepared::new("one".to_owned(), "/?a=b", None);
    let (mut done, mut failed, mut seen) = (0, 0, BTreeMap::new());
    while !stop.load(Ordering::Relaxed) {
        done += 1;
        match request.evaluate(waf).verdict() {
            Some(told) if told.rules.len() == 1 && told.interruption.is_none() => {
                seen.insert(told.generation, told.rules[0]);
            }
            _ => failed += 1,
        }
    }
    (done, failed, seen)
}
