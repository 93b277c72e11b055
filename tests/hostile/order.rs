//! Hosts make mistakes: calls in any order never panic, never lose an interruption, and what comes too late to be inspected
//! is said to be uninspected.

use fusewall::engine::FixedEnv;
use fusewall::{Phase, Reason, Step, Transaction, Waf};
use proptest::prelude::*;
use std::net::IpAddr;

const RULES: &str = r#"
    SecRuleEngine On
    SecRequestBodyAccess On
    SecResponseBodyAccess On
    SecRequestBodyLimit 60
    SecRule ARGS "@streq deny" "id:1,phase:1,deny"
    SecRule ARGS "@rx (a+)b" "id:2,phase:2,deny,capture,multiMatch,t:lowercase"
    SecRule ARGS:off "@streq 1" "id:3,phase:1,pass,ctl:ruleEngine=Off"
    SecRule ARGS:allow "@streq 1" "id:4,phase:1,allow:request"
    SecRule RESPONSE_HEADERS "@rx b" "id:5,phase:3,deny"
    SecRule RESPONSE_BODY "@rx b" "id:6,phase:4,deny"
    SecRule REQUEST_HEADERS|REQUEST_URI|RESPONSE_STATUS "@rx ." "id:7,phase:5,pass"
"#;

fn waf() -> Waf {
    let builder = Waf::builder().env(FixedEnv::default()).rules_text("rules.conf", RULES);
    builder.build().unwrap_or_else(|report| panic!("{report}"))
}

/// One call, chosen by two bytes.
fn call(transaction: &mut Transaction, which: u8, what: u8) {
    const TEXTS: [&[u8]; 7] =
        [b"", b"aab", b"deny", b"off=1", b"x=deny&allow=1", b"text/html", b"a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaab&c=d"];
    const TARGETS: [&[u8]; 6] = [b"/", b"/?x=deny", b"/?off=1", b"/?allow=1", b"", b"/?x=AAB"];
    const PHASES: [Phase; 5] = Phase::ALL;
    let text = TEXTS[usize::from(what) % TEXTS.len()];
    let target = TARGETS[usize::from(what) % TARGETS.len()];
    let address = IpAddr::from([192, 0, 2, what]);
    match which % 14 {
        0 => transaction.process_connection(address, 1, address, 2),
        1 => transaction.process_request_line(b"GET", target, b"HTTP/1.1"),
        2 => transaction.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded"),
        3 => transaction.add_request_header(b"Cookie", text),
        4 => drop(transaction.process_request_headers()),
        5 => drop(transaction.write_request_body(text)),
        6 => drop(transaction.process_request_body()),
        7 => transaction.add_response_header(b"Content-Type", text),
        8 => drop(transaction.process_response_headers(200, b"HTTP/1.1")),
        9 => drop(transaction.write_response_body(text)),
        10 => drop(transaction.process_response_body()),
        11 => transaction.process_logging(),
        12 => transaction.start(PHASES[usize::from(what) % 5]),
        _ => drop(transaction.step(u64::from(what))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_calls_is_survived(calls in prop::collection::vec(any::<(u8, u8)>(), 0..40)) {
        let mut transaction = waf().transaction_with_id("order");
        let mut interrupted = None;
        for (which, what) in calls {
            call(&mut transaction, which, what);
            let now = transaction.interruption();
            if interrupted.is_some() {
                prop_assert_eq!(&now, &interrupted, "an interruption stands");
            }
            prop_assert!(now.as_ref().is_none_or(|now| now.reason != Reason::InternalError), "the engine failed");
            interrupted = now;
        }
        transaction.process_logging();
        let verdict = transaction.verdict().expect("the engine does not fail");
        prop_assert_eq!(verdict.fuel, verdict.fuel_by_phase.iter().sum::<u64>());
        if interrupted.is_some() {
            prop_assert_eq!(verdict.interruption, interrupted, "logging does not take it back");
        }
    }
}

#[test]
fn a_step_of_nothing_is_a_step() {
    let mut transaction = waf().transaction_with_id("steps");
    transaction.process_request_line(b"GET", b"/?x=deny", b"HTTP/1.1");
    transaction.start(Phase::RequestHeaders);
    let done = (0..1000).find_map(|_| match transaction.step(0) {
        Step::Pending => None,
        Step::Done(interruption) => Some(interruption.is_some()),
    });
    assert_eq!(done, Some(true));
}

#[test]
fn a_body_that_comes_too_late_is_not_inspected_and_says_so() {
    let mut transaction = waf().transaction_with_id("late");
    transaction.process_request_line(b"POST", b"/", b"HTTP/1.1");
    transaction.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
    transaction.process_request_headers();
    transaction.write_request_body(b"x=1");
    transaction.process_request_body();
    transaction.write_request_body(b"&y=aab");
    assert_eq!(transaction.request_body(), b"x=1", "only what was inspected is shown as such");
    transaction.add_response_header(b"Content-Type", b"text/html");
    transaction.process_response_headers(200, b"HTTP/1.1");
    transaction.write_response_body(b"c");
    transaction.process_response_body();
    transaction.write_response_body(b"b");
    assert_eq!(transaction.response_body(), b"c");
    let verdict = transaction.verdict().expect("the engine does not fail");
    assert_eq!(verdict.uninspected, ["request body", "response body"]);
}
