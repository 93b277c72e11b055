//! The built-in rules, one by one: the cases below `rules/tests` say what each rule must log and what it must leave alone.
//!
//! A case is a text, sent as argument `q` of a GET, or a table with any of `method`, `uri`, `version`, `headers`, `body`,
//! `response`; `<<N*TEXT>>` stands for TEXT N times, `times` for headers sent N times. Rules are watched without acting (DetectionOnly), so that an earlier rule does not hide a later one.

use fusewall::files::{Files, MemoryFiles};
use fusewall::store::builtin_files;
use fusewall::{Transaction, Waf};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    rule: Vec<RuleCases>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleCases {
    id: u64,
    #[serde(rename = "match")]
    matching: Vec<Case>,
    no_match: Vec<Case>,
}

#[derive(Deserialize, Debug, Clone)]
#[serde(untagged)]
enum Case {
    Argument(String),
    Request(Request),
}

#[derive(Deserialize, Debug, Clone, Default)]
#[serde(deny_unknown_fields)]
struct Request {
    method: Option<String>,
    uri: Option<String>,
    version: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// How often the headers are sent.
    times: Option<usize>,
    /// Leave out the Host header that every request gets otherwise.
    #[serde(default)]
    no_host: bool,
    body: Option<String>,
    /// An HTML page that the backend answers with.
    response: Option<String>,
}

impl Case {
    fn request(&self) -> Request {
        match self {
            Case::Request(request) => request.clone(),
            Case::Argument(value) => {
                let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
                Request { uri: Some(format!("/?q={encoded}")), ..Request::default() }
            }
        }
    }
}

/// `text` with `<<N*TEXT>>` written out.
fn expand(text: &str) -> String {
    let Some((before, rest)) = text.split_once("<<") else { return text.to_owned() };
    let Some((inside, after)) = rest.split_once(">>") else { return text.to_owned() };
    match inside.split_once('*').and_then(|(count, text)| Some((count.parse().ok()?, text))) {
        Some((count, piece)) => format!("{before}{}{after}", str::repeat(piece, count)),
        None => text.to_owned(),
    }
}

/// The built-in rules, acting; loaded once for all tests.
static ACTING: LazyLock<Waf> = LazyLock::new(|| waf(""));

/// The built-in rules with one line after them.
fn waf(last: &str) -> Waf {
    let (entry, files): (_, MemoryFiles) = builtin_files();
    let text = format!("Include {entry}\n{last}\n");
    let waf = Waf::builder().files(files).rules_text("test.conf", text).build();
    waf.unwrap_or_else(|report| panic!("{report}"))
}

fn evaluate(waf: &Waf, request: &Request) -> Transaction {
    let mut exchange = waf.transaction();
    let or = |value: &Option<String>, default: &str| expand(value.as_deref().unwrap_or(default)).into_bytes();
    let method = if request.body.is_some() { "POST" } else { "GET" };
    exchange.process_connection([203, 0, 113, 7].into(), 40000, [192, 0, 2, 2].into(), 80);
    exchange.process_request_line(
        &or(&request.method, method),
        &or(&request.uri, "/"),
        &or(&request.version, "HTTP/1.1"),
    );
    if !request.no_host && !request.headers.iter().any(|(name, _)| name == "Host") {
        exchange.add_request_header(b"Host", b"www.example");
    }
    for _ in 0..request.times.unwrap_or(1) {
        for (name, value) in &request.headers {
            exchange.add_request_header(name.as_bytes(), expand(value).as_bytes());
        }
    }
    exchange.process_request_headers();
    exchange.write_request_body(&or(&request.body, ""));
    exchange.process_request_body();
    if let Some(page) = &request.response {
        exchange.add_response_header(b"Content-Type", b"text/html");
        exchange.process_response_headers(200, b"HTTP/1.1");
        exchange.write_response_body(page.as_bytes());
        exchange.process_response_body();
    }
    exchange.process_logging();
    exchange
}

