//! Restarts: in good order, by a kill, and with a file that is damaged.

use crate::site::Site;
use fusewall::engine::persist::{Change, Collections, RecordId, Update, What};
use fusewall::rule::Variable;
use fusewall::store::{DiskCollections, DiskError};
use fusewall::{Limits, Waf};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn rules(folder: &Path) -> String {
    format!(
        r#"
        SecDataDir {}
        SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{{REMOTE_ADDR}},setvar:ip.n=+1,setvar:'tx.seen=%{{ip.n}}'"
        SecAction "id:2,phase:1,pass,nolog,expirevar:ip.n=100,setvar:ip.timeout=200"
        "#,
        folder.display()
    )
}

fn site(folder: &Path) -> Site {
    Site::with(&rules(folder), Limits::default(), |builder| builder.data_dir())
}

fn file(folder: &Path) -> PathBuf {
    folder.join("collections.redb")
}

fn count(store: &DiskCollections, key: &str, now: u64) {
    let id = RecordId { collection: Variable::Ip, scope: b"app", key: key.as_bytes() };
    let changes = [Change { name: (*b"n").into(), what: What::Add { by: 1, until: None } }];
    store.commit(&id, &Update { changes: &changes, created: now, timeout: 100, counts: true }, now).unwrap();
}

fn value(store: &DiskCollections, key: &str, now: u64) -> Option<i64> {
    let id = RecordId { collection: Variable::Ip, scope: b"app", key: key.as_bytes() };
    Some(store.load(&id, now).unwrap()?.entry(b"n")?.number())
}

fn open(folder: &Path, now: u64) -> (DiskCollections, fusewall::store::Restored) {
    DiskCollections::open(folder, &Limits::default(), now).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn counters_survive_a_restart_and_end_when_they_should() {
    let folder = folder();
    for (second, expected) in [(0, "1"), (50, "2"), (149, "3"), (249, "1"), (449, "1")] {
        assert_eq!(site(folder.path()).seen(second, "/"), expected, "at {second} s");
    }
}

#[test]
fn without_need_nothing_is_written() {
    let folder = folder();
    let all = rules(folder.path());
    for (rules, expected) in [
        (all.replace("SecDataDir", "SecServerSignature"), "1"),
        // Nor without a collection: many configurations name a folder by habit.
        (all.replace("initcol:ip=%{REMOTE_ADDR},", ""), ""),
    ] {
        let site = Site::with(&rules, Limits::default(), |builder| builder.data_dir());
        assert_eq!(site.seen(0, "/"), expected);
        drop(site);
        assert!(!file(folder.path()).exists());
    }
}

#[test]
fn a_flush_writes_what_has_changed_and_nothing_else() {
    let folder = folder();
    let (store, _) = open(folder.path(), 0);
    (0..10).for_each(|key| count(&store, &key.to_string(), 0));
    assert_eq!(store.flush().unwrap(), 10);
    assert_eq!(store.flush().unwrap(), 0);
    count(&store, "3", 50);
    assert_eq!(store.flush().unwrap(), 1);
    // All but one have expired: they leave the memory and the file.
    count(&store, "new", 120);
    store.flush().unwrap();
    store.flush().unwrap();
    assert_eq!(store.records(), 2);
    drop(store);
    let (store, restored) = open(folder.path(), 120);
    assert_eq!((restored.records, restored.expired, restored.damaged), (2, 0, 0));
    assert_eq!((value(&store, "3", 120), value(&store, "new", 120), value(&store, "4", 120)), (Some(2), Some(1), None));
}

#[test]
fn records_that_the_memory_pushes_out_leave_the_file() {
    let folder = folder();
    let mut limits = Limits::default();
    limits.collection_records = 100;
    let (store, _) = DiskCollections::open(folder.path(), &limits, 0).unwrap();
    for round in 0..20 {
        (0..50).for_each(|key| count(&store, &format!("{round}-{key}"), 0));
        store.flush().unwrap();
    }
    let held = store.records();
    drop(store);
    let (_, restored) = open(folder.path(), 0);
    assert_eq!((restored.records, restored.damaged), (held, 0));
    assert!(held <= 100);
}

#[test]
fn expired_records_are_pruned_at_the_start() {
    let folder = folder();
    let (store, _) = open(folder.path(), 0);
    (0..5).for_each(|key| count(&store, &key.to_string(), 0));
    drop(store);
    let (store, restored) = open(folder.path(), 100);
    assert_eq!((restored.records, restored.expired), (0, 5));
    drop(store);
    assert_eq!(open(folder.path(), 100).1.expired, 0);
}

#[test]
fn a_second_process_is_refused_and_the_first_loses_nothing() {
    let folder = folder();
    let (store, _) = open(folder.path(), 0);
    count(&store, "a", 0);
    assert!(matches!(DiskCollections::open(folder.path(), &Limits::default(), 0), Err(DiskError::InUse(_))));
    let report = Waf::builder().rules_text("rules.conf", rules(folder.path())).data_dir().build().expect_err("in use");
    assert!(report.to_string().contains("E0904"), "{report}");
    drop(store);
    assert_eq!(value(&open(folder.path(), 0).0, "a", 0), Some(1));
}

#[test]
fn a_folder_that_cannot_be_used_is_an_error() {
    let folder = folder();
    let taken = folder.path().join("file");
    fs::write(&taken, "no folder").unwrap();
    let report = Waf::builder().rules_text("rules.conf", rules(&taken)).data_dir().build().expect_err("no folder");
    assert!(report.to_string().contains("E0904"), "{report}");
}

/// Damages the file of a good store; the damaged bytes are never lost, and the start never fails.
fn damaged(damage: impl Fn(&mut Vec<u8>)) -> (fusewall::store::Restored, usize) {
    let folder = folder();
    let (store, _) = open(folder.path(), 0);
    (0..200).for_each(|key| count(&store, &format!("key {key}"), 0));
    drop(store);
    let mut bytes = fs::read(file(folder.path())).unwrap();
    damage(&mut bytes);
    fs::write(file(folder.path()), &bytes).unwrap();
    let (store, restored) = open(folder.path(), 0);
    if let Some((aside, problem)) = &restored.set_aside {
        assert!(!problem.is_empty());
        assert!(fs::read(aside).unwrap().len() >= bytes.len(), "the damaged file is kept");
    }
    // What is in service works.
    count(&store, "after", 0);
    assert_eq!(value(&store, "after", 0), Some(1));
    store.flush().unwrap();
    let right = (0..200).filter(|key| value(&store, &format!("key {key}"), 0) == Some(1)).count();
    let wrong = (0..200).filter(|key| value(&store, &format!("key {key}"), 0).is_some_and(|n| n != 1)).count();
    assert_eq!(wrong, 0, "damaged records are not believed");
    assert_eq!(right, restored.records);
    (restored, right)
}

#[test]
fn a_damaged_file_is_set_aside_and_reported() {
    for damage in [
        (|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2)) as fn(&mut Vec<u8>),
        |bytes| bytes.truncate(100),
        |bytes| bytes.clear(),
        |bytes| bytes.fill(0x5a),
        |bytes| *bytes = b"not a database".to_vec(),
        |bytes| bytes.iter_mut().take(64).for_each(|byte| *byte = 0),
        |bytes| bytes.iter_mut().skip(512).for_each(|byte| *byte = 0xff),
    ] {
        let (restored, right) = damaged(damage);
        assert!(restored.set_aside.is_some(), "{restored:?}");
        assert_eq!(right, 0);
    }
}

