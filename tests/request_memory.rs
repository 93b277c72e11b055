//! What hostile bodies of 12 MB take of the machine's memory while many are inspected at once: no more than a request is declared
//! to take (`Limits::request_memory`), times their number. A process of its own, so that nothing else counts.
//!
//! Every day six are inspected at once, with `FUSEWALL_HOSTILE=full` 32.
#![cfg(target_os = "linux")]

mod traffic;

use fusewall::{Phase, Step, Transaction, Waf};
use traffic::{Request, say, setup};

/// Bytes of a body: what the recommended configuration admits, nearly.
const SIZE: usize = 12 << 20;
/// What stands beside the declared: the one value that is being transformed.
const TRANSFORMED: usize = SIZE;
/// What the allocator and the measuring add for each request.
const SLACK: usize = 4 << 20;

/// What a line of Linux's account of the process says, in bytes.
fn account(name: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

/// Text that almost matches a lot, and that every usual transformation changes: each makes a copy of it.
fn text(size: usize) -> String {
    let piece = "<ScRiPt %2565 /*x*/ ' UniOn  \\u0053elect .././ &#x41; $(CAT ) \"";
    piece.repeat(size / piece.len() + 1)[..size].to_owned()
}

/// Bodies of all kinds, each of them as costly as its kind lets it be.
fn bodies() -> Vec<Request> {
    let form = "application/x-www-form-urlencoded";
    let json = "application/json";
    let (open, close) = ("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n", "\r\n--b--\r\n");
    let escaped = text(SIZE).replace('\\', "\\\\").replace('"', "\\\"");
    let cut = |body: String| body[..SIZE.min(body.len())].to_owned();
    vec![
        Request::post("/", form, cut(format!("x={}", text(SIZE).replace('&', "%26")))),
        Request::post("/", form, format!("x={}&", text(12_500).replace('&', "%26")).repeat(900)),
        Request::post("/", form, "%41".repeat(SIZE / 3)),
        Request::post("/", json, format!("[\"{}\"]", cut(escaped).trim_end_matches('\\'))),
        Request::post("/", "multipart/form-data; boundary=b", format!("{open}{}{close}", text(SIZE - 80))),
        Request::post("/", "text/xml", format!("<a>{}</a>", "<b c='d'>x</b>".repeat(SIZE / 14 - 1))),
    ]
}

fn begin(waf: &Waf, request: &Request) -> Transaction {
    let mut transaction = waf.transaction();
    transaction.process_request_line(&request.method, &request.target, &request.version);
    for (name, value) in &request.headers {
        transaction.add_request_header(name, value);
    }
    transaction.process_request_headers();
    transaction.write_request_body(&request.body);
    transaction.start(Phase::RequestBody);
    transaction
}

#[test]
fn parallel_hostile_bodies_stay_within_the_declared_memory() {
    let full = std::env::var_os("FUSEWALL_HOSTILE").is_some_and(|value| value == "full");
    let path = setup("crs-pl1").filter(|_| !cfg!(debug_assertions));
    let waf = match &path {
        Some(path) => traffic::waf(path),
        None => Waf::builder().rules_builtin().build().unwrap_or_else(|report| panic!("{report}")),
    };
    let bodies = bodies();
    let count = if full { 32 } else { bodies.len() };
    // The mark begins anew where the kernel lets it; elsewhere loading the rules counts, too.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = account("VmRSS");
    let mut running: Vec<_> = bodies.iter().cycle().take(count).map(|request| begin(&waf, request)).collect();
    let mut pending = true;
    while pending {
        pending = false;
        for transaction in &mut running {
            pending |= transaction.step(20_000_000) == Step::Pending;
        }
    }
    let peak = account("VmHWM").saturating_sub(before);
    let ends: Vec<_> = running
        .iter()
        .map(|transaction| {
            let verdict = transaction.verdict().expect("the engine does not fail");
            verdict.interruption.map_or("passed".to_owned(), |interruption| format!("{:?}", interruption.reason))
        })
        .take(bodies.len())
        .collect();
    drop(running);
    let declared = waf.loaded().program().limits.request_memory;
    say(&format!(
        "{count} hostile bodies of 12 MB at once: {} MB more at the peak, {} MB for each, {} MB afterwards; declared {} MB for each; {}",
        peak >> 20,
        (peak / count) >> 20,
        account("VmRSS").saturating_sub(before) >> 20,
        declared >> 20,
        ends.join(", ")
    ));
    assert!(peak <= count * (declared + TRANSFORMED + SLACK), "{peak} bytes for {count} requests of {declared}");
}
