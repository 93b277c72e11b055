//! Kill switches and rulesets that come meanwhile.

use super::*;
use fusewall::Switch;
use fusewall::rule::EngineMode;

const OFF: Switch = Switch::Rule(EVIL);

#[test]
fn what_is_switched_off_is_off_in_whatever_comes_meanwhile() {
    in_every_order(|| {
        let waf = waf();
        waf.promote(staged(&waf, "b")).expect("nothing hinders");
        let next = staged(&waf, "c");
        let promotes = beside(&waf, move |waf| drop(waf.promote(next)));
        let undo = beside(&waf, |waf| drop(waf.roll_back()));
        let switches = beside(&waf, |waf| {
            let begun = waf.transaction();
            waf.switch_off(&OFF);
            // What had begun obeys, and so does what begins, whichever ruleset it has.
            assert!(!refuses(begun, "evil"), "a request under way");
            assert!(!refuses(waf.transaction(), "evil"), "generation {}", waf.generation().number);
        });
        join([promotes, undo, switches]);
        assert!(!refuses(waf.transaction(), "evil"), "generation {}", waf.generation().number);
        waf.switch_on(&OFF);
        assert!(refuses(waf.transaction(), "evil"), "it is on again");
    });
}

#[test]
fn what_is_on_again_is_on_in_whatever_comes_meanwhile() {
    in_every_order(|| {
        let waf = waf();
        waf.switch_off(&OFF);
        let next = staged(&waf, "b");
        let promotes = beside(&waf, move |waf| _ = waf.promote(next).expect("nothing hinders"));
        let switches = beside(&waf, |waf| {
            waf.switch_on(&OFF);
            assert!(refuses(waf.transaction(), "evil"), "generation {}", waf.generation().number);
        });
        join([promotes, switches]);
        assert!(refuses(waf.transaction(), "evil"));
    });
}

#[test]
fn what_is_told_to_be_off_is_off() {
    in_every_order(|| {
        let waf = waf();
        let next = staged(&waf, "b");
        let tag = Switch::Tag("word".into());
        let promotes = beside(&waf, move |waf| _ = waf.promote(next).expect("nothing hinders"));
        let off = beside(&waf, |waf| _ = waf.switch_off(&OFF));
        let (by_tag, again) = (tag.clone(), OFF);
        let others = beside(&waf, move |waf| {
            waf.switch_off(&by_tag);
            waf.switch_on(&by_tag);
        });
        let on = beside(&waf, move |waf| _ = waf.switch_on(&again));
        join([promotes, off, others, on]);
        let (told, _) = waf.switched_off();
        assert!(!told.contains(&tag));
        assert_eq!(refuses(waf.transaction(), "evil"), !told.contains(&OFF), "{told:?}");
        assert!(refuses(waf.transaction(), "b"), "nobody has switched it off, or no longer");
    });
}

#[test]
fn of_two_modes_the_one_that_is_told_is_in_force() {
    in_every_order(|| {
        let waf = waf();
        let next = staged(&waf, "b");
        let before = waf.switches();
        let promotes = beside(&waf, move |waf| _ = waf.promote(next).expect("nothing hinders"));
        let mode = |mode| beside(&waf, move |waf| waf.set_strongest_mode(mode));
        join([promotes, mode(EngineMode::Off), mode(EngineMode::On)]);
        let (_, told) = waf.switched_off();
        assert_eq!(waf.switches().strongest(), told);
        drop(before);
    });
}
