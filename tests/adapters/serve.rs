//! `fusewall serve`.

use super::suite::{Ability, Host, Upstream, passes};
use super::{in_background, waf};
use fusewall::host::serve::{Config, ErrorLog, Server};
use std::net::SocketAddr;

fn proxy(upstream: &Upstream) -> SocketAddr {
    let mut config = Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Config::default() };
    config.upstream.url = Some(format!("http://{}", upstream.address));
    in_background(async |ready| {
        let server = Server::bind(config, waf(), ErrorLog::to(|_| {})).await.expect("the proxy starts");
        ready.send(server.addresses()[0]).expect("somebody waits");
        server.run(std::future::pending()).await;
    })
}

#[test]
fn the_proxy_passes() {
    let upstream = Upstream::start();
    passes(&Host { name: "serve", address: proxy(&upstream), upstream: &upstream, lacks: &[] });
}

/// An ability that is said to be missing and is not must be noticed, or the lists of the hosts mean nothing.
#[test]
fn a_host_that_claims_to_lack_what_it_has_fails() {
    let upstream = Upstream::start();
    let address = proxy(&upstream);
    for lacks in Ability::ALL.chunks(1) {
        let host = Host { name: "modest", address, upstream: &upstream, lacks };
        assert!(std::panic::catch_unwind(|| passes(&host)).is_err(), "{lacks:?} makes no difference");
    }
}
