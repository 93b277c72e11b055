//! Fuel and verdict are a function of rules and request: not of the machine, of what else it does, or of how a body arrives.

use crate::traffic::{self, Request, say};
use fusewall::engine::FixedEnv;
use fusewall::{Phase, Step, Transaction, Verdict, Waf};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};

/// How often each request is evaluated.
const REPEATS: usize = 100;

fn rules() -> Waf {
    let builder = Waf::builder().env(FixedEnv::default());
    let builder = match traffic::setup("crs-pl1").filter(|_| !cfg!(debug_assertions)) {
        Some(path) => builder.rules_path(path),
        None => builder.rules_builtin(),
    };
    builder.build().unwrap_or_else(|report| panic!("{report}"))
}

/// Ordinary and hostile requests, recorded ones where they are at hand.
fn requests() -> Vec<Request> {
    let form = "application/x-www-form-urlencoded";
    let mut all = vec![
        Request::get("/?q=1%27%20or%201=1--"),
        Request::post("/", form, "a=b&".repeat(2_000)),
        Request::post("/", form, format!("x={}", "c$wha$at$hwc$a".repeat(600))),
        Request::post("/", "application/json", format!("{{\"a\":[{}1]}}", "[1,\"x\"],".repeat(500))),
        Request::post("/", "application/xml", format!("<a>{}</a>", "<b c='d'>e</b>".repeat(400))),
        Request::post(
            "/",
            "multipart/form-data; boundary=B",
            "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nselect 1 from x\r\n".repeat(50) + "--B--\r\n",
        ),
    ];
    if !cfg!(debug_assertions) {
        for (name, step) in [("attacks", 400), ("bench/benign-json", 20), ("bench/long64", 25)] {
            all.extend(traffic::sampled(name, step).into_iter().flatten());
        }
    }
    all
}

/// Numbers of Marsaglia's generator: the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }
}

fn whole(waf: &Waf, request: &Request) -> Verdict {
    told(&begin(waf, request, |transaction| {
        transaction.write_request_body(&request.body);
    }))
}

/// The body in pieces, the phases in steps.
fn in_pieces(waf: &Waf, request: &Request, chance: &mut Chance) -> Verdict {
    let step = 1 + chance.below(300_000) as u64;
    told(&begin_in_steps(waf, request, step, |transaction| {
        let mut rest = request.body.as_slice();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(1 + chance.below(rest.len().min(5_000)));
            transaction.write_request_body(piece);
            rest = after;
        }
    }))
}

fn begin(waf: &Waf, request: &Request, body: impl FnOnce(&mut Transaction)) -> Transaction {
    begin_in_steps(waf, request, u64::MAX, body)
}

fn begin_in_steps(waf: &Waf, request: &Request, step: u64, body: impl FnOnce(&mut Transaction)) -> Transaction {
    let mut transaction = waf.transaction_with_id("determinism");
    let finish = |transaction: &mut Transaction, phase: Phase| {
        transaction.start(phase);
        while transaction.step(step) == Step::Pending {}
    };
    transaction.process_connection(request.client, 40000, IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
    transaction.process_request_line(&request.method, &request.target, &request.version);
    for (name, value) in &request.headers {
        transaction.add_request_header(name, value);
    }
    finish(&mut transaction, Phase::RequestHeaders);
    if transaction.interruption().is_none() {
        body(&mut transaction);
        finish(&mut transaction, Phase::RequestBody);
    }
    finish(&mut transaction, Phase::Logging);
    transaction
}

fn told(transaction: &Transaction) -> Verdict {
    transaction.verdict().expect("the engine does not fail")
}

#[test]
fn fuel_and_verdict_are_the_same_every_time() {
    let waf = rules();
    let requests = requests();
    let first: Vec<_> = requests.iter().map(|request| whole(&waf, request)).collect();
    let (stop, mut chance) = (AtomicBool::new(false), Chance(0xF00D));
    let fuel: u64 = first.iter().map(|verdict| verdict.fuel).sum();
    let repeats = if cfg!(debug_assertions) { 4 } else { REPEATS };
    let compare = |chance: &mut Chance| {
        for (request, first) in requests.iter().zip(&first) {
            assert_eq!(whole(&waf, request), *first, "{}", request.id);
            assert_eq!(in_pieces(&waf, request, chance), *first, "{} in pieces", request.id);
        }
    };
    (0..repeats / 2).for_each(|_| compare(&mut chance));
    // With every processor busy, twice.
    std::thread::scope(|scope| {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        for seed in 0..2 * processors {
            let (waf, requests, stop) = (&waf, &requests, &stop);
            scope.spawn(move || {
                let mut at = seed;
                while !stop.load(Ordering::Relaxed) {
                    at = (at + 1) % requests.len();
                    whole(waf, &requests[at]);
                }
            });
        }
        (0..repeats / 2).for_each(|_| compare(&mut chance));
        stop.store(true, Ordering::Relaxed);
    });
    let count = requests.len();
    say(&format!(
        "{count} requests, {repeats} times each whole and in pieces, half of them under load: {fuel} fuel every time"
    ));
}
