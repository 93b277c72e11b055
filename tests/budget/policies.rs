//! A spent budget is never "no match", and takes no more with it than the policy says.

use super::{DEAR, build, builder, logged, long, run, status};
use fusewall::engine::Decided;
use fusewall::meter::Scope;
use fusewall::{Limits, Policy, RulePolicy, Transaction};

/// A rule that runs dry in phase 1, and rules before and behind it, in later phases too.
fn rules(engine: &str, actions: &str) -> String {
    format!(
        r#"
        SecRuleEngine {engine}
        SecRequestBodyAccess On
        SecRule ARGS:x "@rx ." "id:1,phase:1,pass"
        SecRule ARGS:x "@rx {DEAR}" "id:2,phase:1,{actions}"
        SecRule ARGS:x "@rx ." "id:3,phase:1,pass"
        SecRule ARGS:x "@rx ." "id:4,phase:2,pass"
        SecRule FUSEWALL_BUDGET_EXHAUSTED "@streq rule" "id:5,phase:2,pass"
        SecRule REQUEST_METHOD "@rx ." "id:6,phase:5,pass"
        "#
    )
}

fn end(engine: &str, actions: &str, policy: RulePolicy) -> Transaction {
    run(&build(builder(&rules(engine, actions)).rule_policy(policy)), &long())
}

fn decided(transaction: &Transaction) -> (Scope, Option<u64>, Decided) {
    let exhausted = transaction.verdict().expect("the engine does not fail").exhausted.expect("a budget ran dry");
    (exhausted.scope, exhausted.rule.map(|id| id.0), exhausted.policy)
}

#[test]
fn a_rule_that_runs_dry_counts_as_a_match() {
    let transaction = end("On", "deny,status:418", RulePolicy::Match);
    assert_eq!((status(&transaction), logged(&transaction)), (Some(418), vec![1, 2, 6]));
    assert_eq!(decided(&transaction), (Scope::Rule, Some(2), Decided::Match));
    let record = &transaction.records()[1];
    assert!(record.tags.iter().any(|tag| tag == "fusewall/budget"), "{:?}", record.tags);
    assert_eq!(transaction.verdict().expect("a verdict").dearest[0].0.0, 2);
}

#[test]
fn its_score_counts_once() {
    let actions = "pass,setvar:tx.inbound_anomaly_score_pl1=+5";
    let transaction = end("On", actions, RulePolicy::Match);
    assert_eq!(logged(&transaction), [1, 2, 3, 4, 5, 6]);
    assert_eq!(transaction.tx("inbound_anomaly_score_pl1"), Some(&b"5"[..]));
    assert_eq!(status(&transaction), None);
}

#[test]
fn the_rest_of_a_chain_is_not_tested_but_done() {
    let rules = format!(
        r#"
        SecRuleEngine On
        SecRule ARGS:x "@rx ^y" "id:1,phase:1,deny,status:418,chain,setvar:tx.head=+1"
        SecRule ARGS:x "@rx {DEAR}" "chain,setvar:tx.dear=+1"
        SecRule ARGS:absent "@rx ." "setvar:tx.last=+1"
        "#
    );
    let waf = build(builder(&rules));
    let transaction = run(&waf, &long());
    let counted = ["head", "dear", "last"].map(|key| transaction.tx(key).map(<[u8]>::to_vec));
    assert_eq!(counted, [Some(b"1".to_vec()), Some(b"1".to_vec()), Some(b"1".to_vec())]);
    assert_eq!(status(&transaction), Some(418));
    // A link before the dear one that does not match ends the chain as ever.
    assert_eq!(status(&run(&waf, "/?x=z")), None);
}

