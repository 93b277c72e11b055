//! The traps of the rule language, one by one: engine and interpreter agree, and on what is right.

use crate::oracle::Outcome;
use crate::oracle::compare::Forms;
use crate::oracle::exchange::Exchange;

/// What all forms make of the exchange; body access is on, and the engine enforces.
fn outcome(rules: &str, exchange: &Exchange) -> Outcome {
    let text = format!("SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n{rules}");
    let forms = Forms::of_text(&text).unwrap_or_else(|error| panic!("{error}"));
    forms.agree(exchange).unwrap_or_else(|difference| panic!("{difference}\n{text}\n{}", exchange.show()))
}

/// The ids that are logged.
fn logged(rules: &str, exchange: &Exchange) -> Vec<u64> {
    outcome(rules, exchange).logged
}

/// A TX entry after the exchange; empty if it is not set.
fn tx(rules: &str, exchange: &Exchange, key: &str) -> String {
    let found = outcome(rules, exchange).tx.get(key.as_bytes()).cloned().unwrap_or_default();
    String::from_utf8_lossy(&found).into_owned()
}

fn get(target: &str) -> Exchange {
    Exchange::get(target)
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn trap_1_actions_run_at_each_match_and_before_the_chain_is_decided() {
    let rules = r#"
        SecRule ARGS "@rx a" "id:1,phase:1,deny,log,setvar:tx.n=+1,chain"
        SecRule ARGS "@streq never" "setvar:tx.m=+1"
    "#;
    let found = outcome(rules, &get("/?x=a&y=a&z=b"));
    assert_eq!((found.tx[&b"n"[..]].as_slice(), found.interruption, found.logged), (&b"2"[..], None, vec![]));
    let rules = r#"SecRule ARGS "@rx a" "id:1,phase:1,deny,setvar:tx.n=+1""#;
    let found = outcome(rules, &get("/?x=a&y=a"));
    assert_eq!(found.logged, [1], "one record for two matches");
    assert_eq!(found.interruption, Some(("deny".to_owned(), 403)));
}

#[test]
fn trap_2_matched_vars_live_as_long_as_their_chain() {
    let rules = r#"
        SecRule ARGS:x|ARGS:y "@rx a" "id:1,phase:1,pass,chain"
        SecRule ARGS:z "@rx a" "setvar:tx.n=+1,chain"
        SecRule &MATCHED_VARS "@eq 3" "setvar:tx.last=%{MATCHED_VAR_NAME}"
        SecRule MATCHED_VARS "@rx a" "id:2,phase:1,pass"
        SecRule &MATCHED_VARS "@eq 0" "id:3,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/?x=a&y=a&z=a")), [1, 3]);
    let rules = r#"
        SecRule ARGS "@rx a" "id:1,phase:1,pass,nolog,t:lowercase,setvar:tx.name=%{MATCHED_VAR_NAME},setvar:tx.value=%{MATCHED_VAR}"
    "#;
    assert_eq!(
        (tx(rules, &get("/?x=ABA"), "name"), tx(rules, &get("/?x=ABA"), "value")),
        ("ARGS:x".into(), "aba".into())
    );
}

