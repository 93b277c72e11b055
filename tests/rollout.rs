//! Rollouts: what they let pass, what they refuse, and what hostile networks can do about it. `docs/rollout.md` promises what is
//! tested here: nobody with up to 500 networks, or a tenth of them, brings about a promotion, a refusal or a rollback.

use fusewall::Waf;
use fusewall::rule::RuleId;
use fusewall::store::rollout::{
    Action, Contest, Decision, EmergencyLane, Event, Figures, Finding, Gate, Gates, Must, Observation, Outcome, Plan,
    Rollout, Share, Source, Stage, Step, Why, compare,
};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const CONTEST: Contest = Contest { live: 1, candidate: 2, at: 0 };
const SECOND: u64 = 1000;

/// What a request is like for both rulesets.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Same,
    NewlyBlocked,
    NewlyPassed,
    /// The candidate logs a rule, and blocks nothing.
    Logged,
    Fails,
    /// Costs the candidate ten times as much.
    Dear,
    /// Costs the candidate twice as much.
    Twice,
    /// Costs the candidate nearly nothing.
    Cheap,
    /// Blocked by both.
    Blocked,
}

const HARM: [Kind; 5] = [Kind::NewlyBlocked, Kind::NewlyPassed, Kind::Logged, Kind::Fails, Kind::Dear];

fn seen(client: IpAddr, kind: Kind) -> Event {
    let outcome = |blocks: bool, rules: &[u64], fuel| {
        let action = if blocks { Action::Deny { status: 403 } } else { Action::Pass };
        Outcome::new(action, rules.iter().map(|&rule| RuleId(rule)), fuel, false)
    };
    let live = outcome(matches!(kind, Kind::NewlyPassed | Kind::Blocked), &[10], 10_000);
    let candidate = match kind {
        Kind::Same => outcome(false, &[10], 10_000),
        Kind::NewlyBlocked => outcome(true, &[10, 20], 10_000),
        Kind::NewlyPassed => outcome(false, &[], 10_000),
        Kind::Logged => outcome(false, &[10, 30], 10_000),
        Kind::Fails => Outcome::of(None),
        Kind::Dear => outcome(false, &[10], 100_000),
        Kind::Twice => outcome(false, &[10], 20_000),
        Kind::Cheap => outcome(false, &[10], 1),
        Kind::Blocked => outcome(true, &[10], 10_000),
    };
    Event::Observed(Observation { source: Source::from(client), canary: true, live, candidate })
}

/// A client in the network of this number; networks lie scattered.
fn client(network: u32) -> IpAddr {
    Ipv4Addr::from(network.wrapping_mul(0x9e37_79b1) & 0xffff_ff00 | 7).into()
}

/// A plan that goes on as soon as the gates are passed.
fn at_once() -> Plan {
    let step = |percent| Step { share: Share::percent(percent), least_millis: 0 };
    Plan { shadow_millis: 0, canary: vec![step(10)], watch_millis: 3600 * SECOND, window_millis: 600 * SECOND }
}

fn rollout() -> Rollout {
    Rollout::new(at_once(), Gates::default(), CONTEST).expect("gates that make sense")
}

/// One that has been promoted.
fn promoted() -> Rollout {
    let mut rollout = rollout();
    for at in 1..=2 {
        rollout.take(&Event::Approved { at });
    }
    assert_eq!(rollout.stage(), Stage::Promoted);
    rollout
}

/// Traffic: what honest networks send, and what hostile ones do.
struct Traffic {
    honest: u32,
    /// What so many of the honest ones meet with once.
    affected: (u32, Kind),
    hostile: u32,
    hostile_kind: Kind,
    /// Requests of a hostile network.
    flood: u32,
}

#[derive(Debug, Clone, Copy)]
enum Order {
    HostileFirst,
    Mixed,
    HostileLast,
}

const ORDERS: [Order; 3] = [Order::HostileFirst, Order::Mixed, Order::HostileLast];

impl Traffic {
    fn harmless(honest: u32) -> Traffic {
        Traffic { honest, affected: (0, Kind::Same), hostile: 0, hostile_kind: Kind::Same, flood: 30 }
    }

