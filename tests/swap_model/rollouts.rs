//! A rollout, and others who deploy meanwhile.

use super::*;
use fusewall::store::Origin;
use fusewall::store::rollout::{Contest, Plan, Stage};
use fusewall::{NotBegun, RolloutConfig, RolloutStatus, Switch};

/// From the shadow into service with one approval.
fn short() -> RolloutConfig {
    RolloutConfig { plan: Plan { canary: Vec::new(), ..Plan::default() }, ..RolloutConfig::default() }
}

fn begun(waf: &Waf) -> Contest {
    waf.begin_rollout(staged(waf, "b"), short()).expect("nothing is under way")
}

fn status(waf: &Waf) -> RolloutStatus {
    waf.rollout().expect("there was one")
}

#[test]
fn what_is_told_of_a_rollout_is_so() {
    in_every_order(|| {
        let waf = waf();
        let contest = begun(&waf);
        let approves = beside(&waf, |waf| drop(waf.approve_rollout()));
        let aborts = beside(&waf, |waf| drop(waf.abort_rollout()));
        let reads = beside(&waf, move |waf| {
            let mut ended = false;
            for _ in 0..3 {
                let (before, told, after) = (waf.generation().number, status(waf), waf.generation().number);
                match told.stage {
                    Stage::Promoted => assert!(after >= contest.candidate, "{after}"),
                    Stage::RolledBack => assert!(after > contest.candidate, "{after}"),
                    _ => assert!(before == contest.live, "{before}"),
                }
                assert!(told.over || !ended, "what is over stays over");
                assert_eq!(told.problem, None);
                ended = told.over;
            }
        });
        join([approves, aborts, reads]);
        let told = status(&waf);
        assert!(told.over, "{:?}", told.stage);
        let expected = if told.stage == Stage::RolledBack { contest.candidate + 1 } else { contest.live };
        assert_eq!(waf.generation().number, expected);
    });
}

#[test]
fn a_rollout_ends_when_somebody_else_deploys() {
    in_every_order(|| {
        let waf = waf();
        let contest = begun(&waf);
        let next = staged(&waf, "c");
        let promotes = beside(&waf, move |waf| waf.promote(next).is_ok());
        let approves = beside(&waf, |waf| {
            let _ = waf.approve_rollout();
            waf.tick_rollout();
            let told = status(waf);
            told.stage == Stage::Promoted
        });
        let ticks = beside(&waf, |waf| {
            waf.tick_rollout();
            true
        });
        let outcomes = join([promotes, approves, ticks]);
        // Both plans were made against generation 1.
        assert_ne!(outcomes[0], outcomes[1], "one of both comes");
        waf.tick_rollout();
        let (told, now) = (status(&waf), waf.generation().number);
        match told.stage {
            Stage::Promoted => assert_eq!((now, told.over), (contest.candidate, false)),
            _ => assert!(told.over && now > contest.candidate && told.problem.is_some(), "{told:?}"),
        }
    });
}

#[test]
fn a_rollout_that_was_overtaken_ends_at_the_next_tick() {
    in_every_order(|| {
        let waf = waf();
        waf.promote(staged(&waf, "c")).expect("nothing hinders");
        begun(&waf);
        let undo = beside(&waf, |waf| _ = waf.roll_back().expect("one is kept"));
        let ticks = beside(&waf, Waf::tick_rollout);
        join([undo, ticks]);
        waf.tick_rollout();
        let told = status(&waf);
        assert_eq!((told.over, told.stage, told.problem.is_some()), (true, Stage::Refused, true));
    });
}

#[test]
fn a_rollback_of_the_candidate_ends_its_rollout_and_goes_back_once() {
    in_every_order(|| {
        let waf = waf();
        waf.promote(staged(&waf, "c")).expect("nothing hinders");
        let contest = begun(&waf);
        waf.approve_rollout().expect("it is under way");
        assert_eq!(waf.generation().number, contest.candidate);
        let undo = beside(&waf, move |waf| _ = waf.roll_back_from(Some(contest.candidate)));
        let aborts = beside(&waf, |waf| _ = waf.abort_rollout());
        let ticks = beside(&waf, Waf::tick_rollout);
        join([undo, aborts, ticks]);
        assert_eq!(waf.generation().origin, Origin::RolledBack(contest.live), "not further");
        assert!(status(&waf).over && status(&waf).stage == Stage::RolledBack);
    });
}

#[test]
fn of_two_rollouts_one_begins() {
    in_every_order(|| {
        let waf = waf();
        let begins = |word: &str| {
            let next = staged(&waf, word);
            beside(&waf, move |waf| waf.begin_rollout(next, short()))
        };
        let outcomes = join([begins("b"), begins("c")]);
        let ([Ok(contest), Err(refused)] | [Err(refused), Ok(contest)]) = &outcomes[..] else { panic!("{outcomes:?}") };
        assert!(matches!(refused, NotBegun::UnderWay(other) if other == contest), "{refused}");
    });
}

#[test]
fn verdicts_are_of_the_generation_that_they_name() {
    in_every_order(|| {
        let waf = waf();
        begun(&waf);
        let next = staged(&waf, "c");
        let approves = beside(&waf, |waf| drop(waf.approve_rollout()));
        let promotes = beside(&waf, move |waf| drop(waf.promote(next)));
        let undo = beside(&waf, |waf| drop(waf.roll_back()));
        let asks = beside(&waf, |waf| {
            let back = Origin::RolledBack(1);
            for word in ["a", "b"] {
                let mut exchange = waf.transaction();
                exchange.process_connection([192, 0, 2, 1].into(), 4000, [192, 0, 2, 2].into(), 80);
                exchange.process_request_line(b"GET", format!("/?x={word}").as_bytes(), b"HTTP/1.1");
                let refused = exchange.process_request_headers().is_some();
                exchange.process_logging();
                let verdict = exchange.verdict().expect("no internal error");
                // Generation 1 has the rules of `a`, and so has whatever was rolled back to.
                let of = match verdict.generation {
                    1 => "a",
                    2 => "b",
                    number if waf.generations().iter().any(|old| (old.number, old.origin) == (number, back)) => "a",
                    _ => continue,
                };
                assert_eq!(refused, of == word, "{word} by generation {}", verdict.generation);
            }
        });
        join([approves, promotes, undo, asks]);
    });
}

/// Whatever anybody does: nobody waits for somebody who waits for them.
#[test]
fn nobody_waits_for_ever() {
    in_every_order(|| {
        let waf = waf();
        let contest = begun(&waf);
        let next = staged(&waf, "c");
        let operator = beside(&waf, move |waf| {
            waf.switch_off(&Switch::Rule(EVIL));
            let _ = waf.hold_in_service(contest.candidate, "an emergency");
            let _ = waf.release_hold(contest.candidate);
            let _ = waf.abort_rollout();
        });
        let deploys = beside(&waf, move |waf| {
            let _ = waf.promote(next);
            let _ = waf.begin_rollout(staged(waf, "a"), short());
            let _ = waf.roll_back();
        });
        let watches = beside(&waf, |waf| {
            waf.tick_rollout();
            let _ = (waf.rollout(), waf.generations(), waf.health(), waf.switched_off());
            let _ = waf.approve_rollout();
            let _ = refuses(waf.transaction(), "evil");
        });
        join([operator, deploys, watches]);
    });
}
