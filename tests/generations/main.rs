//! Generations: what comes into service, what goes back, and what outlives the process.

mod faulty;
mod folder;
mod history;
#[cfg(unix)]
mod killed;
mod slot;
mod staging;

use fusewall::engine::FixedEnv;
use fusewall::store::RuleSource;
use fusewall::{Transaction, Waf, WafBuilder};

/// Rules that refuse one word.
fn rules(word: &str) -> String {
    format!("SecRuleEngine On\nSecRule ARGS \"@rx ^{word}[0-9]+$\" \"id:1,phase:1,deny,tag:'word'\"\n")
}

fn source(word: &str) -> RuleSource {
    RuleSource::Text { name: "rules.conf".into(), text: rules(word) }
}

fn builder(word: &str) -> WafBuilder {
    Waf::builder().env(FixedEnv::default()).rules_text("rules.conf", rules(word))
}

fn waf(word: &str) -> Waf {
    builder(word).build().expect("it loads")
}

fn get(waf: &Waf, value: &str) -> Transaction {
    let mut transaction = waf.transaction();
    transaction.process_request_line(b"GET", format!("/?x={value}").as_bytes(), b"HTTP/1.1");
    // The built-in rules have nothing against such a request.
    transaction.add_request_header(b"Host", b"www.example");
    transaction.add_request_header(b"User-Agent", b"Mozilla/5.0");
    transaction.add_request_header(b"Accept", b"*/*");
    transaction.process_request_headers();
    transaction
}

fn refuses(waf: &Waf, word: &str) -> bool {
    get(waf, &format!("{word}7")).interruption().is_some()
}
