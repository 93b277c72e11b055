//! One arm: an nginx with one worker, a client with one connection, and what they took.

use crate::server::{Running, Site};
use crate::traffic::Request;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// An nginx and a connection to it.
pub struct Arm<'a> {
    pub name: &'a str,
    stream: TcpStream,
    worker: u32,
}

/// What a round took.
pub struct Sample {
    /// CPU of the worker for one request, user and system.
    pub cpu: Duration,
    /// From the first byte of each request until the last of its answer.
    pub times: Vec<Duration>,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub time: Duration,
}

impl<'a> Arm<'a> {
    pub fn new(name: &'a str, site: &Site, nginx: &Running<'_>) -> Arm<'a> {
        let worker = nginx.workers().first().copied().expect("a worker");
        Arm { name, stream: connect(site), worker }
    }

    /// Sends the requests of a class one after the other; all must pass.
    pub fn round(&mut self, class: &str, requests: &[Request]) -> Sample {
        let before = self.cpu();
        let times = requests
            .iter()
            .map(|request| {
                let answer = self.send(request);
                assert_eq!(answer.status, 200, "{}: {class} {}", self.name, request.id);
                answer.time
            })
            .collect();
        let spent = self.cpu() - before;
        Sample { cpu: spent / u32::try_from(requests.len()).expect("few requests"), times }
    }

    pub fn send(&mut self, request: &Request) -> Answer {
        let bytes = bytes(request);
        let start = Instant::now();
        self.stream.write_all(&bytes).expect("it reads");
        let status = read(&mut self.stream);
        Answer { status, time: start.elapsed() }
    }

    /// CPU that the threads of the worker have had: the first number of `schedstat`, in nanoseconds.
    fn cpu(&self) -> Duration {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.worker)).expect("its threads");
        let spent = threads.map(|thread| {
            let path = thread.expect("a thread").path().join("schedstat");
            let text = std::fs::read_to_string(path).expect("what it took");
            text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0)
        });
        Duration::from_nanos(spent.sum())
    }
}

fn connect(site: &Site) -> TcpStream {
    let stream = TcpStream::connect(site.address).expect("it listens");
    stream.set_nodelay(true).expect("an option");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("an option");
    stream
}

/// The request on a connection that stays.
fn bytes(request: &Request) -> Vec<u8> {
    let mut bytes = [&request.method, &b" "[..], &request.target, b" HTTP/1.1\r\n"].concat();
    let own =
        |name: &[u8]| !["connection", "content-length"].iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()));
    for (name, value) in request.headers.iter().filter(|(name, _)| own(name)) {
        bytes.extend_from_slice(&[name, &b": "[..], value, b"\r\n"].concat());
    }
    if !request.body.is_empty() {
        bytes.extend_from_slice(format!("Content-Length: {}\r\n", request.body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&request.body);
    bytes
}

/// Reads an answer with `Content-Length`; its status. A refusal closes nothing, so the next request goes over the same connection.
fn read(stream: &mut TcpStream) -> u16 {
    let mut answer = Vec::with_capacity(1024);
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).expect("an answer");
        assert!(read > 0, "the connection ended: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..read]);
        let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&answer[..head]).into_owned();
        let length = text.split("Content-Length: ").nth(1).and_then(|rest| rest.split('\r').next());
        let length: usize = length.and_then(|length| length.parse().ok()).expect("a length");
        if answer.len() >= head + 4 + length {
            return text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        }
    }
}

/// CPU and time of the arms, and what they add to the first. A request's time is its median over rounds; p50 and p99 are over requests.
pub fn table(class: &str, requests: usize, rounds: usize, samples: &[(&str, Vec<Sample>)]) -> String {
    let mut out = format!("{class}, {requests} requests, {rounds} rounds\n\n");
    out.push_str("| nginx | CPU us | added | p50 us | added | p99 us | added |\n|---|---|---|---|---|---|---|\n");
    let figures: Vec<(&str, [f64; 3])> = samples.iter().map(|(name, samples)| (*name, figures(samples))).collect();
    let Some((_, bare)) = figures.first() else { return out };
    for (name, arm) in &figures {
        let _ = write!(out, "| {name} ");
        for (value, base) in arm.iter().zip(bare) {
            let _ = write!(out, "| {value:.0} | {:.0} ", value - base);
        }
        out.push_str("|\n");
    }
    if let [_, (_, own), (_, peer)] = figures.as_slice() {
        let ratio = |at: usize| (peer[at] - bare[at]) / (own[at] - bare[at]);
        let _ = writeln!(
            out,
            "\nlibmodsecurity adds {:.1} times the CPU, {:.1} times p50, {:.1} times p99.\n",
            ratio(0),
            ratio(1),
            ratio(2)
        );
    }
    out
}

/// CPU, p50 and p99 in microseconds.
fn figures(samples: &[Sample]) -> [f64; 3] {
    let micros = |time: &Duration| time.as_secs_f64() * 1e6;
    let cpu = median(samples.iter().map(|sample| micros(&sample.cpu)).collect());
    let requests = samples.first().map_or(0, |sample| sample.times.len());
    let of_request = |at: usize| median(samples.iter().map(|sample| micros(&sample.times[at])).collect());
    let mut times: Vec<f64> = (0..requests).map(of_request).collect();
    times.sort_by(f64::total_cmp);
    let at =
        |share: f64| times.get(((times.len() as f64 * share) as usize).min(times.len() - 1)).copied().unwrap_or(0.0);
    [cpu, at(0.5), at(0.99)]
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
