//! Circuit breakers: a rule that only watches goes off by its cost, for many clients; nothing that a client sends turns off a rule that
//! decides.

use super::{DEAR, build, logged, long, status};
use fusewall::engine::{Answer, FixedEnv, Resolver};
use fusewall::governor::{QuarantineConfig, State};
use fusewall::program::RuleIx;
use fusewall::rule::RuleId;
use fusewall::{Transaction, Waf, WafBuilder};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};

fn rules(engine: &str, tag: &str) -> WafBuilder {
    let rules = format!(
        "SecRuleEngine {engine}\nSecRule ARGS:x \"@rx {DEAR}\" \"id:1,phase:1,deny{tag}\"\n\
         SecRule ARGS:x \"@rx ^y\" \"id:2,phase:1,deny\""
    );
    // Dear is what this costs.
    let config = QuarantineConfig { dear_fuel: 5_000, ..QuarantineConfig::default() };
    Waf::builder().env(FixedEnv::default()).quarantine(config).rules_text("rules.conf", rules)
}

fn send(waf: &Waf, network: u8) -> Transaction {
    let mut transaction = waf.transaction_with_id("quarantine");
    let client = IpAddr::from([198, 51, network, 7]);
    transaction.process_connection(client, 4000, IpAddr::from([127, 0, 0, 1]), 80);
    transaction.process_request_line(b"GET", long().as_bytes(), b"HTTP/1.1");
    transaction.process_request_headers();
    transaction
}

fn flood(waf: &Waf, networks: u8) {
    (0..1_600_u32).for_each(|number| drop(send(waf, (number % u32::from(networks)) as u8)));
}

#[test]
fn a_dear_rule_that_only_watches_goes_off() {
    let waf = build(rules("DetectionOnly", ""));
    let before = send(&waf, 1).verdict().expect("a verdict");
    flood(&waf, 40);
    assert_eq!(waf.quarantined(), [(RuleId(1), State::Open)]);
    let after = send(&waf, 1);
    let verdict = after.verdict().expect("a verdict");
    assert_eq!(logged(&after), [2], "the other one still watches");
    assert!(verdict.fuel < before.fuel / 2 && verdict.epoch == 1, "{} after {}", verdict.fuel, before.fuel);
}

#[test]
fn one_client_turns_nothing_off() {
    let waf = build(rules("DetectionOnly", ""));
    flood(&waf, 1);
    assert_eq!(waf.quarantined(), []);
}

#[test]
fn a_protected_rule_stays() {
    let waf = build(rules("DetectionOnly", ",tag:'fusewall/critical'"));
    flood(&waf, 40);
    assert_eq!(waf.quarantined(), []);
}

#[test]
fn a_rule_that_decides_stays_whatever_it_costs() {
    let waf = build(rules("On", ""));
    let before = send(&waf, 1).verdict();
    flood(&waf, 200);
    assert_eq!(waf.quarantined(), []);
    assert_eq!(send(&waf, 1).verdict(), before);
    assert!(!waf.switches().is_off(RuleIx::new(0)) && !waf.switches().is_doubted(RuleIx::new(0)));
}

/// Fails while it is told to.
struct Fails(AtomicBool);

impl Resolver for &'static Fails {
    fn answer(&self, _: &str) -> Answer {
        assert!(!self.0.load(Ordering::Relaxed), "injected by a test");
        Answer::NotListed
    }
}

static FAILS: Fails = Fails(AtomicBool::new(true));

#[test]
fn a_rule_that_panics_for_many_counts_as_a_match() {
    let rules = "SecRuleEngine On\nSecRule REMOTE_ADDR \"@rbl list.example\" \"id:1,phase:1,deny,status:418\"";
    let waf = build(Waf::builder().env(FixedEnv::default()).resolver(&FAILS).rules_text("rules.conf", rules));
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    // Few clients do not decide for others: their requests are answered with 500.
    (0..40).for_each(|number| assert_eq!(status(&send(&waf, number % 4)), Some(500)));
    assert_eq!(waf.quarantined(), []);
    for network in 0..16 {
        send(&waf, network);
    }
    std::panic::set_hook(hook);
    assert_eq!(waf.quarantined(), [(RuleId(1), State::Open)]);
    FAILS.0.store(false, Ordering::Relaxed);
    let transaction = send(&waf, 1);
    assert_eq!(status(&transaction), Some(418), "unknown is never no match");
}
