//! The emergency lane: what is held in service stays there.

use super::*;
use fusewall::store::NothingToRollBackTo;
use fusewall::{NotHeld, NotPromoted};

#[test]
fn what_is_held_is_replaced_by_nobody() {
    let waf = waf(&["one"]);
    waf.promote(staged(&waf, &["two"])).expect("nothing is held yet");
    waf.hold_in_service(2, "an incident").expect("it is in service");
    assert!(matches!(waf.promote(staged(&waf, &["three"])), Err(NotPromoted::Pinned(_))));
    assert!(matches!(waf.roll_back(), Err(NothingToRollBackTo::Pinned(_))));
    let report = waf.replace(&source(rules(&["three"]))).expect_err("nothing comes into service");
    assert!(report.to_string().contains("generation 2 is pinned: an incident"), "{report}");
    assert!(waf.begin_rollout(staged(&waf, &["three"]), quick()).is_err());
    assert!(waf.release_hold(1).is_err(), "whoever lets go knows what is held");
    assert_eq!(waf.held().map(|held| held.generation), Some(2));
    waf.release_hold(2).expect("it was held");
    assert_eq!(waf.roll_back().expect("nothing is held").number, 3);
}

#[test]
fn a_candidate_that_is_held_is_promoted_past_all_gates_and_stays() {
    let waf = waf(&["one"]);
    let contest = waf.begin_rollout(staged(&waf, &["one", "a"]), quick()).expect("it begins");
    assert_eq!(waf.hold_in_service(9, "?"), Err(NotHeld::Unknown { generation: 9, current: 1 }));
    waf.hold_in_service(contest.candidate, "a virtual patch").expect("it is on its way");
    assert_eq!((waf.generation().number, status(&waf).stage), (contest.candidate, Stage::Promoted));
    // It blocks what passed before for everybody, and no gate has a say.
    for number in 0..2000 {
        assert!(blocks(&ask(&waf, client(number % 400), "a")));
    }
    wait_until(&waf, |status| status.comparison.newly_blocked >= 400);
    std::thread::sleep(Duration::from_millis(50));
    assert!(!status(&waf).over && waf.generation().number == contest.candidate);
    // As soon as nobody holds it, it is judged like any other.
    waf.release_hold(contest.candidate).expect("it was held");
    let ended = traffic_until(&waf, &["a"], |status| status.over);
    assert_eq!(ended.stage, Stage::RolledBack);
}

#[test]
fn holding_what_is_in_service_ends_a_rollout() {
    let waf = waf(&["one"]);
    waf.begin_rollout(staged(&waf, &["two"]), quick()).expect("it begins");
    waf.hold_in_service(1, "not today").expect("it is in service");
    let ended = status(&waf);
    assert!(ended.over && ended.stage == Stage::Refused);
    assert_eq!(ended.decisions[0].to_string().split(';').next(), Some("refused: generation 1 is pinned"));
}
