//! A proxy built with Pingora before the suite that every host must pass.

#[allow(dead_code)]
#[path = "../examples/gateway.rs"]
mod gateway;
#[path = "../../../../tests/adapters/suite/mod.rs"]
mod suite;

use fusewall::Waf;
use fusewall::host::InspectionLimits;
use fusewall::host::exchange::BodyPolicy;
use fusewall_pingora::WafFilter;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use suite::{Ability, Host, Upstream};

/// Starts the proxy and waits until it listens. Pingora takes no port that the kernel chooses: one that was free a moment ago has
/// to do.
fn start(upstream: &Upstream, log: impl Fn(&str) + Send + Sync + 'static) -> SocketAddr {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a port");
    let origin = upstream.address.to_string();
    let rules = Waf::builder().rules_text("suite.conf", suite::RULES);
    let waf = rules.build().unwrap_or_else(|report| panic!("{}", report.render(false)));
    let filter = WafFilter::with(waf, BodyPolicy::default(), &InspectionLimits::default(), log);
    std::thread::spawn(move || gateway::serve(&port.to_string(), origin, filter));
    let start = Instant::now();
    while TcpStream::connect(port).is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "the proxy does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    port
}

#[test]
fn the_gateway_passes() {
    let upstream = Upstream::start();
    let address = start(&upstream, |_| {});
    // A response filter of Pingora cannot hold the head of a response.
    suite::passes(&Host { name: "pingora", address, upstream: &upstream, lacks: &[Ability::HeldResponses] });
}

#[test]
fn what_is_refused_is_logged_with_the_id_on_the_page() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let upstream = Upstream::start();
    let address = start(&upstream, move |line| log.lock().unwrap().push(line.to_owned()));
    let ask = |request: &str| {
        let mut client = TcpStream::connect(address).expect("a connection");
        client.write_all(request.as_bytes()).expect("the proxy reads");
        let mut answer = Vec::new();
        // A response that is cut may end with a reset.
        let _ = client.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let logged = |parts: &[&str]| {
        let start = Instant::now();
        while !lines.lock().unwrap().iter().any(|line| parts.iter().all(|part| line.contains(part))) {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "no line with {parts:?} in {:#?}",
                lines.lock().unwrap()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let head = "Host: www.example\r\nConnection: close";
    let page = ask(&format!("GET /attack-head HTTP/1.1\r\n{head}\r\n\r\n"));
    let id = page.split("Incident id: ").nth(1).expect("a page with an id").trim();
    logged(&["[id \"100\"]", id]);
    ask(&format!("GET /leak HTTP/1.1\r\n{head}\r\n\r\n"));
    logged(&["[id \"400\"]"]);
    ask(&format!("POST / HTTP/1.1\r\n{head}\r\nContent-Length: 3\r\nContent-Encoding: compress\r\n\r\nabc"));
    logged(&["code 415"]);
    let long = "a".repeat(2_000_000);
    ask(&format!("POST / HTTP/1.1\r\n{head}\r\nContent-Length: {}\r\n\r\n{long}", long.len()));
    logged(&["code 413 (phase 2)"]);
    // A client that goes away in the middle of its body.
    drop(TcpStream::connect(address).map(|mut client| {
        client.write_all(format!("POST / HTTP/1.1\r\n{head}\r\nContent-Length: 3\r\n\r\na").as_bytes())
    }));
    logged(&["code 400", "broke off"]);
}
