//! Many mixed requests, attacks among them, over HTTP/1 and HTTP/2, while bodies of 1 MB are sent: is every answer the right one,
//! and does the proxy's memory stay where it is?
//!
//! ```text
//! cargo run --release --features serve -- serve &
//! cargo run --release --features serve --example soak -- 127.0.0.1:8080 [requests] [process id of the proxy]
//! ```

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Connections of each version that send small requests, and connections that send bodies of 1 MB.
const SMALL: usize = 4;
const UPLOADS: usize = 2;
const BODY: usize = 1_000_000;

#[derive(Default)]
struct Tally {
    sent: AtomicU64,
    wrong: AtomicU64,
    uploads: AtomicU64,
    stop: AtomicBool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned()).parse()?;
    let requests: usize = arguments.next().map_or(Ok(20_000), |text| text.parse())?;
    let process = arguments.next();
    let tally = Arc::new(Tally::default());
    let each = requests / (2 * SMALL);
    let start = Instant::now();
    let uploads: Vec<_> = (0..UPLOADS).map(|_| tokio::spawn(upload(address, Arc::clone(&tally)))).collect();
    let mut small: Vec<_> =
        (0..2 * SMALL).map(|number| tokio::spawn(mixed(address, number < SMALL, each, Arc::clone(&tally)))).collect();
    while small.iter().any(|task| !task.is_finished()) {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let resident = process.as_deref().and_then(resident).unwrap_or_default();
        println!(
            "{:>4} s: {} requests, {} uploads of 1 MB, {} wrong answers {resident}",
            start.elapsed().as_secs(),
            tally.sent.load(Ordering::Relaxed),
            tally.uploads.load(Ordering::Relaxed),
            tally.wrong.load(Ordering::Relaxed),
        );
    }
    tally.stop.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for task in small.drain(..) {
        times.extend(task.await??);
    }
    for task in uploads {
        task.await??;
    }
    times.sort_unstable();
    let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    println!(
        "small requests: p50 {:.2?}, p99 {:.2?}, max {:.2?}",
        at(0.5),
        at(0.99),
        times.last().copied().unwrap_or_default()
    );
    Ok(())
}

/// What is asked and what must be answered, in turn.
fn question(number: usize) -> (Method, String, &'static str, StatusCode) {
    let attack = StatusCode::FORBIDDEN;
    match number % 7 {
        0 => (Method::GET, format!("/shop?item={number}"), "", StatusCode::OK),
        1 => (Method::GET, "/?id=1%27%20or%20%271%27=%271".to_owned(), "", attack),
        2 => (Method::POST, format!("/form/{number}"), "name=value&text=some+ordinary+text", StatusCode::OK),
        3 => (Method::POST, "/form".to_owned(), "q=%3Cscript%3Ealert(1)%3C/script%3E", attack),
        4 => (Method::HEAD, "/".to_owned(), "", StatusCode::OK),
        5 => (Method::GET, "/?file=../../../../etc/passwd".to_owned(), "", attack),
        _ => (Method::PUT, format!("/page/{number}"), "a=b", StatusCode::OK),
    }
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    async fn connect(address: SocketAddr, first: bool) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let io = TokioIo::new(stream);
        if first {
            let (sender, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            return Ok(Sender::Http1(sender));
        }
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        Ok(Sender::Http2(sender))
    }

    async fn ask(&mut self, method: Method, target: &str, body: Bytes) -> Result<StatusCode, Error> {
        let request = Request::builder().method(method).header("user-agent", "soak").header("accept", "*/*");
        let form = "application/x-www-form-urlencoded";
        let request = if body.is_empty() { request } else { request.header("content-type", form) };
        let response = match self {
            Sender::Http1(sender) => {
                sender.ready().await?;
                let request = request.header("host", "localhost").uri(target).body(Full::new(body))?;
                sender.send_request(request).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                let request = request.uri(format!("http://localhost{target}")).body(Full::new(body))?;
                sender.send_request(request).await?
            }
        };
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }
}

async fn mixed(address: SocketAddr, first: bool, requests: usize, tally: Arc<Tally>) -> Result<Vec<Duration>, Error> {
    let mut sender = Sender::connect(address, first).await?;
    let mut times = Vec::with_capacity(requests);
    for number in 0..requests {
        let (method, target, body, expected) = question(number);
        let start = Instant::now();
        let status = sender.ask(method, &target, Bytes::from_static(body.as_bytes())).await?;
        times.push(start.elapsed());
        tally.sent.fetch_add(1, Ordering::Relaxed);
        if status != expected && tally.wrong.fetch_add(1, Ordering::Relaxed) < 5 {
            println!("{target}: {status} instead of {expected}");
        }
    }
    Ok(times)
}

async fn upload(address: SocketAddr, tally: Arc<Tally>) -> Result<(), Error> {
    let text: String = "some+ordinary+text+in+a+form+".chars().cycle().take(2_400).collect();
    let body: String = (0..BODY / 2_500).map(|number| format!("field{number}={text}&")).collect();
    let mut sender = Sender::connect(address, true).await?;
    while !tally.stop.load(Ordering::Relaxed) {
        let status = sender.ask(Method::POST, "/upload", Bytes::from(body.clone())).await?;
        tally.uploads.fetch_add(1, Ordering::Relaxed);
        if status != StatusCode::OK {
            tally.wrong.fetch_add(1, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Resident memory of a process, now and at most, where the system tells.
fn resident(process: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let of = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned());
    Some(format!("(resident {}, at most {})", of("VmRSS:")?, of("VmHWM:")?))
}