    fn network(&self, at: u32, out: &mut Vec<Event>) {
        if at < self.honest {
            let from = client(at);
            if at < self.affected.0 {
                out.push(seen(from, self.affected.1));
            }
            // Some ask much and some little.
            out.extend((0..2 + at % 9).map(|_| seen(from, Kind::Same)));
        } else {
            out.extend((0..self.flood).map(|_| seen(client(at), self.hostile_kind)));
        }
    }

    fn events(&self, order: Order) -> Vec<Event> {
        let all = self.honest + self.hostile;
        let mut networks: Vec<u32> = match order {
            Order::HostileFirst => (self.honest..all).chain(0..self.honest).collect(),
            Order::Mixed | Order::HostileLast => (0..all).collect(),
        };
        if let Order::Mixed = order {
            networks.sort_by_key(|&network| network.wrapping_mul(0x85eb_ca6b));
        }
        let mut events = Vec::new();
        networks.into_iter().for_each(|network| self.network(network, &mut events));
        events
    }

    /// Sends all of it, with a tick after every so many requests and one at the end; answers the decisions.
    fn send(&self, rollout: &mut Rollout, order: Order) -> Vec<Decision> {
        let mut decisions = Vec::new();
        let stage = rollout.stage();
        for chunk in self.events(order).chunks(2500) {
            for event in chunk {
                rollout.take(event);
            }
            decisions.extend(rollout.take(&Event::Tick { at: SECOND }).decision);
            if rollout.stage() != stage {
                break;
            }
        }
        decisions
    }
}

fn finding(decision: &Decision, gate: Gate) -> Finding {
    let judged = decision.gates.iter().find(|judged| judged.gate == gate);
    judged.unwrap_or_else(|| panic!("{gate:?}: {decision}")).finding
}

#[test]
fn a_harmless_candidate_goes_all_the_way() {
    let mut rollout = rollout();
    let mut stages = Vec::new();
    for _ in 0..3 {
        stages.extend(Traffic::harmless(3000).send(&mut rollout, Order::Mixed).iter().map(|decision| decision.to));
    }
    assert_eq!(stages, [Stage::Canary { share: Share::percent(10) }, Stage::Promoted]);
    assert!(!rollout.is_over());
    let end = rollout.take(&Event::Tick { at: 3601 * SECOND }).decision.expect("it has settled");
    assert_eq!((end.to, end.why, rollout.is_over()), (Stage::Promoted, Why::Settled, true));
}

#[test]
fn a_stage_takes_its_time_and_its_sample() {
    let plan = Plan { shadow_millis: 60 * SECOND, ..at_once() };
    let mut rollout = Rollout::new(plan, Gates::default(), CONTEST).expect("gates");
    Traffic::harmless(3000).send(&mut rollout, Order::Mixed);
    assert_eq!(rollout.take(&Event::Tick { at: 59 * SECOND }).decision, None);
    // A clock that was set back stands still.
    assert_eq!(rollout.take(&Event::Tick { at: 0 }).decision, None);
    assert!(rollout.take(&Event::Tick { at: 60 * SECOND }).decision.is_some());
    // Enough requests, too few networks.
    let mut rollout = self::rollout();
    Traffic { flood: 20, ..Traffic { hostile: 1000, ..Traffic::harmless(900) } }.send(&mut rollout, Order::Mixed);
    assert_eq!((rollout.stage(), rollout.figures().sources), (Stage::Shadow, 1900));
    assert!(rollout.figures().counted >= 10_000);
}

#[test]
fn harm_to_many_is_refused_and_rolled_back_and_says_why() {
    for kind in HARM {
        for mut rollout in [rollout(), promoted()] {
            let from = rollout.stage();
            let to = if from == Stage::Promoted { Stage::RolledBack } else { Stage::Refused };
            let harm = Traffic { affected: (3000, kind), ..Traffic::harmless(5000) };
            let decisions = harm.send(&mut rollout, Order::Mixed);
            let decision = decisions.last().unwrap_or_else(|| panic!("{kind:?} in {from:?}"));
            assert_eq!((decision.to, &decision.why), (to, &Why::Failed), "{kind:?}: {decision}");
            let gate = match kind {
                Kind::NewlyBlocked => Gate::NewlyBlocked,
                Kind::NewlyPassed => Gate::NewlyPassed,
                Kind::Logged => Gate::RuleShare(30),
                Kind::Fails => Gate::Failures,
                _ => Gate::DearestFuel,
            };
            assert_eq!(finding(decision, gate), Finding::Failed, "{decision}");
            assert!(decision.to_string().contains("limit"), "{decision}");
            // It is over: nothing changes that any longer.
            assert!(rollout.is_over() && !rollout.take(&Event::Approved { at: 9 * SECOND }).counts);
        }
    }
}

