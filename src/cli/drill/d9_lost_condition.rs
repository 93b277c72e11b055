//! D9: a line that lost its condition, and matched everything. Traffic moved to one place, which could not carry it.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, own_rules};
use super::traffic;
use crate::cli::requests::Prepared;
use crate::governor::{Clock, Governor, GovernorConfig, Level, ManualClock, ShedReason, Tenant, Ticket};
use crate::limits::Limits;
use crate::meter::FUEL_PER_MICROSECOND;
use crate::store::RuleSource;
use crate::store::rollout::{Finding, Gate, Gates, Plan, Share, Stage, Step};
use crate::waf::RolloutConfig;
use anyhow::Context;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D9",
    outage: "Cloudflare, 17 July 2020: a line lost its condition, and traffic moved to one place that could not carry it",
    injected: "a rule whose condition is empty, one that excludes others for everybody, each rolled out on live traffic; then five times \
               the traffic that the CPU share can carry",
    must_hold: "an empty condition is told at load; both candidates are refused while they decide nothing, with the share of clients that \
                they concern; the load is shed in its order, and who asks for no more than his part waits no longer",
    run,
};

const RULES: &str = "SecRule ARGS:q \"@contains attack\" \"id:1,phase:1,deny,log,msg:'attack'\"\n";

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let candidates = [
        Candidate {
            what: "a rule without its condition",
            text: format!("{RULES}SecRule ARGS|REQUEST_URI \"@rx \" \"id:2,phase:1,deny,log,msg:'odd'\"\n"),
            told: true,
            gate: Gate::RuleShare(2),
            notes: ["matching_networks", "matching_share"],
        },
        Candidate {
            what: "an exclusion for everybody",
            text: format!("SecAction \"id:3,phase:1,pass,nolog,ctl:ruleRemoveById=1\"\n{RULES}"),
            told: false,
            gate: Gate::NewlyPassed,
            notes: ["excluding_networks", "newly_passed_share"],
        },
    ];
    for candidate in &candidates {
        roll_out(candidate, &mut found)?;
    }
    flood(setting, &mut found);
    Ok(found)
}

