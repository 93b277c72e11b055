//! Time, connections, memory, and the end.

use super::site::{Site, Upstream};
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_head_that_drips_is_cut_off() {
    let site = Site::start(None, |config| config.timeouts.head = Duration::from_millis(300)).await;
    let mut client = site.connect().await;
    let start = Instant::now();
    let request = b"GET /slow HTTP/1.1\r\nHost: a\r\nX-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for byte in request {
        if client.try_write([*byte]).await.is_err() || start.elapsed() > Duration::from_millis(500) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(client.reply().await.status, 408);
    assert!(start.elapsed() < Duration::from_secs(3));
    site.logged(&["code 408"]).await;
}

#[tokio::test]
async fn a_body_that_pauses_or_drips_is_cut_off() {
    let site = Site::start(None, |config| {
        config.timeouts.body = Duration::from_millis(200);
        config.timeouts.body_total = Duration::from_millis(500);
    })
    .await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n";
    assert_eq!(site.send(head).await.status, 408);
    let mut client = site.connect().await;
    client.write(head).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(700) && client.try_write("x").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(client.reply().await.status, 408);
}

#[tokio::test]
async fn an_idle_connection_is_closed_without_a_word() {
    let site = Site::start(None, |config| config.timeouts.idle = Duration::from_millis(100)).await;
    let mut client = site.connect().await;
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.reply().await.status, 200);
    assert!(client.closes().await);
}

#[tokio::test]
async fn heads_have_a_size() {
    let site = Site::start(None, |config| {
        config.limits.head_bytes = 1000;
        config.limits.request_line_bytes = 500;
        config.limits.head_fields = 10;
    })
    .await;
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(2000));
    assert_eq!(site.send(long).await.status, 431);
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(20));
    assert_eq!(site.send(many).await.status, 431);
    let line = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(2000));
    assert_eq!(site.send(line).await.status, 414);
}

#[tokio::test]
async fn an_upstream_that_is_silent_or_gone_is_a_504_or_a_502() {
    let upstream = Upstream::start().await;
    let site =
        Site::start(Some(&upstream), |config| config.timeouts.upstream_response = Duration::from_millis(200)).await;
    assert_eq!(site.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 504);
    let nobody = Site::start(None, |config| config.upstream.url = Some("http://127.0.0.1:1".into())).await;
    assert_eq!(nobody.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 502);
}

#[tokio::test]
async fn connections_of_one_client_are_counted() {
    let site = Site::start(None, |config| config.limits.connections_per_client = 2).await;
    let mut first = site.connect().await;
    let mut second = site.connect().await;
    for client in [&mut first, &mut second] {
        client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.reply().await.status, 200);
    }
    assert!(site.connect().await.closes().await);
    drop(first);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(site.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
}

#[tokio::test]
async fn connections_of_a_trusted_proxy_are_not() {
    let site = Site::start(None, |config| {
        config.limits.connections_per_client = 1;
        config.trusted_proxies =
            fusewall::host::serve::config::parse("t", "trusted_proxies = ['127.0.0.1']").unwrap().trusted_proxies;
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..5 {
        let mut client = site.connect().await;
        client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert_eq!(client.reply().await.status, 200);
        open.push(client);
    }
}

#[tokio::test]
async fn bodies_share_a_bound_of_memory() {
    let site = Site::start(None, |config| config.inspection.limits.held_bytes = 100_000).await;
    let upload =
        |size: usize| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n{}", "x".repeat(size));
    let mut client = site.connect().await;
    let _ = client.try_write(upload(200_000)).await;
    assert_eq!(client.reply().await.status, 503);
    for _ in 0..5 {
        assert_eq!(site.send(upload(60_000)).await.status, 200, "memory is given back");
    }
}

#[tokio::test]
async fn shutting_down_lets_requests_end_and_closes_what_is_idle() {
    let upstream = Upstream::start().await;
    let mut site = Site::start(Some(&upstream), |_| {}).await;
    let mut idle = site.connect().await;
    idle.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(idle.reply().await.status, 200);
    let mut busy = site.connect().await;
    busy.write("GET /events HTTP/1.1\r\nHost: a\r\n\r\n").await;
    busy.until(b"data: 0").await;
    site.shut_down();
    assert!(idle.closes().await);
    let rest = String::from_utf8(busy.rest().await).unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "the running response came to its end: {rest:?}");
    let address = site.address;
    site.ended().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn shutting_down_has_an_end_itself() {
    let upstream = Upstream::start().await;
    let mut site = Site::start(Some(&upstream), |config| config.timeouts.shutdown = Duration::from_millis(200)).await;
    let mut busy = site.connect().await;
    busy.write("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    site.shut_down();
    let start = Instant::now();
    site.ended().await;
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_long_body_leaves_no_memory_behind() {
    use fusewall::engine::{FixedEnv, Scratch, Transaction};
    let waf = super::site::waf();
    let scratch = Box::new(Scratch::new(waf.loaded().program()));
    let mut exchange = Transaction::new(waf.loaded(), scratch, std::sync::Arc::new(FixedEnv::default()), "id");
    exchange.process_request_line(b"POST", b"/", b"HTTP/1.1");
    exchange.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
    exchange.process_request_headers();
    for _ in 0..500 {
        exchange.write_request_body(format!("{}=%41{}&", "n".repeat(2000), "v".repeat(2000)).as_bytes());
    }
    exchange.process_request_body();
    assert!(exchange.request_body().len() > 1 << 20);
    assert!(exchange.into_scratch().memory() <= 5 * (256 << 10));
}
