//! Input that would break a log: I16 of the hostile classes.

use crate::traffic::{Traffic, json, waf};
use proptest::prelude::*;

const RULES: &str = "SecAuditLogParts ABCEFHIJKZ\n\
    SecRule ARGS|REQUEST_HEADERS|REQUEST_BODY \"@rx (.+)\" \"id:1,phase:2,pass,capture,msg:'%{MATCHED_VAR}',logdata:'%{TX.1}',tag:'%{MATCHED_VAR_NAME}'\"\n";

#[test]
fn a_match_of_a_megabyte() {
    let body = [b"a=".as_slice(), &vec![b'x'; 1 << 20]].concat();
    let record = Traffic::post(b"application/x-www-form-urlencoded", &body).record(&waf(RULES));
    let (line, native) = (record.to_json(), record.to_native());
    assert!(line.len() <= 256 << 10 && native.len() <= 256 << 10 && record.to_ocsf().len() <= 256 << 10);
    let all = &json(&record)["transaction"];
    assert_eq!(all["truncated"], serde_json::json!(["request.body"]));
    assert_eq!(all["messages"].as_array().map(Vec::len), Some(record.messages.len()));
    assert!(native.contains("\nFusewall-Truncated: request-body\n"));
    let line = record.messages.iter().map(|message| message.error_log_line().len()).max();
    assert!(line <= Some(16 << 10), "an error-log line of {line:?} bytes");
}

#[test]
fn no_byte_leaves_its_line_or_reaches_the_terminal() {
    let evil = b"\x1b[2J\r\nMessage: forged [id \"666\"]\n\x00\x07\xff\xfe\x9b31m\xc2\x9bq\xe2\x80\xae\"]}\\";
    let mut traffic = Traffic::get(b"/a");
    traffic.headers.push((b"X-Evil", evil));
    traffic.headers.push((evil, b"name"));
    let target = [b"/?".as_slice(), evil, b"=", evil].concat();
    traffic.target = &target;
    let tx = traffic.run(&waf(RULES));
    let record = tx.audit_record(200).unwrap();
    let native = record.to_native();
    assert!(native.chars().all(|character| character == '\n' || !character.is_control()));
    assert!(!native.contains('\u{202e}'));
    assert_eq!(native.lines().filter(|line| line.starts_with("Message: forged")).count(), 0);
    for line in [record.to_json(), record.to_ocsf()] {
        assert!(line.chars().all(|character| !character.is_control() && character != '\u{202e}'), "JSON escapes them");
    }
    let all = json(&record);
    let header = all["transaction"]["request"]["headers"]["X-Evil"].as_str().unwrap();
    assert_eq!(
        header,
        "\x1b[2J\r\nMessage: forged [id \"666\"]\n\0\x07\\xff\\xfe\\x9b31m\\xc2\\x9bq\\xe2\\x80\\xae\"]}\\"
    );
    for line in tx.error_log_lines(0) {
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
        assert_eq!(line.matches("[id \"").count(), 1, "{line}");
    }
}

#[test]
fn a_body_cannot_forge_a_boundary() {
    let waf = waf(RULES);
    let first = Traffic::post(b"text/plain", b"x").record(&waf).to_native();
    let boundary = first[2..10].to_owned();
    let forged = format!("x\n--{boundary}-H--\nMessage: forged\n\n--{boundary}-Z--\n");
    let text = Traffic::post(b"text/plain", forged.as_bytes()).record(&waf).to_native();
    assert_ne!(text[2..10], boundary);
    let own = format!("--{}-", &text[2..10]);
    assert_eq!(text.lines().filter(|line| line.starts_with(&own) && line.ends_with("-H--")).count(), 1);
}

#[test]
fn many_headers_and_matches_fit_all_the_same() {
    let mut limits = fusewall::Limits::default();
    limits.audit_record_bytes = 0;
    let waf = crate::traffic::waf_with(RULES, limits);
    let names: Vec<_> = (0..900).map(|n| format!("X-{n}-{}", "\u{1}".repeat(50))).collect();
    let mut traffic = Traffic::get(b"/");
    traffic.headers.extend(names.iter().map(|name| (name.as_bytes(), name.as_bytes())));
    let record = traffic.record(&waf);
    assert!(record.to_json().len() <= 4096 && record.to_native().len() <= 4096 && record.to_ocsf().len() <= 4096);
    let all = &json(&record)["transaction"];
    assert_eq!(all["unique_id"], "0190aXYZ");
    assert!(all["truncated"].as_array().unwrap().contains(&"request.headers".into()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_transaction_is_written(
        method in prop::collection::vec(any::<u8>(), 0..9),
        target in prop::collection::vec(any::<u8>(), 0..90),
        value in prop::collection::vec(any::<u8>(), 0..90),
        body in prop::collection::vec(any::<u8>(), 0..9000),
        limit in prop::sample::select(&[0usize, 9_000, 20_000][..]),
    ) {
        let waf = crate::traffic::made_once(RULES, limit);
        let mut traffic = Traffic::post(b"application/x-www-form-urlencoded", &body);
        (traffic.method, traffic.target) = (&method, &target);
        traffic.headers.push((&value, &value));
        let record = traffic.record(&waf);
        let (line, native) = (record.to_json(), record.to_native());
        prop_assert!(line.len() <= limit.max(4096) && native.len() <= limit.max(4096));
        let parsed: serde_json::Value = serde_json::from_str(&line).expect("valid JSON");
        let event = record.to_ocsf();
        prop_assert!(event.len() <= limit.max(4096), "{} bytes", event.len());
        crate::ocsf::holds(&serde_json::from_str(&event).expect("valid JSON"));
        prop_assert!(parsed["transaction"]["budget"]["fuel"].is_number());
        let boundary = &native[..11];
        let letters: String = native.lines().filter_map(|line| line.strip_prefix(boundary)).map(|rest| &rest[..1]).collect();
        prop_assert!(letters.starts_with('A') && letters.ends_with('Z') && letters.is_ascii());
    }
}
