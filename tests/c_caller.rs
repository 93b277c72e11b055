//! The contract with a host written in C: rules are loaded before a fork, transactions are made after it; every phase is
//! called from one thread, the body comes in pieces, nothing unwinds. A harness of its own, because a process that forks must
//! have one thread.
#![allow(unsafe_code)]

use fusewall::Waf;
use fusewall::governor::Identities;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{SystemTime, UNIX_EPOCH};

const RULES: &str = r#"
SecRuleEngine On
SecRequestBodyAccess On
SecResponseBodyAccess On
SecRule REQUEST_HEADERS:User-Agent "@contains scanner" "id:1,phase:1,deny,status:403"
SecRule ARGS:q "@rx (?i)union\s+select" "id:2,phase:2,deny,status:406,msg:'sql'"
SecRule RESPONSE_BODY "@contains secret" "id:3,phase:4,deny,status:502"
"#;

/// What a C host passes: plain bytes, statuses back; 0 = go on.
struct Exchange<'a> {
    agent: &'a [u8],
    body: &'a [u8],
    piece: usize,
    response: &'a [u8],
}

fn drive(waf: &Waf, exchange: &Exchange<'_>) -> u16 {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    let mut tx = waf.transaction();
    tx.process_connection(address, 40000, address, 80);
    tx.process_request_line(b"POST", b"/form", b"HTTP/1.1");
    tx.add_request_header(b"Host", b"www.example");
    tx.add_request_header(b"User-Agent", exchange.agent);
    tx.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
    let mut answer = tx.process_request_headers();
    for piece in exchange.body.chunks(exchange.piece) {
        answer = answer.or_else(|| tx.write_request_body(piece));
    }
    answer = answer.or_else(|| tx.process_request_body());
    if answer.is_none() {
        tx.add_response_header(b"Content-Type", b"text/html");
        answer = tx.process_response_headers(200, b"HTTP/1.1");
        for piece in exchange.response.chunks(exchange.piece) {
            answer = answer.or_else(|| tx.write_response_body(piece));
        }
        answer = answer.or_else(|| tx.process_response_body());
    }
    tx.process_logging();
    answer.map_or(0, |interruption| interruption.status)
}

fn cases(waf: &Waf) -> bool {
    let plain = Exchange { agent: b"browser", body: b"q=1", piece: 1, response: b"<p>hello" };
    let mut held = true;
    for piece in [1, 2, 3, 7, 1000] {
        held &= drive(waf, &Exchange { piece, ..plain }) == 0;
        held &= drive(waf, &Exchange { agent: b"a scanner", piece, ..plain }) == 403;
        held &= drive(waf, &Exchange { body: b"a=b&q=1+UNION+SELECT+2", piece, ..plain }) == 406;
        held &= drive(waf, &Exchange { response: b"the secret", piece, ..plain }) == 502;
    }
    held
}

/// The first ids of processes that were forked from one: never the same, though they come at the same moment.
fn ids_after_a_fork() -> bool {
    let ids = Identities::new();
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let moment = now() + 50;
    let mut ends = [0; 2];
    // SAFETY: `ends` is a valid place for the answer.
    assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
    let worker = || {
        // SAFETY: this process has one thread, so the child may go on as it likes.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            while now() < moment {}
            let id = ids.next_id();
            // SAFETY: so many bytes stand there.
            let written = unsafe { libc::write(ends[1], id.as_ptr().cast(), id.len()) };
            std::process::exit(i32::from(written != 28));
        }
        pid
    };
    let workers = [worker(), worker(), worker()];
    let mut seen = Vec::new();
    for pid in workers {
        let (mut id, mut status) = ([0_u8; 28], 0);
        // SAFETY: both are valid places for the answers.
        let (read, waited) =
            unsafe { (libc::read(ends[0], id.as_mut_ptr().cast(), id.len()), libc::waitpid(pid, &raw mut status, 0)) };
        if read != 28 || waited != pid || status != 0 || seen.contains(&id) {
            return false;
        }
        seen.push(id);
    }
    true
}

fn main() {
    assert!(ids_after_a_fork());
    let waf = Waf::builder().rules_text("c_caller.conf", RULES).build().expect("the rules load");
    let workers: Vec<libc::pid_t> = (0..4)
        .map(|_| {
            // SAFETY: this process has one thread (the loader's threads have ended), so the child may go on as it likes.
            let pid = unsafe { libc::fork() };
            if pid == 0 {
                std::process::exit(i32::from(!cases(&waf)));
            }
            pid
        })
        .collect();
    let mut failed = usize::from(!cases(&waf));
    for pid in workers {
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        failed += usize::from(waited != pid || status != 0);
    }
    println!("{} passed, {failed} failed", 5 - failed);
    assert_eq!(failed, 0);
}
