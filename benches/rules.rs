//! How CPU time, fuel, load time and memory grow with the number of rules: the OWASP Core Rule Set at paranoia level 1, and with it
//! up to 35,000 rules that are made of its own (`benches/generated`).
//!
//! `cargo bench --all-features --bench rules` measures the ruleset alone and twice; `FUSEWALL_CURVE=50` goes up to fifty times.
//! Loading that many takes a while: `FUSEWALL_CURVE_SECONDS` says for how long loading one may be expected to take (default 1200),
//! and what is left out is said. `FUSEWALL_RECORD=1` writes `benches/record/rules-curve.md`. With `--test` the built-in rules and a
//! few dozen copies of a rule are loaded and evaluated once.

mod generated;
#[path = "../tests/traffic/mod.rs"]
mod traffic;

use fusewall::governor::thread_cpu_time;
use fusewall::{Limits, Waf};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use traffic::{Request, recorded, say, setup};

/// What the copies begin from.
const SEED: u64 = 7;
/// How many times the ruleset, and copies that are added.
const CURVE: [(usize, usize); 6] = [(1, 0), (2, 700), (5, 2_800), (10, 7_000), (20, 14_000), (50, 35_000)];
/// Evaluations of each request that count.
const PASSES: usize = 7;

/// One point of the curve.
struct Point {
    times: usize,
    rules: usize,
    load: Duration,
    resident: usize,
    p50: f64,
    p95: f64,
    mean: f64,
    fuel: u64,
    over: usize,
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

/// Loads the rules of `path` and `copies` more.
fn load(path: &Path, copies: usize) -> (Waf, Duration) {
    // The budget is for rules that people write: here it would end requests before their cost is known.
    let mut limits = Limits::default();
    (limits.fuel_base, limits.fuel_cap, limits.fuel_rule) = (u64::MAX, u64::MAX, u64::MAX);
    let begun = Instant::now();
    let builder = Waf::builder().limits(limits).rules_path(path);
    if copies == 0 {
        let waf = builder.build().unwrap_or_else(|report| panic!("{report}"));
        return (waf, begun.elapsed());
    }
    let alone = traffic::waf(path);
    let text = generated::rules(&alone.loaded().program().ruleset, copies, SEED);
    drop(alone);
    // A single file would be longer than a rule file may be.
    let folder = tempfile::tempdir().expect("a folder");
    let lines: Vec<_> = text.lines().collect();
    let mut builder = builder;
    for (number, some) in lines.chunks(2000).enumerate() {
        let file = folder.path().join(format!("{number:03}.conf"));
        std::fs::write(&file, some.join("\n")).expect("the file can be written");
        builder = builder.rules_path(file);
    }
    let begun = Instant::now();
    let waf = builder.build().unwrap_or_else(|report| panic!("{}", report.without_notes()));
    (waf, begun.elapsed())
}

/// CPU time of each request in microseconds, the fuel of all, and how many spend more than the default budget.
fn measure(waf: &Waf, requests: &[Request]) -> (Vec<f64>, u64, usize) {
    let (mut fuel, mut over) = (0, 0);
    let limits = Limits::default();
    for request in requests {
        let transaction = request.evaluate(waf);
        let verdict = transaction.verdict().expect("the engine does not fail");
        assert!(verdict.interruption.is_none() && verdict.exhausted.is_none(), "{}: {verdict:?}", request.id);
        fuel += verdict.fuel;
        over += usize::from(verdict.fuel > limits.fuel_base + limits.fuel_per_byte * request.size() as u64);
    }
    let mut times = vec![Vec::new(); requests.len()];
    for _ in 0..PASSES {
        for (request, times) in requests.iter().zip(&mut times) {
            let begun = thread_cpu_time();
            drop(request.evaluate(waf));
            times.push((thread_cpu_time() - begun).as_nanos() as f64 / 1e3);
        }
    }
    let mut medians: Vec<_> = times
        .into_iter()
        .map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    (medians, fuel, over)
}

fn point(path: &Path, requests: &[Request], times: usize, copies: usize) -> Point {
    let before = resident();
    let (waf, load) = load(path, copies);
    let rules = waf.loaded().program().ruleset.rules.len();
    let resident = resident().saturating_sub(before);
    let (medians, fuel, over) = measure(&waf, requests);
    let at = |share: f64| medians[((medians.len() - 1) as f64 * share) as usize];
    Point {
        times,
        rules,
        load,
        resident,
        p50: at(0.5),
        p95: at(0.95),
        mean: medians.iter().sum::<f64>() / medians.len() as f64,
        fuel: fuel / requests.len() as u64,
        over,
    }
}

const HEAD: &str = "\
# CPU time by number of rules

CRS at paranoia level 1, and with it rules made of its own (`benches/generated`): the same targets, transformations and shapes of
patterns, other words. Only rules that run at level 1 are copied, while many of CRS's own do not: the copies weigh more than as many of
its rules. The 200 requests of `benign-small`, none of which a rule matches. CPU time of the thread for each request is
the median of 7 evaluations with warm caches, then p50 and p95 over requests; fuel is the mean. The machine has two cores that are
shared with other work: trust ratios, not microseconds. `over budget` are the requests that would
spend the default budget, which is off here. Load time is wall time on both cores, memory what the
process has grown by.

Written by `FUSEWALL_CURVE=50 FUSEWALL_RECORD=1 cargo bench --all-features --bench rules`. The goal is 1.3 times the CPU time with ten
times the rules, and twice with fifty times.

| times | rules | CPU p50 us | p95 us | times the CPU (mean) | fuel | times the fuel | over budget | load s | resident MB |
|---|---|---|---|---|---|---|---|---|---|
";

fn curve(path: &Path, requests: &[Request]) {
    let most = std::env::var("FUSEWALL_CURVE").ok().and_then(|most| most.parse().ok()).unwrap_or(2);
    let patience = std::env::var("FUSEWALL_CURVE_SECONDS").ok().and_then(|most| most.parse().ok()).unwrap_or(1200.0);
    let mut page = HEAD.to_owned();
    let mut points: Vec<Point> = Vec::new();
    for (times, copies) in CURVE.into_iter().filter(|(times, _)| *times <= most) {
        let expected = match points.as_slice() {
            [first, .., last] => {
                (last.load - first.load).as_secs_f64() / (last.rules - first.rules) as f64 * copies as f64
            }
            _ => 0.0,
        };
        let line = if expected > patience {
            format!("| {times} | {copies} more | not measured: loading would take some {expected:.0} s | | | | | | | |")
        } else {
            let point = point(path, requests, times, copies);
            let first = points.first().unwrap_or(&point);
            let line = format!(
                "| {} | {} | {:.0} | {:.0} | {:.2} | {} | {:.2} | {} | {:.1} | {} |",
                point.times,
                point.rules,
                point.p50,
                point.p95,
                point.mean / first.mean,
                point.fuel,
                point.fuel as f64 / first.fuel as f64,
                point.over,
                point.load.as_secs_f64(),
                point.resident >> 20
            );
            points.push(point);
            line
        };
        say(&line);
        let _ = writeln!(page, "{line}");
        // After each: the last ones may be too much for a machine.
        if std::env::var_os("FUSEWALL_RECORD").is_some() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/record/rules-curve.md");
            std::fs::write(path, &page).expect("the record can be written");
        }
    }
}