#[test]
fn a_rule_that_lost_its_condition_is_refused() {
    // 17 July 2020, with rules: the phrase is gone, so the rule matches whatever comes.
    let waf = |phrase: &str| {
        let rule = format!("SecRuleEngine On\nSecRule REQUEST_URI \"@contains {phrase}\" \"id:30,phase:1,pass,log\"");
        Waf::builder().rules_text("site.conf", rule).build().expect("rules that load")
    };
    let (live, candidate) = (waf("attack"), waf("/"));
    let outcome = |waf: &Waf, target: &str| {
        let mut transaction = waf.transaction();
        transaction.process_request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
        transaction.process_request_headers();
        transaction.process_logging();
        Outcome::of(transaction.verdict().as_ref())
    };
    let asked = ["/", "/index.html", "/?q=attack"].map(|target| (outcome(&live, target), outcome(&candidate, target)));
    let mut rollout = rollout();
    for (at, (live, candidate)) in (0..12_000).zip(asked.iter().cycle()) {
        let (live, candidate) = (live.clone(), candidate.clone());
        let source = Source::from(client(at % 3000));
        rollout.take(&Event::Observed(Observation { source, canary: false, live, candidate }));
    }
    let decision = rollout.take(&Event::Tick { at: SECOND }).decision.expect("a decision");
    assert_eq!((rollout.stage(), finding(&decision, Gate::RuleShare(30))), (Stage::Refused, Finding::Failed));
    // A third asks for what the rule was made for, and matches it as before.
    assert!(decision.to_string().contains("rule 30 matches newly: 66.67 % of the networks"), "{decision}");
}

#[test]
fn a_rule_that_matches_the_whole_sample_is_refused() {
    let mut rollout = rollout();
    let decisions =
        Traffic { affected: (5000, Kind::Logged), ..Traffic::harmless(5000) }.send(&mut rollout, Order::Mixed);
    let decision = decisions.last().expect("a decision");
    let judged = decision.gates.iter().find(|judged| judged.gate == Gate::RuleShare(30)).expect("the rule");
    assert_eq!((judged.seen, judged.finding, rollout.stage()), (1.0, Finding::Failed, Stage::Refused));
    assert!(decision.to_string().contains("rule 30 matches newly: 100.00 % of the networks"), "{decision}");
}

#[test]
fn a_candidate_that_costs_twice_as_much_is_refused_though_no_request_is_far_dearer() {
    let mut rollout = rollout();
    for network in 0..3000 {
        for _ in 0..4 {
            rollout.take(&seen(client(network), Kind::Twice));
        }
    }
    let decision = rollout.take(&Event::Tick { at: 1 }).decision.expect("a decision");
    assert_eq!(decision.to, Stage::Refused);
    assert_eq!(finding(&decision, Gate::Fuel), Finding::Failed, "{decision}");
    assert_eq!(finding(&decision, Gate::DearestFuel), Finding::Passed, "{decision}");
    assert!(decision.to_string().contains("fuel: 200 % of the live ruleset's"), "{decision}");
}

#[test]
fn one_network_forces_nothing_whatever_it_sends() {
    for kind in HARM {
        for order in ORDERS {
            for mut rollout in [rollout(), promoted()] {
                let from = rollout.stage();
                let attack = Traffic { hostile: 1, hostile_kind: kind, flood: 50_000, ..Traffic::harmless(5000) };
                let decisions = attack.send(&mut rollout, order);
                // Internal errors are for a person to look at, be they of one network: no candidate goes on with them.
                let held = decisions.iter().all(|decision| decision.why == Why::Held && kind == Kind::Fails);
                let went_on =
                    from == Stage::Shadow && decisions.last().is_some_and(|decision| decision.why == Why::Passed);
                assert!(held || went_on, "{kind:?} {order:?}: {decisions:?}");
                if kind != Kind::Fails || from == Stage::Promoted {
                    assert_ne!(rollout.stage(), Stage::Shadow, "{kind:?} {order:?}");
                }
            }
        }
    }
}

