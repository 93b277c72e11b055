//! Time for each fuel, and the memory of a request, at the worst inputs known for each kind of step.

use fusewall::engine::FixedEnv;
use fusewall::governor::thread_cpu_time;
use fusewall::{Limits, Transaction, Waf};
use std::fmt::Write;

/// Nanoseconds of one fuel that are still tolerated. The nominal rate is 2; a busy machine and an unoptimised build are not
/// to fail the test, work that nobody charges is.
const TOLERATED: f64 = if cfg!(debug_assertions) { 400.0 } else { 12.0 };

/// No budget: what a request would cost.
fn unbounded() -> Limits {
    let mut limits = Limits::default();
    (limits.fuel_base, limits.fuel_cap, limits.fuel_rule) = (u64::MAX, u64::MAX, u64::MAX);
    limits
}

fn waf(rules: &str, limits: Limits) -> Waf {
    let text = format!("SecRuleEngine On\nSecRequestBodyAccess On\nSecArgumentsLimit 20000\n{rules}");
    let built = Waf::builder().env(FixedEnv::default()).limits(limits).rules_text("rules.conf", text).build();
    built.unwrap_or_else(|report| panic!("{report}"))
}

/// A form of `count` arguments whose names and values `field` makes.
fn form(count: usize, field: impl Fn(usize) -> String) -> Vec<u8> {
    (0..count).map(field).collect::<Vec<_>>().join("&").into_bytes()
}

fn post(waf: &Waf, headers: &[(String, String)], body: &[u8]) -> Transaction {
    let mut transaction = waf.transaction_with_id("hostile");
    transaction.process_request_line(b"POST", b"/", b"HTTP/1.1");
    transaction.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
    for (name, value) in headers {
        transaction.add_request_header(name.as_bytes(), value.as_bytes());
    }
    transaction.process_request_headers();
    transaction.write_request_body(body);
    transaction.process_request_body();
    transaction
}

/// Asserts that the request takes about as long as its fuel says.
fn pays(name: &str, rules: &str, headers: &[(String, String)], body: &[u8]) {
    let waf = waf(rules, unbounded());
    let mut best = f64::MAX;
    let mut shown = String::new();
    for _ in 0..3 {
        let begun = thread_cpu_time();
        let transaction = post(&waf, headers, body);
        let nanoseconds = (thread_cpu_time() - begun).as_nanos() as f64;
        let verdict = transaction.verdict().expect("the engine does not fail");
        let rate = nanoseconds / verdict.fuel as f64;
        if rate < best {
            best = rate;
            shown = format!(
                "{name}: {rate:.2} ns per fuel, {:.1} ms, {} fuel, {:?}, {} records",
                nanoseconds / 1e6,
                verdict.fuel,
                verdict.exhausted.map(|exhausted| exhausted.scope),
                verdict.rules.len()
            );
        }
    }
    println!("{shown}");
    assert!(best < TOLERATED, "{shown}");
}

/// `count` rules, numbered from 1.
fn rules(count: usize, rule: impl Fn(usize) -> String) -> String {
    (1..=count).fold(String::new(), |mut text, id| {
        let _ = writeln!(text, "{}", rule(id));
        text
    })
}