#[test]
fn a_match_that_nobody_has_seen_never_loosens() {
    let loosening = [
        "allow",
        "pass,skip:1",
        "pass,skipAfter:END",
        "pass,ctl:ruleEngine=Off",
        "pass,ctl:ruleRemoveById=3",
        "pass,setvar:tx.trusted=1",
        "pass,setvar:!tx.score",
        "pass,setvar:tx.score=-5",
        "pass,setvar:tx.score=+-5",
        "pass,setvar:tx.%{args.x}=+1",
        "pass,initcol:ip=%{REMOTE_ADDR}",
    ];
    for actions in loosening {
        let transaction = end("On", actions, RulePolicy::Match);
        assert_eq!(status(&transaction), Some(503), "{actions}");
        assert_eq!(decided(&transaction), (Scope::Rule, Some(2), Decided::Block), "{actions}");
        assert!(!logged(&transaction).contains(&2), "{actions}");
    }
    // Neither by a counter that a loosening rule looks at, in whatever way.
    for trusting in [
        r#"SecRule TX:trust "@ge 1" "id:9,phase:1,allow,nolog""#,
        r#"SecRule TX:/^TR/ "@ge 1" "id:9,phase:1,allow,nolog""#,
        r#"SecRule ARGS:z "@streq %{tx.trust}" "id:9,phase:2,pass,nolog,ctl:ruleEngine=Off""#,
        r#"SecAction "id:9,phase:1,pass,nolog,setvar:tx.copy=%{tx.trust}""#,
    ] {
        let rules = rules("On", "pass,setvar:tx.trust=+1") + trusting;
        assert_eq!(status(&run(&build(builder(&rules)), &long())), Some(503), "{trusting}");
    }
    let logging = rules("On", "pass,setvar:tx.seen=+1") + r#"SecRule TX:seen "@ge 1" "id:9,phase:5,pass,skip:1""#;
    assert_eq!(status(&run(&build(builder(&logging)), &long())), None, "phase 5 decides nothing");
}

#[test]
fn other_policies_leave_it_out_or_refuse() {
    let refused = end("On", "deny,status:418", RulePolicy::Block);
    assert_eq!((status(&refused), decided(&refused).2), (Some(503), Decided::Block));
    let skipped = end("On", "deny,status:418", RulePolicy::Skip);
    assert_eq!((status(&skipped), decided(&skipped).2, logged(&skipped)), (None, Decided::Skip, vec![1, 3, 4, 5, 6]));
    let scored = end("On", "deny,status:418", RulePolicy::Score(4));
    assert_eq!((status(&scored), decided(&scored).2), (None, Decided::Score));
    assert_eq!(scored.tx("inbound_anomaly_score_pl1"), Some(&b"4"[..]));
    for transaction in [refused, skipped, scored] {
        assert_eq!(transaction.verdict().expect("a verdict").uninspected, ["budget exhausted"]);
    }
}

#[test]
fn detection_leaves_it_out_whatever_the_policy() {
    for policy in [RulePolicy::Match, RulePolicy::Block, RulePolicy::Skip, RulePolicy::Score(4)] {
        let transaction = end("DetectionOnly", "deny", policy);
        assert_eq!((status(&transaction), decided(&transaction).2), (None, Decided::Skip));
        assert_eq!(logged(&transaction), [1, 3, 4, 5, 6], "{policy:?}");
    }
}

#[test]
fn a_request_that_runs_dry_is_refused_or_let_through_flagged() {
    for (policy, expected) in [(Policy::Block, Some(503)), (Policy::Allow, None)] {
        let mut limits = Limits::default();
        (limits.fuel_base, limits.fuel_per_byte, limits.fuel_phase) = (3000, 0, 0);
        let waf = build(super::with_limits(&rules("On", "deny"), limits).policy(policy));
        let transaction = run(&waf, &long());
        assert_eq!((status(&transaction), decided(&transaction).0), (expected, Scope::Request));
        assert_eq!(logged(&transaction), [6], "phase 5 has a reserve");
    }
}

#[test]
fn a_phase_that_was_given_up_is_not_begun_again() {
    let mut limits = Limits::default();
    (limits.fuel_base, limits.fuel_per_byte) = (6_000, 0);
    let waf = build(builder(&rules("On", "pass")).limits(limits).policy(Policy::Allow));
    let mut transaction = waf.transaction();
    transaction.process_request_line(b"GET", long().as_bytes(), b"HTTP/1.1");
    transaction.process_request_headers();
    assert_eq!(decided(&transaction), (Scope::Request, None, Decided::Allow));
    let spent = transaction.verdict().expect("a verdict").fuel;
    transaction.process_request_headers();
    assert_eq!(transaction.verdict().expect("a verdict").fuel, spent);
}
