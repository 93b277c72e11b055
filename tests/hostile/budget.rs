//! A spent budget is never "no match", and takes no more with it than the policy says.

use fusewall::engine::{FixedEnv, Policy};
use fusewall::meter::Scope;
use fusewall::{Limits, Transaction, Waf};

/// A rule that runs dry in phase 1, and rules before and behind it, in later phases too.
const RULES: &str = r#"
    SecRequestBodyAccess On
    SecRule ARGS:x "@rx ." "id:1,phase:1,pass"
    SecRule ARGS:x "@rx (?:a.*b|b.*c|c.*a)d[^x]{60}y" "id:2,phase:1,deny"
    SecRule ARGS:x "@rx ." "id:3,phase:1,pass"
    SecRule ARGS:x "@rx ." "id:4,phase:2,pass"
    SecRule FUSEWALL_BUDGET_EXHAUSTED "@streq rule" "id:5,phase:2,pass"
    SecRule ARGS:x "@rx ." "id:6,phase:5,pass"
"#;

fn run(engine: &str, policy: Policy) -> Transaction {
    let mut limits = Limits::default();
    limits.fuel_rule = 3000;
    let waf = Waf::builder()
        .env(FixedEnv::default())
        .limits(limits)
        .policy(policy)
        .rules_text("rules.conf", format!("SecRuleEngine {engine}\n{RULES}"))
        .build()
        .unwrap_or_else(|report| panic!("{report}"));
    let mut transaction = waf.transaction_with_id("budget");
    let target = format!("/?x=y{}", "abcd".repeat(500));
    transaction.process_request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
    transaction.process_request_headers();
    transaction.process_request_body();
    transaction.process_logging();
    transaction
}

fn logged(transaction: &Transaction) -> Vec<u64> {
    transaction.verdict().expect("the engine does not fail").rules.iter().map(|id| id.0).collect()
}

#[test]
fn a_rule_that_runs_dry_refuses_the_request_where_rules_enforce() {
    let transaction = run("On", Policy::Block);
    let verdict = transaction.verdict().expect("the engine does not fail");
    assert_eq!(verdict.interruption.map(|interruption| interruption.status), Some(503));
    let exhausted = verdict.exhausted.expect("a budget ran dry");
    assert_eq!((exhausted.scope, exhausted.rule.map(|id| id.0)), (Scope::Rule, Some(2)));
    assert_eq!(logged(&transaction), [1, 6]);
}

#[test]
fn elsewhere_it_alone_is_left_out_and_flagged() {
    for (engine, policy) in [("On", Policy::Allow), ("DetectionOnly", Policy::Block), ("DetectionOnly", Policy::Allow)]
    {
        let transaction = run(engine, policy);
        let verdict = transaction.verdict().expect("the engine does not fail");
        assert_eq!(verdict.interruption, None);
        assert_eq!(verdict.exhausted.map(|exhausted| exhausted.scope), Some(Scope::Rule));
        assert_eq!(verdict.uninspected, ["budget exhausted"]);
        assert_eq!(logged(&transaction), [1, 3, 4, 5, 6], "{engine}, {policy:?}");
    }
}