/// Rules that somebody has made a mistake in.
struct Candidate {
    what: &'static str,
    text: String,
    /// Whether loading them warns.
    told: bool,
    /// Where they have to fail.
    gate: Gate,
    notes: [&'static str; 2],
}

/// A rollout in a hurry, whatever it costs: what is not refused for what it does comes into service within the drill.
fn hurried() -> RolloutConfig {
    let step = |percent| Step { share: Share::percent(percent), least_millis: 0 };
    let plan = Plan { shadow_millis: 0, canary: [10, 50].map(step).into(), watch_millis: 0, ..Plan::default() };
    let gates = Gates { max_fuel_percent: 1000, max_dearest_percent: 1000, ..Gates::default() };
    RolloutConfig { plan, gates, tick_millis: 20, ..RolloutConfig::default() }
}

/// Rolls it out on traffic of many networks, one in three of whose requests is an attack.
fn roll_out(candidate: &Candidate, found: &mut Findings) -> anyhow::Result<()> {
    let what = candidate.what;
    let waf = &own_rules(RULES, Limits::default())?;
    let text = format!("SecRuleEngine On\nSecRequestBodyAccess On\n{}", candidate.text);
    let staged = waf.stage(&RuleSource::Text { name: "candidate.conf".into(), text });
    let staged = staged.map_err(|report| anyhow::anyhow!("rules of the drill do not load:\n{report}"))?;
    let told = staged.report().diagnostics.has("W0702");
    found.hold(told || !candidate.told, || format!("{what}: nothing is told at load"));
    waf.begin_rollout(staged, hurried())?;
    let attack = Prepared::new("attack".to_owned(), "/search?q=attack", None);
    let requests = traffic::benign(100);
    let begun = Instant::now();
    let (mut asked, mut changed) = (0_u32, 0);
    let ended = loop {
        for (request, number) in requests.iter().cycle().zip(0..6000_u32) {
            // Everybody is attacked from time to time, and each network known by all that it sends before the next one comes: the
            // gate for what was lost can fail as soon as any other.
            let is_attack = number % 3 == 0;
            let request = if is_attack { &attack } else { request };
            let verdict = request.evaluate_from(waf, client(number / 3)).verdict().context("internal error")?;
            asked += 1;
            changed += u32::from(verdict.interruption.is_some() != is_attack);
        }
        let status = waf.rollout().context("it was begun")?;
        if status.over || begun.elapsed() > Duration::from_secs(20) {
            break status;
        }
    };
    found.hold(changed == 0, || format!("{what}: {changed} of {asked} verdicts in service changed"));
    found.hold(ended.stage == Stage::Refused && waf.generation().number == 1, || format!("{what}: it was not refused"));
    let last = ended.decisions.last();
    let because = last.map(ToString::to_string).unwrap_or_default();
    let gate = last.and_then(|last| last.gates.iter().find(|judged| judged.gate == candidate.gate));
    found.hold(gate.is_some_and(|judged| judged.finding == Finding::Failed), || {
        format!("{what}: the gate for it has not failed: {because}")
    });
    let [networks, share] = candidate.notes;
    found.note(networks, last.map_or(0, |last| last.figures.sources));
    found.note(share, (gate.map_or(0.0, |judged| judged.seen) * 1e3).round() / 1e3);
    Ok(())
}

/// A network of its own for each of 2,000, no more than 50 in a block.
fn client(number: u32) -> IpAddr {
    let network = number % 2000;
    Ipv4Addr::from(0x0a00_0000 | (network / 50) << 16 | (network % 50) << 8 | 7).into()
}

/// Nanoseconds of a step of the simulation.
const STEP: u64 = 1_000_000;
/// What a request costs, in nanoseconds.
const COST: u64 = 2_000_000;

/// A request that was let in.
struct Job {
    arrived: u64,
    left: u64,
    ticket: Ticket,
    benign: bool,
}

/// Fuel of so many nanoseconds, at the nominal rate.
const fn fuel(nanos: u64) -> u64 {
    nanos * FUEL_PER_MICROSECOND / 1000
}

/// Five times what the share carries, of which a tenth is a tenant's within its part, on a clock that nobody disturbs.
fn flood(setting: &Setting<'_>, found: &mut Findings) {
    let clock = Arc::new(ManualClock::default());
    let config = GovernorConfig { share: Some(0.5), cores: 1, ..GovernorConfig::default() };
    let governor = Governor::with_clock(&config, Arc::clone(&clock));
    let tenants: [Arc<Tenant>; 2] = [governor.tenant("within", 1), governor.tenant("over", 1)];
    // Millionths of a request for each step.
    let rate = |share: f64| (share * 0.5 * STEP as f64 / COST as f64 * 1e6) as u64;
    let (mut owed, rates) = ([0_u64; 2], [rate(0.5), rate(4.5)]);
    let (mut ready, mut lane) = (VecDeque::new(), VecDeque::new());
    let (mut shed, mut let_in, mut spent) = ([0_u64; 2], [0_u64; 2], 0_u64);
    let (mut waits, mut without_shadow, mut order_broken) = (Vec::new(), false, false);
    let mut highest = Level::Calm;
    let seconds = setting.size(10, 60);
    for step in 0..seconds * 1000_u64 {
        clock.advance(STEP);
        let now = clock.nanos();
        for (at, tenant) in tenants.iter().enumerate() {
            owed[at] += rates[at];
            while owed[at] >= 1_000_000 {
                owed[at] -= 1_000_000;
                match tenant.admit(Some(client((step % 1500) as u32 + 2000 * at as u32))) {
                    Ok(ticket) => {
                        let_in[at] += 1;
                        without_shadow |= !ticket.shadow();
                        let job = Job { arrived: now, left: COST, ticket, benign: at == 0 };
                        if job.ticket.borrows() { lane.push_back(job) } else { ready.push_back(job) }
                    }
                    Err(refused) => {
                        shed[at] += 1;
                        // Work that decides nothing goes before any request does.
                        order_broken |= !without_shadow && refused.reason != ShedReason::Faults;
                    }
                }
            }
        }
        highest = highest.max(governor.level());
        let mut left = STEP;
        while left > 0
            && let Some(mut job) = ready.pop_front().or_else(|| lane.pop_front())
        {
            let part = job.left.min(left);
            let started = job.ticket.start(fuel(COST - job.left));
            (left, job.left, spent) = (left - part, job.left - part, spent + part);
            clock.work(part);
            job.ticket.stop(started, fuel(COST - job.left));
            if job.left > 0 {
                ready.push_front(job);
                continue;
            }
            if job.benign {
                waits.push(now - job.arrived);
            }
            job.ticket.settle(fuel(COST));
        }
    }
    waits.sort_unstable();
    let p99 = waits.get(waits.len() * 99 / 100).copied().unwrap_or(u64::MAX);
    let share = spent as f64 / (seconds as f64 * 1e9);
    found.note("flood_over", 5.0);
    found.note("cpu_share_declared", 0.5);
    found.note("cpu_share_spent", (share * 1e3).round() / 1e3);
    found.note("within_shed", shed[0]);
    found.note("over_shed_share", (1e3 * shed[1] as f64 / (shed[1] + let_in[1]).max(1) as f64).round() / 1e3);
    found.note("within_p99_ms", p99 as f64 / 1e6);
    found.note("highest_level", highest.number());
    found.hold(shed[0] == 0, || format!("{} requests of who is within his part were shed", shed[0]));
    found.hold(shed[1] > let_in[1], || "the flood was let in".to_owned());
    found.hold((share - 0.5).abs() < 0.05, || format!("evaluation took {share:.3} of the core, not 0.5"));
    found.hold(p99 <= 30_000_000, || format!("who is within his part waits {} ms", p99 / 1_000_000));
    found.hold(!order_broken, || "requests were shed before work that decides nothing".to_owned());
}
