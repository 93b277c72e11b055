//! Request heads: what passes, what is refused, what goes upstream.

use super::site::{Site, Upstream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_benign_request_passes_and_an_attack_gets_a_page_with_the_incident_id_only() {
    let site = Site::start(None, |_| {}).await;
    let fine = site.send("GET /?id=1 HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(fine.status, 200);
    assert!(fine.text().contains("GET /?id=1"), "the echo page shows the request");

    let blocked = site.send("GET /?q=<script>alert(1)</script> HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n").await;
    assert_eq!(blocked.status, 403);
    let line = site.logged(&["ModSecurity: Access denied with code 403", "[id \"942100\"]"]).await;
    let id = line.split("[unique_id \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(blocked.text().contains(id), "page and log share the incident id");
    for secret in ["942100", "script", "rule", "score", "phase"] {
        assert!(!blocked.text().contains(secret), "{secret} in {}", blocked.text());
    }
}

#[tokio::test]
async fn the_echo_page_escapes_what_it_shows() {
    let site = Site::start(None, |_| {}).await;
    let reply = site.send("GET /?q=<b>&x='\" HTTP/1.1\r\nHost: a\r\nX-Odd: <i>\r\nAccept: text/html\r\n\r\n").await;
    assert_eq!(reply.status, 200);
    assert!(reply.text().contains("&lt;i&gt;") && !reply.text().contains("<i>") && !reply.text().contains("<b>"));
}

#[tokio::test]
async fn bytes_that_no_uri_may_have_go_upstream_encoded() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let reply = site.send(b"GET /p%2f\xc3\xa9?q=<b>\"|&r=%3Cb HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(reply.status, 200);
    assert_eq!(upstream.last().line(), "GET /p%2f%C3%A9?q=%3Cb%3E%22|&r=%3Cb HTTP/1.1");
}

#[tokio::test]
async fn hop_by_hop_fields_stay_here_and_forwarding_fields_are_ours() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let request = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n\
                   X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\nX-Forwarded-Proto: https\r\nAccept-Encoding: gzip, br\r\nX-Kept: 2\r\n\r\n";
    assert_eq!(site.send(request).await.status, 200);
    let got = upstream.last();
    for gone in ["x-secret", "keep-alive", "te", "forwarded", "connection"] {
        assert_eq!(got.header(gone), None, "{gone} in {}", got.head);
    }
    assert_eq!(got.header("host"), Some("shop.example"));
    assert_eq!(got.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(got.header("x-forwarded-proto"), Some("http"));
    assert_eq!(got.header("x-forwarded-host"), Some("shop.example"));
    assert_eq!(got.header("accept-encoding"), Some("identity"));
    assert_eq!(got.header("x-kept"), Some("2"));
}

#[tokio::test]
async fn a_trusted_proxy_says_who_the_client_is_and_nobody_else_does() {
    let upstream = Upstream::start().await;
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1, 198.51.100.66, 127.0.0.2\r\n\r\n";
    let doubting = Site::start(Some(&upstream), |_| {}).await;
    assert_eq!(doubting.send(request).await.status, 200);

    let loopback =
        fusewall::host::serve::config::parse("t", "trusted_proxies = ['127.0.0.0/8']").unwrap().trusted_proxies;
    let trusting = Site::start(Some(&upstream), |config| config.trusted_proxies = loopback).await;
    // The rules of these tests deny that client.
    assert_eq!(trusting.send(request).await.status, 403);
    let other = request.replace("198.51.100.66", "198.51.100.7");
    assert_eq!(trusting.send(other).await.status, 200);
    assert_eq!(
        upstream.last().header("x-forwarded-for"),
        Some("192.0.2.1, 198.51.100.7, 127.0.0.2, 127.0.0.1"),
        "the chain goes on"
    );
}

#[tokio::test]
async fn a_request_that_the_front_end_refuses_is_answered_and_logged() {
    let site = Site::start(None, |_| {}).await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nbroken\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", 400),
        ("\x16\x03\x01\x02\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x\nhello\r\n0\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n0\r\n\r\n", 400),
        ("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405),
        ("GET / HTTP/3.7\r\nHost: a\r\n\r\n", 505),
    ] {
        let mut client = site.connect().await;
        client.write(request).await;
        let reply = client.reply().await;
        assert_eq!(reply.status, status, "{request:?}");
        let id = reply.text().split("Incident id: ").nth(1).expect("an incident id").trim().to_owned();
        site.logged(&[&format!("[unique_id \"{id}\"]"), &format!("code {status}")]).await;
        if status == 400 && !request.starts_with("GET http") {
            assert_eq!(reply.header("connection"), Some("close"), "{request:?}");
            assert!(client.closes().await, "{request:?}");
        }
    }
}

#[tokio::test]
async fn an_attack_in_a_refused_request_is_seen_by_the_rules() {
    let site = Site::start(None, |_| {}).await;
    assert_eq!(site.send("GET /?q=<script> HTTP/1.1\r\nHost: a\r\nbroken\r\n\r\n").await.status, 400);
    site.logged(&["[id \"942100\"]"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_requests_on_one_connection() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut client = site.connect().await;
    for number in 0..1000 {
        client.write(format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.body.as_slice()), (200, b"ok".as_slice()), "request {number}");
    }
    assert_eq!(upstream.received().len(), 1000);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_and_a_refusal_does_not_end_the_connection() {
    let site = Site::start(None, |_| {}).await;
    let mut client = site.connect().await;
    client
        .write(
            "GET /one HTTP/1.1\r\nHost: a\r\n\r\nPOST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
             GET /?q=<script> HTTP/1.1\r\nHost: a\r\n\r\nGET /four HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        )
        .await;
    let one = client.reply().await;
    assert!(one.text().contains("GET /one"));
    let two = client.reply().await;
    assert!(two.text().contains("POST /two") && two.text().contains("abc"));
    assert_eq!(client.reply().await.status, 403);
    let four = client.reply().await;
    assert!(four.text().contains("GET /four"));
    assert!(client.closes().await);
}

#[tokio::test]
async fn http_1_0_closes_unless_asked_to_stay() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut client = site.connect().await;
    client.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    let reply = client.reply().await;
    assert_eq!(reply.header("connection"), Some("keep-alive"));
    client.write("GET /chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
    let reply = client.reply().await;
    assert_eq!(reply.header("transfer-encoding"), None, "HTTP/1.0 knows no chunks");
    assert_eq!(reply.body, b"abcdefg");
    assert!(client.closes().await);
}
