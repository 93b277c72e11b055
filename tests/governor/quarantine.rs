use crate::simulation::{SECOND, address};
use fusewall::governor::{
    Change, Decision, ManualClock, Network, Observation, Outcome, Quarantine, QuarantineConfig, State, Why,
};
use proptest::prelude::*;
use std::sync::Arc;

struct Ruleset {
    clock: Arc<ManualClock>,
    quarantine: Quarantine,
}

/// A hundred rules, of which those from 90 on are protected.
fn ruleset() -> Ruleset {
    let clock = Arc::new(ManualClock::default());
    clock.set(1000 * SECOND);
    let protected = (0..100).map(|rule| rule >= 90);
    let quarantine = Quarantine::new(&QuarantineConfig::default(), protected, Arc::clone(&clock) as _);
    Ruleset { clock, quarantine }
}

fn watching(rule: u32, fuel: u64, network: u32) -> Observation {
    let network = Network::from(address(network));
    Observation { rule, fuel, bound: Some(50_000_000), enforcing: false, network, outcome: Outcome::Spent }
}

fn enforcing(rule: u32, fuel: u64, network: u32) -> Observation {
    Observation { enforcing: true, ..watching(rule, fuel, network) }
}

fn change(decision: Option<Decision>) -> Option<Change> {
    decision.map(|decision| decision.change)
}

#[test]
fn a_dear_watching_rule_is_off_within_a_second() {
    let Ruleset { clock, quarantine } = ruleset();
    // Drill D3: a thousand requests a second.
    let off = (1..=1000).find(|&number| {
        clock.advance(SECOND / 1000);
        quarantine.observe(&watching(7, 3_000_000, number % 200)).is_some_and(|decision| {
            assert_eq!(decision, Decision { rule: 7, change: Change::LeaveOut, why: Why::Dear });
            true
        })
    });
    assert!(off.expect("off within a second") < 500);
    assert_eq!(quarantine.state(7), Some(State::Open));
    assert!(!quarantine.lets_through(7));
    assert_eq!(quarantine.off(), 1);
}

#[test]
fn cheap_rules_and_those_that_are_dear_now_and_then_stay() {
    let Ruleset { clock, quarantine } = ruleset();
    for number in 0..20_000 {
        clock.advance(SECOND / 1000);
        let fuel = if number % 20 == 0 { 3_000_000 } else { 900 };
        assert_eq!(quarantine.observe(&watching(7, fuel, number % 300)), None);
    }
    let account = quarantine.account(7).expect("a rule");
    assert_eq!((account.evaluations, account.worst, account.over_price), (20_000, 3_000_000, 0));
}

#[test]
fn few_networks_do_not_switch_a_rule_off() {
    let Ruleset { clock, quarantine } = ruleset();
    for number in 0..10_000 {
        clock.advance(SECOND / 1000);
        assert_eq!(quarantine.observe(&watching(7, 40_000_000, number % 5)), None);
    }
}

#[test]
fn no_botnet_switches_off_an_enforcing_rule_that_keeps_its_price() {
    // One /16 is 256 networks; the other are 500 far apart.
    for networks in [256, 500] {
        let Ruleset { clock, quarantine } = ruleset();
        for number in 0..50_000_u32 {
            clock.advance(SECOND / 10_000);
            let seen = enforcing(number % 100, 50_000_000, number.wrapping_mul(2_654_435_761) % networks);
            assert_eq!(quarantine.observe(&seen), None);
        }
        assert_eq!(quarantine.off(), 0);
    }
}

#[test]
fn a_wrong_price_seen_by_many_counts_as_a_match_and_its_owner_hears_of_it_at_once() {
    let Ruleset { quarantine, .. } = ruleset();
    let over = |network| quarantine.observe(&enforcing(3, 50_000_001, network));
    assert_eq!(over(0), Some(Decision { rule: 3, change: Change::Tell, why: Why::OverPrice }));
    assert_eq!(over(0), None);
    let decision = (1..100).find_map(over).expect("it goes off");
    assert_eq!(decision, Decision { rule: 3, change: Change::CountAsMatch, why: Why::OverPrice });
    assert_eq!(over(1), None);
}

#[test]
fn panics_seen_by_one_network_touch_no_rule() {
    let Ruleset { quarantine, .. } = ruleset();
    let panic = |rule, network| Observation { outcome: Outcome::Panic, ..enforcing(rule, 10, network) };
    let decisions: Vec<_> = (0..1000).filter_map(|number| quarantine.observe(&panic(number % 10, 5))).collect();
    let changes: Vec<_> = decisions.iter().map(|decision| decision.change).collect();
    assert_eq!(changes, [Change::Tell, Change::Tell, Change::Blame]);
    assert!(quarantine.is_bad_client(Network::from(address(5))));
    assert!(!quarantine.is_bad_client(Network::from(address(6))));
    assert_eq!(quarantine.off(), 0);
}