#[test]
fn trap_3_none_clears_what_stands_before_it_and_links_inherit_nothing() {
    let rule = |actions: &str| format!(r#"SecRule ARGS "@streq a" "id:1,phase:1,pass,{actions}""#);
    assert_eq!(logged(&rule("t:lowercase,t:none"), &get("/?x=A")), [0u64; 0]);
    assert_eq!(logged(&rule("t:none,t:lowercase"), &get("/?x=A")), [1]);
    let rules = r#"
        SecRule ARGS "@streq a" "id:1,phase:1,pass,t:lowercase,chain"
        SecRule ARGS "@streq A" "t:none"
        SecRule ARGS "@streq a" "id:2,phase:1,pass,t:lowercase,chain"
        SecRule ARGS "@streq a" "setvar:tx.n=1"
    "#;
    assert_eq!(logged(rules, &get("/?x=A")), [1]);
}

#[test]
fn trap_4_block_is_what_the_default_action_says() {
    let rules = r#"
        SecDefaultAction "phase:1,log,deny,status:418"
        SecDefaultAction "phase:2,log,pass"
        SecRule ARGS "@rx a" "id:1,phase:2,block"
        SecRule ARGS "@rx b" "id:2,phase:1,block,nolog"
        SecRule ARGS "@rx c" "id:3,phase:1,pass,nolog"
    "#;
    assert_eq!(logged(rules, &get("/?x=a")), [1]);
    let found = outcome(rules, &get("/?x=abc"));
    assert_eq!((found.logged, found.interruption), (vec![], Some(("deny".to_owned(), 418))));
}

#[test]
fn trap_5_detection_only_does_all_but_the_disruptive() {
    let rules = r#"
        SecRuleEngine DetectionOnly
        SecRule ARGS "@rx a" "id:1,phase:1,deny,setvar:tx.n=+1,ctl:ruleRemoveById=2"
        SecRule ARGS "@rx a" "id:2,phase:1,deny"
        SecRule ARGS "@rx a" "id:3,phase:1,allow,skipAfter:END"
        SecRule ARGS "@rx a" "id:4,phase:1,pass"
        SecMarker END
        SecRule ARGS "@rx a" "id:5,phase:2,drop"
    "#;
    let found = outcome(rules, &get("/?x=a"));
    assert_eq!((found.logged, found.interruption), (vec![1, 3, 5], None));
}

#[test]
fn trap_6_how_far_allow_and_jumps_reach() {
    let rules = |scope: &str| {
        format!(
            r#"
            SecRule ARGS "@rx a" "id:1,phase:1,{scope}"
            SecRule ARGS "@rx a" "id:2,phase:1,pass"
            SecRule ARGS "@rx a" "id:3,phase:2,pass"
            SecRule ARGS "@rx a" "id:4,phase:3,pass"
            SecRule ARGS "@rx a" "id:5,phase:5,pass"
        "#
        )
    };
    let exchange = get("/?x=a").answered(200, "text/html", "");
    assert_eq!(logged(&rules("allow"), &exchange), [1, 5]);
    assert_eq!(logged(&rules("allow:request"), &exchange), [1, 4, 5]);
    assert_eq!(logged(&rules("allow:phase"), &exchange), [1, 3, 4, 5]);
    let rules = |flow: &str| {
        format!(
            r#"
            SecRule ARGS "@rx a" "id:1,phase:1,pass,nolog,{flow}"
            SecRule ARGS "@rx a" "id:2,phase:1,pass"
            SecRule ARGS "@rx a" "id:3,phase:2,pass"
            SecRule ARGS "@rx a" "id:4,phase:1,pass,chain"
            SecRule ARGS "@rx a" "setvar:tx.n=1"
            SecMarker HERE
            SecRule ARGS "@rx a" "id:5,phase:1,pass"
        "#
        )
    };
    assert_eq!(logged(&rules("skipAfter:HERE"), &exchange), [5, 3]);
    assert_eq!(logged(&rules("skipAfter:NOWHERE"), &exchange), [3]);
    assert_eq!(logged(&rules("skip:2"), &exchange), [5, 3]);
}

#[test]
fn what_allow_lets_through_is_read_for_the_logging_phase() {
    let rules = r#"
        SecRule ARGS:x "@rx a" "id:1,phase:1,allow,nolog"
        SecRule ARGS_POST:y "@rx b" "id:2,phase:5,pass"
    "#;
    assert_eq!(logged(rules, &Exchange::post("/?x=a", FORM, "y=b")), [2]);
}

#[test]
fn trap_7_removals_count_from_the_next_rule_on() {
    let rules = |ctl: &str| {
        format!(
            r#"
            SecRule ARGS:x "@rx a" "id:1,phase:1,pass,nolog,tag:own,{ctl},chain"
            SecRule ARGS:p "@rx a" "t:none"
            SecRule ARGS "@rx a" "id:2,phase:1,pass,tag:t/a,msg:'hello',chain"
            SecRule ARGS:p|ARGS:Q "@rx a" "t:none"
            SecRule ARGS:p "@rx a" "id:3,phase:2,pass,tag:'t/%{{tx.a}}'"
        "#
        )
    };
    let exchange = get("/?x=a&p=a");
    let cases: [(&str, &[u64]); 9] = [
        ("ctl:ruleRemoveById=2", &[3]),
        ("ctl:ruleRemoveById=2-9", &[]),
        ("ctl:ruleRemoveByTag=^t/", &[]),
        ("ctl:ruleRemoveByMsg=ell", &[3]),
        ("ctl:ruleRemoveTargetById=2;ARGS:p", &[3]),
        ("ctl:ruleRemoveTargetById=1-3;ARGS", &[]),
        ("ctl:ruleRemoveTargetByTag=t/a;ARGS:/^p$/", &[3]),
        ("ctl:ruleRemoveTargetById=3;ARGS:P", &[2, 3]),
        ("ctl:ruleRemoveTargetById=3;TX:unused", &[2, 3]),
    ];
    for (ctl, expected) in cases {
        assert_eq!(logged(&rules(ctl), &exchange), expected, "{ctl}");
    }
}

#[test]
fn a_rule_that_turns_the_engine_off_is_the_last() {
    let rules = r#"
        SecRule ARGS "@rx a" "id:1,phase:1,pass,setvar:tx.n=+1,ctl:ruleEngine=Off"
        SecRule ARGS "@rx a" "id:2,phase:1,deny"
        SecRule ARGS "@rx a" "id:3,phase:5,pass"
    "#;
    let found = outcome(rules, &get("/?x=a&y=a"));
    assert_eq!((found.tx[&b"n"[..]].as_slice(), found.logged), (&b"2"[..], vec![1]));
}

#[test]
fn trap_8_absent_values_are_not_tested_but_counted() {
    let rules = r#"
        SecRule ARGS:none "!@rx a" "id:1,phase:1,pass"
        SecRule &ARGS:none "@eq 0" "id:2,phase:1,pass"
        SecRule TX:none "!@eq 1" "id:3,phase:1,pass"
        SecRule QUERY_STRING "!@rx a" "id:4,phase:1,pass"
        SecRule REQBODY_PROCESSOR "!@rx JSON" "id:5,phase:1,pass"
        SecRule RESPONSE_STATUS "!@eq 1" "id:6,phase:1,pass"
        SecRule REQUEST_BODY "!@rx a" "id:7,phase:2,pass"
    "#;
    assert_eq!(logged(rules, &get("/")), [2, 5]);
    assert_eq!(logged(rules, &get("/?")), [2, 4, 5]);
}

#[test]
fn exclusions_leave_counts_alone() {
    let rules = r#"
        SecRule &ARGS:x|!ARGS:x "@eq 1" "id:1,phase:1,pass"
        SecRule ARGS|!ARGS:x "@rx a" "id:2,phase:1,pass"
        SecRule &ARGS:x|!&ARGS:x "@eq 1" "id:3,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/?x=a")), [1]);
}

