//! The emergency lane: what is held in service stays there.

use super::*;
use fusewall::engine::Env;
use fusewall::store::NothingToRollBackTo;
use fusewall::{NotHeld, NotPromoted};
use std::sync::{Arc, Mutex};

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
    assert_eq!(waf.roll_back().expect("nothing is held").origin, fusewall::store::Origin::RolledBack(1));
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

type Deed = Box<dyn FnOnce() + Send>;

/// A clock that does something the next time somebody looks at it: what others do in the middle of a call.
#[derive(Clone, Default)]
struct Meanwhile(Arc<Mutex<Option<Deed>>>);

impl Meanwhile {
    fn comes(&self, work: impl FnOnce() + Send + 'static) {
        *self.0.lock().expect("no panic") = Some(Box::new(work));
    }
}

impl Env for Meanwhile {
    fn epoch_micros(&self) -> u64 {
        let work = self.0.lock().expect("no panic").take();
        if let Some(work) = work {
            work();
        }
        0
    }
}

fn watched() -> (Waf, Meanwhile) {
    let meanwhile = Meanwhile::default();
    let waf = builder(&["one"]).env(meanwhile.clone()).build().expect("it loads");
    (waf, meanwhile)
}

#[test]
fn what_is_held_while_somebody_is_about_to_go_back_stays() {
    let (waf, meanwhile) = watched();
    waf.promote(staged(&waf, &["two"])).expect("nothing is held yet");
    let other = waf.clone();
    meanwhile.comes(move || other.hold_in_service(2, "an incident").expect("it is in service"));
    assert!(matches!(waf.roll_back(), Err(NothingToRollBackTo::Pinned(_))));
    assert_eq!(waf.generation().number, 2);
}

#[test]
fn a_rollout_that_begins_while_somebody_holds_what_is_in_service_ends() {
    let (waf, meanwhile) = watched();
    let (other, next) = (waf.clone(), staged(&waf, &["two"]));
    meanwhile.comes(move || _ = other.begin_rollout(next, quick()).expect("nothing is held yet"));
    waf.hold_in_service(1, "an incident").expect("it is in service");
    assert!(status(&waf).over && status(&waf).stage == Stage::Refused);
}
