//! Requests for these tests.

use fusewall::engine::FixedEnv;
use fusewall::{AuditRecord, Limits, Transaction, Waf};
use std::collections::BTreeMap;
use std::sync::Mutex;

pub fn waf(rules: &str) -> Waf {
    waf_with(rules, Limits::default())
}

pub fn waf_with(rules: &str, limits: Limits) -> Waf {
    let rules =
        format!("SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\nSecAuditEngine On\n{rules}");
    let builder = Waf::builder().rules_text("t.conf", rules).limits(limits);
    builder.allow_empty().env(FixedEnv { epoch_micros: 1_709_210_096_000_000 }).build().unwrap()
}

/// The same for properties: made once for each ruleset and limit.
pub fn made_once(rules: &str, record_bytes: usize) -> Waf {
    static MADE: Mutex<BTreeMap<(String, usize), Waf>> = Mutex::new(BTreeMap::new());
    let mut limits = Limits::default();
    limits.audit_record_bytes = record_bytes;
    let mut made = MADE.lock().unwrap();
    made.entry((rules.to_owned(), record_bytes)).or_insert_with(|| waf_with(rules, limits)).clone()
}

#[derive(Default, Clone)]
pub struct Traffic<'a> {
    pub method: &'a [u8],
    pub target: &'a [u8],
    pub headers: Vec<(&'a [u8], &'a [u8])>,
    pub body: &'a [u8],
    pub status: u16,
    pub response_headers: Vec<(&'a [u8], &'a [u8])>,
    pub response_body: &'a [u8],
}

impl<'a> Traffic<'a> {
    pub fn get(target: &'a [u8]) -> Self {
        Traffic { method: b"GET", target, headers: vec![(b"Host", b"www.example")], status: 200, ..Default::default() }
    }

    pub fn post(content_type: &'a [u8], body: &'a [u8]) -> Self {
        let headers: Vec<(&[u8], &[u8])> = vec![(b"Host", b"www.example"), (b"Content-Type", content_type)];
        Traffic { method: b"POST", target: b"/form", headers, body, status: 200, ..Default::default() }
    }

    pub fn run(&self, waf: &Waf) -> Transaction {
        let mut tx = waf.transaction_with_id("0190aXYZ");
        tx.process_connection("192.0.2.1".parse().unwrap(), 50000, "192.0.2.2".parse().unwrap(), 443);
        tx.process_request_line(self.method, self.target, b"HTTP/1.1");
        for (name, value) in &self.headers {
            tx.add_request_header(name, value);
        }
        let ended = tx.process_request_headers().is_some()
            || tx.write_request_body(self.body).is_some()
            || tx.process_request_body().is_some();
        if !ended {
            for (name, value) in &self.response_headers {
                tx.add_response_header(name, value);
            }
            let _ = tx.process_response_headers(self.status, b"HTTP/1.1").is_some()
                || tx.write_response_body(self.response_body).is_some()
                || tx.process_response_body().is_some();
        }
        tx.process_logging();
        tx
    }

    pub fn record(&self, waf: &Waf) -> AuditRecord {
        self.run(waf).audit_record(self.status).expect("a record")
    }
}

pub fn json(record: &AuditRecord) -> serde_json::Value {
    serde_json::from_str(&record.to_json()).expect("valid JSON")
}