#[test]
fn trap_9_captures_are_those_of_the_last_match_alone() {
    let rules = r#"
        SecRule ARGS:x "@rx (a)(b)?(c)" "id:1,phase:1,pass,nolog,capture,setvar:tx.all=%{tx.0}|%{tx.1}|%{tx.2}|%{tx.3}"
        SecRule ARGS:y "@pm UNION SELECT" "id:2,phase:1,pass,nolog,capture,setvar:tx.pm=%{tx.0}|%{tx.1}"
        SecRule ARGS:z "@detectSQLi" "id:3,phase:1,pass,nolog,capture,setvar:tx.sqli=%{tx.0}"
        SecRule ARGS:x "!@rx never" "id:4,phase:1,pass,nolog,capture"
        SecRule TX:0 "@rx ." "id:5,phase:1,pass"
    "#;
    let exchange = get("/?x=xac&y=a+union+b&z=1'+or+1%3D1--");
    assert_eq!(tx(rules, &exchange, "all"), "ac|a||c");
    assert_eq!(tx(rules, &exchange, "pm"), "UNION|");
    assert_eq!(tx(rules, &exchange, "sqli"), "s&1c");
    assert_eq!(logged(rules, &exchange), [5]);
    let rules =
        r#"SecRule ARGS "@rxGlobal (a)|(b)" "id:1,phase:1,pass,nolog,capture,setvar:tx.all=%{tx.0}|%{tx.1}|%{tx.2}""#;
    assert_eq!(tx(rules, &get("/?x=ab"), "all"), "b|a|b");
}

#[test]
fn trap_10_multi_match_looks_at_every_different_form() {
    let rule = |target: &str| {
        format!(
            r#"SecRule {target} "@rx (?i)a" "id:1,phase:1,pass,nolog,multiMatch,t:lowercase,t:trim,t:lowercase,setvar:tx.n=+1""#
        )
    };
    assert_eq!(tx(&rule("ARGS"), &get("/?x=A"), "n"), "2");
    assert_eq!(tx(&rule("ARGS"), &get("/?x=+A"), "n"), "3");
    assert_eq!(tx(&rule("ARGS"), &get("/?x=a"), "n"), "1");
    let set = r#"SecAction "id:9,phase:1,pass,nolog,setvar:tx.v=%{args.x}""#;
    assert_eq!(tx(&format!("{set}\n{}", rule("TX:v")), &get("/?x=A"), "n"), "2", "a value that rules have made");
}

