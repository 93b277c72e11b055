//! `fusewall compile`, and bundles in every command that takes rules.

use super::*;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn fusewall(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fusewall")).args(arguments).output().expect("the command runs")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// A folder with rules, a bundle of them, its signature, and the key.
fn prepared() -> (tempfile::TempDir, impl Fn(&str) -> String) {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_path_buf();
    let path = move |name: &str| root.join(name).display().to_string();
    let rule = "SecRuleEngine On\nSecRule ARGS \"@rx attack[0-9]\" \"id:1,phase:1,deny\"\nSecPcreMatchLimit 1\n";
    fs::write(path("my.conf"), rule).unwrap();
    fs::write(path("key.pub"), SIGNER.pk.to_box().unwrap().to_string()).unwrap();
    let made = fusewall(&["compile", "--rules", &path("my.conf"), "-o", &path("my.fwb"), "--json"]);
    assert!(made.status.success(), "{}", text(&made));
    let answer: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&answer["ok"], &answer["files"], &answer["patterns"]), (&true.into(), &1.into(), &1.into()));
    assert_eq!(answer["diagnostics"][0]["line"], 3);
    sign(Path::new(&path("my.fwb")));
    (folder, path)
}

fn sign(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path.with_extension("fwb.minisig"), signature(&bytes)).unwrap();
}

#[test]
fn every_command_takes_a_bundle() {
    let (_folder, path) = prepared();
    let rules = ["--rules", &path("my.fwb"), "--bundle-key", &path("key.pub")];
    fs::write(path("requests.jsonl"), "{\"id\":\"1\",\"method\":\"GET\",\"uri\":\"/?q=attack1\",\"headers\":[]}\n")
        .unwrap();
    let requests = path("requests.jsonl");
    for (command, more, expected) in [
        ("check", vec!["--verify"], "compared with what compiling makes: 1 patterns"),
        ("run", vec!["--requests", &requests], "\"rules\":[1]"),
        ("explain", vec![], "attack"),
        ("bench", vec!["--requests", &requests, "--json"], "fuel"),
    ] {
        let output = fusewall(&[&[command][..], &rules[..], &more[..]].concat());
        assert!(output.status.success() && text(&output).contains(expected), "{command}: {}", text(&output));
    }
    let without = fusewall(&["check", "--rules", &path("my.fwb")]);
    assert_eq!(without.status.code(), Some(1));
    assert!(text(&without).contains("--bundle-key"), "{}", text(&without));
}

/// Replaces the bundle by one with the automaton of other rules, signed all the same.
fn forge(path: &impl Fn(&str) -> String) {
    let other = fs::read_to_string(path("my.conf")).unwrap().replace("attack", "absent");
    fs::write(path("other.conf"), other).unwrap();
    assert!(fusewall(&["compile", "--rules", &path("other.conf"), "-o", &path("other.fwb")]).status.success());
    let (mine, foreign) = (fs::read(path("my.fwb")).unwrap(), fs::read(path("other.fwb")).unwrap());
    let behind =
        |bytes: &[u8], word: &[u8]| bytes.windows(word.len()).rposition(|window| window == word).unwrap() + word.len();
    let mut forged = mine[..behind(&mine, b"attack[0-9]")].to_vec();
    forged.extend_from_slice(&foreign[behind(&foreign, b"absent[0-9]")..]);
    fs::write(path("my.fwb"), sealed(forged)).unwrap();
    sign(Path::new(&path("my.fwb")));
}

#[test]
fn checking_finds_a_forged_automaton() {
    let (_folder, path) = prepared();
    forge(&path);
    let rules = ["--rules", &path("my.fwb"), "--bundle-key", &path("key.pub")];
    assert!(fusewall(&[&["check"][..], &rules].concat()).status.success(), "without comparing it looks well");
    let found = fusewall(&[&["check", "--verify", "--json"][..], &rules].concat());
    assert_eq!(found.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!((&answer["ok"], &answer["differences"][0]), (&false.into(), &"attack[0-9]".into()));
}

#[test]
fn what_goes_wrong_is_said() {
    let (_folder, path) = prepared();
    let nowhere = fusewall(&["compile", "--rules", &path("my.conf"), "-o", &path("no/such/folder.fwb")]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(text(&nowhere).contains("folder.fwb cannot be written"), "{}", text(&nowhere));

    fs::write(path("bad.conf"), "SecRuleEngin On\n").unwrap();
    let wrong = fusewall(&["compile", "--rules", &path("bad.conf"), "-o", &path("bad.fwb")]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong).contains("E0201") && !Path::new(&path("bad.fwb")).exists(), "{}", text(&wrong));

    fs::write(path("no-key"), "nonsense").unwrap();
    let no_key = fusewall(&["check", "--rules", &path("my.fwb"), "--bundle-key", &path("no-key")]);
    assert_eq!(no_key.status.code(), Some(2));
    assert!(text(&no_key).contains("no public key"), "{}", text(&no_key));

    let bytes = fs::read(path("my.fwb")).unwrap();
    fs::write(path("my.fwb"), &bytes[..bytes.len() / 2]).unwrap();
    let half = fusewall(&["check", "--rules", &path("my.fwb"), "--bundle-key", &path("key.pub")]);
    assert_eq!(half.status.code(), Some(1));
    assert!(text(&half).contains("E0907") && text(&half).contains("my.fwb"), "{}", text(&half));
}

#[test]
fn a_cache_is_written_and_used() {
    let (_folder, path) = prepared();
    let check = || {
        let output = fusewall(&["check", "--rules", &path("my.conf"), "--cache", &path("cache"), "--verify"]);
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    };
    assert!(!check().contains("compared with"));
    assert!(check().contains("compared with"));
}

#[cfg(feature = "serve")]
#[test]
fn serving_finds_a_forged_automaton_by_itself() {
    use std::io::{BufRead, BufReader};
    let (_folder, path) = prepared();
    forge(&path);
    let mut server = Command::new(env!("CARGO_BIN_EXE_fusewall"))
        .args(["serve", "--listen", "127.0.0.1:0", "--rules", &path("my.fwb"), "--bundle-key", &path("key.pub")])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the command runs");
    let lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let (found, waiting) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let line = lines.map_while(Result::ok).find(|line| line.contains("not those of the rules"));
        let _ = found.send(line);
    });
    let found = waiting.recv_timeout(std::time::Duration::from_secs(30));
    server.kill().unwrap();
    server.wait().unwrap();
    let line = found.ok().flatten().expect("it is found and logged");
    assert!(line.contains("ERROR") && line.contains("generation 2 is in service"), "{line}");
}
