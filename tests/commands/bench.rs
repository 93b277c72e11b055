//! `fusewall bench`: the keys that scripts read, and a page that loads nothing from outside.

use serde_json::Value;
use std::process::Command;

#[test]
fn figures_for_machines_and_a_page_for_people() {
    let folder = tempfile::tempdir().expect("a folder");
    let (requests, page) = (folder.path().join("requests.jsonl"), folder.path().join("report.html"));
    let lines = [
        r#"{"id":"a","method":"GET","uri":"/?q=hello","headers":[["Host","www.example"]],"body_b64":null}"#,
        r#"{"id":"b","method":"GET","uri":"/?q=<script>alert(1)</script>","headers":[["Host","www.example"]]}"#,
        r#"{"id":"c","method":"GET","uri":"/","headers":[["Host","www.example"]],"response":{"status":200,"body_b64":null}}"#,
    ];
    std::fs::write(&requests, lines.join("\n")).expect("a file");
    let answer = Command::new(env!("CARGO_BIN_EXE_fusewall"))
        .args(["bench", "--json", "--passes", "2", "--threads", "2", "--requests"])
        .arg(&requests)
        .arg("--html")
        .arg(&page)
        .output()
        .expect("it runs");
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let figures: Value = serde_json::from_slice(&answer.stdout).expect("JSON");
    assert_eq!((&figures["requests"], &figures["refused"], &figures["exhausted"]), (&3.into(), &1.into(), &0.into()));
    for key in ["mean", "p50", "p90", "p99", "max"] {
        assert!(figures["cpu_us"][key].as_f64().is_some_and(|us| us > 0.0), "{key}: {figures}");
    }
    for key in ["mb_per_s", "ns_per_fuel", "load_ms"] {
        assert!(figures[key].as_f64().is_some_and(|value| value > 0.0), "{key}: {figures}");
    }
    assert!(figures["fuel"]["max"].as_u64() >= figures["fuel"]["p99"].as_u64());
    let shares: f64 =
        figures["rules"].as_array().expect("rules").iter().filter_map(|rule| rule["fuel_share"].as_f64()).sum();
    assert!(shares > 0.0 && shares < 1.0, "{shares}");
    let html = std::fs::read_to_string(&page).expect("a page");
    assert!(html.starts_with("<!doctype html>") && html.contains("<svg"));
    assert!(["http:", "https:", "<script", "<link", "@import", "url("].iter().all(|outside| !html.contains(outside)));
}

#[test]
fn a_file_without_requests_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let requests = folder.path().join("none.jsonl");
    std::fs::write(&requests, "\n").expect("a file");
    let answer = Command::new(env!("CARGO_BIN_EXE_fusewall")).args(["bench", "--requests"]).arg(&requests).output();
    let answer = answer.expect("it runs");
    assert_eq!(answer.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&answer.stderr).contains("no requests in it"));
}

#[test]
fn settings_without_a_rule_can_be_tried_but_not_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let (rules, requests) = (folder.path().join("settings.conf"), folder.path().join("requests.jsonl"));
    std::fs::write(&rules, "SecRuleEngine On\n").expect("a file");
    std::fs::write(&requests, r#"{"id":"a","method":"GET","uri":"/","headers":[],"body_b64":null}"#).expect("a file");
    let answer = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fusewall"));
        command.args(arguments).arg("--rules").arg(&rules).output().expect("it runs")
    };
    let file = requests.to_str().expect("a name");
    let run = answer(&["run", "--json", "--requests", file]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let line: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!(line["action"], "pass");
    assert!(answer(&["explain"]).status.success());
    assert_eq!(answer(&["check"]).status.code(), Some(1));
    assert!(answer(&["check", "--allow-empty"]).status.success());
}