#[test]
fn one_network_forges_nothing() {
    for hides in [Kind::Same, Kind::Cheap, Kind::Blocked] {
        for order in ORDERS {
            let mut rollout = rollout();
            // Three of a hundred are newly blocked.
            let attack = Traffic {
                affected: (150, Kind::NewlyBlocked),
                hostile: 1,
                hostile_kind: hides,
                flood: 100_000,
                ..Traffic::harmless(5000)
            };
            let decisions = attack.send(&mut rollout, order);
            assert_eq!(rollout.stage(), Stage::Shadow, "{hides:?} {order:?}: {decisions:?}");
        }
    }
}

#[test]
fn five_hundred_networks_among_five_thousand_force_neither_refusal_nor_rollback() {
    for kind in HARM {
        for order in ORDERS {
            for mut rollout in [rollout(), promoted()] {
                let from = rollout.stage();
                let attack = Traffic { hostile: 500, hostile_kind: kind, ..Traffic::harmless(4500) };
                let decisions = attack.send(&mut rollout, order);
                assert!(!rollout.stage().is_final(), "{kind:?} {order:?}: {decisions:?}");
                // Before the end of the sample it may have been passed, if the hostile ones were late.
                let told = decisions.iter().any(|decision| matches!(decision.why, Why::Held | Why::Passed));
                assert!(told, "{kind:?} {order:?} in {from:?}");
            }
        }
    }
}

#[test]
fn five_hundred_networks_among_five_thousand_forge_no_promotion() {
    for harm in HARM {
        for hides in [Kind::Same, Kind::Cheap, Kind::Blocked] {
            for order in ORDERS {
                let mut rollout = rollout();
                // Just too many of the honest ones suffer. Of all networks it is less than the limit.
                let share = if harm == Kind::Logged { 105 } else { 21 };
                let affected = 4500 * share / 1000;
                let attack = Traffic {
                    affected: (affected, harm),
                    hostile: 500,
                    hostile_kind: hides,
                    ..Traffic::harmless(4500)
                };
                let limit = if harm == Kind::Logged { 500 } else { 100 };
                assert!(affected < limit, "the figures alone would pass");
                attack.send(&mut rollout, order);
                assert_eq!(rollout.stage(), Stage::Shadow, "{harm:?} {hides:?} {order:?}");
            }
        }
    }
}

#[test]
fn a_tenth_of_a_full_sample_forges_no_promotion() {
    // Of all networks 1.8 % are affected, which is less than the limit beyond doubt; of the honest ones 2.02 %.
    let mut rollout = rollout();
    for network in 0..55_555 {
        let kind = if network < 1010 { Kind::NewlyBlocked } else { Kind::Same };
        rollout.take(&seen(client(network), kind));
    }
    let decision = rollout.take(&Event::Tick { at: SECOND }).decision.expect("a person is asked");
    assert_eq!(
        (decision.why.clone(), finding(&decision, Gate::NewlyBlocked)),
        (Why::Held, Finding::Open),
        "{decision}"
    );
    // Were none of them hostile, it would be clear.
    let all = Figures { hostile: 0, ..decision.figures.clone() };
    assert!(Gates::default().judge(Stage::Shadow, &all).iter().all(|judged| judged.finding == Finding::Passed));
}

#[test]
fn the_table_of_the_documentation_is_true() {
    let gates = Gates::default();
    for (sources, hostile, passes, fails) in [(2000, 500, 13, 547), (5000, 500, 61, 619), (20_000, 2000, 303, 2417)] {
        assert_eq!(gates.hostile(sources), hostile);
        let found = |newly_blocked| {
            let figures = Figures { sources, hostile, newly_blocked, counted: 60_000, ..rollout().figures() };
            let judged = gates.judge(Stage::Shadow, &figures);
            judged.iter().find(|judged| judged.gate == Gate::NewlyBlocked).map(|judged| judged.finding)
        };
        let around = [passes, passes + 1, fails - 1, fails].map(found);
        assert_eq!(around, [Finding::Passed, Finding::Open, Finding::Open, Finding::Failed].map(Some), "{sources}");
    }
}

