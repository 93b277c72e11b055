//! D7: the way back. In 2019 undoing the rules meant building and distributing them again.

use super::report::Findings;
use super::setting::{Setting, millis};
use super::{Drill, traffic};
use crate::cli::requests::Prepared;
use crate::limits::Limits;
use crate::parallel::threads;
use crate::store::RuleSource;
use crate::waf::Waf;
use anyhow::Context;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D7",
    outage: "Cloudflare, 2 July 2019: going back meant building everything again",
    injected: "other rules promoted and rolled back, again and again, while every processor evaluates requests",
    must_hold: "the same automata are in service again within a millisecond, for every request that begins from then on; none fails",
    run,
};

/// How soon the rules before are in service.
const IN_FORCE: Duration = Duration::from_millis(1);

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let waf = setting.ruleset_within(Limits::default())?;
    let other = RuleSource::Text {
        name: "drill.conf".into(),
        text: "SecRuleEngine On\nSecAction \"id:1,phase:1,pass,nolog\"".into(),
    };
    let requests = traffic::benign(100);
    let mut trials = Vec::new();
    for _ in 0..setting.size(5, 25) {
        trials.push(trial(&waf, &other, &requests)?);
    }
    trials.sort_by_key(|trial| trial.took);
    // Whoever is put aside by the system in the middle is late for a reason that is not ours: the median counts.
    let median = trials.get(trials.len() / 2).map_or(Duration::MAX, |trial| trial.took);
    let (done, failed) = trials.iter().fold((0, 0), |(done, failed), trial| (done + trial.done, failed + trial.failed));
    found.note("rules", setting.ruleset_name());
    found.note("rollback_ms", millis(median));
    found.note("requests", done);
    found.note("failed", failed);
    found.hold(median <= IN_FORCE, || format!("a rollback took {:.3} ms", median.as_secs_f64() * 1e3));
    found.hold(done > 0 && failed == 0, || format!("{failed} of {done} requests failed"));
    found.hold(trials.iter().all(|trial| trial.same), || "something was compiled".to_owned());
    found.hold(trials.iter().all(|trial| trial.late == 0), || "requests began with rules that had gone".to_owned());
    Ok(found)
}

struct Trial {
    took: Duration,
    done: usize,
    failed: usize,
    /// Requests that began after the rollback, and not with what it had put into service.
    late: usize,
    /// Whether the very same automata are in service.
    same: bool,
}

fn trial(waf: &Waf, other: &RuleSource, requests: &[Prepared]) -> anyhow::Result<Trial> {
    let before = waf.loaded();
    let stop = AtomicBool::new(false);
    let evaluate = || {
        let mut ended = Vec::new();
        for request in requests.iter().cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let begun = Instant::now();
            ended.push((begun, request.evaluate(waf).verdict().map(|verdict| verdict.generation)));
        }
        ended
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads()).map(|_| scope.spawn(evaluate)).collect();
        let promoted = waf.replace(other);
        std::thread::sleep(Duration::from_millis(20));
        let begun = Instant::now();
        let back = waf.roll_back();
        let done = Instant::now();
        std::thread::sleep(Duration::from_millis(20));
        stop.store(true, Ordering::Relaxed);
        let ended: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect();
        promoted.map_err(|report| anyhow::anyhow!("rules of the drill do not load:\n{report}"))?;
        let back = back.context("nothing was kept")?;
        let late = |(begun, generation): &&(Instant, Option<u64>)| *begun > done && *generation != Some(back.number);
        Ok(Trial {
            took: done - begun,
            done: ended.len(),
            failed: ended.iter().filter(|(_, generation)| generation.is_none()).count(),
            late: ended.iter().filter(late).count(),
            same: Arc::ptr_eq(&waf.loaded(), &before),
        })
    })
}
