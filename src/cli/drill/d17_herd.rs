//! D17: the herd. In June 2025 everything that had gone down came back at once, and what it needed to come back went down again.

use super::report::Findings;
use super::setting::{Setting, millis};
use super::{Drill, traffic};
use crate::cli::requests::Prepared;
use crate::engine::FixedEnv;
use crate::store::RuleSource;
use crate::waf::{NotQueued, Reload, Reloaded, Tenants, Waf};
use anyhow::Context;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D17",
    outage: "Google Cloud, 12 June 2025: everything restarted at once",
    injected: "1,000 tenants reload at once, three times each, ten different rulesets, while requests of theirs are evaluated",
    must_hold: "as many reloads wait as may, one for each tenant, the newest; equal rulesets are compiled once; no request fails or waits",
    run,
};

const TENANTS: usize = 1000;
/// How many reloads may wait.
const QUEUE: usize = 600;
/// Different rulesets in a wave.
const CONTENTS: usize = 10;
const WAVES: usize = 3;

/// What a request may take in the middle while all reload, of what it took before, and beside that.
const SLOWER: u32 = 3;
const SLACK: Duration = Duration::from_millis(1);

fn rules(wave: usize, content: usize) -> RuleSource {
    let patterns = (0..10).map(|id| {
        format!("SecRule ARGS \"@rx (?i)w{id}[a-z]{{2,9}}c{content}v{wave}\" \"id:{},phase:2,deny\"\n", 1000 + id)
    });
    let mark = format!("SecRule ARGS:mark \"@streq w{wave}c{content}\" \"id:1,phase:1,deny\"\n");
    RuleSource::Text { name: "site.conf".into(), text: mark + &patterns.collect::<String>() }
}

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let base =
        RuleSource::Text { name: "base.conf".into(), text: "SecRuleEngine On\nSecRequestBodyAccess On\n".into() };
    let builder = Tenants::builder("tenants").base(base).queue(QUEUE);
    let tenants = builder.adjust(|_, waf| waf.env(FixedEnv::default())).build()?;
    let names: Vec<String> = (0..TENANTS).map(|number| format!("t{number}")).collect();
    for name in &names {
        tenants.add(name, &rules(0, 0))?;
    }
    let requests = traffic::benign(setting.size(50, 200));
    let while_quiet = Duration::from_millis(setting.size(100, 1000));
    let quiet = measure(&tenants, &names, &requests, || std::thread::sleep(while_quiet))?;
    let before = tenants.releases();
    let mut herd = Herd::default();
    let loud = measure(&tenants, &names, &requests, || herd = stampede(&tenants, &names))?;

    let (counts, after) = (tenants.queue(), tenants.releases());
    let compiled = after.compiled - before.compiled;
    found.note("reloads", TENANTS * WAVES);
    found.note("most_waiting", counts.most_waiting);
    found.note("refused", herd.refused);
    found.note("superseded", counts.superseded);
    found.note("loaded", counts.loaded);
    found.note("compiled", compiled);
    found.note("requests", loud.done);
    found.note("median_ms_before", millis(quiet.median));
    found.note("median_ms_meanwhile", millis(loud.median));
    found.note("p99_ms_meanwhile", millis(loud.p99));
    found.hold(counts.most_waiting <= QUEUE, || format!("{} reloads waited, {QUEUE} may", counts.most_waiting));
    found.hold(herd.refused > 0 && herd.wrong_refusals == 0, || {
        format!("{} reloads were refused, {} of them with wrong figures", herd.refused, herd.wrong_refusals)
    });
    found.hold(counts.superseded > 0 && herd.superseded as u64 == counts.superseded, || {
        format!("{} reloads were superseded, {} were told", counts.superseded, herd.superseded)
    });
    found.hold(compiled <= (CONTENTS * WAVES) as u64, || {
        format!("{compiled} rulesets were compiled, of {} contents", CONTENTS * WAVES)
    });
    found.hold(herd.failed == 0, || format!("{} reloads failed", herd.failed));
    found.hold(herd.stale == 0, || format!("{} tenants have not what they asked for last", herd.stale));
    found.hold(loud.done > 0 && quiet.failed + loud.failed == 0, || {
        format!("{} of {} requests failed", loud.failed, loud.done)
    });
    found.hold(loud.median <= quiet.median * SLOWER + SLACK, || {
        format!("a request took {:?} in the middle, {:?} before", loud.median, quiet.median)
    });
    Ok(found)
}

/// What has become of all reloads.
#[derive(Default)]
struct Herd {
    refused: usize,
    wrong_refusals: usize,
    superseded: usize,
    failed: usize,
    /// Tenants that have not the newest of the rulesets that were taken.
    stale: usize,
}

fn stampede(tenants: &Tenants, names: &[String]) -> Herd {
    let mut herd = Herd::default();
    let mut taken: Vec<(usize, usize, Reload)> = Vec::new();
    for wave in 1..=WAVES {
        for (at, name) in names.iter().enumerate() {
            match tenants.reload(name, rules(wave, at % CONTENTS)) {
                Ok(reload) => taken.push((at, wave, reload)),
                Err(NotQueued::Full { waiting, most }) => {
                    herd.refused += 1;
                    herd.wrong_refusals += usize::from((waiting, most) != (QUEUE, QUEUE));
                }
                Err(_) => herd.failed += 1,
            }
        }
    }
    let mut newest = vec![0; names.len()];
    for (at, wave, reload) in &taken {
        match reload.wait() {
            Reloaded::Superseded => herd.superseded += 1,
            Reloaded::InService { .. } => {}
            _ => herd.failed += 1,
        }
        if let Some(newest) = newest.get_mut(*at) {
            *newest = (*newest).max(*wave);
        }
    }
    for ((at, name), wave) in names.iter().enumerate().zip(newest) {
        let content = if wave == 0 { 0 } else { at % CONTENTS };
        let mark = format!("/?mark=w{wave}c{content}");
        let has = |waf: Waf| Prepared::new("mark".to_owned(), &mark, None).evaluate(&waf).interruption().is_some();
        herd.stale += usize::from(!tenants.get(name).is_some_and(has));
    }
    herd
}

struct Measured {
    done: usize,
    failed: usize,
    median: Duration,
    p99: Duration,
}

/// Evaluates requests of one tenant after the other while something goes on.
fn measure(
    tenants: &Tenants,
    names: &[String],
    requests: &[Prepared],
    meanwhile: impl FnOnce() + Send,
) -> anyhow::Result<Measured> {
    let stop = AtomicBool::new(false);
    let (mut took, failed) = std::thread::scope(|scope| {
        let evaluate = scope.spawn(|| {
            let (mut took, mut failed) = (Vec::new(), 0);
            for (name, request) in names.iter().cycle().zip(requests.iter().cycle()) {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let begun = Instant::now();
                let answered = tenants.get(name).map(|waf| request.evaluate(&waf).interruption());
                took.push(begun.elapsed());
                failed += usize::from(!matches!(answered, Some(None)));
            }
            (took, failed)
        });
        let herd = scope.spawn(meanwhile);
        let ended = herd.join();
        stop.store(true, Ordering::Relaxed);
        let evaluated = evaluate.join();
        ended.ok().and(evaluated.ok())
    })
    .context("a thread of the drill has panicked")?;
    took.sort();
    let at = |part: usize| took.get((took.len() * part / 100).min(took.len().saturating_sub(1))).copied();
    let (median, p99) = (at(50).context("no request")?, at(99).context("no request")?);
    Ok(Measured { done: took.len(), failed, median, p99 })
}