#[test]
fn five_hundred_that_come_first_gain_nothing_by_the_first_honest_one() {
    for kind in HARM {
        let mut rollout = promoted();
        for network in 0..500 {
            rollout.take(&seen(client(network), kind));
        }
        // Honest networks may meet with the rare change that the limit allows for, the very first of them included.
        for network in 500..600 {
            rollout.take(&seen(client(network), if network == 500 && kind != Kind::Fails { kind } else { Kind::Same }));
            rollout.take(&Event::Tick { at: SECOND });
            assert_eq!(rollout.stage(), Stage::Promoted, "{kind:?}, {network}");
        }
        // A candidate that harms everybody is rolled back by then.
        for network in 600..1000 {
            rollout.take(&seen(client(network), kind));
            rollout.take(&Event::Tick { at: SECOND });
        }
        assert_eq!(rollout.stage(), Stage::RolledBack, "{kind:?}");
    }
}

#[test]
fn five_hundred_networks_do_not_save_a_harmful_candidate() {
    for hides in [Kind::Same, Kind::Cheap] {
        for order in ORDERS {
            for mut rollout in [rollout(), promoted()] {
                let harm = Traffic {
                    affected: (1350, Kind::NewlyBlocked),
                    hostile: 500,
                    hostile_kind: hides,
                    ..Traffic::harmless(4500)
                };
                harm.send(&mut rollout, order);
                assert!(rollout.stage().is_final(), "{hides:?} {order:?}");
            }
        }
    }
}

#[test]
fn an_owner_of_many_networks_counts_as_64_for_each_block() {
    let mut rollout = rollout();
    for network in 0..16_384_u128 {
        let address = Ipv6Addr::from(0x2001_0db8_u128 << 96 | network << 72);
        rollout.take(&seen(address.into(), Kind::NewlyBlocked));
    }
    for network in 0..256 {
        rollout.take(&seen(Ipv4Addr::new(192, 0, network as u8, 1).into(), Kind::NewlyBlocked));
    }
    let figures = rollout.figures();
    assert_eq!((figures.requests, figures.sources), (16_640, 128));
}

#[test]
fn memory_is_bounded_by_the_sources_of_a_sample() {
    let mut rollout = rollout();
    for network in 0..100_000_u32 {
        rollout.take(&seen(client(network), Kind::Same));
    }
    assert_eq!(rollout.figures().sources, 65_536);
    // What is left out does not have to be kept for a replay.
    assert!(!rollout.take(&seen(client(99_999), Kind::Same)).counts);
}

#[test]
fn the_operators_own_requests_decide_at_once() {
    let probe = |must, blocked| Event::Probed { at: 5, id: "login".into(), must, blocked };
    for (must, blocked, refused) in
        [(Must::Pass, true, true), (Must::Pass, false, false), (Must::Block, false, true), (Must::Block, true, false)]
    {
        let mut rollout = rollout();
        let decision = rollout.take(&probe(must, blocked)).decision;
        assert_eq!(decision.is_some(), refused);
        assert_eq!(rollout.stage() == Stage::Refused, refused);
    }
    let refusal = rollout().take(&probe(Must::Pass, true)).decision.expect("a decision");
    assert!(refusal.to_string().starts_with("refused: it blocks the benign request login"), "{refusal}");
    // Where there must be some, nothing goes on before they were tried.
    let gates = Gates { min_probes: 2, ..Gates::default() };
    let mut rollout = Rollout::new(at_once(), gates, CONTEST).expect("gates");
    Traffic::harmless(3000).send(&mut rollout, Order::Mixed);
    rollout.take(&probe(Must::Pass, false));
    assert_eq!(rollout.take(&Event::Tick { at: SECOND }).decision, None);
    rollout.take(&probe(Must::Pass, false));
    assert!(rollout.take(&Event::Tick { at: SECOND }).decision.is_some());
}