#[test]
fn trap_11_which_names_fold_case() {
    let rules = r#"
        SecRule ARGS:Foo "@rx ." "id:1,phase:1,pass"
        SecRule REQUEST_HEADERS:X-FOO "@rx ." "id:2,phase:1,pass"
        SecRule REQUEST_COOKIES:FOO "@rx ." "id:3,phase:1,pass"
        SecAction "id:4,phase:1,pass,nolog,setvar:tx.FOO=1"
        SecRule TX:foo "@eq 1" "id:5,phase:1,pass"
        SecRule ARGS:/^F\D+$/ "@rx ." "id:6,phase:1,pass"
        SecRule REQUEST_HEADERS:/^x-F/ "@rx ." "id:7,phase:1,pass"
    "#;
    let exchange = get("/?foo=1").header("x-foo", "1").header("Cookie", "foo=1");
    assert_eq!(logged(rules, &exchange), [2, 3, 5, 6, 7]);
    assert_eq!(logged(rules, &get("/?Foo=1")), [1, 5, 6]);
}

#[test]
fn trap_12_arguments_come_in_order_of_arrival() {
    let rules =
        r#"SecRule ARGS "@rx ." "id:1,phase:2,pass,nolog,setvar:tx.all=%{tx.all}%{MATCHED_VAR_NAME}=%{MATCHED_VAR};""#;
    let exchange = Exchange::post("/?b=1&a=2", FORM, "c=3&a=4");
    assert_eq!(tx(rules, &exchange, "all"), "ARGS:b=1;ARGS:a=2;ARGS:c=3;ARGS:a=4;");
}

#[test]
fn trap_13_cookies_and_arguments_are_split_before_they_are_decoded() {
    let rules = r#"
        SecRule REQUEST_COOKIES|ARGS "@rx ." "id:1,phase:1,pass,nolog,setvar:tx.all=%{tx.all}%{MATCHED_VAR_NAME}=%{MATCHED_VAR};"
        SecRule URLENCODED_ERROR "@eq 1" "id:2,phase:1,pass"
    "#;
    let exchange = get("/?p%26=%3D+%zz").header("Cookie", " a=%41=1; =x; b");
    assert_eq!(tx(rules, &exchange, "all"), "REQUEST_COOKIES:a=%41=1;ARGS:p&== %zz;");
    assert_eq!(logged(rules, &exchange), [2]);
}

