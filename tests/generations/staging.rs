//! Staging, promoting and rolling back through a [`Waf`].

use super::*;
use fusewall::rule::{EngineMode, RuleId};
use fusewall::store::{Origin, Refused};
use fusewall::{Health, NotPromoted, Switch};
use std::time::{Duration, Instant};

#[test]
fn staging_changes_nothing_and_promoting_everything() {
    let waf = waf("first");
    let staged = waf.stage(&source("second")).expect("it loads");
    assert!(refuses(&waf, "first") && !refuses(&waf, "second"));
    let under_way = waf.transaction();
    let generation = waf.promote(staged).expect("nobody was faster");
    assert_eq!((generation.number, generation.origin), (2, Origin::Promoted));
    assert!(!refuses(&waf, "first") && refuses(&waf, "second"));
    assert_eq!(under_way.verdict().map(|verdict| verdict.generation), Some(1), "what has begun keeps its rules");
    assert_eq!(waf.generation(), generation);
    assert_eq!(waf.health(), Health::Healthy);
}

#[test]
fn the_slower_of_two_updaters_is_refused() {
    let waf = waf("first");
    let (slow, fast) = (waf.stage(&source("slow")).expect("loads"), waf.stage(&source("fast")).expect("loads"));
    waf.promote(fast).expect("it is in time");
    let refused = waf.promote(slow).expect_err("it is stale");
    assert!(matches!(refused, NotPromoted::Refused(Refused::Stale { planned: 1, current: 2 })), "{refused}");
    assert!(refuses(&waf, "fast"));
    // A rollback makes plans stale, too: they were made against what was found wrong.
    let plan = waf.stage(&source("plan")).expect("loads");
    waf.roll_back().expect("one is kept");
    assert!(matches!(waf.promote(plan), Err(NotPromoted::Refused(Refused::Stale { planned: 2, .. }))));
    assert!(refuses(&waf, "first"));
    let anyway = waf.stage(&source("plan")).expect("loads");
    let current = waf.generation().number;
    waf.promote(anyway.onto(current)).expect("it was looked at");
}

#[test]
fn a_rollback_compiles_nothing_and_takes_no_time() {
    let waf = waf("first");
    let first = waf.loaded();
    waf.replace(&source("second")).expect("it loads");
    let begun = Instant::now();
    let back = waf.roll_back().expect("one is kept");
    let took = begun.elapsed();
    println!("a rollback takes {took:?}");
    assert_eq!((back.number, back.origin), (3, Origin::RolledBack(1)));
    assert!(std::sync::Arc::ptr_eq(&waf.loaded(), &first), "the very same automata");
    assert!(refuses(&waf, "first") && !refuses(&waf, "second"));
    assert!(took <= Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 1 }), "{took:?}");
    waf.roll_back().expect_err("one was kept");
}

#[test]
fn what_an_operator_has_switched_off_stays_off() {
    let waf = waf("first");
    waf.replace(&source("second")).expect("it loads");
    waf.switch_off(&Switch::Tag("word".into()));
    waf.roll_back().expect("one is kept");
    assert!(!refuses(&waf, "first"), "what was turned off in the other one is off here");
    assert_eq!(waf.switch_on(&Switch::Tag("word".into())), 1);
    assert!(refuses(&waf, "first"));
    waf.set_strongest_mode(EngineMode::DetectionOnly);
    let staged = waf.stage(&source("third")).expect("it loads");
    waf.promote(staged).expect("in time");
    assert!(!refuses(&waf, "third"));
    waf.set_strongest_mode(EngineMode::On);
    waf.switch_off(&Switch::Rule(RuleId(1)));
    waf.replace(&source("fourth")).expect("it loads");
    assert!(!refuses(&waf, "fourth"));
}

#[test]
fn the_content_hash_is_of_all_that_decides() {
    let content = |builder: WafBuilder| builder.build().expect("it loads").generation().content;
    let one = content(builder("word"));
    assert_eq!(one, content(builder("word")));
    assert_ne!(one, content(builder("ward")));
    let mut limits = fusewall::Limits::default();
    limits.arguments = 7;
    assert_ne!(one, content(builder("word").limits(limits)), "limits decide, too");
    let files = |list: &str| {
        let files = fusewall::files::MemoryFiles::new()
            .with("a.conf", "SecRule ARGS \"@pmFromFile list.data\" \"id:1,phase:1,deny\"")
            .with("list.data", list);
        Waf::builder().rules_path("a.conf").files(files)
    };
    assert_ne!(content(files("one\n")), content(files("two\n")), "and files that rules name");
}

#[test]
fn no_rules_at_all_are_an_error() {
    let empty = [
        "",
        "SecRuleEngine On\n",
        "SecMarker END\n",
        "SecAction \"id:1,phase:1,pass\"\nSecRuleRemoveById 1\n",
        "SecAction \"id:1,phase:1,pass,tag:'all'\"\nSecRuleRemoveByTag all\n",
    ];
    let waf = waf("first");
    for text in empty {
        let builder = || Waf::builder().rules_text("empty.conf", text);
        let report = builder().build().expect_err(text);
        assert!(report.diagnostics.has("E0912"), "{report}");
        assert!(builder().allow_empty().build().is_ok(), "{text:?}");
        let source = RuleSource::Text { name: "empty.conf".into(), text: text.into() };
        assert!(waf.replace(&source).is_err() && waf.stage(&source).is_err(), "{text:?}");
    }
    assert!(refuses(&waf, "first"));
    assert_eq!(waf.generation().number, 1);
}

#[test]
fn a_pinned_serial_keeps_what_has_none_away() {
    let waf = waf("first");
    waf.replace(&source("second")).expect("it loads");
    waf.pin_serial(1);
    let report = waf.replace(&source("third")).expect_err("it has no serial");
    assert!(report.diagnostics.has("E0913"), "{report}");
    assert!(waf.roll_back().is_err());
    assert!(refuses(&waf, "second"), "what is in service stays");
}