/// Everything once, with rules of this file.
fn once() {
    let file = tempfile::NamedTempFile::with_suffix(".conf").expect("a file");
    let rules = r#"
        SecRuleEngine On
        SecRule ARGS "@rx (?i)\bunion\s+(?:all\s+)?select[^y]{2}(?:insert|delete)+" "id:1,phase:2,deny,t:lowercase,tag:'paranoia-level/1'"
    "#;
    std::fs::write(file.path(), rules).expect("the file can be written");
    let (waf, _) = load(file.path(), 40);
    let loaded = waf.loaded();
    let copies = &loaded.program().ruleset.rules;
    assert_eq!(copies.len(), 41);
    assert!(copies[1..].windows(2).all(|pair| pair[0].conditions[0].test != pair[1].conditions[0].test));
    assert_eq!(copies[0].conditions[0].pipeline, copies[40].conditions[0].pipeline);
    let refused = Request::get("/?q=1%20UNION%20SELECT%20xdelete").evaluate(&waf).interruption();
    assert!(refused.is_some(), "the rule that the others are made of is among them");
    let (times, fuel, _) = measure(&waf, &[Request::get("/?q=union")]);
    assert!(times.len() == 1 && fuel > 0);
}

fn main() {
    once();
    if std::env::args().any(|argument| argument == "--test") || cfg!(debug_assertions) {
        return;
    }
    if let (Some(path), Some(requests)) = (setup("crs-pl1"), recorded("bench/benign-small")) {
        curve(&path, &requests);
    }
}