#[test]
fn any_flipped_byte_is_noticed_or_harmless() {
    for at in 0..60 {
        let (restored, right) = damaged(|bytes| {
            let place = bytes.len() * at / 60;
            bytes[place] ^= 0xff;
        });
        assert!(right == 200 || restored.set_aside.is_some() || restored.damaged > 0, "{at}: {restored:?}, {right}");
    }
}

#[test]
fn the_start_says_what_was_lost() {
    let folder = folder();
    fs::write(file(folder.path()), "not a database").unwrap();
    let waf = Waf::builder().rules_text("rules.conf", rules(folder.path())).data_dir().build().expect("it starts");
    let report = waf.report().to_string();
    assert!(report.contains("W0905") && report.contains("collections.redb.broken-"), "{report}");
}

const CHILD: &str = "FUSEWALL_TEST_COUNTING_FOLDER";
const FLUSH_MILLIS: u64 = 100;

fn counting(folder: &Path) -> Waf {
    let mut limits = Limits::default();
    limits.collection_flush_millis = FLUSH_MILLIS;
    let rules = format!("SecRuleEngine On\n{}", rules(folder));
    Waf::builder().rules_text("rules.conf", rules).limits(limits).data_dir().build().expect("it starts")
}

fn next(waf: &Waf) -> u64 {
    let mut exchange = waf.transaction();
    exchange.process_connection([192, 0, 2, 1].into(), 1, [192, 0, 2, 2].into(), 80);
    exchange.process_request_line(b"GET", b"/", b"HTTP/1.1");
    exchange.process_request_headers();
    std::str::from_utf8(exchange.tx("seen").unwrap()).unwrap().parse().unwrap()
}

/// Runs in a process of its own, started by the test below, and counts until it is killed.
#[test]
fn child_that_counts() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let waf = counting(Path::new(&folder));
    let mut out = std::io::stdout();
    loop {
        writeln!(out, "counted {}", next(&waf)).expect("the parent reads");
        out.flush().expect("the parent reads");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_killed_process_loses_no_more_than_the_flush_interval() {
    let folder = folder();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "disk::child_that_counts", "--nocapture"])
        .env(CHILD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut seen: Vec<(Instant, u64)> = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let Some(number) = line.split("counted ").nth(1) else { continue };
        seen.push((Instant::now(), number.trim().parse().unwrap()));
        if seen[0].0.elapsed() > Duration::from_millis(2500) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = Instant::now();
    // An interval, and the time that a flush may take on a busy machine.
    let interval = Duration::from_millis(FLUSH_MILLIS) + Duration::from_millis(900);
    let waf = counting(folder.path());
    assert!(waf.report().diagnostics.is_empty(), "a kill damages nothing: {}", waf.report());
    let kept = next(&waf) - 1;
    let last = seen.last().unwrap().1;
    let must = seen.iter().rfind(|(when, _)| killed.duration_since(*when) > interval).map_or(0, |(_, number)| *number);
    println!("{kept} of {last} kept, at least {must} must be");
    assert!(must > 0, "it counted before");
    assert!(kept >= must, "{kept} kept, {must} were older than the interval");
    assert!(kept <= last + 1);
}
