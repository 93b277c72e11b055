//! Load over the network: requests at a rate, whatever becomes of those before.
#![allow(dead_code)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long answers are waited for after the last request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where requests come from: what the `n`-th of them is, and how many there are in a second.
#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub request: Arc<dyn Fn(u32) -> Vec<u8> + Send + Sync>,
    pub per_second: f64,
}

/// What a request came to.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// 0: the connection ended without one.
    pub status: u16,
    /// When the request was due, from the beginning of the load on.
    pub due: Duration,
    /// From that moment to the end of the answer.
    pub took: Duration,
}

impl Load {
    pub async fn run(self, time: Duration) -> Vec<Answer> {
        let answers = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(Vec::new()));
        let start = Instant::now();
        let mut sending = tokio::task::JoinSet::new();
        for number in 0_u32.. {
            let due = Duration::from_secs_f64(f64::from(number) / self.per_second);
            if due >= time {
                break;
            }
            tokio::time::sleep_until((start + due).into()).await;
            let (answers, connections) = (Arc::clone(&answers), Arc::clone(&connections));
            let (address, request) = (self.address, (self.request)(number));
            sending.spawn(async move {
                let pooled = connections.lock().expect("connections").pop();
                let (status, connection) = match ask(address, pooled, &request).await {
                    Some((status, connection)) => (status, connection),
                    None => (0, None),
                };
                let took = start.elapsed() - due;
                answers.lock().expect("answers").push(Answer { status, due, took });
                connections.lock().expect("connections").extend(connection);
            });
            while sending.try_join_next().is_some() {}
        }
        let all = async { while sending.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(PATIENCE, all).await;
        let answers = answers.lock().expect("answers");
        answers.clone()
    }
}

/// Sends a request; answers its status, and the connection if it may be used again.
async fn ask(address: SocketAddr, connection: Option<TcpStream>, request: &[u8]) -> Option<(u16, Option<TcpStream>)> {
    let mut connection = match connection {
        Some(connection) => connection,
        None => TcpStream::connect(address).await.ok()?,
    };
    // A server that refuses a request need not read all of it.
    let written = connection.write_all(request).await.is_ok();
    let (mut read, mut chunk) = (Vec::new(), [0; 16_384]);
    loop {
        let count = connection.read(&mut chunk).await.ok().filter(|&count| count > 0)?;
        read.extend_from_slice(&chunk[..count]);
        let Some(end) = memchr::memmem::find(&read, b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let length: usize = field("content-length:")?.parse().ok()?;
        if read.len() >= end + 4 + length {
            let status = head.split(' ').nth(1)?.parse().ok()?;
            let open = written && field("connection:") != Some("close");
            return Some((status, open.then_some(connection)));
        }
    }
}

/// The request of a browser for a target, from a client that a proxy names.
pub fn get(client: [u8; 4], target: &str) -> Vec<u8> {
    let [a, b, c, d] = client;
    format!(
        "GET {target} HTTP/1.1\r\nHost: www.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
         Accept: text/html\r\nAccept-Language: en\r\nX-Forwarded-For: {a}.{b}.{c}.{d}\r\n\r\n"
    )
    .into_bytes()
}

/// The time that 99 of 100 answers with a status that `counts` stayed below.
pub fn p99<'a>(answers: impl IntoIterator<Item = &'a Answer>, counts: impl Fn(u16) -> bool) -> Duration {
    let counted = answers.into_iter().filter(|answer| counts(answer.status));
    let mut times: Vec<_> = counted.map(|answer| answer.took).collect();
    times.sort();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// How many answers had a status.
pub fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}
