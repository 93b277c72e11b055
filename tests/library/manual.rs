//! What the v2 manual says of rules, in cases as small as they can be: siblings of those in the suites of others.

use fusewall::engine::{Event, LeftOut};
use fusewall::plan::Options;
use fusewall::{Transaction, Waf};

const ON: &str = "SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n";

fn load(rules: &str) -> Waf {
    Waf::builder()
        .rules_text("manual.conf", format!("{ON}{rules}\n"))
        .build()
        .unwrap_or_else(|report| panic!("{report}"))
}

/// One exchange: target, headers, body; answered with 200 and `answer!` as text/html if nothing refuses it.
fn exchange(waf: &Waf, target: &str, headers: &[(&str, &str)], body: &str) -> Transaction {
    let mut transaction = waf.transaction();
    transaction.record_trace();
    transaction.process_request_line(b"POST", target.as_bytes(), b"HTTP/1.1");
    for (name, value) in headers {
        transaction.add_request_header(name.as_bytes(), value.as_bytes());
    }
    let refused = transaction.process_request_headers().is_some()
        || transaction.write_request_body(body.as_bytes()).is_some()
        || transaction.process_request_body().is_some();
    if !refused {
        transaction.add_response_header(b"Content-Type", b"text/html");
        transaction.process_response_headers(200, b"HTTP/1.1");
        transaction.write_response_body(b"answer!");
        transaction.process_response_body();
    }
    transaction.process_logging();
    transaction
}

/// The status that the client gets.
fn status(transaction: &Transaction) -> u16 {
    transaction.interruption().map_or(200, |interruption| interruption.status)
}

fn answer(rules: &str, target: &str) -> u16 {
    status(&exchange(&load(rules), target, &[], ""))
}

fn tx(transaction: &Transaction, name: &str) -> String {
    String::from_utf8_lossy(transaction.tx(name).unwrap_or_default()).into_owned()
}

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const MULTIPART: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=0000");