#[test]
fn a_person_decides_what_is_open_but_not_what_has_failed() {
    let mut rollout = rollout();
    let open = Traffic { affected: (300, Kind::NewlyBlocked), ..Traffic::harmless(5000) };
    let decisions = open.send(&mut rollout, Order::HostileLast);
    assert_eq!(decisions.iter().map(|decision| &decision.why).collect::<Vec<_>>(), [&Why::Held], "asked once");
    assert_eq!(finding(&decisions[0], Gate::NewlyBlocked), Finding::Open);
    let decision = rollout.take(&Event::Approved { at: SECOND }).decision.expect("it goes on");
    assert_eq!((decision.why, decision.to), (Why::Approved, Stage::Canary { share: Share::percent(10) }));

    let mut rollout = self::rollout();
    for event in (Traffic { affected: (2500, Kind::NewlyBlocked), ..Traffic::harmless(2500) }).events(Order::Mixed) {
        rollout.take(&event);
    }
    assert_eq!(rollout.take(&Event::Approved { at: 1 }).decision.map(|decision| decision.to), Some(Stage::Refused));
    assert_eq!(
        promoted().take(&Event::Aborted { at: 9 }).decision.map(|decision| decision.to),
        Some(Stage::RolledBack)
    );
}

#[test]
fn a_late_harm_is_seen_because_windows_begin_anew() {
    let mut rollout = promoted();
    for window in 0..3 {
        Traffic::harmless(5000).send(&mut rollout, Order::Mixed);
        rollout.take(&Event::Tick { at: (window + 1) * 601 * SECOND });
    }
    Traffic { affected: (1500, Kind::NewlyBlocked), ..Traffic::harmless(5000) }.send(&mut rollout, Order::Mixed);
    assert_eq!(rollout.stage(), Stage::RolledBack);
}

#[test]
fn what_is_pinned_stays() {
    // A virtual patch: at once, and no gate rolls it back.
    let mut patch = rollout();
    let decision = patch.take(&Event::Pinned { at: 1, generation: 2 }).decision.expect("a decision");
    assert_eq!((decision.to, decision.why), (Stage::Promoted, Why::Pinned { generation: 2 }));
    let harm = Traffic { affected: (3000, Kind::NewlyBlocked), ..Traffic::harmless(5000) };
    assert_eq!(harm.send(&mut patch, Order::Mixed), []);
    // Unpinned it is watched again, from the beginning.
    patch.take(&Event::Unpinned { at: 2 });
    assert_eq!(patch.figures().sources, 0);
    harm.send(&mut patch, Order::Mixed);
    assert_eq!(patch.stage(), Stage::RolledBack);
    // Another one is pinned: this one is out.
    for (mut rollout, to) in [(rollout(), Stage::Refused), (promoted(), Stage::RolledBack)] {
        rollout.take(&Event::Pinned { at: 9, generation: 1 });
        assert_eq!(rollout.stage(), to);
    }
    let mut lane = EmergencyLane::default();
    lane.pin(2, "patch", 1).expect("nothing is pinned");
    assert!(lane.unpin(3).is_err() && lane.admits(3).is_err() && lane.pinned().is_some());
}

#[test]
fn gates_that_make_no_sense_are_refused() {
    let new = |gates| Rollout::new(Plan::default(), gates, CONTEST).err().map(|error| error.to_string());
    assert_eq!(new(Gates::default()), None);
    let majority = Gates { min_sources: 1000, ..Gates::default() };
    assert!(new(majority).is_some_and(|error| error.contains("twice hostile_sources")));
    assert!(new(Gates { min_sources: 70_000, ..Gates::default() }).is_some_and(|error| error.contains("65536")));
    // What a small site writes.
    let small = Gates { min_requests: 500, min_sources: 120, hostile_sources: 20, ..Gates::default() };
    let mut rollout = Rollout::new(at_once(), small, CONTEST).expect("gates");
    Traffic { affected: (120, Kind::NewlyBlocked), ..Traffic::harmless(200) }.send(&mut rollout, Order::Mixed);
    assert_eq!(rollout.stage(), Stage::Refused);
}

