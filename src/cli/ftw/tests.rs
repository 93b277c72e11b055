use std::cell::RefCell;
use std::sync::Mutex;

use super::exchange::{Record, Transaction};
use super::*;

/// An engine that notes its calls. It logs rule 1 for a target with `attack`, rule 2 for a request body with it, rule 4 for such
/// a response body, rule 5 in phase 5, and it denies in phase 1 when a header is called `Deny`.
#[derive(Default)]
struct Fake {
    calls: Mutex<Vec<String>>,
}

struct FakeTransaction<'e> {
    engine: &'e Fake,
    ids: RefCell<Vec<u64>>,
    denied: bool,
}

impl Engine for Fake {
    fn transaction(&self) -> Box<dyn Transaction + '_> {
        Box::new(FakeTransaction { engine: self, ids: RefCell::default(), denied: false })
    }
}

impl FakeTransaction<'_> {
    fn note(&self, call: &str, bytes: &[u8], rule: u64) {
        self.engine.calls.lock().unwrap().push(format!("{call} {}", bytes.escape_ascii()));
        if bytes.windows(6).any(|window| window == b"attack") {
            self.ids.borrow_mut().push(rule);
        }
    }
}

impl Transaction for FakeTransaction<'_> {
    fn connection(&mut self, client: (std::net::IpAddr, u16), server: (std::net::IpAddr, u16)) {
        self.note("connection", format!("{} {}:{}", client.0, server.0, server.1).as_bytes(), 0);
    }
    fn request_line(&mut self, method: &[u8], target: &[u8], version: &[u8]) {
        self.note("line", &[method, target, version].join(&b' '), 1);
    }
    fn request_header(&mut self, name: &[u8], value: &[u8]) {
        self.denied |= name == b"Deny";
        self.note("header", &[name, value].join(&b'='), 0);
    }
    fn request_headers(&mut self) -> Option<u16> {
        self.note("phase", b"1", 0);
        self.denied.then_some(403)
    }
    fn write_request_body(&mut self, bytes: &[u8]) -> Option<u16> {
        self.note("body", bytes, 2);
        None
    }
    fn request_body(&mut self) -> Option<u16> {
        self.note("phase", b"2", 0);
        None
    }
    fn response_header(&mut self, name: &[u8], value: &[u8]) {
        self.note("header", &[name, value].join(&b'='), 0);
    }
    fn response_headers(&mut self, status: u16, _: &[u8]) -> Option<u16> {
        self.note("phase 3", status.to_string().as_bytes(), 0);
        None
    }
    fn write_response_body(&mut self, bytes: &[u8]) -> Option<u16> {
        self.note("body", bytes, 4);
        None
    }
    fn response_body(&mut self) -> Option<u16> {
        self.note("phase", b"4", 0);
        None
    }
    fn logging(&mut self) {
        self.ids.borrow_mut().push(5);
        self.note("phase", b"5", 0);
    }
    fn records(&self) -> Vec<Record> {
        self.ids.borrow().iter().map(|&rule| Record { rule, line: format!("[id \"{rule}\"]") }).collect()
    }
}

fn sent(bytes: &[u8]) -> (Outcome, Vec<String>) {
    let engine = Fake::default();
    let outcome = exchange::run(&engine, &suite::Input::default(), bytes);
    (outcome, engine.calls.into_inner().unwrap())
}

fn ids(outcome: &Outcome) -> Vec<u64> {
    outcome.records.iter().map(|record| record.rule).collect()
}

#[test]
fn a_request_passes_all_phases() {
    let body = br#"{"status":201,"body":"attack"}"#;
    let mut bytes = b"POST /reflect?attack HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1e\r\n".to_vec();
    bytes.extend([&body[..], b"\r\n0\r\n\r\n"].concat());
    let (outcome, calls) = sent(&bytes);
    assert_eq!((outcome.response.status, outcome.response.body.as_slice()), (201, &b"attack"[..]));
    assert_eq!(ids(&outcome), [1, 2, 4, 5]);
    assert_eq!(
        calls,
        [
            "connection 203.0.113.7 127.0.0.1:80",
            "line POST /reflect?attack HTTP/1.1",
            "header Host=h",
            "header Transfer-Encoding=chunked",
            "phase 1",
            "body {\\\"status\\\":201,\\\"body\\\":\\\"attack\\\"}",
            "phase 2",
            "header Content-Type=text/plain; charset=utf-8",
            "header Content-Length=6",
            "phase 3 201",
            "body attack",
            "phase 4",
            "phase 5",
        ]
    );
}

