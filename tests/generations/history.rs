//! What outlives the process: how a start chooses, what is kept, and a fault at every step of the disk.

use super::faulty::{Data, Fault, Faulty, Survival};
use super::*;
use fusewall::store::Origin;
use fusewall::{Health, HistoryConfig, NotPromoted};
use std::collections::BTreeSet;

/// A configuration that does not load.
const POISON: &str = "SecRule ARGS \"@rx (\" \"id:1,phase:1,deny\"\n";

fn on(disk: &Faulty) -> HistoryConfig {
    // Nothing here waits for a thread.
    HistoryConfig::on(disk.clone()).settle_millis(0)
}

fn start(text: &str, disk: &Faulty) -> Waf {
    start_with(text, on(disk))
}

fn start_with(text: &str, history: HistoryConfig) -> Waf {
    let builder = Waf::builder().env(FixedEnv::default()).rules_text("rules.conf", text).history(history);
    builder.build().expect("it starts, whatever the rules are")
}

fn promote(waf: &Waf, word: &str) -> Result<u64, NotPromoted> {
    waf.promote(waf.stage(&source(word)).expect("it loads")).map(|generation| generation.number)
}

/// A disk that knows of `words`, the last one being the latest.
fn knowing(words: &[&str]) -> Faulty {
    let disk = Faulty::default();
    let (first, others) = words.split_first().expect("a word");
    let waf = start(&rules(first), &disk);
    others.iter().for_each(|word| assert!(promote(&waf, word).is_ok()));
    drop(waf);
    disk.with_fault(None)
}

