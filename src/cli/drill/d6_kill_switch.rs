//! D6: a switch that works while everything else hangs. In 2019 it took 25 minutes to turn the rules off, because the way to the switch
//! led through what they had stopped.

use super::report::Findings;
use super::setting::{Setting, own_rules};
use super::{Drill, traffic};
use crate::cli::requests::Prepared;
use crate::engine::Step;
use crate::limits::Limits;
use crate::parallel::threads;
use crate::rule::{EngineMode, Phase, RuleId};
use crate::waf::{Switch, Waf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D6",
    outage: "Cloudflare, 2 July 2019: the kill switch took 25 minutes",
    injected: "a rule, a tag, the ruleset and the engine turned off while every processor evaluates a dear request",
    must_hold: "10 ms later no verdict carries the rule; a request under way spends one quantum more at most; nothing waits for a lock",
    run,
};

/// A rule that takes long on what is sent and never matches, and one that always does.
const RULES: &str = r#"
    SecRule ARGS "@rx (?:a.*b|b.*c|c.*a)d[^x]{60}y" "id:1,phase:2,pass,tag:'drill'"
    SecRule REQUEST_METHOD "@streq POST" "id:2,phase:2,pass,tag:'drill'"
"#;

/// How soon a switch is in force.
const IN_FORCE: Duration = Duration::from_millis(10);
/// How long the first verdict is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// Fuel that a request may still spend on what was turned off: a quantum, and the block that it ends in.
const QUANTUM: u64 = 3 * (64 << 10);

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let limits = Limits { fuel_base: Limits::default().fuel_cap, ..Limits::default() };
    let waf = own_rules(RULES, limits)?;
    let request = traffic::form(format!("x=y{}", "abcd".repeat(setting.size(4_000, 20_000))));
    let trials = setting.size(3, 9);
    let turns: [(&'static str, Turn); 4] = [
        ("rule_ms", |waf, off| turn(waf, &Switch::Rule(RuleId(2)), off)),
        ("tag_ms", |waf, off| turn(waf, &Switch::Tag("drill".to_owned()), off)),
        ("ruleset_ms", |waf, off| turn(waf, &Switch::Ruleset, off)),
        ("engine_ms", |waf, off| waf.set_strongest_mode(if off { EngineMode::Off } else { EngineMode::On })),
    ];
    let mut slowest = Duration::ZERO;
    for (name, turn) in turns {
        let mut late: Vec<Trial> = (0..trials).map(|_| trial(&waf, &request, turn)).collect();
        late.sort_by_key(|trial| trial.late);
        slowest = late.iter().map(|trial| trial.call).fold(slowest, Duration::max);
        let verdicts: usize = late.iter().map(|trial| trial.verdicts).sum();
        // Whoever is put aside by the system after it has decided is late for a reason that is not ours: the median counts.
        let median = late.get(trials / 2).map_or(Duration::MAX, |trial| trial.late);
        found.note(name, (median.as_secs_f64() * 1e5).round() / 1e2);
        found.hold(median <= IN_FORCE, || format!("{name}: {:.1} ms", median.as_secs_f64() * 1e3));
        found.hold(verdicts > 0, || format!("{name}: no request was evaluated"));
        found.hold(late.iter().all(|trial| trial.carried), || format!("{name}: the rule did not match before"));
    }
    found.note("slowest_call_us", slowest.as_micros() as u64);
    found.note("threads", threads());
    let (spent, whole) = under_way(&waf, &request);
    found.note("fuel_after_the_switch", spent);
    found.note("fuel_without_it", whole);
    found.hold(spent <= QUANTUM, || format!("a request under way spent {spent} fuel more"));
    Ok(found)
}

/// Turns something off or on.
type Turn = fn(&Waf, bool);

fn turn(waf: &Waf, switch: &Switch, off: bool) {
    if off {
        waf.switch_off(switch)
    } else {
        waf.switch_on(switch)
    };
}

/// What one trial has shown.
struct Trial {
    /// How long after the switch the last verdict came that carried the rule.
    late: Duration,
    /// How long the call took.
    call: Duration,
    verdicts: usize,
    /// Whether verdicts before carried it.
    carried: bool,
}

fn trial(waf: &Waf, request: &Prepared, turn: Turn) -> Trial {
    let (stop, carried) = (AtomicBool::new(false), AtomicBool::new(false));
    let evaluate = || {
        let mut ended = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let carries = request.evaluate(waf).records().iter().any(|record| record.rule == RuleId(2));
            ended.push((Instant::now(), carries));
            carried.fetch_or(carries, Ordering::Relaxed);
        }
        ended
    };
    let (begun, done, ended) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads()).map(|_| scope.spawn(evaluate)).collect();
        std::thread::sleep(Duration::from_millis(40));
        // On a busy machine the first verdict takes its time.
        let patience = Instant::now() + PATIENCE;
        while !carried.load(Ordering::Relaxed) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        let begun = Instant::now();
        turn(waf, true);
        let done = Instant::now();
        std::thread::sleep(Duration::from_millis(60));
        stop.store(true, Ordering::Relaxed);
        let ended: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect();
        (begun, done, ended)
    });
    turn(waf, false);
    let carrying = || ended.iter().filter(|(_, carries)| *carries).map(|(at, _)| *at);
    let late = carrying().map(|at| at.saturating_duration_since(begun)).max().unwrap_or_default();
    Trial { late, call: done - begun, verdicts: ended.len(), carried: carrying().any(|at| at < begun) }
}

/// The fuel that a request spends after its dear rule was turned off, and what it would have spent.
fn under_way(waf: &Waf, request: &Prepared) -> (u64, u64) {
    let fuel = |transaction: &crate::waf::Transaction| transaction.verdict().map_or(0, |verdict| verdict.fuel);
    let whole = fuel(&request.evaluate(waf));
    let mut transaction = request.begin(waf);
    transaction.start(Phase::RequestBody);
    while transaction.dearest_rules(1).is_empty() && transaction.step(1 << 10) == Step::Pending {}
    let before = fuel(&transaction);
    waf.switch_off(&Switch::Rule(RuleId(1)));
    while transaction.step(u64::MAX) == Step::Pending {}
    waf.switch_on(&Switch::Rule(RuleId(1)));
    (fuel(&transaction).saturating_sub(before), whole)
}
