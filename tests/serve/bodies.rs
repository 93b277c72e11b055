//! Request bodies: nothing goes upstream before its verdict, and what goes is what was inspected.

use super::site::{Site, Upstream};
use fusewall::host::exchange::Unread;
use fusewall::host::serve::config::Route;
use std::time::Duration;

#[tokio::test]
async fn a_chunked_upload_is_framed_anew() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let request = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n";
    assert_eq!(site.send(request).await.status, 200);
    let got = upstream.last();
    assert_eq!(got.body, b"abcdefg");
    assert_eq!(got.header("content-length"), Some("7"));
    assert_eq!((got.header("transfer-encoding"), got.header("x-trailer")), (None, None));
}

#[tokio::test]
async fn no_byte_of_a_refused_body_reaches_the_upstream() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut client = site.connect().await;
    client.write("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nq=<scr").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(upstream.received().is_empty());
    client.write("ipt>1234567890").await;
    assert_eq!(client.reply().await.status, 403);
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn continue_is_said_once_the_headers_have_passed() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut client = site.connect().await;
    client.write("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(client.until(b"\r\n\r\n").await, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write("hello").await;
    assert_eq!(client.reply().await.status, 200);
    assert_eq!((upstream.last().header("expect"), upstream.last().body.as_slice()), (None, b"hello".as_slice()));

    let mut client = site.connect().await;
    client.write("PUT /?q=<script> HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(client.reply().await.status, 403, "no 100 for what phase 1 refuses");
    assert!(client.closes().await);
}

/// Over the limit of the rules of these tests.
fn upload(path: &str, chunked: bool) -> Vec<u8> {
    let body = vec![b'a'; 3 << 20];
    let framing =
        if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {}", body.len()) };
    let mut request = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n").into_bytes();
    if chunked {
        request.extend(format!("{:x}\r\n", body.len()).bytes());
    }
    request.extend(body);
    if chunked {
        request.extend(b"\r\n0\r\n\r\n");
    }
    request
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_413() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    for chunked in [false, true] {
        let mut client = site.connect().await;
        // The proxy may stop to read before everything is written.
        let _ = client.try_write(upload("/a", chunked)).await;
        assert_eq!(client.reply().await.status, 413);
    }
    assert!(upstream.received().is_empty());
}

#[tokio::test]
async fn a_route_may_let_the_rest_of_a_long_body_pass_and_the_log_says_so() {
    let upstream = Upstream::start().await;
    let route = Route { path: "/upload".into(), over_limit: Some(Unread::Pass), ..Route::default() };
    let site = Site::start(Some(&upstream), |config| config.routes.push(route)).await;
    for chunked in [false, true] {
        assert_eq!(site.send(upload("/upload/x", chunked)).await.status, 200);
        let got = upstream.last();
        assert_eq!(got.body, vec![b'a'; 3 << 20]);
        assert_eq!(got.header("content-length").is_some(), !chunked);
        site.logged(&["passed without inspection: request-body-rest", "/upload/x"]).await;
    }
    let mut attack = upload("/upload/x", false);
    let at = attack.len() - (3 << 20);
    attack[at..at + 8].copy_from_slice(b"<script>");
    let mut client = site.connect().await;
    let _ = client.try_write(attack).await;
    assert_eq!(client.reply().await.status, 403, "what fits under the limit is inspected");
    let mut client = site.connect().await;
    let _ = client.try_write(upload("/upload/../a", false)).await;
    assert_eq!(client.reply().await.status, 413);
}

#[tokio::test]
async fn a_body_of_unknown_coding_is_refused_unless_the_site_says_otherwise() {
    let upstream = Upstream::start().await;
    let request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: compress\r\nContent-Length: 3\r\n\r\nabc";
    let strict = Site::start(Some(&upstream), |_| {}).await;
    assert_eq!(strict.send(request).await.status, 415);
    strict.logged(&["code 415"]).await;
    assert_eq!(strict.send(request.replace("compress", "identity")).await.status, 200);
    let lax = Site::start(Some(&upstream), |config| config.inspection.bodies.coded = Unread::Pass).await;
    assert_eq!(lax.send(request).await.status, 200);
    lax.logged(&["passed without inspection: request-body-coded"]).await;
}

#[tokio::test]
async fn a_coded_body_is_inspected_decoded_and_sent_on_as_it_came() {
    use std::io::Write;
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let request = |body: &[u8]| {
        let mut request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n".to_vec();
        request.extend(b"Content-Type: application/x-www-form-urlencoded\r\n");
        request.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
        request.extend(body);
        request
    };
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    assert_eq!(site.send(request(&gzip("q=<script>alert(1)</script>"))).await.status, 403);
    assert!(upstream.received().is_empty());
    let benign = gzip("q=1");
    assert_eq!(site.send(request(&benign)).await.status, 200);
    assert_eq!(upstream.last().body, benign);
    assert_eq!(upstream.last().header("content-encoding"), Some("gzip"));
    let broken = &benign[..benign.len() - 1];
    assert_eq!(site.send(request(broken)).await.status, 415);
    let lax = Site::start(Some(&upstream), |config| config.inspection.bodies.coded = Unread::Pass).await;
    assert_eq!(lax.send(request(broken)).await.status, 200);
    lax.logged(&["passed without inspection: request-body-coded"]).await;
}

#[tokio::test]
async fn a_body_that_ends_early_is_not_sent_on() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(upstream.received().is_empty());
}
