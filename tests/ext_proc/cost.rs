//! What the way over gRPC costs beside the inspection itself: CPU of Envoy and of the processor for one request, and the engine alone.

use super::command::Running;
use super::envoy::{self, BUFFERED, DUPLEX, Envoy};
use super::suite::{RULES, Upstream};
use fusewall::Waf;
use fusewall::host::exchange::{BodyPolicy, Ends, Exchange, RequestHead, Turn};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Instant;

/// Requests of one measurement.
const REQUESTS: u32 = 3_000;
const HEAD: &str =
    "GET /page?q=a+benign+one&page=2 HTTP/1.1\r\nHost: www.example\r\nUser-Agent: suite/1\r\nCookie: a=1; b=2\r\n\r\n";
const PAGE: &[u8] = b"<!doctype html><title>fine</title><p>nothing to see</p>";

#[test]
#[ignore = "measures"]
fn figures_beside_the_engine_alone() {
    let Some(binary) = envoy::find() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let crs =
        std::env::var_os("FUSEWALL_CONFORMANCE_DIR").map(|folder| PathBuf::from(folder).join("setup/crs-pl1.conf"));
    let own = folder.path().join("suite.conf");
    fs::write(&own, RULES).expect("a file");
    println!("| rules | | latency, median | CPU of Envoy | CPU of Fusewall |\n|---|---|---|---|---|");
    let bare = Envoy::start(binary, upstream.address, None);
    let (median, cpu) = measured(bare.address, &[bare.pid()]);
    println!("| none | Envoy without a filter | {median:.0} us | {:.0} us | |", cpu[0]);
    for (name, rules) in [("the suite's", Some(own)), ("CRS, level 1", crs)] {
        let Some(rules) = rules else { continue };
        let config = format!("rules = ['{}']\n", rules.display());
        let processor = Running::start(folder.path(), &config);
        for (mode, filter) in [("FULL_DUPLEX_STREAMED", DUPLEX), ("BUFFERED", BUFFERED)] {
            let envoy = Envoy::start(binary, upstream.address, Some((processor.address, filter)));
            let (median, cpu) = measured(envoy.address, &[envoy.pid(), processor.child.id()]);
            println!("| {name} | {mode} | {median:.0} us | {:.0} us | {:.0} us |", cpu[0], cpu[1]);
        }
        let waf = Waf::builder().rules_path(&rules).build().expect("rules that load");
        println!("| {name} | the engine alone | {:.0} us | | |", alone(&waf));
    }
}

/// Sends requests over one connection: the median of their times, and the CPU that these processes take for one, in microseconds.
fn measured(to: SocketAddr, processes: &[u32]) -> (f64, Vec<f64>) {
    let mut stream = TcpStream::connect(to).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
    let mut ask = || {
        stream.write_all(HEAD.as_bytes()).expect("it reads");
        let mut length = 0;
        let mut line = String::new();
        loop {
            line.clear();
            assert!(reader.read_line(&mut line).expect("an answer") > 0, "it is closed");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a number");
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        body
    };
    for _ in 0..200 {
        assert_eq!(ask(), PAGE);
    }
    let before: Vec<f64> = processes.iter().map(|&pid| cpu(pid)).collect();
    let mut times: Vec<f64> = (0..REQUESTS).map(|_| micros(|| drop(ask()))).collect();
    times.sort_by(f64::total_cmp);
    let after = processes.iter().map(|&pid| cpu(pid));
    let each = after.zip(before).map(|(after, before)| (after - before) / f64::from(REQUESTS)).collect();
    (times[times.len() / 2], each)
}

/// The same request and response in this process.
fn alone(waf: &Waf) -> f64 {
    let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    let head = RequestHead {
        method: b"GET".to_vec(),
        target: b"/page?q=a+benign+one&page=2".to_vec(),
        version: b"HTTP/1.1".to_vec(),
        headers: vec![field("host", "www.example"), field("user-agent", "suite/1"), field("cookie", "a=1; b=2")],
    };
    let address: SocketAddr = "127.0.0.1:80".parse().expect("an address");
    let one = || {
        let mut exchange = Exchange::new(waf, Ends { client: address, server: address }, BodyPolicy::default());
        let run = |exchange: &mut Exchange| while exchange.step(100_000) == Turn::Pending {};
        exchange.begin(&head);
        run(&mut exchange);
        exchange.end_request_body();
        run(&mut exchange);
        let html = (&b"content-type"[..], &b"text/html"[..]);
        exchange.response(200, b"HTTP/1.1", [html]);
        run(&mut exchange);
        let _ = exchange.response_body_chunk(PAGE);
        exchange.end_response_body();
        run(&mut exchange);
        exchange.finish();
        run(&mut exchange);
    };
    let mut times: Vec<f64> = (0..REQUESTS).map(|_| micros(one)).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn micros(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e6
}

/// CPU that a process has taken, in microseconds: fields 14 and 15 of its `stat`, in hundredths of a second (proc(5)).
fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("its statistics");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) * 10_000.0
}
