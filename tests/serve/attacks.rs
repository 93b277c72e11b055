//! What an attacker tries on the proxy itself: readings that differ between two servers, forged identities, and traffic that
//! leaves no trace.

use super::site::{Site, Upstream};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;
use tokio::net::TcpStream;

async fn http2(site: &Site) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(site.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn status(sender: &mut SendRequest<Full<Bytes>>, request: http::request::Builder) -> StatusCode {
    let response = sender.send_request(request.body(Full::default()).unwrap()).await.unwrap();
    let status = response.status();
    response.into_body().collect().await.unwrap();
    status
}

#[tokio::test]
async fn every_refusal_has_a_log_line_also_one_that_no_rule_asked_for() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |config| config.limits.head_fields = 2000).await;
    let mut client = site.connect().await;
    let body = vec![b'a'; 3 << 20];
    let _ = client.try_write(format!("POST /long HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len())).await;
    let _ = client.try_write(body).await;
    let page = client.reply().await;
    assert_eq!(page.status, 413);
    let id = page.text().split("Incident id: ").nth(1).unwrap().trim().to_owned();
    site.logged(&["code 413 (phase 2)", "/long", &id]).await;

    let many = format!("GET /many HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(1200));
    assert_eq!(site.send(many).await.status, 431, "the engine's own limit");
    site.logged(&["code 431 (phase 1)", "/many"]).await;
}

#[tokio::test]
async fn a_host_is_one_host_in_http_2_too() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut sender = http2(&site).await;
    // A target without a host: the client then sends no `:authority`.
    let bare = || Request::builder().uri("/");
    assert_eq!(status(&mut sender, bare().header("host", "a")).await, StatusCode::OK);
    assert_eq!(upstream.last().header("host"), Some("a"));
    let before = upstream.received().len();
    for hosts in [&["a", "b"][..], &["a", "a"], &[], &["a/b"], &["a%00"], &["user@a"], &[""]] {
        let request = hosts.iter().fold(bare(), |request, host| request.header("host", *host));
        assert_eq!(status(&mut sender, request).await, StatusCode::BAD_REQUEST, "{hosts:?}");
    }
    let star = Request::builder().uri("*").header("host", "a");
    assert_eq!(status(&mut sender, star).await, StatusCode::BAD_REQUEST);
    let user = Request::builder().uri("http://user@a/");
    assert_eq!(status(&mut sender, user).await, StatusCode::BAD_REQUEST);
    assert_eq!(upstream.received().len(), before);
}

#[tokio::test]
async fn header_fields_are_counted_in_http_2_too() {
    let site = Site::start(None, |config| config.limits.head_fields = 50).await;
    let mut sender = http2(&site).await;
    let many = (0..60).fold(Request::builder().uri("http://a/"), |request, _| request.header("x", "1"));
    assert_eq!(status(&mut sender, many).await, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    site.logged(&["code 431"]).await;
}

#[tokio::test]
async fn an_http_2_value_with_blanks_around_it_is_not_sent_on_to_a_server_that_takes_them_off() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut sender = http2(&site).await;
    let request = |value: &str| Request::builder().uri("http://a/").header("x-anchored", value);
    assert_eq!(status(&mut sender, request("attack")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&mut sender, request(" attack")).await, StatusCode::BAD_REQUEST);
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn a_broken_http_2_connection_leaves_a_line() {
    let site = Site::start(None, |_| {}).await;
    let mut client = site.connect().await;
    // A SETTINGS frame, then a DATA frame on stream 0, which no client may send.
    client.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\0\0\0\0\0\0x").await;
    client.rest().await;
    site.logged(&["[client 127.0.0.1]", "HTTP/2"]).await;
}

#[tokio::test]
async fn only_trusted_proxies_forward_in_whatever_spelling() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    // A CGI-like server reads `X_Forwarded_For` and `X-Forwarded-For` as one variable.
    let request = "GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 203.0.113.9\r\nX-Forwarded_Proto: https\r\n\
                   X-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /p\r\nX_Real_IP: 203.0.113.9\r\nTransfer_Encoding: chunked\r\n\
                   Content_Length: 7\r\nX_Kept: 1\r\n\r\n";
    assert_eq!(site.send(request).await.status, 200);
    let got = upstream.last();
    for gone in [
        "x_forwarded_for",
        "x-forwarded_proto",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x_real_ip",
        "transfer_encoding",
        "content_length",
    ] {
        assert_eq!(got.header(gone), None, "{gone} in {}", got.head);
    }
    assert_eq!(got.header("x_kept"), Some("1"));
    assert_eq!(got.header("x-forwarded-for"), Some("127.0.0.1"));
}

#[tokio::test]
async fn connection_takes_no_field_away_that_says_how_the_request_is_read() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let request = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, Content-Type, cookie, Authorization, X-Own\r\nContent-Type: text/x\r\n\
                   Cookie: a=b\r\nAuthorization: c\r\nX-Own: d\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(site.send(request).await.status, 200);
    let got = upstream.last();
    assert_eq!(got.header("content-type"), Some("text/x"));
    assert_eq!((got.header("cookie"), got.header("authorization")), (Some("a=b"), Some("c")));
    assert_eq!(got.header("x-own"), None);
}

