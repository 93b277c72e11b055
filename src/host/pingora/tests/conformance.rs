//! A proxy built with Pingora before the suite that every host must pass.

#[allow(dead_code)]
#[path = "../examples/gateway.rs"]
mod gateway;
#[path = "../../../../tests/adapters/suite/mod.rs"]
mod suite;

use fusewall::Waf;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use suite::{Ability, Host, Upstream};

/// Starts the proxy and waits until it listens. Pingora takes no port that the kernel chooses: one that was free a moment ago has
/// to do.
fn start(upstream: &Upstream) -> SocketAddr {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a port");
    let origin = upstream.address.to_string();
    let rules = Waf::builder().rules_text("suite.conf", suite::RULES);
    let waf = rules.build().unwrap_or_else(|report| panic!("{}", report.render(false)));
    std::thread::spawn(move || gateway::serve(&port.to_string(), origin, waf));
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
    let address = start(&upstream);
    // A response filter of Pingora cannot hold the head of a response.
    suite::passes(&Host { name: "pingora", address, upstream: &upstream, lacks: &[Ability::HeldResponses] });
}
