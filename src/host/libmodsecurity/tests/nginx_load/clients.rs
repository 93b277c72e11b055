//! Clients of many kinds, all at once.

use crate::server::ask;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

/// Nothing takes so long, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);

/// A client: asks once, in its way, and judges the answer. What it cannot judge, because it has gone, is not counted.
type Client = fn(SocketAddr, usize) -> usize;

/// Clients at work.
pub struct Load {
    over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Clients that want an answer to everything.
    pub fn of_whole_requests(to: SocketAddr) -> Load {
        Load::of(to, &[one_each, attack, form])
    }

    /// All of them.
    pub fn of_all_kinds(to: SocketAddr) -> Load {
        Load::of(to, &[one_each, kept, attack, form, json, multipart, big, slow, aborted_head, aborted_body, deaf])
    }

    fn of(to: SocketAddr, clients: &[Client]) -> Load {
        let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let work = |client: Client| {
            let (over, answered) = (over.clone(), answered.clone());
            std::thread::spawn(move || {
                for number in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    answered.fetch_add(client(to, number), Ordering::Relaxed);
                }
            })
        };
        let threads = clients.iter().map(|client| work(*client)).collect();
        Load { over, answered, threads }
    }

    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Nobody has given up.
    pub fn check(&self) {
        let given_up = !self.over.load(Ordering::Relaxed) && self.threads.iter().any(JoinHandle::is_finished);
        assert!(!given_up, "a client has not got what it should");
    }

    pub fn wait_for(&self, answered: usize) {
        let start = Instant::now();
        while self.answered() < answered {
            self.check();
            assert!(start.elapsed() < LONG, "nobody is answered");
            sleep(Duration::from_millis(1));
        }
    }

    /// Ends the clients; how many requests were answered as they should be.
    pub fn end(mut self) -> usize {
        self.check();
        self.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            thread.join().expect("no client has given up");
        }
        self.answered()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn expect(to: SocketAddr, method: &str, target: &str, headers: &str, body: &[u8], status: u16) -> usize {
    let answer =
        ask(to, method, target, headers, body).unwrap_or_else(|problem| panic!("{method} {target}: {problem}"));
    assert_eq!(answer.status, status, "{method} {target}: {}", answer.text);
    1
}

fn one_each(to: SocketAddr, number: usize) -> usize {
    expect(to, "GET", &format!("/shop/item?page={number}&sort=price"), "", b"", 200)
}

fn attack(to: SocketAddr, number: usize) -> usize {
    match number % 3 {
        0 => expect(to, "GET", "/?id=1%27%20or%20%271%27=%271", "", b"", 403),
        1 => expect(to, "GET", "/excepted/?q=<script>alert(1)</script>", "", b"", 403),
        _ => post(to, "application/x-www-form-urlencoded", b"file=../../../../etc/passwd", 403),
    }
}

fn post(to: SocketAddr, kind: &str, body: &[u8], status: u16) -> usize {
    expect(to, "POST", "/", &format!("Content-Type: {kind}\r\n"), body, status)
}

fn form(to: SocketAddr, number: usize) -> usize {
    post(to, "application/x-www-form-urlencoded", format!("name=smith&page={number}&text=nice+weather").as_bytes(), 200)
}

fn json(to: SocketAddr, number: usize) -> usize {
    let items: Vec<_> = (0..number % 50).map(|item| format!(r#"{{"item": {item}, "name": "chair"}}"#)).collect();
    post(to, "application/json", format!(r#"{{"order": {number}, "items": [{}]}}"#, items.join(",")).as_bytes(), 200)
}

fn multipart(to: SocketAddr, number: usize) -> usize {
    let part = |name: &str, rest: &str, content: &str| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{rest}\r\n\r\n{content}\r\n")
    };
    let file = "a line of a letter\r\n".repeat(number % 2000);
    let letter = part("letter", "; filename=\"letter.txt\"\r\nContent-Type: text/plain", &file);
    let body = format!("{}{letter}--edge--\r\n", part("title", "", "a letter"));
    post(to, "multipart/form-data; boundary=edge", body.as_bytes(), 200)
}

/// A megabyte, which nginx keeps in a file.
fn big(to: SocketAddr, number: usize) -> usize {
    let file = "all work and no play makes a dull day\r\n".repeat(27_000);
    let body = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{number}.txt\"\r\nContent-Type: text/plain\r\n\r\n\
         {file}\r\n--edge--\r\n"
    );
    // Not all the time: it is a hundred times the work of the others.
    sleep(Duration::from_millis(200));
    post(to, "multipart/form-data; boundary=edge", body.as_bytes(), 200)
}

fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("it listens");
    stream.set_read_timeout(Some(LONG)).expect("an option");
    stream.set_write_timeout(Some(LONG)).expect("an option");
    stream
}

const HEAD: &str = "GET /kept?page=1 HTTP/1.1\r\nHost: www.example\r\nUser-Agent: a test\r\nAccept: */*\r\n\r\n";

/// Many requests on a connection; nginx keeps it after a refusal, too.
fn kept(to: SocketAddr, _: usize) -> usize {
    let mut stream = connect(to);
    let attack = HEAD.replace("page=1", "q=<script>alert(1)</script>");
    for number in 0..50 {
        let (request, status) = if number % 10 == 9 { (&*attack, 403) } else { (HEAD, 200) };
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        while !is_whole(&answer) {
            let mut piece = [0; 4096];
            let read = stream.read(&mut piece).expect("an answer");
            assert!(read > 0, "the connection has ended: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&piece[..read]);
        }
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    }
    50
}

/// Whether an answer with a length is all there.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("Content-Length: ").nth(1).and_then(|rest| rest.split('\r').next());
    length.and_then(|length| length.parse::<usize>().ok()).is_some_and(|length| body.len() >= length)
}

/// Some bytes now, some later.
fn slow(to: SocketAddr, _: usize) -> usize {
    let mut stream = connect(to);
    let body = "name=smith&text=nice+weather";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: www.example\r\nUser-Agent: a test\r\nAccept: */*\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    for piece in request.as_bytes().chunks(23) {
        stream.write_all(piece).expect("it reads");
        sleep(Duration::from_millis(10));
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    1
}

/// Goes away in the middle of the head.
fn aborted_head(to: SocketAddr, number: usize) -> usize {
    let mut stream = connect(to);
    let _ = stream.write_all(&HEAD.as_bytes()[..number % HEAD.len()]);
    sleep(Duration::from_millis(5));
    0
}

/// Goes away in the middle of the body.
fn aborted_body(to: SocketAddr, number: usize) -> usize {
    let mut stream = connect(to);
    let head = "POST / HTTP/1.1\r\nHost: www.example\r\nUser-Agent: a test\r\nAccept: */*\r\nContent-Type: application/json\r\n";
    let _ = write!(stream, "{head}Content-Length: 100000\r\n\r\n{}", "[1,2,3,".repeat(number % 5000));
    sleep(Duration::from_millis(5));
    0
}

/// Goes away without having read the answer.
fn deaf(to: SocketAddr, _: usize) -> usize {
    let mut stream = connect(to);
    let _ = stream.write_all(HEAD.as_bytes());
    sleep(Duration::from_millis(3));
    0
}
