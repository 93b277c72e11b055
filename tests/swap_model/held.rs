//! What is held in service, by whoever has an emergency.

use super::*;
use fusewall::RolloutConfig;
use fusewall::store::NothingToRollBackTo;
use fusewall::store::rollout::Plan;

/// While somebody holds the generation, it is in service.
fn hold(waf: &Waf, generation: u64) -> bool {
    if waf.hold_in_service(generation, "an emergency").is_err() {
        return false;
    }
    for _ in 0..3 {
        assert_eq!(waf.generation().number, generation, "it was held");
    }
    waf.release_hold(generation).expect("it was held");
    true
}

#[test]
fn what_is_held_is_replaced_by_nobody() {
    in_every_order(|| {
        let waf = waf();
        waf.promote(staged(&waf, "b")).expect("nothing is held yet");
        let next = staged(&waf, "c");
        let holds = beside(&waf, |waf| hold(waf, 2));
        let promotes = beside(&waf, move |waf| waf.promote(next).is_ok());
        let replaces = beside(&waf, |waf| waf.replace(&source("c")).is_ok());
        let undo = beside(&waf, |waf| waf.roll_back().is_ok());
        join([holds, promotes, replaces, undo]);
        assert_eq!(waf.held(), None);
        assert!(!matches!(waf.roll_back(), Err(NothingToRollBackTo::Pinned(_))), "nothing is held any longer");
    });
}

#[test]
fn a_candidate_that_is_held_comes_and_stays_or_whoever_holds_it_is_told() {
    in_every_order(|| {
        let waf = waf();
        let contest = waf.begin_rollout(staged(&waf, "b"), RolloutConfig::default()).expect("nothing is under way");
        let next = staged(&waf, "c");
        let holds = beside(&waf, move |waf| hold(waf, contest.candidate));
        let promotes = beside(&waf, move |waf| waf.promote(next).is_ok());
        let outcomes = join([holds, promotes]);
        waf.tick_rollout();
        let came = waf.generations().iter().any(|generation| generation.number == contest.candidate);
        // Its plan and the other one were made against the same generation; who is turned away by a hold that fails comes too late.
        assert!(!outcomes.iter().all(|came| *came), "{outcomes:?}");
        assert_eq!(came, outcomes[0]);
    });
}

#[test]
fn what_is_held_is_not_contested() {
    in_every_order(|| {
        let waf = waf();
        let next = staged(&waf, "b");
        let holds = beside(&waf, |waf| waf.hold_in_service(1, "an emergency").is_ok());
        let begins = beside(&waf, move |waf| waf.begin_rollout(next, RolloutConfig::default()).is_ok());
        let outcomes = join([holds, begins]);
        assert!(outcomes[0], "nothing else was about to come");
        assert!(waf.rollout().is_none_or(|status| status.over), "it goes on although nothing can come of it");
    });
}

#[test]
fn a_hold_that_is_over_is_over_for_the_rollout_too() {
    in_every_order(|| {
        let waf = waf();
        let config = RolloutConfig { plan: Plan { watch_millis: 0, ..Plan::default() }, ..RolloutConfig::default() };
        let contest = waf.begin_rollout(staged(&waf, "b"), config).expect("nothing is under way");
        let holds = beside(&waf, move |waf| drop(waf.hold_in_service(contest.candidate, "an emergency")));
        let lets_go = beside(&waf, move |waf| drop(waf.release_hold(contest.candidate)));
        join([holds, lets_go]);
        if waf.held().is_some() {
            waf.release_hold(contest.candidate).expect("it is held");
        }
        if waf.generation().number == contest.candidate {
            waf.tick_rollout();
            assert!(waf.rollout().is_some_and(|told| told.over), "its time was over, and nobody held it");
        }
    });
}
