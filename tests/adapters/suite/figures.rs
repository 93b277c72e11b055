//! What the filter adds to the time of a request.
//!
//! The same requests go to two addresses of the same proxy, one with the filter and one without, by turns, from one client. What
//! each must answer is asserted before anything is measured. The figures of a round are its median and its 99th percentile; the
//! table has the medians of the rounds.

use super::ability::Ability;
use super::client::Client;
use super::request::{Request, form, get, json, multipart, websocket};
use super::upstream::EVENTS;
use super::{Host, play};
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Rounds, unless `FUSEWALL_FIGURES_ROUNDS` says how many.
const ROUNDS: usize = 7;

/// One kind of request.
struct Kind {
    name: &'static str,
    benign: fn() -> Request,
    attack: fn() -> Request,
    /// How many of them make up a round.
    count: usize,
    until: Until,
}

/// What the time of a request ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// The last byte of the answer; the connection is used again.
    End,
    /// The first event.
    FirstEvent,
    /// The switch of protocols, on a connection of its own.
    Switched,
}

const KINDS: [Kind; 7] = [
    Kind {
        name: "GET",
        benign: || get("/page?q=a+benign+one&page=2").header("User-Agent", "suite/1").header("Cookie", "a=1; b=2"),
        attack: || get("/page?q=attack-head"),
        count: 300,
        until: Until::End,
    },
    Kind {
        name: "form",
        benign: || form("/form", "name=value&text=some+words+that+a+visitor+writes"),
        attack: || form("/form", "name=value&text=attack-body"),
        count: 300,
        until: Until::End,
    },
    Kind {
        name: "JSON",
        benign: || json("/json", r#"{"name":"value","list":[1,2,3,{"text":"some words"}]}"#),
        attack: || json("/json", r#"{"name":"attack-body"}"#),
        count: 300,
        until: Until::End,
    },
    Kind {
        name: "multipart",
        benign: || multipart("/upload", "some words", "a.bin", &[b'x'; 2000]),
        attack: || multipart("/upload", "some words", "attack-file", b"x"),
        count: 300,
        until: Until::End,
    },
    Kind {
        name: "1 MB body",
        benign: || form("/long", &format!("text={}", "some+words+".repeat(91_000))),
        attack: || form("/long", &format!("text={}attack-body", "some+words+".repeat(91_000))),
        count: 20,
        until: Until::End,
    },
    Kind {
        name: "event stream, first event",
        benign: || get("/events"),
        attack: || get("/events?attack-head"),
        count: 100,
        until: Until::FirstEvent,
    },
    Kind {
        name: "WebSocket, handshake",
        benign: || websocket("/websocket"),
        attack: || websocket("/websocket?attack-head"),
        count: 100,
        until: Until::Switched,
    },
];

/// What one kind of request took.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: &'static str,
    /// Median without and with the filter; `None`: the host refuses such requests with the filter.
    pub p50: Option<[Duration; 2]>,
    /// 99th percentile.
    pub p99: Option<[Duration; 2]>,
}

/// The table of a host.
#[derive(Debug, Clone)]
pub struct Figures {
    pub host: &'static str,
    pub rounds: usize,
    pub rows: Vec<Row>,
}

/// Measures `host` beside the same proxy without the filter, which listens at `bare`.
///
/// # Panics
/// If an answer is not the expected one.
pub fn figures(host: &Host<'_>, bare: SocketAddr) -> Figures {
    let rounds = std::env::var("FUSEWALL_FIGURES_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let rows = KINDS.iter().map(|kind| row(host, bare, kind, rounds)).collect();
    Figures { host: host.name, rounds, rows }
}

fn row(host: &Host<'_>, bare: SocketAddr, kind: &Kind, rounds: usize) -> Row {
    let mut seat = Seat { host, sent: 0 };
    let refused = kind.name == "1 MB body" && host.lacks.contains(&Ability::LongRequestBodies);
    for (address, request, passes) in [
        (bare, kind.benign, true),
        (bare, kind.attack, true),
        (host.address, kind.benign, !refused),
        (host.address, kind.attack, false),
    ] {
        let status = seat.ask(&mut None, address, &request(), kind.until).0;
        assert_eq!(status < 400, passes, "{}: {}: {address} answers {status}", host.name, kind.name);
    }
    if refused {
        return Row { name: kind.name, p50: None, p99: None };
    }
    let (mut p50, mut p99) = ([vec![], vec![]], [vec![], vec![]]);
    let request = (kind.benign)();
    for _ in 0..rounds {
        let mut times = [vec![], vec![]];
        let mut clients = [None, None];
        for _ in 0..kind.count {
            for (at, address) in [bare, host.address].into_iter().enumerate() {
                let (status, time) = seat.ask(&mut clients[at], address, &request, kind.until);
                assert!(status < 400, "{}: {}: {address} answers {status}", host.name, kind.name);
                times[at].push(time);
            }
        }
        host.upstream.forget();
        for (at, times) in times.iter_mut().enumerate() {
            p50[at].push(percentile(times, 50));
            p99[at].push(percentile(times, 99));
        }
    }
    let medians = |all: &mut [Vec<Duration>; 2]| all.each_mut().map(|all| percentile(all, 50));
    Row { name: kind.name, p50: Some(medians(&mut p50)), p99: Some(medians(&mut p99)) }
}

/// The nearest rank.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100).max(1);
    times.get(rank - 1).copied().unwrap_or_default()
}

/// Who measures.
struct Seat<'h> {
    host: &'h Host<'h>,
    sent: usize,
}

impl Seat<'_> {
    /// Asks once; answers the status, and how long it took.
    fn ask(
        &mut self,
        client: &mut Option<Client>,
        address: SocketAddr,
        request: &Request,
        until: Until,
    ) -> (u16, Duration) {
        self.sent += 1;
        let tag = format!("{}-figures-{address}-{}", self.host.name, self.sent);
        let bytes = [play::replaced(&request.head(), &tag), request.framed_body()].concat();
        if until == Until::Switched {
            *client = None;
        }
        let start = Instant::now();
        let client = client.get_or_insert_with(|| Client::connect(address).expect("a connection"));
        client.send(&bytes);
        let head = client.reply_head(request.method).expect("an answer");
        let mut time = start.elapsed();
        if head.status < 400 && until == Until::FirstEvent {
            client.reply_body(|body| body.len() >= EVENTS[0].len()).expect("an event");
            time = start.elapsed();
            self.host.upstream.open(&tag);
        }
        if head.status != 101 {
            let reply = client.reply_body(|_| false).expect("the rest of an answer");
            assert!(reply.whole, "{}", reply.excerpt());
            if until == Until::End {
                time = start.elapsed();
            }
        }
        (head.status, time)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}, medians of {} rounds, in microseconds\n", self.host, self.rounds)?;
        writeln!(out, "| request | p50 without | with | added p50 | p99 without | with | added p99 |")?;
        writeln!(out, "|---|---:|---:|---:|---:|---:|---:|")?;
        for row in &self.rows {
            match (row.p50, row.p99) {
                (Some(p50), Some(p99)) => {
                    writeln!(out, "| {} | {} | {} |", row.name, columns(p50), columns(p99))?;
                }
                _ => writeln!(out, "| {} | refused | | | | | |", row.name)?,
            }
        }
        Ok(())
    }
}

fn columns([without, with]: [Duration; 2]) -> String {
    let (without, with) = (without.as_secs_f64() * 1e6, with.as_secs_f64() * 1e6);
    format!("{without:.0} | {with:.0} | {:+.0}", with - without)
}