#[test]
fn a_bad_client_is_forgiven_after_a_while() {
    let Ruleset { clock, quarantine } = ruleset();
    for rule in 0..5 {
        quarantine.observe(&Observation { outcome: Outcome::Panic, ..enforcing(rule, 10, 5) });
    }
    assert!(quarantine.is_bad_client(Network::from(address(5))));
    clock.advance(61 * SECOND);
    assert!(!quarantine.is_bad_client(Network::from(address(5))));
}

#[test]
fn protected_rules_stay_and_at_most_a_twentieth_is_off() {
    let Ruleset { quarantine, .. } = ruleset();
    let mut told = 0;
    for rule in 0..100 {
        for number in 0..400 {
            match quarantine.observe(&watching(rule, 3_000_000, number)) {
                Some(Decision { change: Change::Tell, why, .. }) => {
                    assert_eq!(why, if rule >= 90 { Why::Protected } else { Why::TooManyOff });
                    told += 1;
                }
                Some(decision) => assert_eq!(decision.change, Change::LeaveOut),
                None => {}
            }
        }
    }
    assert_eq!(quarantine.off(), 5);
    // Each once.
    assert_eq!(told, 95);
}

#[test]
fn a_rule_that_is_cheap_again_comes_back_and_one_that_is_not_waits_longer() {
    let Ruleset { clock, quarantine } = ruleset();
    let go_off = || (0..400).find_map(|number| quarantine.observe(&watching(7, 3_000_000, number)));
    assert_eq!(change(go_off()), Some(Change::LeaveOut));
    clock.advance(29 * SECOND);
    assert_eq!(quarantine.tick(), []);
    clock.advance(2 * SECOND);
    assert_eq!(quarantine.tick(), [Decision { rule: 7, change: Change::Try, why: Why::Cooled }]);
    assert_eq!((0..160).filter(|_| quarantine.lets_through(7)).count(), 10);
    // Dear still.
    assert_eq!(change(quarantine.observe(&watching(7, 3_000_000, 1))), Some(Change::LeaveOut));
    assert_eq!(quarantine.off(), 1);
    clock.advance(31 * SECOND);
    assert_eq!(quarantine.tick(), []);
    clock.advance(30 * SECOND);
    assert_eq!(quarantine.tick().len(), 1);
    let back = (0..16).filter_map(|number| quarantine.observe(&watching(7, 500, number))).collect::<Vec<_>>();
    assert_eq!(back, [Decision { rule: 7, change: Change::Restore, why: Why::Cheap }]);
    assert_eq!((quarantine.off(), quarantine.state(7)), (0, Some(State::Closed)));
    // What it did before is forgotten.
    assert_eq!(quarantine.observe(&watching(7, 3_000_000, 1)), None);
}

#[test]
fn a_clock_that_was_set_back_keeps_no_rule_off() {
    let Ruleset { clock, quarantine } = ruleset();
    clock.set(1_000_000 * SECOND);
    assert!((0..400).find_map(|number| quarantine.observe(&watching(7, 3_000_000, number))).is_some());
    clock.set(SECOND);
    assert_eq!(change(quarantine.tick().first().copied()), Some(Change::Try));
}

#[test]
fn a_rule_that_does_not_exist_does_no_harm() {
    let Ruleset { quarantine, .. } = ruleset();
    assert_eq!(quarantine.observe(&watching(1000, u64::MAX, 1)), None);
    assert_eq!(quarantine.state(1000), None);
    assert!(quarantine.lets_through(1000));
}

proptest! {
    #[test]
    fn whatever_happens_certified_rules_stay_and_few_are_off(
        events in prop::collection::vec((any::<u8>(), any::<u32>(), any::<u64>()), 1..2000),
    ) {
        let Ruleset { clock, quarantine } = ruleset();
        for (kind, place, number) in events {
            let (rule, network) = (place % 100, place >> 8 & 0xfff);
            let decision = match kind % 8 {
                0 => {
                    clock.advance(number % (40 * SECOND));
                    None
                }
                1 => {
                    quarantine.tick();
                    None
                }
                // The first fifty are certified and keep their prices.
                2 | 3 => quarantine.observe(&enforcing(rule % 50, number % 50_000_000, network)),
                4 => quarantine.observe(&Observation { outcome: Outcome::Panic, ..enforcing(50 + rule % 50, number, network) }),
                5 => quarantine.observe(&Observation { bound: None, ..enforcing(50 + rule % 50, number, network) }),
                _ => quarantine.observe(&watching(50 + rule % 5, number, network)),
            };
            if let Some(Decision { rule, .. }) = decision {
                prop_assert!(rule >= 50);
            }
            prop_assert!(quarantine.off() <= 5);
            let off = (0..100).filter(|&rule| quarantine.state(rule) != Some(State::Closed)).count();
            prop_assert_eq!(off, quarantine.off() as usize);
            prop_assert!((90..100).all(|rule| quarantine.state(rule) == Some(State::Closed)));
        }
    }
}