#[test]
fn regex_selectors_find_names_without_case() {
    assert_eq!(answer(r#"SecRule ARGS:/^ThIs$/ "x" "id:1,deny""#, "/?THIS=x"), 403);
    assert_eq!(answer(r#"SecRule ARGS|!ARGS:/tHiS/ "x" "id:1,deny""#, "/?THIS=x"), 200);
    let removed = "SecAction \"id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=2;ARGS:/^th/\"\n";
    assert_eq!(answer(&format!(r#"{removed}SecRule ARGS "x" "id:2,deny""#), "/?THIS=x"), 200);
    assert_eq!(answer(&format!(r#"{removed}SecRule ARGS "x" "id:2,deny""#), "/?other=x"), 403);
    assert_eq!(answer(r#"SecRule ARGS:this "x" "id:1,deny""#, "/?THIS=x"), 200, "a name is compared as it is");
}

#[test]
fn a_macro_may_select_by_regex() {
    let rules = r#"SecAction "id:1,phase:1,pass,nolog,setvar:'tx.allowed_list=/a/ /b/'"
        SecRule ARGS:v "@within %{TX:/^ALLOWED_/}" "id:2,phase:2,deny,msg:'%{ARGS./^V$/}'""#;
    let transaction = exchange(&load(rules), "/?v=/b/", &[], "");
    assert_eq!(status(&transaction), 403);
    assert_eq!(transaction.records()[0].message, "/b/");
    assert_eq!(answer(rules, "/?v=/c/"), 200);
    assert!(Waf::builder().rules_text("m.conf", "SecRule ARGS x \"id:1,pass,msg:'%{ARGS./(/}'\"").build().is_err());
}

#[test]
fn a_chain_that_does_not_go_on_never_matches() {
    let rules = r#"SecRule ARGS "x" "id:1,deny,chain,setvar:tx.seen=1""#;
    let waf = load(rules);
    assert!(waf.report().diagnostics.iter().any(|found| found.code == "W0716"));
    let transaction = exchange(&waf, "/?a=x", &[], "");
    assert_eq!((status(&transaction), tx(&transaction, "seen").as_str()), (200, "1"));
}

#[test]
fn an_open_quote_ends_with_its_line() {
    let waf = load("SecRule ARGS \"x\" \"id:1,deny,status:404");
    assert!(waf.report().diagnostics.iter().any(|found| found.code == "W0715"));
    assert_eq!(status(&exchange(&waf, "/?a=x", &[], "")), 404);
}

#[test]
fn bodies_are_limited_without_their_files() {
    let rule = "SecRule REQBODY_ERROR \"@eq 1\" \"id:1,phase:2,deny,status:400\"";
    let limited = |limit: u32, action: &str| {
        load(&format!("SecRequestBodyNoFilesLimit {limit}\nSecRequestBodyLimitAction {action}\n{rule}"))
    };
    let form = |waf: &Waf| status(&exchange(waf, "/", &[FORM], "a=0123456789"));
    assert_eq!(form(&limited(12, "Reject")), 200);
    assert_eq!(form(&limited(11, "Reject")), 413);
    assert_eq!(form(&limited(11, "ProcessPartial")), 400);
    let part =
        |header: &str, value: &str| format!("--0000\r\nContent-Disposition: form-data; {header}\r\n\r\n{value}\r\n");
    let long = "x".repeat(1000);
    let upload = part("name=\"f\"; filename=\"g\"", &long) + "--0000--\r\n";
    assert_eq!(status(&exchange(&limited(200, "Reject"), "/", &[MULTIPART], &upload)), 200, "files do not count");
    let value = part("name=\"f\"", &long) + "--0000--\r\n";
    assert_eq!(status(&exchange(&limited(200, "Reject"), "/", &[MULTIPART], &value)), 413, "values do");
    let watched = load(&format!("SecRequestBodyNoFilesLimit 11\nSecRuleEngine DetectionOnly\n{rule}"));
    let transaction = exchange(&watched, "/", &[FORM], "a=0123456789");
    assert_eq!((status(&transaction), transaction.records().len()), (200, 1));
}

#[test]
fn what_the_client_gets_is_known_when_it_is_logged() {
    let seen =
        "SecRule RESPONSE_STATUS \"@unconditionalMatch\" \"id:9,phase:5,pass,nolog,setvar:tx.status=%{MATCHED_VAR}\"";
    let refused = load(&format!("SecRule ARGS x \"id:1,phase:2,deny,status:418\"\n{seen}"));
    assert_eq!(tx(&exchange(&refused, "/?a=x", &[], ""), "status"), "418");
    assert_eq!(tx(&exchange(&refused, "/?a=y", &[], ""), "status"), "200");
}

#[test]
fn the_length_of_a_response_is_that_of_its_body() {
    let at = |phase: u8, id: u8| {
        format!("SecAction \"id:{id},phase:{phase},pass,nolog,setvar:tx.p{phase}=%{{RESPONSE_CONTENT_LENGTH}}\"\n")
    };
    let transaction = exchange(&load(&(at(3, 1) + &at(4, 2))), "/", &[], "");
    assert_eq!(tx(&transaction, "p3"), "0", "not known yet");
    assert_eq!(tx(&transaction, "p4"), "7");
}

#[test]
fn every_match_of_rx_global_is_looked_at() {
    let rules =
        r#"SecRule ARGS "@rxGlobal (a)|(b)" "id:1,phase:1,pass,nolog,capture,setvar:tx.all=%{tx.0}%{tx.1}%{tx.2}""#;
    assert_eq!(tx(&exchange(&load(rules), "/?v=xaxb", &[], ""), "all"), "bab", "the last match of each group stands");
}

#[test]
fn a_trace_tells_every_step() {
    let rules = r#"SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveById=4"
        SecRule ARGS:a "@rx (b)c" "id:2,phase:1,pass,nolog,capture,t:none,t:lowercase,t:trim,setvar:tx.k=v,skip:1"
        SecAction "id:3,phase:1,pass,nolog"
        SecAction "id:4,phase:1,pass,nolog"
        SecAction "id:5,phase:1,allow:phase,nolog"
        SecAction "id:6,phase:1,deny,nolog""#;
    let options = Options { fold: false, spans: true, ..Options::default() };
    let waf = Waf::builder().planner(options).rules_text("t.conf", format!("{ON}{rules}\n")).build().unwrap();
    let transaction = exchange(&waf, "/?a=+ABC+", &[], "");
    let loaded = waf.loaded();
    let id = |rule| loaded.program().source(rule).unwrap().id.0;
    let test = transaction.trace().iter().find_map(|event| match event {
        Event::Tested(test) => Some(test),
        _ => None,
    });
    let test = test.expect("one value is looked at");
    assert_eq!(
        (test.name.as_slice(), test.value.as_slice(), test.tested()),
        (&b"ARGS:a"[..], &b" ABC "[..], &b"abc"[..])
    );
    assert_eq!(test.stages.len(), 2);
    assert_eq!((test.matched, test.spans.as_slice()), (true, &[(1, 3), (1, 2)][..]));
    let left_out: Vec<_> = transaction
        .trace()
        .iter()
        .filter_map(|event| match event {
            Event::LeftOut { rule, why } => Some((id(*rule), *why)),
            _ => None,
        })
        .collect();
    assert_eq!(left_out, [(3, LeftOut::Jump), (4, LeftOut::Ctl), (6, LeftOut::Allow)]);
    assert!(transaction.trace().iter().any(|event| matches!(event, Event::Set { key, .. } if key == b"k")));
    assert!(
        transaction.trace().iter().any(|event| matches!(event, Event::Captured { group: 1, text } if text == b"b"))
    );
}

#[test]
fn a_trace_changes_nothing_but_the_fuel() {
    let rules = r#"SecRule ARGS "@rx (b)c" "id:2,phase:1,pass,capture,t:lowercase,msg:'%{tx.1}'""#;
    let waf = load(rules);
    let run = |traced: bool| {
        let mut transaction = waf.transaction_with_id("same");
        if traced {
            transaction.record_trace();
        }
        transaction.process_request_line(b"GET", b"/?a=ABC", b"HTTP/1.1");
        transaction.process_request_headers();
        assert_eq!(transaction.trace().is_empty(), !traced);
        let verdict = transaction.verdict().expect("the engine does not fail");
        (verdict.interruption, verdict.rules, verdict.score, transaction.records().to_vec())
    };
    assert_eq!(run(true), run(false));
}