fn why(waf: &Waf) -> String {
    match waf.health() {
        Health::Degraded { why, .. } => why.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn poisoned_rules_start_with_the_last_good_ones() {
    let disk = knowing(&["first", "second"]);
    let waf = start(POISON, &disk.with_fault(None));
    assert!(refuses(&waf, "second") && !refuses(&waf, "first"));
    assert_eq!((waf.generation().number, waf.generation().origin), (3, Origin::Restored));
    assert!(why(&waf).contains("do not load"), "{}", why(&waf));
    assert!(waf.report().diagnostics.has("W0915") && waf.report().diagnostics.errors() > 0, "{}", waf.report());
    // What was restored is compared with its rules like any bundle.
    assert!(matches!(waf.verify(), fusewall::Verification::Same { patterns: 1 }));
    // As soon as rules come that load, all is well.
    promote(&waf, "third").expect("it loads");
    assert_eq!(waf.health(), Health::Healthy);
}

#[test]
fn configured_rules_that_load_come_first() {
    let disk = knowing(&["first", "second"]);
    let waf = start(&rules("third"), &disk);
    assert!(refuses(&waf, "third"));
    assert_eq!((waf.health(), waf.generation().number), (Health::Healthy, 3), "numbers go on");
    assert_eq!(waf.generation().origin, Origin::Started);
    let known: Vec<u64> = waf.history().expect("it is open").iter().map(|entry| entry.generation.number).collect();
    assert_eq!(known, [3, 2, 1]);
}

#[test]
fn a_host_may_go_on_where_the_last_process_was() {
    let disk = knowing(&["first", "second"]);
    let waf = start_with(&rules("third"), on(&disk).resume());
    assert!(refuses(&waf, "second"));
    assert_eq!((waf.health(), waf.generation().origin), (Health::Healthy, Origin::Restored));
    let waf = start_with(&rules("third"), on(&Faulty::default()).resume());
    assert!(refuses(&waf, "third"), "the first start has nothing to go on with");
}

#[test]
fn damaged_rulesets_are_passed_over() {
    let disk = knowing(&["first", "second"]);
    let before: BTreeSet<String> = knowing(&["first"]).names().into_iter().collect();
    let newest = disk.names().into_iter().find(|name| name.starts_with("object-") && !before.contains(name));
    disk.damage(&newest.expect("an object"));
    let waf = start(POISON, &disk);
    assert!(refuses(&waf, "first"));
    assert!(why(&waf).contains("damaged"), "{}", why(&waf));

    let disk = knowing(&["first", "second"]);
    disk.damage("object-");
    let waf = start(POISON, &disk);
    assert_eq!(waf.generation().origin, Origin::Builtin);
    assert!(waf.loaded().program().rules.len() > 20);
}

#[test]
fn one_damaged_list_is_no_loss_and_two_are_told() {
    for (name, latest) in [("manifest.0", "second"), ("manifest.1", "second")] {
        let disk = knowing(&["first", "second", "third"]);
        disk.damage(name);
        let waf = start(POISON, &disk);
        assert!(refuses(&waf, "third") || refuses(&waf, latest), "{name}");
        assert!(waf.report().to_string().contains(name), "{}", waf.report());
    }
    let disk = knowing(&["first"]);
    promote(&start(&rules("first"), &disk.with_fault(None)), "x").expect("it works");
    let disk = knowing(&["first", "second"]);
    disk.damage("manifest.");
    assert_eq!(start(POISON, &disk).generation().origin, Origin::Builtin);
}

#[test]
fn rules_that_bring_the_process_down_are_left_after_three_starts() {
    let disk = knowing(&["first", "second"]);
    // A process that dies says nothing: its disk is as it was, and what it would still do is not done.
    let die = |text: &str, disk: &Faulty| {
        let waf = start_with(text, HistoryConfig::on(disk.clone()).settle_millis(3_600_000));
        let left = disk.with_fault(None);
        let word = ["first", "second", "deadly"].into_iter().find(|word| refuses(&waf, word));
        drop(waf);
        (left, word.unwrap_or("builtin"))
    };
    let mut disk = disk;
    let mut tried = Vec::new();
    for _ in 0..10 {
        let (left, word) = die(&rules("deadly"), &disk);
        tried.push(word);
        disk = left;
    }
    let expected = [["deadly"; 3], ["second"; 3], ["first"; 3]].concat();
    assert_eq!(tried, [&expected[..], &["builtin"]].concat());
    // One that settles makes a new start of it.
    let settled = start(&rules("deadly"), &disk);
    assert!(why(&settled).contains("3 starts in a row"), "{}", why(&settled));
    drop(settled);
    assert_eq!(die(&rules("fixed"), &disk.with_fault(None)).1, "builtin", "which is none of the words");
    let waf = start(&rules("fixed"), &disk.with_fault(None));
    assert!(refuses(&waf, "fixed"));
    assert_eq!(waf.health(), Health::Healthy);
}

#[test]
fn an_end_in_order_is_no_crash() {
    let disk = knowing(&["first"]);
    let noted = || disk.names().iter().any(|name| name == "starts");
    let waf = start_with(&rules("second"), HistoryConfig::on(disk.clone()).settle_millis(3_600_000));
    assert!(noted());
    waf.settled();
    assert!(!noted());
    drop(waf);
    let disk = disk.with_fault(None);
    drop(start_with(&rules("second"), HistoryConfig::on(disk.clone()).settle_millis(3_600_000)));
    assert!(!disk.names().iter().any(|name| name == "starts"), "nor is the end of the last clone");
}

#[test]
fn only_so_many_are_kept_and_those_that_are_pinned() {
    let disk = Faulty::default();
    let waf = start_with(&rules("w0"), on(&disk).rulesets(3));
    assert!(waf.pin(1, true).expect("the disk works") && !waf.pin(77, true).expect("the disk works"));
    for number in 1..=9 {
        promote(&waf, &format!("w{number}")).expect("the disk works");
        let objects = disk.names().iter().filter(|name| name.starts_with("object-")).count();
        assert!(objects <= 5, "three, a pinned one, and one that the list before still names: {objects}");
    }
    let known: Vec<u64> = waf.history().expect("it is open").iter().map(|entry| entry.generation.number).collect();
    assert_eq!(known, [10, 9, 8, 1]);
    waf.pin(1, false).expect("the disk works");
    promote(&waf, "more").expect("the disk works");
    assert_eq!(waf.history().expect("it is open").len(), 3);
    assert!(!disk.names().iter().any(|name| name.ends_with(".new")));
}

#[test]
fn a_rollback_is_what_the_next_start_finds() {
    let disk = knowing(&["first", "second"]);
    let waf = start(&rules("third"), &disk.with_fault(None));
    promote(&waf, "bad").expect("the disk works");
    waf.roll_back().expect("one is kept");
    let after = disk.with_fault(None);
    drop(waf);
    drop(after);
    let disk = Faulty::default();
    let waf = start(&rules("first"), &disk);
    promote(&waf, "bad").expect("the disk works");
    waf.roll_back().expect("one is kept");
    let waf = start(POISON, &disk.with_fault(None));
    assert!(refuses(&waf, "first") && !refuses(&waf, "bad"));
    assert_eq!(waf.generation().number, 4);
}

#[test]
fn a_full_disk_refuses_promotions_and_lets_go_back() {
    let disk = knowing(&["first"]);
    let reads = {
        let disk = disk.with_fault(None);
        drop(start(&rules("first"), &disk));
        disk.steps()
    };
    let disk = Faulty::default();
    let waf = start(&rules("first"), &disk);
    promote(&waf, "second").expect("the disk works");
    assert!(reads > 0);
    disk.fail_from_now_on();
    let error = promote(&waf, "third").expect_err("it cannot be recorded");
    assert!(matches!(error, NotPromoted::NotRecorded(_)), "{error}");
    let report = waf.replace(&source("third")).expect_err("it cannot be recorded");
    assert!(report.diagnostics.has("E0914"), "{report}");
    assert!(refuses(&waf, "second"), "what is in service stays");
    assert!(why(&waf).contains("history"), "{}", why(&waf));
    waf.roll_back().expect("no disk is needed for that");
    assert!(refuses(&waf, "first"));
    assert!(why(&waf).contains("history"), "and it is said that nobody will know");
}

#[test]
fn the_pinned_serial_outlives_the_process() {
    let disk = knowing(&["first"]);
    let waf = start(&rules("first"), &disk);
    waf.pin_serial(3);
    let waf = start(&rules("first"), &disk.with_fault(None));
    assert_eq!(waf.generation().origin, Origin::Builtin, "nothing else is known to be new enough");
    assert!(why(&waf).contains("E0913"), "{}", why(&waf));
    assert_eq!(waf.pin_serial(1), 3);
}

/// What a run under a fault has come to.
struct Ran {
    /// The ruleset that was acknowledged last.
    acknowledged: &'static str,
    /// What was being put into service when the power failed; and what was refused because of a disk that has never recovered:
    /// whether its last write has come through nobody can know.
    under_way: Vec<&'static str>,
    /// The highest number that anybody was told.
    number: u64,
}

/// What is in service, by the word that it refuses.
fn live(waf: &Waf) -> &'static str {
    let words = ["old", "first", "second", "third", "fourth"];
    words.into_iter().find(|word| refuses(waf, word)).unwrap_or("built in")
}

/// A process that starts with these rules, promotes twice, rolls back, promotes; on a disk that knows `old`.
fn run(disk: &Faulty, text: &str) -> Ran {
    let history = on(disk).rulesets(2).settle_millis(3_600_000);
    let mut ran = Ran { acknowledged: "old", under_way: Vec::new(), number: 1 };
    let waf = start_with(text, history);
    let (mut live, mut before) = (live(&waf), None);
    if disk.has_crashed() {
        return Ran { under_way: vec![live], ..ran };
    }
    // A start is not acknowledged to anybody, unless it says that all is well.
    match waf.health() {
        Health::Healthy => (ran.acknowledged, ran.number) = (live, waf.generation().number),
        _ => ran.under_way.push(live),
    }
    for word in ["second", "third", "back", "fourth"] {
        let done = match word {
            "back" => waf.roll_back().map(|generation| generation.number).ok(),
            word => promote(&waf, word).ok(),
        };
        let now = if word == "back" { before.unwrap_or(live) } else { word };
        if disk.has_crashed() {
            ran.under_way.push(now);
            return ran;
        }
        match done {
            // A rollback is in force whatever the disk does; then it says so.
            Some(_) if word == "back" && waf.health() != Health::Healthy => ran.under_way.push(now),
            Some(number) => {
                assert!(number > ran.number);
                ran = Ran { acknowledged: now, under_way: Vec::new(), number };
            }
            None => {
                ran.under_way.extend(disk.is_dead().then_some(now));
                continue;
            }
        }
        before = Some(live).filter(|_| word != "back");
        live = now;
        assert_eq!(self::live(&waf), live);
    }
    disk.stop();
    ran
}

/// A start after it, with rules that do not load.
fn check(disk: &Faulty, ran: &Ran, what: &str) {
    let waf = start(POISON, disk);
    let found = live(&waf);
    let allowed = found == ran.acknowledged || ran.under_way.contains(&found);
    assert!(allowed, "{what}: {found}, but {} was acknowledged and {:?} under way", ran.acknowledged, ran.under_way);
    assert!(waf.generation().number > ran.number, "{what}");
    // And it works from then on.
    promote(&waf, "later").unwrap_or_else(|error| panic!("{what}: {error}"));
    let disk = disk.with_fault(None);
    drop(waf);
    assert!(refuses(&start(POISON, &disk), "later"), "{what}");
}

#[test]
fn a_fault_at_every_step_of_the_disk() {
    let base = knowing(&["old"]);
    let (mut faults, mut starts) = (0, 0);
    for text in [&rules("first"), POISON] {
        let steps = {
            let disk = base.with_fault(None);
            assert_eq!(run(&disk, text).acknowledged, "fourth");
            disk.steps()
        };
        assert!(steps > 50, "{steps}");
        // An unoptimised build tries a part of them.
        for at in (0..steps).step_by(if cfg!(debug_assertions) { 7 } else { 1 }) {
            for fault in [Fault::Once, Fault::ForGood, Fault::Torn, Fault::Crash] {
                let disk = base.with_fault(Some((at, fault)));
                let ran = run(&disk, text);
                faults += 1;
                let what = format!("{fault:?} at step {at} of {steps}");
                for data in [Data::Nothing, Data::Half, Data::All] {
                    for names in 0..=disk.pending() {
                        check(&disk.after_crash(Survival { names, data }), &ran, &format!("{what}, {names}, {data:?}"));
                        starts += 1;
                    }
                }
            }
        }
    }
    println!("{faults} faults, {starts} starts after them");
    assert!(starts > faults);
}