/// Gates that a few dozen requests pass.
fn tiny() -> Gates {
    Gates {
        min_requests: 10,
        min_sources: 5,
        min_canary_sources: 1,
        requests_per_source: 2,
        hostile_sources: 1,
        max_newly_blocked: Share::percent(60),
        max_newly_passed: Share::percent(60),
        max_rule_share: Share::percent(60),
        max_fuel_percent: 400,
        ..Gates::default()
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let kinds = [Kind::Same, Kind::Cheap, Kind::Blocked].into_iter().chain(HARM).collect::<Vec<_>>();
    let observed = (0..40_u32, prop_oneof![4 => Just(Kind::Same), 1 => prop::sample::select(kinds)])
        .prop_map(|(network, kind)| seen(client(network), kind));
    let must = prop_oneof![Just(Must::Pass), Just(Must::Block)];
    let event = prop_oneof![
        200 => observed,
        20 => (0..100_u64).prop_map(|at| Event::Tick { at }),
        1 => (0..100_u64).prop_map(|at| Event::Approved { at }),
        1 => (0..100_u64).prop_map(|at| Event::Aborted { at }),
        1 => (0..100_u64, 1..4_u64).prop_map(|(at, generation)| Event::Pinned { at, generation }),
        1 => (0..100_u64).prop_map(|at| Event::Unpinned { at }),
        1 => (0..100_u64, must, any::<bool>()).prop_map(|(at, must, wrong)| {
            Event::Probed { at, id: "own".into(), must, blocked: wrong != (must == Must::Block) }
        }),
    ];
    prop::collection::vec(event, 0..600)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whoever_keeps_the_events_can_make_every_decision_again(events in events()) {
        let plan = Plan { watch_millis: 60, window_millis: 20, ..at_once() };
        let mut rollout = Rollout::new(plan.clone(), tiny(), CONTEST).unwrap();
        let (mut kept, mut decisions) = (String::new(), Vec::new());
        for event in &events {
            let before = rollout.stage();
            let taken = rollout.take(event);
            if taken.counts {
                kept += &serde_json::to_string(event).unwrap();
                kept.push('\n');
            }
            if let Some(decision) = &taken.decision {
                prop_assert_eq!((decision.from, decision.to), (before, rollout.stage()));
            } else {
                prop_assert_eq!(before, rollout.stage(), "a stage never changes without a decision");
            }
            decisions.extend(taken.decision);
        }
        let kept: Vec<Event> = kept.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let again = Rollout::replay(plan, tiny(), CONTEST, &kept).unwrap();
        // All of a decision but the number of requests that were left out.
        let without = |decision: &Decision| Decision {
            figures: Figures { requests: 0, ..decision.figures.clone() },
            ..decision.clone()
        };
        prop_assert_eq!(again.iter().map(without).collect::<Vec<_>>(), decisions.iter().map(without).collect::<Vec<_>>());
        for decision in &decisions {
            prop_assert_eq!(&tiny().judge(decision.from, &decision.figures), &decision.gates);
        }
    }

    #[test]
    fn the_order_of_observations_decides_nothing(networks in prop::collection::vec((0..40_u32, 0..5_usize), 0..200)) {
        // One request of each network: of more, the first count.
        let mut networks = networks;
        networks.sort();
        networks.dedup_by_key(|(network, _)| *network);
        let figures = |networks: &[(u32, usize)]| {
            let mut rollout = Rollout::new(at_once(), tiny(), CONTEST).unwrap();
            for &(network, kind) in networks {
                rollout.take(&seen(client(network), HARM[kind]));
            }
            rollout.figures()
        };
        let forth = figures(&networks);
        networks.reverse();
        prop_assert_eq!(forth, figures(&networks));
    }
}

#[test]
fn a_shadow_run_and_diff_see_the_same_changes() {
    let [Event::Observed(same), Event::Observed(blocked)] =
        [Kind::Same, Kind::NewlyBlocked].map(|kind| seen(client(1), kind))
    else {
        panic!("observations");
    };
    assert_eq!(compare("1", &same.live, &same.candidate), None);
    let change = compare("1", &blocked.live, &blocked.candidate).expect("a change");
    assert_eq!((change.a.action, change.b.action, change.b.only), ("pass", "deny", vec![20]));
}