#[test]
fn a_refused_request_is_a_transaction_too() {
    let (outcome, calls) = sent(b"GET /attack x HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((outcome.response.status, outcome.has_head), (400, true));
    assert!(outcome.refused.is_some() && ids(&outcome) == [1, 5]);
    assert!(calls.contains(&"header Host=h".to_owned()) && calls.contains(&"phase 3 400".to_owned()));
    let (simple, _) = sent(b"GET /attack \r\nHost: h\r\n\r\n");
    assert!(!simple.has_head && ids(&simple) == [1, 5]);
    let (cut, _) = sent(b"GET /attack HTTP/1.1\r\nHost");
    assert_eq!((cut.response.status, ids(&cut)), (408, vec![1, 5]));
}

#[test]
fn bodies_that_end_badly_are_inspected_as_far_as_they_came() {
    let (short, _) = sent(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99\r\n\r\nattack");
    assert_eq!((short.response.status, ids(&short)), (408, vec![2, 5]));
    let (broken, _) = sent(b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nattack\r\nx\r\n");
    assert_eq!((broken.response.status, ids(&broken)), (400, vec![2, 5]));
}

#[test]
fn rules_end_a_transaction_early() {
    let (outcome, calls) = sent(b"GET / HTTP/1.1\r\nHost: h\r\nDeny: x\r\n\r\n");
    assert_eq!((outcome.response.status, outcome.refused), (403, None));
    assert_eq!(calls.last().unwrap(), "phase 5");
    assert!(!calls.contains(&"phase 2".to_owned()));
}

#[test]
fn other_versions_are_inspected_and_not_served() {
    assert_eq!(sent(b"GET / HTTP/4.0\r\nHost: h\r\n\r\n").0.response.status, 505);
}

#[test]
fn what_follows_on_a_kept_connection_is_a_request() {
    let (kept, _) = sent(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET /attack HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((kept.response.status, ids(&kept)), (200, vec![5, 1, 5]));
    let (junk, _) = sent(b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\nattack");
    assert_eq!((junk.response.status, ids(&junk)), (200, vec![5, 1, 5]));
    let (closed, _) = sent(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /attack HTTP/1.1\r\n");
    assert_eq!(ids(&closed), [5]);
}

#[test]
fn a_run_counts_explains_and_honours_overrides() {
    let folder = std::env::temp_dir().join(format!("fusewall-ftw-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("tests/sub")).unwrap();
    let tests = "
rule_id: 1
tests:
  - stages:
      - {input: {uri: /attack, headers: {Host: h}}, output: {log: {expect_ids: [1]}}}
      - {input: {uri: /calm, headers: {Host: h}}, output: {log: {expect_ids: [1, 5]}}}
  - stages: [{input: {uri: '/a#b', headers: {Host: h}}, output: {status: 400}}]
  - stages: [{input: {uri: '/', headers: {Host: h}}, output: {status: 400}}]
  - stages: [{input: {data: '{{ 7*7 }}'}}]
";
    std::fs::write(folder.join("tests/sub/1.yml"), tests).unwrap();
    let overrides = "test_overrides: [{rule_id: 1, test_ids: [3], reason: no host, output: {status: 200}}]";
    std::fs::write(folder.join("overrides.yaml"), overrides).unwrap();
    let mut args = FtwArgs { tests: folder.join("tests"), ..FtwArgs::default() };
    let plain = run_on(&Fake::default(), &args).unwrap();
    args.overrides = Some(folder.join("overrides.yaml"));
    let overridden = run_on(&Fake::default(), &args).unwrap();
    args.only = Some("-2$".to_owned());
    let only = run_on(&Fake::default(), &args).unwrap();
    args.only = Some("^9".to_owned());
    let none = run_on(&Fake::default(), &args);
    std::fs::remove_dir_all(&folder).unwrap();

    assert_eq!((plain.engine.stages, plain.engine.passed), (3, 1));
    assert_eq!((plain.front_end.stages, plain.front_end.passed), (2, 1));
    let failed: Vec<_> = plain.failed.iter().map(|failure| format!("{}: {}", failure.test, failure.why)).collect();
    assert_eq!(
        failed,
        [
            "1-1 stage 2: expected 1; logged 5; status 200; GET /calm HTTP/1.1",
            "1-3: expected status 400, got 200; logged 5; status 200; GET / HTTP/1.1",
            "1-4: the request cannot be built: the template action `7*7` is not understood",
        ]
    );
    assert_eq!((overridden.front_end.passed, overridden.overrides.len()), (2, 1));
    assert_eq!((only.engine.stages, only.front_end.stages), (0, 1));
    assert!(none.is_err() && !plain.is_clean());
}
