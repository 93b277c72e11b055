//! Stand-in for the engine until it is merged.
#![allow(missing_docs)]
use crate::rule::Phase;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone)]
pub struct Waf;
pub enum Step {
    Pending,
    Done(Option<Interruption>),
}
#[derive(Clone, Debug)]
pub enum Action {
    Deny,
    Drop,
    Redirect(Vec<u8>),
}
#[derive(Clone, Debug)]
pub struct Interruption {
    pub action: Action,
    pub status: u16,
}
pub struct MatchRecord(String);
impl MatchRecord {
    pub fn error_log_line(&self) -> String {
        self.0.clone()
    }
}
pub struct Transaction {
    id: String,
    text: Vec<u8>,
    body: Vec<u8>,
    response: Vec<u8>,
    html: bool,
    partial: bool,
    left: u64,
    phase: Phase,
    records: Vec<MatchRecord>,
}
static NEXT: AtomicU64 = AtomicU64::new(1);
impl Waf {
    pub fn transaction(&self) -> Transaction {
        Transaction {
            id: format!("fake{:012}", NEXT.fetch_add(1, Ordering::Relaxed)),
            text: vec![],
            body: vec![],
            response: vec![],
            html: false,
            partial: false,
            left: 0,
            phase: Phase::Logging,
            records: vec![],
        }
    }
}
impl Transaction {
    pub fn process_connection(&mut self, client: IpAddr, _: u16, _: IpAddr, _: u16) {
        self.text.extend_from_slice(format!("client={client}\n").as_bytes());
    }
    pub fn process_request_line(&mut self, m: &[u8], u: &[u8], v: &[u8]) {
        for x in [m, u, v] {
            self.text.extend_from_slice(x);
            self.text.push(b' ');
        }
    }
    pub fn add_request_header(&mut self, n: &[u8], v: &[u8]) {
        self.text.extend_from_slice(n);
        self.text.extend_from_slice(b": ");
        self.text.extend_from_slice(v);
        self.text.push(b'\n');
    }
    pub fn start(&mut self, phase: Phase) {
        self.phase = phase;
        self.left = match phase {
            Phase::RequestHeaders => 1000,
            Phase::RequestBody => self.body.len() as u64 * 100,
            _ => 10,
        };
    }
    pub fn step(&mut self, fuel: u64) -> Step {
        if self.left > fuel {
            self.left -= fuel;
            std::hint::black_box((0..fuel).fold(0u64, |a, b| a ^ b.rotate_left(3)));
            return Step::Pending;
        }
        let hay = match self.phase {
            Phase::RequestHeaders => &self.text,
            Phase::RequestBody => &self.body,
            Phase::ResponseHeaders => return Step::Done(None),
            Phase::ResponseBody => &self.response,
            Phase::Logging => return Step::Done(None),
        };
        for bad in [&b"<script"[..], b"' or '", b"leak-secret", b"client=198.51.100.66"] {
            if memchr::memmem::find(hay, bad).is_some() {
                self.records.push(MatchRecord(format!(
                    "ModSecurity: Access denied with code 403 (phase {}). [id \"942100\"] [unique_id \"{}\"]",
                    self.phase.number(),
                    self.id
                )));
                return Step::Done(Some(Interruption { action: Action::Deny, status: 403 }));
            }
        }
        Step::Done(None)
    }
    pub fn inspects_request_body(&self) -> bool {
        true
    }
    pub fn write_request_body(&mut self, b: &[u8]) -> Option<Interruption> {
        let room = (2 << 20) - self.body.len();
        self.body.extend_from_slice(&b[..b.len().min(room)]);
        (b.len() > room && !self.partial).then_some(Interruption { action: Action::Deny, status: 413 })
    }
    pub fn set_request_body_limit_action(&mut self, action: crate::rule::LimitAction) {
        self.partial = action == crate::rule::LimitAction::ProcessPartial;
    }
    pub fn request_body(&self) -> &[u8] {
        &self.body
    }
    pub fn add_response_header(&mut self, n: &[u8], v: &[u8]) {
        if n.eq_ignore_ascii_case(b"content-type") {
            self.html = v.starts_with(b"text/html") || v.starts_with(b"text/event-stream");
        }
    }
    pub fn set_response_status(&mut self, _: u16, _: &[u8]) {}
    pub fn inspects_response_body(&self) -> bool {
        self.html
    }
    pub fn write_response_body(&mut self, b: &[u8]) -> Option<Interruption> {
        let room = (512 << 10) - self.response.len();
        self.response.extend_from_slice(&b[..b.len().min(room)]);
        None
    }
    pub fn response_body_access(&self) -> bool {
        true
    }
    pub fn response_body(&self) -> &[u8] {
        &self.response
    }
    pub fn records(&self) -> &[MatchRecord] {
        &self.records
    }
    pub fn unique_id(&self) -> &str {
        &self.id
    }
}
