//! A WAF whose time is told, and short requests to it.

use fusewall::engine::Env;
use fusewall::{Limits, Transaction, Waf, WafBuilder};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A clock that goes on when it is told to; in seconds.
#[derive(Clone)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    pub fn at(seconds: u64) -> Clock {
        Clock(Arc::new(AtomicU64::new(seconds)))
    }

    pub fn set(&self, seconds: u64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Env for Clock {
    fn epoch_micros(&self) -> u64 {
        self.0.load(Ordering::Relaxed) * 1_000_000
    }
}

/// A WAF with those rules, its engine on.
pub struct Site {
    pub waf: Waf,
    pub clock: Clock,
}

impl Site {
    pub fn new(rules: &str) -> Site {
        Site::with(rules, Limits::default(), |builder| builder)
    }

    pub fn with(rules: &str, limits: Limits, more: impl FnOnce(WafBuilder) -> WafBuilder) -> Site {
        let clock = Clock::at(1_000_000);
        let text = format!("SecRuleEngine On\nSecRequestBodyAccess On\n{rules}");
        let builder = Waf::builder().rules_text("rules.conf", text).limits(limits).env(clock.clone());
        let waf = more(builder).build().unwrap_or_else(|report| panic!("{report}"));
        Site { waf, clock }
    }

    /// A request of a client, at so many seconds after the beginning, phase 1 not yet run.
    pub fn begin(&self, second: u64, client: u8, target: &str) -> Transaction {
        self.clock.set(1_000_000 + second);
        let mut exchange = self.waf.transaction();
        exchange.process_connection([192, 0, 2, client].into(), 40000, [192, 0, 2, 99].into(), 80);
        exchange.process_request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
        exchange
    }

    /// A whole request without a response.
    pub fn get(&self, second: u64, client: u8, target: &str) -> Transaction {
        let mut exchange = self.begin(second, client, target);
        if exchange.process_request_headers().is_none() {
            exchange.process_request_body();
        }
        exchange.process_logging();
        exchange
    }

    /// `tx.seen` after a request.
    pub fn seen(&self, second: u64, target: &str) -> String {
        seen(&self.get(second, 1, target))
    }
}

/// `tx.seen`; empty if it is not set.
pub fn seen(exchange: &Transaction) -> String {
    String::from_utf8_lossy(exchange.tx("seen").unwrap_or_default()).into_owned()
}
