//! The budget of a request and of its rules: what happens when one is spent, who still runs then, and what can be turned off
//! while requests are under way.

#[path = "../traffic/mod.rs"]
mod traffic;

mod determinism;
mod policies;
mod reserves;
mod switches;

use fusewall::engine::FixedEnv;
use fusewall::{Limits, Transaction, Waf, WafBuilder};

/// A WAF whose rules have so little fuel each that [`DEAR`] runs dry on [`long`].
fn builder(rules: &str) -> WafBuilder {
    let mut limits = Limits::default();
    limits.fuel_rule = 3000;
    with_limits(rules, limits)
}

fn with_limits(rules: &str, limits: Limits) -> WafBuilder {
    Waf::builder().env(FixedEnv::default()).limits(limits).rules_text("rules.conf", rules)
}

fn build(builder: WafBuilder) -> Waf {
    builder.build().unwrap_or_else(|report| panic!("{report}"))
}

/// A pattern that takes more than 3,000 fuel on [`long`], and finds nothing in it.
const DEAR: &str = r"(?:a.*b|b.*c|c.*a)d[^x]{60}y";

fn long() -> String {
    format!("/?x=y{}", "abcd".repeat(500))
}

/// Takes a request through all phases.
fn run(waf: &Waf, target: &str) -> Transaction {
    let mut transaction = waf.transaction_with_id("budget");
    transaction.process_request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
    transaction.process_request_headers();
    transaction.process_request_body();
    transaction.process_logging();
    transaction
}

fn logged(transaction: &Transaction) -> Vec<u64> {
    transaction.verdict().expect("the engine does not fail").rules.iter().map(|id| id.0).collect()
}

fn status(transaction: &Transaction) -> Option<u16> {
    transaction.interruption().map(|interruption| interruption.status)
}
