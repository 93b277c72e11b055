//! Tenants: what they share, what they cannot do, how they reload, and what becomes of one that fails.

mod capabilities;
mod faults;
mod isolation;
mod queue;
mod sharing;

use fusewall::engine::FixedEnv;
use fusewall::store::RuleSource;
use fusewall::{Interruption, Tenants, TenantsBuilder, Transaction, Waf};

/// The host's own rules.
fn base() -> RuleSource {
    text("base.conf", "SecRuleEngine On\nSecRequestBodyAccess On\n")
}

fn text(name: &str, text: &str) -> RuleSource {
    RuleSource::Text { name: name.into(), text: text.into() }
}

/// A ruleset that refuses arguments with that word.
fn refusing(word: &str) -> RuleSource {
    text("site.conf", &format!("SecRule ARGS \"@contains {word}\" \"id:1,phase:1,deny\"\n"))
}

fn builder() -> TenantsBuilder {
    Tenants::builder("/srv/tenants").base(base()).adjust(|_, waf| waf.env(FixedEnv::default()))
}

fn tenants() -> Tenants {
    builder().build().expect("a thread")
}

fn request(waf: &Waf, target: &str) -> (Transaction, Option<Interruption>) {
    let mut exchange = waf.transaction();
    exchange.process_connection([203, 0, 113, 7].into(), 40000, [192, 0, 2, 1].into(), 80);
    exchange.process_request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
    exchange.add_request_header(b"Host", b"www.example");
    let ended = exchange.process_request_headers();
    (exchange, ended)
}

fn is_refused(waf: &Waf, target: &str) -> bool {
    request(waf, target).1.is_some_and(|ended| ended.status == 403)
}
