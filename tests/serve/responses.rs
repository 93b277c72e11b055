//! Responses: what leaves when, and what does not leave.

use super::site::{BIG, EVENTS, Site, Upstream};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn a_leaking_page_is_held_back() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let reply = site.send("GET /leak HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(reply.status, 403);
    assert!(!reply.text().contains("leak-secret"));
}

#[tokio::test]
async fn a_page_over_the_limit_passes_and_the_log_says_so() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let reply = site.send("GET /long-page HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((reply.status, reply.body.len()), (200, 1_100_000));
    assert_eq!(reply.header("content-length"), Some("1100000"));
    site.logged(&["passed without inspection: response-body-rest"]).await;
}

#[tokio::test]
async fn head_and_bodiless_answers() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut client = site.connect().await;
    client.write("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let reply = client.reply_to("HEAD").await;
    assert_eq!((reply.status, reply.header("content-length")), (200, Some("1234")));
    client.write("GET /none HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.header("content-length"), reply.header("transfer-encoding")), (204, None, None));
    client.write("HEAD /?q=<script> HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.reply_to("HEAD").await.status, 403);
    client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(client.reply().await.body, b"ok", "the connection is still in step");
}

#[tokio::test]
async fn a_chunked_answer_loses_its_hop_by_hop_fields_only() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let reply = site.send("GET /chunked HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((reply.body.as_slice(), reply.header("x-hop")), (b"abcdefg".as_slice(), None));
}

#[tokio::test]
async fn events_arrive_one_by_one() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut client = site.connect().await;
    let start = Instant::now();
    client.write("GET /events HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let (status, _) = client.reply_head().await;
    assert_eq!(status, 200);
    assert!(start.elapsed() < Duration::from_millis(90), "the head does not wait for the first event");
    let mut times = Vec::new();
    for number in 0..EVENTS {
        client.until(format!("data: {number}\n\n").as_bytes()).await;
        times.push(start.elapsed());
    }
    assert!(times[0] < Duration::from_millis(100 * EVENTS as u64 - 150), "the first event came early: {times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] > Duration::from_millis(30)), "{times:?}");
}

#[tokio::test]
async fn a_verdict_that_comes_too_late_for_a_page_cuts_the_connection() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut client = site.connect().await;
    client.write("GET /events?leak HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let all = String::from_utf8(client.rest().await).unwrap();
    assert!(all.contains("data: 0"));
    assert!(!all.ends_with("0\r\n\r\n"), "the client sees that the response is incomplete");
    site.logged(&["[id \"950100\"]", "phase 4"]).await;
}

#[tokio::test]
async fn a_response_that_breaks_off_looks_broken() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut client = site.connect().await;
    client.write("GET /broken HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let all = String::from_utf8(client.rest().await).unwrap();
    assert!(all.contains("content-length: 100") && all.ends_with("abc"), "{all}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_download_streams() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let mut stream = tokio::net::TcpStream::connect(site.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    // A client that does not read holds the upstream up: nothing in between takes 64 MB.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let resident = resident_bytes();
    let mut total = 0;
    let mut peak = 0;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let count = stream.read(&mut buffer).await.unwrap();
        if count == 0 {
            break;
        }
        total += count;
        peak = peak.max(resident_bytes());
    }
    assert!(total > BIG && total < BIG + 1000, "{total}");
    assert!(
        peak.saturating_sub(resident) < 24 << 20,
        "resident memory grew by {} bytes",
        peak.saturating_sub(resident)
    );
}

/// Resident memory of this process, where the system tells.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

#[tokio::test]
async fn a_websocket_is_tunnelled_after_its_handshake() {
    let upstream = Upstream::start().await;
    let site = Site::start(Some(&upstream), |_| {}).await;
    let handshake = |target: &str, protocol: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: {protocol}\r\n\r\n")
    };
    let mut client = site.connect().await;
    client.write(handshake("/ws", "websocket")).await;
    let (status, head) = client.reply_head().await;
    assert_eq!(status, 101);
    let head = head.to_lowercase();
    assert!(
        head.contains("upgrade: websocket") && head.contains("connection: upgrade") && head.contains("x-accept: yes")
    );
    client.write("ping").await;
    assert_eq!(client.take(9).await, b"echo:ping");
    client.write("<script>").await;
    assert_eq!(client.take(13).await, b"echo:<script>");
    site.logged(&["passed without inspection: tunnel", "/ws"]).await;

    assert_eq!(site.send(handshake("/ws?q=<script>", "websocket")).await.status, 403, "the handshake is inspected");
    assert_eq!(site.send(handshake("/plain", "h2c")).await.status, 200);
    assert_eq!(upstream.last().header("upgrade"), None, "only listed protocols are passed on");
    assert_eq!(site.send("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 502, "a switch that nobody asked for");
}
