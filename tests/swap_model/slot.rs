//! The slot alone.

use super::{in_every_order, join, load, release};
use fusewall::program::RuleIx;
use fusewall::store::{Candidate, Deployed, NothingToRollBackTo, Origin, Refused, Release, Slot};
use shuttle::thread::spawn;
use std::sync::{Arc, Weak};

/// Generation 1 has the rules of `a`, serial 7.
fn slot(keep: usize) -> Arc<Slot> {
    let first = Candidate { release: with_serial("a", 7), number: 1, at: 0, origin: Origin::Started };
    let slot = Slot::new(first, keep, None);
    prepare(&slot.current());
    Arc::new(slot)
}

fn with_serial(word: &str, serial: u64) -> Arc<Release> {
    Arc::new(load(word).with_serial(Some(serial)))
}

fn candidate(slot: &Slot, release: &Arc<Release>) -> Candidate {
    Candidate { release: release.clone(), number: slot.next_number(), at: 0, origin: Origin::Promoted }
}

/// What is off from the start in each generation of these tests.
fn prepare(deployed: &Deployed) {
    deployed.switches().kill(RuleIx::new(1), true);
}

/// Whatever is in service.
fn put(slot: &Slot, release: &Arc<Release>) -> Result<Arc<Deployed>, Refused> {
    loop {
        match slot.apply(candidate(slot, release), None, prepare) {
            Err(Refused::Stale { .. }) => {}
            other => return other,
        }
    }
}

#[test]
fn numbers_only_rise_and_what_belongs_together_comes_together() {
    in_every_order(|| {
        let slot = slot(2);
        let reader = |slot: Arc<Slot>| {
            move || {
                let mut before = slot.current();
                for _ in 0..4 {
                    let now = slot.current();
                    assert!(now.generation() >= before.generation(), "{:?} after {:?}", now.about(), before.about());
                    assert!(now.generation() > before.generation() || Arc::ptr_eq(&now, &before), "two of one number");
                    assert_eq!(now.about().content, now.release().content());
                    assert!(now.switches().is_killed(RuleIx::new(1)), "{:?} is not prepared", now.about());
                    // What is pinned stays whole, whatever comes.
                    assert_eq!(before.about().content, before.release().content());
                    before = now;
                }
            }
        };
        let updater = |slot: Arc<Slot>, word: &'static str| {
            move || {
                let own = put(&slot, &release(word)).expect("nothing is asked of it").generation();
                assert!(slot.current().generation() >= own);
            }
        };
        let undo = {
            let slot = slot.clone();
            move || {
                let seen = slot.current().generation();
                if let Ok(back) = slot.roll_back(0, prepare) {
                    assert!(back.generation() > seen);
                }
            }
        };
        join([
            spawn(reader(slot.clone())),
            spawn(updater(slot.clone(), "b")),
            spawn(updater(slot.clone(), "c")),
            spawn(undo),
        ]);
    });
}

#[test]
fn of_two_plans_one_comes_and_the_other_one_is_told_both_numbers() {
    in_every_order(|| {
        let slot = slot(1);
        let plan = |word: &'static str| {
            let slot = slot.clone();
            spawn(move || slot.apply(candidate(&slot, &release(word)), Some(1), prepare))
        };
        let outcomes = join([plan("b"), plan("c")]);
        let ([Ok(came), Err(refused)] | [Err(refused), Ok(came)]) = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!(*refused, Refused::Stale { planned: 1, current: came.generation() });
        assert!(Arc::ptr_eq(&slot.current(), came));
    });
}

#[test]
fn of_two_who_roll_back_what_they_have_seen_one_does() {
    in_every_order(|| {
        let slot = slot(2);
        put(&slot, &release("b")).expect("nothing hinders");
        put(&slot, &release("c")).expect("nothing hinders");
        let undo = || {
            let slot = slot.clone();
            spawn(move || slot.roll_back_from(Some(3), 0, prepare).map(|back| back.about()))
        };
        let outcomes = join([undo(), undo()]);
        let back = outcomes.iter().find_map(|outcome| outcome.as_ref().ok()).expect("one goes back");
        let stale = NothingToRollBackTo::Refused(Refused::Stale { planned: 3, current: back.number });
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(stale.clone())).count(), 1, "{outcomes:?}");
        assert_eq!((back.origin, slot.generations().len()), (Origin::RolledBack(2), 2));
    });
}

#[test]
fn two_who_roll_back_whatever_is_there_go_back_two() {
    in_every_order(|| {
        let slot = slot(2);
        put(&slot, &release("b")).expect("nothing hinders");
        put(&slot, &release("c")).expect("nothing hinders");
        let undo = || {
            let slot = slot.clone();
            spawn(move || slot.roll_back(0, prepare).expect("two are kept").about())
        };
        let mut back = join([undo(), undo()]);
        back.sort_by_key(|generation| generation.number);
        assert_eq!((back[0].origin, back[1].origin), (Origin::RolledBack(2), Origin::RolledBack(1)));
        assert_eq!(slot.generations(), [back[1]], "a rollback leaves nothing to go forth to");
    });
}

