//! D23: reloads that leave something behind. Other engines have leaked their rules with every reload.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, open_descriptors, own_rules, resident_kilobytes};
use crate::limits::Limits;
use crate::store::RuleSource;
use crate::waf::Waf;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D23",
    outage: "ModSecurity #2848, coraza-caddy #258: every reload leaked",
    injected: "small rulesets and the whole one loaded again and again",
    must_hold: "memory in the last quarter is at most a tenth, or 4 MB, above that in the second; no descriptor stays open",
    run,
};

const GROWTH: f64 = 1.1;
/// Kilobytes beside that: what the allocator keeps for threads that have compiled.
const SLACK: u64 = 4 << 10;

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let small = |round: usize| {
        let rules =
            (1..=50).map(|id| format!("SecRule ARGS \"@rx (?i)w{id}[a-z]{{2,9}}r{round}\" \"id:{id},phase:2,deny\"\n"));
        RuleSource::Text {
            name: "drill.conf".into(),
            text: "SecRuleEngine On\n".to_owned() + &rules.collect::<String>(),
        }
    };
    let waf = own_rules("SecAction \"id:1,phase:1,pass\"", Limits::default())?;
    reload(&waf, small, setting.size(40, 10_000), ["small", "small_growth"], &mut found)?;
    let waf = setting.ruleset_within(Limits::default())?;
    let source = setting.source();
    reload(&waf, |_| source.clone(), setting.size(12, 200), ["whole", "whole_growth"], &mut found)?;
    found.note("rules", setting.ruleset_name());
    Ok(found)
}

fn reload(
    waf: &Waf,
    source: impl Fn(usize) -> RuleSource,
    times: usize,
    [reloads, grown]: [&'static str; 2],
    found: &mut Findings,
) -> anyhow::Result<()> {
    // Bytes in use stay the same from the second reload on, but the allocator's arenas take some dozens of them to fill: the most of
    // the second quarter is compared with the most of the last one.
    let (mut quarters, mut open) = ([0; 4], Vec::with_capacity(2));
    for time in 0..times {
        waf.replace(&source(time)).map_err(|report| anyhow::anyhow!("reload {time}:\n{report}"))?;
        if let (Some(quarter), Some(now)) = (quarters.get_mut(4 * time / times.max(1)), resident_kilobytes()) {
            *quarter = now.max(*quarter);
        }
        if time == times / 4 || time + 1 == times {
            open.extend(open_descriptors());
        }
    }
    found.note(reloads, times);
    let [_, early, _, late] = quarters;
    let growth = late as f64 / early.max(1) as f64;
    found.note(grown, (growth * 100.0).round() / 100.0);
    found.hold(growth <= GROWTH || late <= early + SLACK, || {
        format!("{reloads}: memory grew from {early} to {late} KB")
    });
    found.hold(open.last() <= open.first(), || format!("{reloads}: descriptors stay open: {open:?}"));
    Ok(())
}
