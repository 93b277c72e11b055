//! Beside Debian's libmodsecurity, as it is: the same rules and requests through both.

use super::{Setting, root, text};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The library of `FUSEWALL_LIBMODSECURITY` (its path), of the system, or the one that `fetch` gets, with the folder of what it
/// needs. Left out where there is none.
fn library() -> Option<(PathBuf, Option<PathBuf>)> {
    if let Some(given) = std::env::var_os("FUSEWALL_LIBMODSECURITY") {
        return Some((given.into(), None));
    }
    let found = system().or_else(fetched);
    if found.is_none() {
        eprintln!("left out: Debian's libmodsecurity3 is not here and cannot be fetched");
    }
    found
}

fn inside(folder: &Path) -> Option<PathBuf> {
    let machine = std::fs::read_dir(folder.join("usr/lib")).ok()?.flatten().map(|entry| entry.path());
    machine.map(|folder| folder.join("libmodsecurity.so.3")).find(|path| path.exists())
}

fn system() -> Option<(PathBuf, Option<PathBuf>)> {
    inside(Path::new("/")).map(|path| (path, None))
}

fn fetched() -> Option<(PathBuf, Option<PathBuf>)> {
    let own = std::env::current_exe().ok()?;
    let folder = own.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists())?.join("libmodsecurity");
    let script = root().join("tests/switching/fetch");
    if !Command::new(script).arg(&folder).status().is_ok_and(|status| status.success()) {
        return None;
    }
    let library = inside(&folder)?;
    let needed = library.parent().map(Path::to_owned);
    Some((library, needed))
}

/// Runs the replay with the library; `None` where it cannot be had.
fn replay(setting: &Setting, arguments: &[&str]) -> Option<(Value, Option<i32>)> {
    let (library, needed) = library()?;
    super::engines::program();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fusewall"));
    command.current_dir(setting.folder.path()).args(["replay", "--json"]).args(arguments);
    command.arg("--against").arg(format!("libmodsecurity={}", library.display()));
    if let Some(needed) = needed {
        command.env("LD_LIBRARY_PATH", needed);
    }
    let output = command.output().expect("it runs");
    let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    Some((answer, output.status.code()))
}

const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/html
SecAuditEngine On
SecAuditLog audit.log
SecAuditLogType Serial
SecRule REQUEST_HEADERS:Content-Type "^application/json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule ARGS "@rx (?i)union\s+select" "id:10,phase:2,deny,status:403,log,msg:'sql'"
SecRule REQUEST_HEADERS:User-Agent "@contains scanner" "id:11,phase:1,deny,status:405,log"
SecRule ARGS:away "@rx ." "id:12,phase:1,redirect:https://www.example/elsewhere,log"
SecRule ARGS:order "@rx ." "id:13,phase:1,pass,log,msg:'an order'"
SecRule RESPONSE_BODY "@contains secret" "id:15,phase:4,deny,status:502,log"
SecRule REQUEST_BODY "@contains quoted" "id:20,phase:2,deny,status:403,log"
SecRule &REQUEST_HEADERS:Host "@eq 0" "id:21,phase:1,deny,status:400,log"
"#;

