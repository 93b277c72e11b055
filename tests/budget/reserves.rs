//! Phases and critical rules have fuel that nobody else can spend.

use super::{build, logged, long, run, status, with_limits};
use fusewall::{Limits, Phase, Policy, Step};

const CRITICAL: &str = r#"
    SecRuleEngine On
    SecRequestBodyAccess On
    SecRule ARGS:x "@rx ." "id:1,phase:1,pass"
    SecRule ARGS:x "@rx (?:a.*b|b.*c|c.*a)d[^x]{60}y" "id:2,phase:1,deny"
    SecRule REQUEST_METHOD "@streq GET" "id:3,phase:1,pass"
    SecRule REQUEST_METHOD "@streq GET" "id:4,phase:1,pass,tag:'Fusewall/Critical'"
    SecRule REMOTE_ADDR "@ipMatch 203.0.113.0/24" "id:5,phase:2,deny,status:410,tag:'fusewall/critical'"
    SecRule REQUEST_METHOD "@streq GET" "id:6,phase:2,pass"
"#;

fn limits(base: u64) -> Limits {
    let mut limits = Limits::default();
    (limits.fuel_base, limits.fuel_per_byte, limits.fuel_phase) = (base, 0, 0);
    limits
}

#[test]
fn critical_rules_run_on_when_the_request_is_let_through() {
    let waf = build(with_limits(CRITICAL, limits(3000)).policy(Policy::Allow));
    let mut transaction = waf.transaction_with_id("critical");
    let client = "203.0.113.9".parse().expect("an address");
    transaction.process_connection(client, 1, client, 80);
    transaction.process_request_line(b"GET", long().as_bytes(), b"HTTP/1.1");
    transaction.process_request_headers();
    transaction.process_request_body();
    assert_eq!((logged(&transaction), status(&transaction)), (vec![4, 5], Some(410)));
    // Without the tag nobody does.
    let plain = CRITICAL.replace(",tag:'Fusewall/Critical'", "").replace(",tag:'fusewall/critical'", "");
    let transaction = run(&build(with_limits(&plain, limits(3000)).policy(Policy::Allow)), &long());
    assert_eq!((logged(&transaction), status(&transaction)), (vec![], None));
}

#[test]
fn wherever_the_budget_ends_a_critical_rule_still_runs() {
    let rules = r#"
        SecRuleEngine On
        SecRule ARGS:x "@rx ." "id:1,phase:1,pass"
        SecRule REMOTE_ADDR "@ipMatch 203.0.113.0/24" "id:2,phase:1,deny,status:410,tag:'fusewall/critical'"
        SecRule ARGS:x "@rx (?:a.*b|b.*c|c.*a)d[^x]{60}y" "id:3,phase:1,deny"
        SecRule REMOTE_ADDR "@ipMatch 198.51.100.0/24" "id:4,phase:1,deny,status:411,tag:'fusewall/critical'"
    "#;
    for (client, expected) in [("203.0.113.9", 410), ("198.51.100.9", 411)] {
        let client = client.parse().expect("an address");
        for base in (0..8_000).step_by(300) {
            let waf = build(with_limits(rules, limits(base)).policy(Policy::Allow));
            let mut transaction = waf.transaction_with_id("critical");
            transaction.process_connection(client, 1, client, 80);
            transaction.process_request_line(b"GET", long().as_bytes(), b"HTTP/1.1");
            transaction.process_request_headers();
            assert_eq!(status(&transaction), Some(expected), "{base}");
        }
    }
}

#[test]
fn their_reserve_is_all_they_have() {
    let mut limits = limits(3000);
    limits.fuel_critical = 100;
    let waf = build(with_limits(CRITICAL, limits).policy(Policy::Allow));
    let transaction = run(&waf, &long());
    let verdict = transaction.verdict().expect("a verdict");
    // Over it goes what is charged at once: a request that begins, and its target.
    assert!(verdict.fuel < 3000 + 100 + 4000, "{}", verdict.fuel);
    assert_eq!(status(&transaction), None);
}

#[test]
fn an_answer_is_looked_at_however_dear_the_request_was() {
    let rules = r#"
        SecRuleEngine On
        SecRule ARGS:x "@rx y" "id:1,phase:1,pass"
        SecRule RESPONSE_STATUS "@streq 200" "id:2,phase:3,pass"
    "#;
    let spent = |reserve: u64, base: u64| {
        let mut limits = limits(base);
        limits.fuel_phase = reserve;
        let waf = build(with_limits(rules, limits));
        let mut transaction = waf.transaction_with_id("answer");
        transaction.process_request_line(b"GET", long().as_bytes(), b"HTTP/1.1");
        transaction.process_request_body();
        let request = transaction.verdict().expect("a verdict");
        transaction.process_response_headers(200, b"HTTP/1.1");
        (request.fuel, request.exhausted, logged(&transaction), status(&transaction))
    };
    let (fuel, exhausted, all, _) = spent(0, 1_000_000);
    assert_eq!((exhausted, all), (None, vec![1, 2]));
    // The request takes all there is, to the last unit.
    assert_eq!(spent(0, fuel).3, Some(503));
    let (_, exhausted, rules, refused) = spent(10_000, fuel);
    assert_eq!((exhausted, rules, refused), (None, vec![1, 2], None));
}

#[test]
fn fuel_and_verdict_are_the_same_in_one_step_and_in_many() {
    let waf = build(with_limits(CRITICAL, limits(3000)).policy(Policy::Allow));
    let end = |quantum: u64| {
        let mut transaction = waf.transaction_with_id("steps");
        transaction.process_request_line(b"GET", long().as_bytes(), b"HTTP/1.1");
        for phase in [Phase::RequestHeaders, Phase::RequestBody, Phase::Logging] {
            transaction.start(phase);
            while transaction.step(quantum) == Step::Pending {}
        }
        transaction.verdict()
    };
    for quantum in [1, 50, 5000] {
        assert_eq!(end(quantum), end(u64::MAX), "{quantum}");
    }
}
