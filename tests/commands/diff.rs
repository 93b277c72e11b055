//! `fusewall diff`: two rulesets on the same requests.

use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Command, Output};

const BEFORE: &str = r#"
SecRuleEngine On
SecRule ARGS "@contains attack" "id:1,phase:1,deny,status:403,log,msg:'attack'"
SecRule ARGS "@contains odd" "id:2,phase:1,pass,log,msg:'odd'"
SecRule ARGS "@contains gone" "id:3,phase:1,deny,status:403,log,msg:'gone'"
"#;
const AFTER: &str = r#"
SecRuleEngine On
SecRule ARGS "@contains attack" "id:1,phase:1,deny,status:406,log,msg:'attack'"
SecRule ARGS "@contains new" "id:4,phase:1,deny,status:403,log,msg:'new'"
SecRule TIME_EPOCH "@eq 0" "id:5,phase:1,deny,status:403,log"
"#;

struct Setting {
    folder: tempfile::TempDir,
}

impl Setting {
    fn new() -> Setting {
        let folder = tempfile::tempdir().expect("a folder");
        let lines = ["hello", "attack", "odd", "gone", "new"]
            .map(|word| json!({"id": word, "method": "GET", "uri": format!("/?q={word}"), "headers": [["Host", "www.example"]]}));
        let requests: String = lines.iter().map(|line| format!("{line}\n")).collect();
        for (name, text) in [("a.conf", BEFORE), ("b.conf", AFTER), ("broken.conf", "SecRule"), ("f.jsonl", &requests)]
        {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        Setting { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn diff(&self, a: &str, b: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fusewall"));
        command.arg("diff").arg("--rules").arg(self.path(a)).arg("--with").arg(self.path(b));
        command.arg("--requests").arg(self.path("f.jsonl")).args(more).output().expect("it runs")
    }
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn changed_verdicts_shares_and_fuel() {
    let setting = Setting::new();
    let output = setting.diff("a.conf", "b.conf", &["--json"]);
    assert_eq!(output.status.code(), Some(0));
    let found = json_of(&output);
    assert_eq!(found["requests"], 5);
    let changed = json!([
        {"id": "attack", "a": {"action": "deny", "status": 403, "only": []}, "b": {"action": "deny", "status": 406, "only": []}},
        {"id": "gone", "a": {"action": "deny", "status": 403, "only": [3]}, "b": {"action": "pass", "status": 200, "only": []}},
        {"id": "new", "a": {"action": "pass", "status": 200, "only": []}, "b": {"action": "deny", "status": 403, "only": [4]}},
    ]);
    assert_eq!(found["changed"], changed);
    assert_eq!(found["match_share"], json!({"a": 0.6, "b": 0.4}));
    assert_eq!(found["block_rate"], json!({"a": 0.4, "b": 0.4}));
    assert_eq!(
        (&found["newly_blocked"], &found["newly_passed"], &found["logged_differently"]),
        (&1.into(), &1.into(), &1.into())
    );
    for side in ["a", "b"] {
        let fuel = &found["fuel"][side];
        assert!(fuel["mean"].as_f64() > Some(0.0) && fuel["p99"].as_u64() <= fuel["max"].as_u64(), "{fuel}");
    }
    let odd = found["rules"].as_array().expect("rules").iter().find(|rule| rule["id"] == 2).expect("rule 2");
    assert_eq!(odd["match_share"], json!({"a": 0.2, "b": 0.0}));
    assert_eq!(odd["only"], json!({"a": 1, "b": 0}));
}

#[test]
fn the_exit_status_tells_changes_only_if_asked() {
    let setting = Setting::new();
    assert_eq!(setting.diff("a.conf", "b.conf", &["--fail-on-change"]).status.code(), Some(1));
    let same = setting.diff("a.conf", "a.conf", &["--fail-on-change"]);
    assert_eq!(same.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&same.stdout).starts_with("5 requests, 0 verdicts change"));
    // As for `check`: rules with errors are findings, what cannot be read is a wrong use.
    assert_eq!(setting.diff("a.conf", "broken.conf", &[]).status.code(), Some(1));
    std::fs::remove_file(setting.path("f.jsonl")).expect("it was there");
    assert_eq!(setting.diff("a.conf", "b.conf", &[]).status.code(), Some(2));
}

#[test]
fn people_see_what_changes_from_what_to_what() {
    let setting = Setting::new();
    let text = String::from_utf8(setting.diff("a.conf", "b.conf", &[]).stdout).expect("text");
    assert!(text.contains("gone: deny 403 (3) -> pass 200"), "{text}");
    assert!(text.contains("new: pass 200 -> deny 403 (4)"), "{text}");
}