#[tokio::test]
async fn http_2_is_not_spoken_in_the_framing_of_http_1() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    for version in ["HTTP/2.0", "HTTP/2.7"] {
        assert_eq!(site.send(format!("GET / {version}\r\nHost: a\r\n\r\n")).await.status, 505);
    }
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn a_target_with_a_foreign_scheme_is_refused() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    assert_eq!(site.send("GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 400);
    assert!(upstream.received().is_empty());
    for (sent, got) in [
        ("OPTIONS * HTTP/1.1", "OPTIONS * HTTP/1.1"),
        ("OPTIONS http://a HTTP/1.1", "OPTIONS * HTTP/1.1"),
        ("GET http://a HTTP/1.1", "GET / HTTP/1.1"),
        ("GET http://a?b HTTP/1.1", "GET /?b HTTP/1.1"),
    ] {
        assert_eq!(site.send(format!("{sent}\r\nHost: a\r\n\r\n")).await.status, 200, "{sent}");
        assert_eq!(upstream.last().line(), got);
    }
}

#[tokio::test]
async fn an_answer_without_a_body_announces_none() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let reply = site.send("GET /none-with-length HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((reply.status, reply.header("content-length")), (204, None));
}

#[tokio::test]
async fn a_silent_tunnel_ends() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |config| config.timeouts.tunnel = Duration::from_millis(300)).await;
    let mut client = site.connect().await;
    client.write("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
    assert_eq!(client.reply_head().await.0, 101);
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        client.write("ping").await;
        assert_eq!(client.take(9).await, b"echo:ping", "bytes keep it open");
    }
    let start = std::time::Instant::now();
    assert!(client.closes().await);
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn an_early_answer_is_passed_on_when_the_upstream_reads_no_further() {
    use fusewall::host::exchange::Unread;
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |config| {
        config.inspection.bodies.over_limit = Unread::Pass;
        config.timeouts.upstream_response = Duration::from_millis(700);
    })
    .await;
    let mut client = site.connect().await;
    let size = 64 << 20;
    client.write(format!("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n")).await;
    let (mut reader, mut writer) = client.into_split();
    let writing = tokio::spawn(async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut writer, &vec![b'x'; size]).await;
    });
    let mut answer = vec![0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut reader, &mut answer).await.unwrap();
    assert_eq!(String::from_utf8(answer).unwrap(), "HTTP/1.1 403");
    writing.abort();
}

#[tokio::test]
async fn the_logging_phase_runs_when_the_client_goes_away() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut sender = http2(&site).await;
    let request = Request::builder().uri("http://a/silent?phase-five").body(Full::default()).unwrap();
    let waiting = tokio::spawn(async move { sender.send_request(request).await.map(drop) });
    tokio::time::sleep(Duration::from_millis(200)).await;
    waiting.abort();
    site.logged(&["[id \"980100\"]"]).await;
}

#[tokio::test]
async fn what_the_engine_left_out_is_in_the_log() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let arguments: String = (0..1100).map(|number| format!("{number}=&")).collect();
    assert_eq!(site.send(format!("GET /many?{arguments} HTTP/1.1\r\nHost: a\r\n\r\n")).await.status, 200);
    site.logged(&["passed without inspection: arguments over the limit", "/many"]).await;
}
