//! docs/switching.md: what it tells people to type.

use super::{Setting, root, text};

const RULES: &str = r#"
SecRuleEngine DetectionOnly
SecRule ARGS "@contains attack" "id:10,phase:1,deny,status:403,log,msg:'an attack'"
"#;

const LOG: &str = r#"192.0.2.1 - - [x] "GET /?q=attack HTTP/1.1" 200 12 "-" "Mozilla""#;

/// The commands of the page that need nothing but files: each of them runs, with the files that it names.
#[test]
fn the_commands_of_the_page_run() {
    let page = std::fs::read_to_string(root().join("docs/switching.md")).expect("the page");
    let commands: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("$ fusewall "))
        .filter(|line| ["replay ", "check ", "diff ", "crs "].iter().any(|name| line.starts_with(name)))
        .collect();
    assert!(commands.len() >= 8, "{commands:?}");
    let setting = Setting::new(&[("rules.conf", RULES), ("next.conf", RULES), ("access.log", LOG)]);
    setting.write("site.har", r#"{"log": {"entries": [{"request": {"method": "GET", "url": "https://x/"}}]}}"#);
    setting.write(
        "dump.json",
        r#"[{"_source": {"layers": {"frame": {"frame.number": "1"}, "http": {
        "GET": {"http.request.method": "GET", "http.request.uri": "/"}}}}}]"#,
    );
    setting.write("audit.log", "--a1b2c3d4-A--\n[x] u\n--a1b2c3d4-B--\nGET / HTTP/1.1\nHost: x\n--a1b2c3d4-Z--\n");
    setting.write("requests.jsonl", r#"{"method": "GET", "uri": "/", "headers": []}"#);
    for command in commands {
        let mut words = words(command);
        if words.first().is_some_and(|word| word == "crs") {
            // What it would fetch is not there: it says so, and not that it is used wrongly.
            words.extend(["--from", "none.tar.gz"].map(str::to_owned));
        }
        let output = setting.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let (said, code) = (text(&output.stderr), output.status.code());
        let needs_more = words.iter().any(|word| word == "libmodsecurity" || word == "crs");
        assert!(!said.contains("Usage:") && (needs_more || matches!(code, Some(0 | 1))), "{command}: {said}");
    }
}

/// The words of a command, as a shell takes them apart: texts between apostrophes are whole.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (number, part) in command.split('\'').enumerate() {
        match number % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}
