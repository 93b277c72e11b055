//! What does a small request pay while long bodies are inspected?
//!
//! ```text
//! cargo run --release --features serve -- serve &
//! cargo run --release --features serve --example load -- 127.0.0.1:8080 [seconds] [uploads]
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Connections that send small requests, one every [`PAUSE`]: a steady trickle, so that what is measured is the wait in the proxy.
const SMALL: usize = 4;
const PAUSE: Duration = Duration::from_millis(4);
const BODY: usize = 1_000_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned()).parse()?;
    let seconds: u64 = arguments.next().map_or(Ok(10), |text| text.parse())?;
    let uploads: usize = arguments.next().map_or(Ok(4), |text| text.parse())?;
    for uploads in [0, uploads] {
        measure(address, Duration::from_secs(seconds), uploads).await?;
    }
    Ok(())
}

async fn measure(address: SocketAddr, time: Duration, uploads: usize) -> Result<(), Box<dyn std::error::Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    let (uploaded, refused) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    // A form of ordinary text, with fewer fields than the usual limit of 1,000, so that all of it is inspected.
    let text: String = "some+ordinary+text+in+a+form+".chars().cycle().take(2_400).collect();
    let mut body: String = (0..BODY / 2_500).map(|number| format!("field{number}={text}&")).collect();
    body.extend(std::iter::repeat_n('x', BODY.saturating_sub(body.len())));
    let upload = format!(
        "POST /upload HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {BODY}\r\n\r\n{body}"
    );
    let senders: Vec<_> = (0..uploads)
        .map(|_| {
            let (stop, upload) = (Arc::clone(&stop), upload.clone());
            let (uploaded, refused) = (Arc::clone(&uploaded), Arc::clone(&refused));
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    // Every upload has a connection of its own: a refusal ends it.
                    let Ok(mut stream) = TcpStream::connect(address).await else { return };
                    let sent = stream.write_all(upload.as_bytes()).await.is_ok();
                    let passed = sent && answer(&mut stream).await.is_ok_and(|passed| passed);
                    if passed { &uploaded } else { &refused }.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let start = Instant::now();
    let small: Vec<_> = (0..SMALL).map(|_| tokio::spawn(trickle(address, start + time))).collect();
    let mut times = Vec::new();
    for sender in small {
        times.extend(sender.await??);
    }
    stop.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await?;
    }
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    println!(
        "{uploads} uploads of 1 MB at a time ({} passed, {} refused): {} small requests, p50 {:.2?}, p99 {:.2?}, max {:.2?}",
        uploaded.load(Ordering::Relaxed),
        refused.load(Ordering::Relaxed),
        times.len(),
        at(0.5),
        at(0.99),
        times.last().copied().unwrap_or_default(),
    );
    Ok(())
}

/// Small requests until `end`; how long each took.
async fn trickle(address: SocketAddr, end: Instant) -> std::io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut times = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        stream
            .write_all(b"GET /shop?item=17 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n")
            .await?;
        answer(&mut stream).await?;
        times.push(start.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    Ok(times)
}

/// Reads one answer with a `Content-Length`; whether it is a 200.
async fn answer(stream: &mut TcpStream) -> std::io::Result<bool> {
    let mut read = Vec::new();
    loop {
        if stream.read_buf(&mut read).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = memchr::memmem::find(&read, b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        if read.len() >= end + 4 + length {
            return Ok(head.starts_with("http/1.1 200 "));
        }
    }
}