#[test]
fn trap_14_the_parts_of_the_target() {
    let rules = r#"
        SecAction "id:1,phase:1,pass,nolog,setvar:'tx.all=%{REQUEST_URI_RAW} %{REQUEST_URI} %{REQUEST_FILENAME} %{REQUEST_BASENAME} %{QUERY_STRING}'"
    "#;
    assert_eq!(
        tx(rules, &get("http://h/a%2fb%20c?q=%41#f"), "all"),
        "http://h/a%2fb%20c?q=%41#f /a%2fb%20c?q=%41 /a/b c b c q=%41"
    );
    assert_eq!(logged(r#"SecRule ARGS:q "@rx ." "id:1,phase:1,pass""#, &get("::%zz?q=1")), [1]);
}

#[test]
fn trap_15_who_reads_the_body_and_who_sees_it() {
    let rules = r#"
        SecRule REQUEST_HEADERS:Content-Type "@beginsWith application/json" "id:9,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
        SecRule ARGS:force "@eq 1" "id:8,phase:1,pass,nolog,ctl:forceRequestBodyVariable=On"
        SecRule REQUEST_BODY "@rx ." "id:1,phase:2,pass"
        SecRule ARGS_POST "@rx ." "id:2,phase:2,pass"
        SecRule FUSEWALL_UNINSPECTED "@rx body" "id:3,phase:2,pass"
        SecRule REQBODY_ERROR "@eq 1" "id:4,phase:2,pass"
    "#;
    assert_eq!(logged(rules, &Exchange::post("/", FORM, "a=b")), [1, 2]);
    assert_eq!(logged(rules, &Exchange::post("/", "application/json", "{\"a\":1}")), [2]);
    assert_eq!(
        logged(rules, &Exchange::post("/", "application/json", "{\"a\":1")),
        [2, 4],
        "rules go on after an error"
    );
    assert_eq!(logged(rules, &Exchange::post("/", "text/plain", "ab")), [3]);
    assert_eq!(logged(rules, &Exchange::post("/?force=1", "text/plain", "ab")), [1]);
    assert_eq!(logged(&format!("SecRequestBodyAccess Off\n{rules}"), &Exchange::post("/", FORM, "a=b")), [3]);
}

#[test]
fn bodies_are_read_without_their_codings() {
    use std::io::Write;
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let rules = r#"
        SecAction "id:9,phase:2,pass,nolog,setvar:'tx.seen=%{REQUEST_BODY}|%{REQUEST_BODY_LENGTH}|%{ARGS.a}'"
        SecRule REQBODY_ERROR "@eq 1" "id:1,phase:2,pass,setvar:'tx.message=%{REQBODY_ERROR_MSG}'"
        SecRule FUSEWALL_UNINSPECTED "@rx ." "id:2,phase:2,pass"
        SecRule RESPONSE_BODY "@contains secret" "id:3,phase:4,pass"
        SecRule FUSEWALL_UNINSPECTED "@streq response body coding" "id:4,phase:4,pass"
    "#;
    let post = |coding: &str, body: Vec<u8>| Exchange::post("/", FORM, body).header("Content-Encoding", coding);
    let coded = post("gzip", gzip(b"a=1&b=2"));
    assert_eq!((tx(rules, &coded, "seen"), logged(rules, &coded)), ("a=1&b=2|7|1".to_owned(), vec![]));
    let twice = post("gzip", gzip(&gzip(b"a=1"))).header("content-encoding", " Identity , X-GZIP");
    assert_eq!((tx(rules, &twice, "seen"), logged(rules, &twice)), ("a=1|3|1".to_owned(), vec![]));
    let unknown = post("compress", b"a=1".to_vec());
    assert_eq!((tx(rules, &unknown, "seen"), logged(rules, &unknown)), ("a=1|3|1".to_owned(), vec![2]));
    let four = post("gzip,gzip,gzip,gzip", b"a=1".to_vec());
    assert_eq!((tx(rules, &four, "seen"), logged(rules, &four)), ("a=1|3|1".to_owned(), vec![2]));

    let lie = post("br", b"a=1".to_vec());
    assert_eq!((tx(rules, &lie, "seen"), logged(rules, &lie)), ("a=1|3|1".to_owned(), vec![1, 2]));
    let mut broken = gzip(b"a=1");
    let sum = broken.len() - 8;
    broken[sum] ^= 1;
    let broken = post("gzip", broken);
    assert_eq!((tx(rules, &broken, "seen"), logged(rules, &broken)), ("a=1|3|1".to_owned(), vec![1, 2]));
    assert_eq!(tx(rules, &broken, "message"), "Content-Encoding: the body is not what its coding says");
    let bomb = post("gzip", gzip(&vec![b'a'; 3 << 20]));
    let rule = r#"SecRule REQBODY_ERROR_MSG "@contains expands too much" "id:1,phase:2,pass""#;
    assert_eq!(logged(rule, &bomb), [1]);

    let answer = |body: Vec<u8>| {
        let mut exchange = Exchange::get("/").answered(200, "text/plain", "");
        let response = exchange.response.as_mut().unwrap();
        response.headers.push((b"Content-Encoding".to_vec(), b"gzip".to_vec()));
        response.body = body;
        exchange
    };
    assert_eq!(logged(rules, &answer(gzip(b"a secret"))), [3]);
    assert_eq!(logged(rules, &answer(b"a secret".to_vec())), [3, 4]);
    assert_eq!(logged(rules, &answer(gzip(b"a secret")[..20].to_vec())), [3, 4]);
}

#[test]
fn documents_in_values_are_read_when_the_rules_say_so() {
    let rules = r#"
        SecRule ARGS|ARGS_NAMES "@contains <b" "id:1,phase:2,pass"
        SecRule ARGS "@streq 1" "id:2,phase:2,pass,setvar:'tx.name=%{MATCHED_VAR_NAME}'"
        SecRule REQBODY_ERROR "@eq 1" "id:3,phase:2,pass"
        SecRule FUSEWALL_UNINSPECTED "@streq nested values" "id:4,phase:2,pass"
    "#;
    let on = format!("SecFusewallNestedDecoding 2\n{rules}");
    let form = Exchange::post("/", FORM, r#"data={"a":"\u003cb","c":[1]}"#);
    assert_eq!((logged(rules, &form), logged(&on, &form)), (vec![], vec![1, 2]));
    assert_eq!(tx(&on, &form, "name"), "ARGS:data.json.c");
    let query = get(r#"/?data={"a":"\u003cb"}"#);
    assert_eq!((logged(rules, &query), logged(&on, &query)), (vec![], vec![1]));
    let part = concat!(
        "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\nContent-Type: application/json\r\n\r\n",
        r#"{"a":"\u003cb"}"#,
        "\r\n--B--\r\n"
    );
    assert_eq!(logged(&on, &Exchange::post("/", "multipart/form-data; boundary=B", part)), [1]);
    let deep = Exchange::post("/", FORM, "data=[[1");
    assert_eq!(logged(&format!("SecRequestBodyJsonDepthLimit 1\n{on}"), &deep), [] as [u64; 0]);
    let deep = Exchange::post("/", FORM, "data=[[1]]");
    assert_eq!(logged(&format!("SecRequestBodyJsonDepthLimit 1\n{on}"), &deep), [4]);
}

#[test]
fn sequences_and_graphql_have_processors() {
    let rules = r#"
        SecRule REQUEST_HEADERS:Content-Type "@contains ndjson" "id:8,phase:1,pass,nolog,ctl:requestBodyProcessor=NDJSON"
        SecRule REQUEST_HEADERS:Content-Type "@contains graphql" "id:9,phase:1,pass,nolog,ctl:requestBodyProcessor=GRAPHQL"
        SecRule ARGS "@contains <b" "id:1,phase:2,pass,setvar:'tx.name=%{REQBODY_PROCESSOR} %{MATCHED_VAR_NAME}'"
        SecRule REQUEST_BODY "@rx ." "id:2,phase:2,pass"
        SecRule REQBODY_ERROR "@eq 1" "id:3,phase:2,pass"
    "#;
    let post = |media_type: &str, body: &str| Exchange::post("/", media_type, body);
    let lines = post("application/x-ndjson", "{\"a\":1}\n{\"a\":\"\\u003cb\"}\n");
    assert_eq!((logged(rules, &lines), tx(rules, &lines, "name")), (vec![1], "NDJSON ARGS:json.1.a".into()));
    let document = post("application/graphql", "{user(id:\"\\u003cb\")}");
    assert_eq!(
        (logged(rules, &document), tx(rules, &document, "name")),
        (vec![1], "GRAPHQL ARGS:graphql.user.id".into())
    );
    let around = post("application/graphql+json", r#" { "query":"{user(id:\"\\u003cb\")}" }"#);
    assert_eq!(
        (logged(rules, &around), tx(rules, &around, "name")),
        (vec![1], "GRAPHQL ARGS:json.query.graphql.user.id".into())
    );
    assert_eq!(logged(rules, &post("application/graphql", "{user(id:\"<b\"")), [1, 3]);
}

#[test]
fn trap_16_numbers_and_lists() {
    let matches = |operator: &str, value: &str| {
        let exchange = Exchange::post("/", FORM, format!("x={value}"));
        !logged(&format!("SecRule ARGS \"{operator}\" \"id:1,phase:2,pass\""), &exchange).is_empty()
    };
    assert!(matches("@eq 12", "12abc") && matches("@eq 0", "abc") && matches("@lt 0", "-5"));
    assert!(matches("@within GET POST", "ET+PO") && !matches("@within GET POST", "HEAD"));
    assert!(matches("@pm one TWO", "xxTwOxx") && !matches("@pm one two", "three"));
}

#[test]
fn trap_17_missing_macros_and_sums() {
    let rules = r#"
        SecRule ARGS "@rx a" "id:1,phase:1,pass,nolog,setvar:tx.a=[%{tx.none}%{args.none}],setvar:tx.n=5,setvar:tx.n=+none,setvar:tx.n=+%{args.x},setvar:tx.n=-2"
        SecRule TX:n "@eq 3" "id:2,phase:1,pass,setvar:!tx.n"
        SecRule &TX:n "@eq 0" "id:3,phase:1,pass"
    "#;
    assert_eq!((tx(rules, &get("/?x=a"), "a"), logged(rules, &get("/?x=a"))), ("[]".into(), vec![2, 3]));
}

#[test]
fn trap_18_transformations() {
    let matches = |transformation: &str, operator: &str, value: &str| {
        let exchange = Exchange::post("/", FORM, format!("x={value}"));
        let rule = format!("SecRule ARGS \"{operator}\" \"id:1,phase:2,pass,t:none,t:{transformation}\"");
        !logged(&rule, &exchange).is_empty()
    };
    assert!(matches("urlDecodeUni", "@streq <", "%25uff1c"));
    assert!(matches("utf8toUnicode", r"@streq %u00e4", "%c3%a4"));
    assert!(matches("sha1", r"@rx ^.{20}$", "a"));
    assert!(matches("removeWhitespace", "@streq ab", "a%a0b"));
}

#[test]
fn trap_19_updates_act_on_the_rules_before_them() {
    let rules = r#"
        SecRule ARGS "@rx a" "id:'1',phase:1,pass,chain"
        SecRule ARGS "@rx a" "t:none"
        SecRuleUpdateTargetById 1 "!ARGS:x"
        SecRule ARGS "! @rx b" \
            # a comment between
            "id:2,\
            phase:1,pass"
    "#;
    assert_eq!(logged(rules, &get("/?x=a")), [2]);
    assert_eq!(logged(rules, &get("/?y=a")), [1, 2]);
}

#[test]
fn trap_20_names_in_json_and_xml() {
    let rules = r#"
        SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:8,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
        SecRule REQUEST_HEADERS:Content-Type "@contains xml" "id:9,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
        SecRule ARGS:json.a.0|ARGS:json.b "@rx ." "id:1,phase:2,pass,nolog,setvar:tx.all=%{tx.all}%{MATCHED_VAR};"
        SecRule XML:/*|XML://@* "@rx ." "id:2,phase:2,pass,nolog,setvar:tx.all=%{tx.all}%{MATCHED_VAR};"
    "#;
    let json = Exchange::post("/", "application/json", r#"{"a":["x"],"b":1,"b":2}"#);
    assert_eq!(tx(rules, &json, "all"), "x;1;2;");
    let xml = Exchange::post("/", "text/xml", "<r p='1'>a<s q='2'>b</s></r>");
    assert_eq!(tx(rules, &xml, "all"), "ab;1;2;");
}

#[test]
fn trap_21_response_bodies_of_the_configured_types() {
    let rules = r#"
        SecRule RESPONSE_BODY "@rx a" "id:1,phase:4,deny,status:502"
        SecRule RESPONSE_BODY "!@rx b" "id:2,phase:4,pass"
    "#;
    let found = outcome(rules, &get("/").answered(200, "Text/HTML; charset=utf-8", "xax"));
    assert_eq!((found.logged, found.interruption), (vec![1], Some(("deny".to_owned(), 502))));
    assert_eq!(logged(rules, &get("/").answered(200, "image/png", "xax")), [0u64; 0]);
    assert_eq!(
        logged(&format!("SecResponseBodyAccess Off\n{rules}"), &get("/").answered(200, "text/html", "a")),
        [0u64; 0]
    );
}

#[test]
fn trap_22_relevant_statuses_are_decided_when_the_rules_load() {
    let rules = "SecRuleEngine On\nSecAuditEngine RelevantOnly\nSecAuditLogRelevantStatus \"^(?:5|4(?!04))\"\n\
                 SecAction \"id:1,phase:1,pass,nolog\"";
    let forms = Forms::of_text(rules).unwrap_or_else(|error| panic!("{error}"));
    let transaction = get("/").evaluate(&forms.planned);
    assert_eq!([200, 403, 404, 500].map(|status| transaction.is_relevant(status)), [false, true, false, true]);
}

#[test]
fn folding_keeps_the_matches_that_macros_read() {
    let rules = r#"
        SecAction "id:1,phase:1,pass,nolog,setvar:tx.gate=1"
        SecRule TX:gate "@eq 1" "id:2,phase:1,pass,nolog,setvar:tx.seen=%{MATCHED_VAR_NAME}"
        SecRule ARGS "@streq %{MATCHED_VAR}" "id:3,phase:1,pass"
    "#;
    assert_eq!((tx(rules, &get("/?x=1"), "seen"), logged(rules, &get("/?x=1"))), ("TX:gate".into(), vec![3]));
}