fn logged(waf: &Waf, case: &Case) -> Vec<u64> {
    evaluate(waf, &case.request()).records().iter().map(|record| record.rule.0).collect()
}

/// The status of the refusal, or 200.
fn status(waf: &Waf, request: &Request) -> u16 {
    evaluate(waf, request).interruption().map_or(200, |interruption| interruption.status)
}

fn cases() -> Vec<(String, RuleCases)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/tests");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let cases: Cases =
            toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{name}: {error}"));
        all.extend(cases.rule.into_iter().map(|rule| (name.clone(), rule)));
    }
    all
}

/// The ids that the rule files define, and whether the rule logs.
fn defined() -> BTreeMap<u64, bool> {
    let (_, files) = builtin_files();
    let mut ids = BTreeMap::new();
    for path in files.glob("rules/*.conf".as_ref()).unwrap() {
        let text = String::from_utf8(files.read(&path).unwrap()).unwrap();
        for line in text.lines().filter(|line| line.contains("\"id:")) {
            let id = line.split("\"id:").nth(1).and_then(|rest| rest.split(',').next()).unwrap();
            let earlier = ids.insert(id.parse().unwrap(), !line.contains(",nolog,"));
            assert!(earlier.is_none(), "{id} is defined twice");
        }
    }
    ids
}

#[test]
fn the_rules_load_without_a_word() {
    let waf = &*ACTING;
    assert!(waf.report().diagnostics.is_empty(), "{}", waf.report());
}

#[test]
fn every_file_of_the_folder_is_built_in() {
    let (_, files) = builtin_files();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    for entry in fs::read_dir(folder).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let name = Path::new("rules").join(entry.file_name());
        assert_eq!(files.read(&name).unwrap(), fs::read(entry.path()).unwrap(), "{}", name.display());
    }
}

#[test]
fn ids_are_in_the_reserved_range_and_every_rule_that_logs_has_cases() {
    let tested: BTreeSet<u64> = cases()
        .iter()
        .map(|(file, rule)| {
            assert!(!rule.matching.is_empty() && !rule.no_match.is_empty(), "{file}: {} lacks cases", rule.id);
            rule.id
        })
        .collect();
    let mut missing = Vec::new();
    for (id, logs) in defined() {
        assert!((9_700_000..=9_799_999).contains(&id), "{id}");
        if logs && !tested.contains(&id) {
            missing.push(id);
        }
    }
    assert!(missing.is_empty(), "rules without cases: {missing:?}");
}