#[test]
fn both_say_the_same_but_where_they_are_known_to_differ() {
    use base64::Engine;
    let body = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let request = |id: &str, method: &str, uri: &str, more: Value| {
        let mut line = json!({"id": id, "method": method, "uri": uri, "headers": [["Host", "www.example"]]});
        for (key, value) in more.as_object().expect("members") {
            line[key] = value.clone();
        }
        format!("{line}\n")
    };
    let typed = |media: &str, text: &str| {
        json!({"headers": [["Host", "x"], ["Content-Type", media], ["Content-Length", text.len().to_string()]],
            "body_b64": body(text)})
    };
    let form = "application/x-www-form-urlencoded";
    let lines = [
        request("plain", "GET", "/?id=1", json!({})),
        request("sql", "GET", "/?id=1%20UNION%20SELECT%202", json!({})),
        request("form", "POST", "/", typed(form, "a=1+union+select+2")),
        request("json", "POST", "/", typed("application/json", r#"{"a":{"b":"union select 1"}}"#)),
        request("scanner", "GET", "/", json!({"headers": [["Host", "x"], ["User-Agent", "a scanner"]]})),
        request("away", "GET", "/?away=1", json!({})),
        request("order", "GET", "/?order=1", json!({})),
        request(
            "leak",
            "GET",
            "/",
            json!({"response": {"status": 200, "headers": [["Content-Type", "text/html"]],
            "body_b64": body("the secret")}}),
        ),
        // REQUEST_BODY of a structured body: empty here, as in version 2 (docs/reference-comparison.md, 1).
        request("body", "POST", "/", typed("application/json", r#"{"a":"quoted"}"#)),
    ];
    let setting = Setting::new(&[("rules.conf", RULES), ("f.jsonl", &lines.concat())]);
    let Some((answer, code)) = replay(&setting, &["--rules", "rules.conf", "--requests", "f.jsonl"]) else { return };
    let against = &answer["against"];
    assert!(against["engine"].as_str().is_some_and(|name| name.starts_with("ModSecurity v3")), "{against}");
    assert_eq!((code, &against["compared"], &against["different"]), (Some(1), &json!(9), &json!(1)), "{against}");
    let group = &against["groups"][0];
    assert_eq!((&group["cause"], &group["only_there"]), (&json!("blocked_there"), &json!([20])), "{group}");
    assert_eq!(group["examples"][0]["id"], "body");
    // A replay writes nothing into the audit log of the server.
    assert_eq!(std::fs::metadata(setting.path("audit.log")).map_or(0, |file| file.len()), 0);
}

#[test]
fn what_a_log_lacks_is_left_out_in_both() {
    let log = r#"192.0.2.1 - - [x] "GET /?id=1 HTTP/1.1" 200 12 "-" "Mozilla""#;
    let setting = Setting::new(&[("rules.conf", RULES), ("access.log", log)]);
    let Some((answer, code)) = replay(&setting, &["--rules", "rules.conf", "--log", "access.log"]) else { return };
    assert_eq!((code, &answer["against"]["different"]), (Some(0), &json!(0)), "{}", answer["against"]);
}

/// Of so many requests of each set of the corpus one is taken.
const SAMPLE: usize = 199;

#[test]
fn the_core_rule_set_on_the_open_corpus() {
    let folder = |name: &str, beside: &str| {
        std::env::var_os(name).map_or_else(|| root().join("../shared").join(beside), PathBuf::from)
    };
    let (corpus, crs) = (folder("FUSEWALL_CORPUS_DIR", "corpus"), folder("FUSEWALL_CONFORMANCE_DIR", "conformance"));
    let rules = crs.join("setup/crs-pl1.conf");
    if !rules.exists() || !corpus.join("benign.jsonl.gz").exists() {
        eprintln!("left out: no FUSEWALL_CORPUS_DIR and FUSEWALL_CONFORMANCE_DIR");
        return;
    }
    let mut sample = String::new();
    for set in ["attacks", "benign"] {
        let file = std::fs::File::open(corpus.join(format!("{set}.jsonl.gz"))).expect("a corpus");
        let lines = std::io::read_to_string(flate2::read::MultiGzDecoder::new(file)).expect("text");
        lines.lines().step_by(SAMPLE).for_each(|line| sample.extend([line, "\n"]));
    }
    let setting = Setting::new(&[("f.jsonl", &sample)]);
    let rules = rules.display().to_string();
    let Some((answer, _)) = replay(&setting, &["--rules", &rules, "--requests", "f.jsonl"]) else { return };
    let (against, all) = (&answer["against"], sample.lines().count() as u64);
    let count = |name: &str| against[name].as_u64().expect("a number");
    assert_eq!((count("compared"), &against["not_compared"]["crashed"]), (all, &json!(0)), "{against}");
    // Nineteen of twenty are decided alike; docs/reference-comparison.md has the causes of the others.
    assert!(20 * count("decided_differently") <= all, "{} of {all}: {against}", count("decided_differently"));
    assert_eq!(answer["failed"], 0);
}
