//! Screening a value before matching never loses a match.

use super::super::generators::{found, halves, lettered};
use super::super::oracle::exchange::Exchange;
use fusewall::Waf;
use fusewall::engine::FixedEnv;
use fusewall::plan::Options;

/// Letters of a pattern.
const LONGEST: usize = 40;

/// The engine with and without screens finds the same, group for group.
pub fn prefilter(data: &[u8]) {
    let (pattern, value) = halves(data);
    let (text, value) = (lettered(&pattern[..pattern.len().min(LONGEST)]), found(value));
    let rules = format!(
        "SecRuleEngine On\nSecRequestBodyAccess On\nSecRule REQUEST_BODY \"@rx {text}\" \
         \"id:1,phase:2,pass,capture,setvar:tx.a=%{{tx.0}},setvar:tx.b=%{{tx.1}}\"\n\
         SecRule REQUEST_BODY \"!@rx {text}\" \"id:2,phase:2,pass,t:lowercase,t:removeNulls,multiMatch\""
    );
    let build = |prefilter: bool| {
        let builder = Waf::builder().env(FixedEnv::default()).planner(Options { prefilter, ..Options::default() });
        builder.rules_text("rules.conf", &rules).build().ok()
    };
    // Some are too large.
    let (Some(on), Some(off)) = (build(true), build(false)) else { return };
    let exchange = Exchange::post("/", "application/x-www-form-urlencoded", value);
    let [on, off] = [on, off].map(|waf| exchange.evaluate(&waf));
    let seen = |transaction: &fusewall::Transaction| {
        let verdict = transaction.verdict().expect("the engine does not fail");
        let tx = ["a", "b"].map(|name| transaction.tx(name).map(<[u8]>::to_vec));
        (verdict.rules, verdict.interruption, tx)
    };
    assert_eq!(seen(&on), seen(&off), "{rules}");
}
