//! Engines to compare with: other rules, the recording, and libraries that crash and hang.

use super::{Setting, text};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

const RULES: &str = r#"
SecRuleEngine On
SecRule ARGS "@contains attack" "id:10,phase:1,deny,status:403,log,msg:'an attack'"
SecRule ARGS "@contains odd" "id:20,phase:1,pass,log,msg:'odd'"
"#;

/// Denies what has `attack` in its target; ends where that says `crash`, and never where it says `hang`.
const LIBRARY: &str = include_str!("library.c");

fn requests(targets: &[&str]) -> String {
    let line = |target: &&str| json!({"id": target, "method": "GET", "uri": target, "headers": [["Host", "x"]]});
    targets.iter().map(|target| format!("{}\n", line(target))).collect()
}

/// The program that runs libmodsecurity: where a build of the workspace has put it, or built now.
pub(super) fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let own = PathBuf::from(env!("CARGO_BIN_EXE_fusewall"));
        let folder = own.parent().expect("a folder");
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // With the features of a build of all, so that what that has compiled is taken.
        cargo.args(["build", "--quiet", "--workspace", "--all-features", "--bin", "fusewall-against", "--target-dir"]);
        cargo.arg(folder.parent().expect("a folder")).current_dir(super::root());
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo").success(), "fusewall-against is not built");
        folder.join("fusewall-against")
    })
}

/// A folder with rules, requests and the library above.
fn with_library(targets: &[&str]) -> Setting {
    program();
    let setting = Setting::new(&[("rules.conf", RULES), ("f.jsonl", &requests(targets)), ("library.c", LIBRARY)]);
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).args([setting.path("library.so"), setting.path("library.c")]);
    assert!(cc.status().expect("a C compiler").success());
    setting
}

fn against(setting: &Setting, engine: &str, more: &[&str]) -> (Value, Option<i32>) {
    let (answer, code) = setting.replay(&[&["--requests", "f.jsonl", "--against", engine], more].concat());
    (answer["against"].clone(), code)
}

#[test]
fn an_engine_that_agrees_is_no_finding() {
    let setting = with_library(&["/?q=1", "/?q=attack", "/?q=odd"]);
    let (found, code) = against(&setting, "libmodsecurity=./library.so", &[]);
    // The library knows nothing of rule 20.
    assert_eq!((code, &found["compared"], &found["different"]), (Some(1), &json!(3), &json!(1)), "{found}");
    assert_eq!((&found["engine"], &found["decided_differently"]), (&json!("a library for tests"), &json!(0)));
    let group = &found["groups"][0];
    assert_eq!((&group["cause"], &group["only_here"]), (&json!("rules"), &json!([20])));
    setting.write("f.jsonl", requests(&["/?q=1", "/?q=attack"]));
    assert_eq!(against(&setting, "libmodsecurity=./library.so", &[]).1, Some(0));
}

#[test]
fn an_engine_that_crashes_or_hangs_does_not_end_the_replay() {
    let setting = with_library(&["/?q=crash", "/?q=attack", "/?q=hang", "/?q=2", "/?q=crash&attack"]);
    let (found, code) = against(&setting, "libmodsecurity=./library.so", &["--against-timeout", "1"]);
    assert_eq!((code, &found["compared"], &found["different"]), (Some(1), &json!(2), &json!(0)), "{found}");
    let troubles = &found["not_compared"];
    assert_eq!((&troubles["crashed"], &troubles["hung"], &troubles["not_asked"]), (&json!(2), &json!(1), &json!(0)));
    let examples = troubles["examples"].to_string();
    assert!(
        examples.contains("/?q=crash: the engine ended: signal: 6") && examples.contains("no answer within 1s"),
        "{examples}"
    );
}

#[test]
fn an_engine_that_always_crashes_is_given_up() {
    let setting = with_library(&["/?q=crash"; 30]);
    let (found, code) = against(&setting, "libmodsecurity=./library.so", &[]);
    let troubles = &found["not_compared"];
    assert_eq!((code, &troubles["crashed"], &troubles["not_asked"]), (Some(1), &json!(20), &json!(10)), "{troubles}");
}

#[test]
fn an_engine_that_cannot_be_had_is_said_before_the_first_request() {
    let setting = with_library(&["/"]);
    let said = |engine: &str, more: &[&str]| {
        let all = ["replay", "--rules", "rules.conf", "--requests", "f.jsonl", "--against", engine];
        let output = setting.command(&[&all, more].concat());
        assert_eq!(output.status.code(), Some(2), "{engine}");
        text(&output.stderr)
    };
    assert!(said("libmodsecurity=./none.so", &[]).contains("none.so cannot be loaded"));
    assert!(said("libmodsecurity", &["--against-program", "./none"]).contains("cannot be started"));
    assert!(said("modsecurity", &[]).contains("expected `libmodsecurity`"));
    setting.write("rules.conf", "SecRuleEngine On\nSecAction id:1,phase:1,pass,nolog,msg:refuse-me\n");
    assert!(said("libmodsecurity=./library.so", &[]).contains("libmodsecurity refuses"));
}

#[test]
fn other_rules_and_the_recording_can_be_asked_as_well() {
    let log = r#"192.0.2.1 - - [x] "GET /?q=attack HTTP/1.1" 403 1 "-" "-"
192.0.2.1 - - [x] "GET /?q=attack HTTP/1.1" 200 1 "-" "-"
192.0.2.1 - - [x] "GET /?q=1 HTTP/1.1" 406 1 "-" "-"
"#;
    let looser = RULES.replace("id:10,phase:1,deny", "id:10,phase:1,pass");
    let setting = Setting::new(&[("rules.conf", RULES), ("access.log", log), ("looser.conf", &looser)]);
    let (answer, code) = setting.replay(&["--log", "access.log", "--against", "log"]);
    let causes = |answer: &Value| {
        let groups = answer["against"]["groups"].as_array().expect("groups").clone();
        groups.iter().map(|group| (group["cause"].clone(), group["requests"].clone())).collect::<Vec<_>>()
    };
    assert_eq!((code, causes(&answer)), (Some(1), vec![(json!("blocked_here"), json!(1))]));
    let (answer, _) = setting.replay(&["--log", "access.log", "--against", "log", "--blocked-status", "403,406"]);
    assert_eq!(causes(&answer), [(json!("blocked_there"), json!(1)), (json!("blocked_here"), json!(1))]);
    let (answer, _) = setting.replay(&["--log", "access.log", "--against", "fusewall=looser.conf"]);
    assert_eq!(causes(&answer), [(json!("blocked_here"), json!(2))]);
}
