//! Rollouts on live traffic: what requests notice of them, and what they do to a rollout.

mod canary;
mod course;
mod diff;
mod held;
mod load;

use fusewall::engine::{FixedEnv, Verdict};
use fusewall::rule::RuleId;
use fusewall::store::RuleSource;
use fusewall::store::rollout::{Gates, Plan, Share, Stage, Step};
use fusewall::{RolloutConfig, RolloutStatus, Staged};
use fusewall::{Waf, WafBuilder};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

/// Rules that refuse these words, each with a rule of its own that has its number.
fn rules(words: &[&str]) -> String {
    let rule = |(at, word): (usize, &&str)| {
        format!(
            "SecRule ARGS \"@contains {word}\" \"id:{},phase:2,deny,t:none,log,tag:'words',msg:'{word}'\"\n",
            at + 1
        )
    };
    let rules: String = words.iter().enumerate().map(rule).collect();
    format!("SecRuleEngine On\nSecRequestBodyAccess On\n{rules}")
}

fn source(text: String) -> RuleSource {
    RuleSource::Text { name: "rules.conf".into(), text }
}

fn builder(words: &[&str]) -> WafBuilder {
    Waf::builder().env(FixedEnv::default()).rules_text("rules.conf", rules(words))
}

fn waf(words: &[&str]) -> Waf {
    builder(words).build().expect("it loads")
}

fn staged(waf: &Waf, words: &[&str]) -> Staged {
    waf.stage(&source(rules(words))).expect("it loads")
}

/// Stages without a least time, looked at often, on a site of 800 networks of which 80 may be hostile.
fn quick() -> RolloutConfig {
    let step = |percent| Step { share: Share::percent(percent), least_millis: 0 };
    let plan = Plan { shadow_millis: 0, canary: vec![step(10), step(50)], ..Plan::default() };
    let gates =
        Gates { min_requests: 600, min_sources: 600, min_canary_sources: 5, hostile_sources: 20, ..Gates::default() };
    RolloutConfig { plan, gates, tick_millis: 5, ..RolloutConfig::default() }
}

/// A network of its own for each number, 64 in a block.
fn client(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 | (number / 64) << 16 | (number % 64) << 8 | 1).into()
}

/// A request with this word in a form, from its head to phase 5.
fn ask(waf: &Waf, client: IpAddr, word: &str) -> Verdict {
    let body = format!("x={word}");
    let mut transaction = waf.transaction();
    transaction.process_connection(client, 4000, Ipv4Addr::LOCALHOST.into(), 80);
    transaction.process_request_line(b"POST", b"/", b"HTTP/1.1");
    for (name, value) in [
        ("Host", "www.example"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", &body.len().to_string()),
    ] {
        transaction.add_request_header(name.as_bytes(), value.as_bytes());
    }
    if transaction.process_request_headers().is_none() && transaction.write_request_body(body.as_bytes()).is_none() {
        transaction.process_request_body();
    }
    transaction.process_logging();
    transaction.verdict().expect("no internal error")
}

fn blocks(verdict: &Verdict) -> bool {
    verdict.interruption.is_some()
}

/// Which rules the verdict is of.
fn logged(verdict: &Verdict) -> Vec<u64> {
    verdict.rules.iter().map(|&RuleId(id)| id).collect()
}

fn status(waf: &Waf) -> RolloutStatus {
    waf.rollout().expect("there was one")
}

/// Sends requests of many networks until something is true of the rollout.
fn traffic_until(waf: &Waf, words: &[&str], is: impl Fn(&RolloutStatus) -> bool) -> RolloutStatus {
    let begun = Instant::now();
    for number in 0.. {
        let word = words[number as usize % words.len()];
        ask(waf, client(number % 800), word);
        if number % 200 == 0 {
            let status = status(waf);
            if is(&status) {
                return status;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not come about: {status:#?}");
        }
    }
    unreachable!()
}

/// Waits until something is true of the rollout, without any traffic.
fn wait_until(waf: &Waf, is: impl Fn(&RolloutStatus) -> bool) -> RolloutStatus {
    let begun = Instant::now();
    loop {
        let status = status(waf);
        if is(&status) {
            return status;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not come about: {status:#?}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn is_in_canary(status: &RolloutStatus) -> bool {
    matches!(status.stage, Stage::Canary { .. })
}