#[test]
fn time_follows_fuel() {
    let cookies = |count| vec![("Cookie".to_owned(), (0..count).map(|_| "x=1;").collect::<String>())];
    let short = form(4000, |n| format!("a{n}=1"));
    pays(
        "exclusions",
        r#"SecRule REQUEST_COOKIES|!REQUEST_COOKIES:/x/|!ARGS:a "@rx q" "id:1,phase:1,pass,nolog""#,
        &cookies(100_000),
        b"",
    );
    pays(
        "exclusions of other variables",
        &format!(
            r#"SecRule ARGS{} "@rx q" "id:1,phase:2,pass,nolog""#,
            (0..500).fold(String::new(), |list, n| list + &format!("|!REQUEST_COOKIES:c{n}"))
        ),
        &[],
        &short,
    );
    pays(
        "many names",
        &rules(50, |id| {
            format!(r#"SecRule REQUEST_COOKIES_NAMES|REQUEST_COOKIES "@rx q{id}" "id:{id},phase:1,pass,nolog""#)
        }),
        &cookies(20_000),
        b"",
    );
    pays(
        "removed targets",
        &(rules(300, |id| {
            format!(r#"SecAction "id:{id},phase:1,pass,nolog,ctl:ruleRemoveTargetById=1000-1009;ARGS:b{id}""#)
        }) + &(1000..1010).fold(String::new(), |text, id| {
            text + &format!("SecRule ARGS \"@rx q\" \"id:{id},phase:2,pass,nolog\"\n")
        })),
        &[],
        &short,
    );
    pays(
        "removing at every value",
        &(r#"SecRule ARGS "@rx ." "id:1,phase:2,pass,nolog,ctl:ruleRemoveById=2-99999,ctl:ruleRemoveTargetById=2-99999;ARGS:x""#
            .to_owned()
            + "\n"
            + &rules(3000, |id| format!(r#"SecRule ARGS:zz "@streq b" "id:{},phase:2,pass,nolog""#, id + 1))),
        &[],
        &short,
    );
    pays(
        "MATCHED_VARS",
        r#"
        SecRule ARGS "@rx ." "id:1,phase:2,pass,nolog,chain"
        SecRule MATCHED_VARS "@rx ." "chain"
        SecRule MATCHED_VARS_NAMES|&MATCHED_VARS "@rx q" "t:none"
        "#,
        &[],
        &short,
    );
    pays(
        "TX entries",
        r#"
        SecRule ARGS "@rx ." "id:1,phase:2,pass,nolog,setvar:'tx.%{MATCHED_VAR_NAME}=%{MATCHED_VAR}',setvar:'tx.z%{MATCHED_VAR_NAME}=+1'"
        SecRule TX:/^args:a1/ "@rx 1" "id:2,phase:2,pass,nolog"
        SecRule &TX "@gt 1" "id:3,phase:2,pass,nolog"
        "#,
        &[],
        &short,
    );
    pays(
        "collection entries",
        r#"
        SecRule ARGS "@rx ." "id:1,phase:2,pass,nolog,setvar:'ip.%{MATCHED_VAR_NAME}=+1',setvar:'ip.zz=%{ip.zz}'"
        SecRule SESSION:/q/ "@rx q" "id:2,phase:2,pass,nolog"
        "#,
        &[],
        &short,
    );
    pays(
        "headers looked up by macros",
        r#"SecRule ARGS "@streq %{REQUEST_HEADERS.last}%{REQUEST_COOKIES.last}" "id:1,phase:2,pass,nolog""#,
        &(0..900).map(|n| (format!("h{n}"), "1".to_owned())).collect::<Vec<_>>(),
        &short,
    );
    pays(
        "log data",
        &rules(400, |id| {
            format!(
                r#"SecRule ARGS "@rx ." "id:{id},phase:2,pass,log,capture,msg:'%{{REQUEST_BODY}}',logdata:'%{{MATCHED_VAR_NAME}}%{{TX.0}}%{{REQUEST_BODY}}',tag:'%{{REQUEST_BODY}}'""#
            )
        }),
        &[],
        &form(1, |_| format!("{}=1", "n".repeat(1_000_000))),
    );
    pays(
        "captures",
        r#"SecRule ARGS "@rx (.)(.)(.)(.)(.)(.)(.)(.)(.)" "id:1,phase:2,pass,nolog,capture,multiMatch,t:lowercase,t:hexEncode,t:uppercase""#,
        &[],
        &form(4000, |n| format!("a{n}=ABCDEFGHIJ{n}")),
    );
    pays(
        "names of a megabyte",
        r#"
        SecRule ARGS|ARGS_NAMES|ARGS_POST "@rx ." "id:1,phase:2,pass,nolog,setvar:'tx.a=%{MATCHED_VAR_NAME}',setvar:'tx.b=%{tx.a}%{tx.a}',chain"
        SecRule MATCHED_VARS_NAMES "@rx q" "t:none"
        "#,
        &[],
        &form(2, |_| format!("{}=1", "n".repeat(1_000_000))),
    );
    pays(
        "every match",
        r#"SecRule ARGS "@rxGlobal (?:a.*z|a)" "id:1,phase:2,pass,nolog""#,
        &[],
        &form(1, |_| format!("x={}", "a".repeat(4000))),
    );
    pays(
        "many transformations",
        r#"SecRule ARGS "@rx q" "id:1,phase:2,pass,nolog,multiMatch,t:urlDecodeUni,t:htmlEntityDecode,t:jsDecode,t:cssDecode,t:lowercase,t:removeNulls,t:compressWhitespace,t:replaceComments,t:hexEncode,t:sha1,t:base64Encode,t:cmdLine,t:normalizePathWin""#,
        &[],
        &form(3000, |n| format!("a{n}=%2525%26lt;\\u0041\\41 A%00 /*x*/..%5c../")),
    );
}

/// The request ends for want of memory, and not without memory.
fn fills_the_memory(rules: &str, headers: &[(String, String)], body: &[u8]) {
    fills(unbounded(), rules, headers, body);
}

fn fills(limits: Limits, rules: &str, headers: &[(String, String)], body: &[u8]) {
    let transaction = post(&waf(rules, limits), headers, body);
    let verdict = transaction.verdict().expect("the engine does not fail");
    let exhausted = verdict.exhausted.map(|exhausted| exhausted.scope);
    assert_eq!(exhausted, Some(fusewall::meter::Scope::Memory), "{} fuel", verdict.fuel);
    assert_eq!(verdict.interruption.map(|interruption| interruption.status), Some(503));
}

#[test]
fn tables_count_to_the_memory() {
    let cookies = [("Cookie".to_owned(), "x=1;".repeat(250_000))];
    let pipelines = ["lowercase", "hexEncode", "sha1", "md5", "base64Encode", "urlEncode", "length", "uppercase"];
    let two: Vec<_> = pipelines.iter().flat_map(|a| pipelines.iter().map(move |b| format!("t:{a},t:{b}"))).collect();
    fills_the_memory(
        &rules(1, |_| {
            two.iter().enumerate().fold(String::new(), |text, (at, pipeline)| {
                text + &format!("SecRule REQUEST_COOKIES \"@rx q\" \"id:{},phase:1,pass,nolog,{pipeline}\"\n", at + 1)
            })
        }),
        &cookies,
        b"",
    );
    fills_the_memory(
        &rules(60, |id| format!(r#"SecRule REQUEST_COOKIES|ARGS:a{id} "!@streq 1" "id:{id},phase:1,pass,nolog""#)),
        &cookies,
        b"",
    );
}

#[test]
fn a_backtracking_search_counts_to_the_memory() {
    let rule = r#"SecRule ARGS "@rx (?:(?>a*)b|a)*(?=x)c" "id:1,phase:2,pass,nolog""#;
    let body = format!("x={}c", "aab".repeat(10_000)).into_bytes();
    let mut limits = unbounded();
    assert!(post(&waf(rule, limits.clone()), &[], &body).verdict().unwrap().exhausted.is_none());
    limits.request_memory = 400_000;
    fills(limits, rule, &[], &body);
}

#[test]
fn what_rules_write_counts_to_the_memory() {
    let body = form(4000, |n| format!("a{n}=0123456789abcdef"));
    let action = "setvar:'tx.%{MATCHED_VAR_NAME}=%{REQUEST_BODY}'";
    fills_the_memory(&format!(r#"SecRule ARGS "@rx ." "id:1,phase:2,pass,nolog,{action}""#), &[], &body);
    let long = form(2000, |n| format!("{}{n}=a", "n".repeat(1000)));
    let every = "ARGS|ARGS_POST|ARGS_NAMES|ARGS_POST_NAMES";
    fills_the_memory(
        &format!(
            r#"SecRule {every} "@rx ." "id:1,phase:2,pass,nolog,chain"
            {}
            SecRule MATCHED_VARS "@rx q" "t:none""#,
            "SecRule MATCHED_VARS|MATCHED_VARS_NAMES \"@unconditionalMatch\" \"chain\"\n".repeat(8)
        ),
        &[],
        &long,
    );
}

#[test]
fn a_time_survives_the_arena_in_which_it_was_written() {
    let big =
        [("transformed", "t:hexEncode"), ("twice", "t:hexEncode,t:hexEncode"), ("more", "t:urlEncode,t:hexEncode")];
    let rules = r#"SecRule TIME_EPOCH|TIME "@rx ^[0-9:]+$" "id:1,phase:2,pass""#.to_owned()
        + "\n"
        + &big.iter().enumerate().fold(String::new(), |text, (at, (_, pipeline))| {
            text + &format!("SecRule ARGS \"@rx q\" \"id:{},phase:2,pass,{pipeline}\"\n", at + 2)
        })
        + "SecRule REQUEST_METHOD \"@rx ^P\" \"id:8,phase:2,pass,nolog\"\n"
        + r#"SecRule ARGS_NAMES "@rx q" "id:7,phase:2,pass,nolog"
             SecRule TIME_EPOCH|TIME "@rx ^[0-9:]+$" "id:9,phase:2,pass""#;
    let body = form(1, |_| format!("x={}", "a-".repeat(2 << 20)));
    let verdict = post(&waf(&rules, unbounded()), &[], &body).verdict().expect("the engine does not fail");
    let ids: Vec<_> = verdict.rules.iter().map(|id| id.0).collect();
    assert_eq!((ids, verdict.exhausted), (vec![1, 9], None));
}

#[test]
fn no_rule_costs_more_than_its_certificate() {
    let numbers = "79927398713 ".repeat(400);
    let letters = "a".repeat(3000);
    for (operator, value) in [
        ("@rxGlobal (?:a.*z|a)", &letters),
        ("@rxGlobal a", &letters),
        ("@rxGlobal (a)|(b){2,9}", &letters),
        ("@rxGlobal (?:a{1,90}z|a)", &letters),
        ("@rxGlobal [0-9]", &numbers),
        ("@verifyCC [0-9]{1,16}", &numbers),
        ("@verifyCPF (?:[0-9 ]*x|[0-9])", &numbers),
        ("@rx (a)(.)*z", &letters),
        ("@pm aaaz b", &letters),
        ("@contains aaz", &letters),
    ] {
        let waf = waf(&format!("SecRule ARGS \"{operator}\" \"id:1,phase:2,pass,nolog\""), Limits::default());
        let transaction = post(&waf, &[], format!("x={}", value.replace(' ', "+")).as_bytes());
        let spent = transaction.dearest_rules(1).first().map_or(0, |(_, fuel)| *fuel);
        let cost = fusewall::plan::cost(waf.loaded().program());
        let certified = cost.rules[0].price.of(value.len());
        assert!(spent <= certified, "{operator}: {spent} over {certified}");
    }
}