#[test]
fn every_rule_matches_what_it_must_and_nothing_that_it_must_not() {
    let waf = waf("SecRuleEngine DetectionOnly");
    let known = defined();
    let mut wrong = Vec::new();
    for (file, rule) in cases() {
        if !known.contains_key(&rule.id) {
            wrong.push(format!("{file}: there is no rule {}", rule.id));
        }
        for (cases, expected) in [(&rule.matching, true), (&rule.no_match, false)] {
            for case in cases {
                let ids = logged(&waf, case);
                if ids.contains(&rule.id) != expected {
                    let not = if expected { "not " } else { "" };
                    wrong.push(format!("{file}: {} {not}logged for {case:?}; logged: {ids:?}", rule.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_first_visit_shows_what_it_should() {
    let waf = &*ACTING;
    let get = |uri: &str| status(waf, &Request { uri: Some(uri.to_owned()), ..Request::default() });
    assert_eq!(get("/"), 200);
    assert_eq!(get("/?id=1"), 200);
    assert_eq!(get("/?id=1%27%20or%20%271%27=%271"), 403);
    assert_eq!(get("/?q=<script>alert(1)</script>"), 403);
    let local = vec![("Host".to_owned(), "127.0.0.1:8080".to_owned())];
    assert_eq!(status(waf, &Request { headers: local, ..Request::default() }), 200);
}

#[test]
fn every_kind_of_body_is_inspected() {
    let waf = &*ACTING;
    let post = |content_type: Option<&str>, body: &str| {
        let headers = content_type.map(|value| ("Content-Type".to_owned(), value.to_owned())).into_iter().collect();
        status(waf, &Request { headers, body: Some(body.to_owned()), ..Request::default() })
    };
    let attack = "1' or '1'='1";
    let multipart =
        |value: &str| format!("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{value}\r\n--x--\r\n");
    for (content_type, harmless, harmful) in [
        (Some("application/x-www-form-urlencoded"), "a=1".to_owned(), format!("a={attack}")),
        (Some("multipart/form-data; boundary=x"), multipart("1"), multipart(attack)),
        (Some("application/json; charset=utf-8"), r#"{"a":1}"#.to_owned(), format!(r#"{{"a":"{attack}"}}"#)),
        (Some("application/vnd.api+json"), r#"{"a":1}"#.to_owned(), r#"{"a":"1\u0027 or '1'='1"}"#.to_owned()),
        (Some("text/xml"), "<a>1</a>".to_owned(), format!("<a>{attack}</a>")),
        (Some("application/soap+xml"), "<a b='1'/>".to_owned(), format!("<a b=\"{attack}\"/>")),
        (
            Some("application/x-ndjson"),
            "{\"a\":1}\n{\"a\":2}\n".to_owned(),
            "{\"a\":1}\n{\"a\":\"1\\u0027 or '1'='1\"}\n".to_owned(),
        ),
        (Some("application/graphql"), "{a(b:1){c}}".to_owned(), format!("{{a(b:\"{attack}\"){{c}}}}")),
        (
            Some("application/json"),
            r#"{"query":"{a(b:1)}"}"#.to_owned(),
            r#"{"query":"{a(b:\"1\\u0027 or \\u00271\\u0027=\\u00271\")}"}"#.to_owned(),
        ),
        (Some("application/x-protobuf"), "\x08\x01".to_owned(), format!("\x0a\x0c{attack}")),
        (Some("application/grpc"), "\0\0\0\0\x02\x08\x01".to_owned(), format!("\0\0\0\0\x0e\x0a\x0c{attack}")),
        (Some("application/x-www-form-urlencoded"), "a={}".to_owned(), r#"a={"b":"1\u0027 or '1'='1"}"#.to_owned()),
        (Some("text/plain"), "1".to_owned(), attack.to_owned()),
        (Some("image/png"), "1".to_owned(), attack.to_owned()),
        (None, "1".to_owned(), attack.to_owned()),
    ] {
        assert_eq!(post(content_type, &harmless), 200, "{content_type:?}");
        assert_eq!(post(content_type, &harmful), 403, "{content_type:?}");
    }
}

#[test]
fn markup_in_pictures_is_chance() {
    let waf = &*ACTING;
    let picture = |content_type: &str, start: &str| {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        status(waf, &Request { headers, body: Some(format!("{start}<script>alert(1)</script>")), ..Request::default() })
    };
    assert_eq!(picture("image/jpeg", "\u{1}\0\u{10}"), 200);
    assert_eq!(picture("application/octet-stream", "\u{1}\0\u{10}"), 403);
    assert_eq!(picture("image/jpeg", ".."), 403, "text that is called a picture");
    assert_ne!(picture("image/svg+xml", "<svg>"), 200, "a picture that is XML");
}

#[test]
fn rules_can_be_switched_off_whole_and_for_one_parameter() {
    let waf = waf("SecRuleRemoveById 9704000-9704999\nSecRuleUpdateTargetByTag fusewall/xss \"!ARGS:body\"");
    let get = |uri: &str| status(&waf, &Request { uri: Some(uri.to_owned()), ..Request::default() });
    assert_eq!(get("/?id=1%27%20or%20%271%27=%271"), 200);
    assert_eq!(get("/?body=<script>alert(1)</script>"), 200);
    assert_eq!(get("/?text=<script>alert(1)</script>"), 403);
}
