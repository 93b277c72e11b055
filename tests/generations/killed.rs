//! A process that promotes without end, killed at any moment: the next one goes on with what was acknowledged last.

use super::*;
use fusewall::HistoryConfig;
use fusewall::store::Origin;
use std::hash::{BuildHasher, Hasher};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where the child finds its folder.
const FOLDER: &str = "FUSEWALL_TEST_HISTORY";

fn start(text: &str, folder: &Path) -> Waf {
    // What is killed on purpose is no crash loop.
    let history = HistoryConfig::new(folder).settle_millis(0);
    let builder = Waf::builder().env(FixedEnv::default()).rules_text("rules.conf", text).history(history);
    builder.build().expect("it starts")
}

/// Which of the rules is in service: those of number `n` refuse `wn`.
fn live(waf: &Waf) -> u64 {
    assert_eq!(waf.generation().origin, Origin::Restored);
    let pattern = String::from_utf8_lossy(&waf.loaded().program().patterns[0].pattern.text).into_owned();
    let digits: String = pattern.chars().skip(2).take_while(char::is_ascii_digit).collect();
    digits.parse().expect("rules of this test")
}

/// The child: it says what it has found, and each promotion that was acknowledged.
#[test]
fn promotes_without_end() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let waf = start("SecRule nonsense", Path::new(&folder));
    let mut number = live(&waf);
    println!("\nfound {number}");
    loop {
        number += 1;
        let staged = waf.stage(&source(&format!("w{number}_"))).expect("it loads");
        waf.promote(staged).expect("the disk works");
        println!("acknowledged {number}");
    }
}

fn child(folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["killed::promotes_without_end", "--exact", "--nocapture"]).env(FOLDER, folder);
    command.stdout(Stdio::piped()).spawn().expect("it starts")
}

fn number(line: &str, word: &str) -> Option<u64> {
    line.trim().strip_prefix(word)?.trim().parse().ok()
}

#[test]
fn killed_at_any_moment() {
    let kills = if std::env::var("FUSEWALL_KILLS").is_ok_and(|size| size == "full") { 100 } else { 10 };
    let folder = tempfile::tempdir().expect("a folder");
    drop(start(&rules("w0_"), folder.path()));
    let mut acknowledged = 0;
    for kill in 0..kills {
        let mut child = child(folder.path());
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        let found = loop {
            line.clear();
            assert!(lines.read_line(&mut line).expect("a pipe") > 0, "it ended before it was killed");
            if let Some(found) = number(&line, "found") {
                break found;
            }
        };
        let promoted = [acknowledged, acknowledged + 1].contains(&found);
        assert!(promoted, "start {kill} found {found}, but {acknowledged} was acknowledged last");
        let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
        std::thread::sleep(Duration::from_micros(random % 40_000));
        child.kill().expect("it runs");
        let mut rest = String::new();
        lines.read_to_string(&mut rest).expect("a pipe");
        child.wait().expect("it has ended");
        // A line that was cut off was not said.
        let said = rest.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        acknowledged = said.filter_map(|line| number(line, "acknowledged")).next_back().unwrap_or(found);
    }
    println!("{kills} processes were killed; {acknowledged} promotions");
    assert!(acknowledged > 0);
}