#[test]
fn a_generation_falls_back_once_and_not_if_it_is_gone() {
    in_every_order(|| {
        let slot = slot(2);
        put(&slot, &release("b")).expect("nothing hinders");
        let fault = || {
            let slot = slot.clone();
            spawn(move || slot.fall_back(2, 0, "a fault".into(), |_| true, prepare).map(|back| back.about()))
        };
        let faults = [fault(), fault(), fault()];
        let updater = {
            let slot = slot.clone();
            spawn(move || slot.apply(candidate(&slot, &release("c")), Some(2), prepare).map(|now| now.about()))
        };
        let back: Vec<_> = join(faults).into_iter().flatten().collect();
        let promoted = updater.join().expect("no panic");
        match promoted {
            Ok(promoted) => assert_eq!((back.len(), slot.current().about()), (0, promoted)),
            Err(_) => assert_eq!((back.len(), slot.current().about()), (1, back[0])),
        }
        assert_eq!(slot.current().degraded().is_some(), promoted.is_err());
    });
}

#[test]
fn nothing_below_a_minimum_comes_after_it_was_raised() {
    in_every_order(|| {
        let slot = slot(2);
        put(&slot, &with_serial("b", 4)).expect("nothing is pinned yet");
        put(&slot, &with_serial("c", 7)).expect("nothing is pinned yet");
        let older = {
            let slot = slot.clone();
            spawn(move || drop(put(&slot, &with_serial("b", 4))))
        };
        let undo = {
            let slot = slot.clone();
            spawn(move || drop(slot.roll_back(0, prepare)))
        };
        let fault = {
            let slot = slot.clone();
            spawn(move || drop(slot.fall_back(3, 0, "a fault".into(), |_| true, prepare)))
        };
        let pin = {
            let slot = slot.clone();
            spawn(move || {
                assert_eq!(slot.pin_serial(5), 5);
                slot.current().about()
            })
        };
        let seen = pin.join().expect("no panic");
        join([older, undo, fault]);
        let now = slot.current().about();
        assert!(now.serial >= Some(5) || now == seen, "{now:?} came after {seen:?}");
        assert!(slot.admits(Some(4)).is_err() && slot.admits(Some(5)).is_ok());
    });
}

#[test]
fn a_minimum_is_never_lowered() {
    in_every_order(|| {
        let slot = slot(0);
        let pin = |minimum: u64| {
            let slot = slot.clone();
            spawn(move || assert!(slot.pin_serial(minimum) >= minimum))
        };
        join([pin(5), pin(3)]);
        assert_eq!(slot.pin_serial(0), 5);
    });
}

#[test]
fn what_is_read_stays_and_what_nobody_reads_goes() {
    in_every_order(|| {
        let releases = [with_serial("b", 7), with_serial("c", 7)];
        let slot = slot(1);
        let first = Arc::downgrade(&slot.current());
        let reader = {
            let slot = slot.clone();
            spawn(move || {
                let pinned = slot.current();
                let weak = Arc::downgrade(&pinned);
                drop(slot.current());
                assert!(weak.upgrade().is_some_and(|same| Arc::ptr_eq(&same, &pinned)));
                weak
            })
        };
        let updater = |release: &Arc<Release>| {
            let (slot, release) = (slot.clone(), release.clone());
            spawn(move || Arc::downgrade(&put(&slot, &release).expect("nothing is asked of it")))
        };
        let undo = {
            let slot = slot.clone();
            spawn(move || slot.roll_back(0, prepare).map_or_else(|_| Weak::new(), |back| Arc::downgrade(&back)))
        };
        let threads = [reader, updater(&releases[0]), updater(&releases[1]), undo];
        let seen = join(threads).into_iter().chain([first]);
        let now = slot.current();
        for deployed in seen.filter_map(|weak| weak.upgrade()) {
            assert!(Arc::ptr_eq(&deployed, &now), "{:?} is still there", deployed.about());
        }
        // The slot has it, and this test; no other generation has been left behind.
        assert_eq!(Arc::strong_count(&now), 2);
        let in_use = |release: &Arc<Release>| Arc::strong_count(release) - 1;
        let kept = slot.generations().len();
        let of_the_first = usize::from(now.about().content == release("a").content())
            + slot.generations()[1..].iter().filter(|old| old.content == release("a").content()).count();
        assert_eq!(releases.iter().map(in_use).sum::<usize>() + of_the_first, kept, "{:?}", slot.generations());
        assert!(kept <= 2);
    });
}
