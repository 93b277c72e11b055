//! The origin server: what it got, and what it answers.

use super::client::{Client, PATIENCE, header};
use std::collections::{HashMap, HashSet};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What no response may show to a client.
pub const LEAK: &str = "leak-secret";
/// The answer to any request for nothing special.
pub const FINE: &str = "fine\n";
/// An HTML page that the rules read and let pass.
pub const PAGE: &str = "<!doctype html><title>fine</title><p>nothing to see</p>";
/// How much of `/large` comes before its gate opens, and how much afterwards.
pub const LARGE: [usize; 2] = [64 << 10, 4 << 20];
pub const EVENTS: [&str; 2] = ["data: first\n\n", "data: second\n\n"];

/// A scripted origin server on the loopback interface. It keeps what it received, by the tag that each request of the suite
/// carries in `X-Tag`, and answers as the path says.
pub struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    records: Mutex<Records>,
    changed: Condvar,
    ended: AtomicBool,
}

#[derive(Default)]
struct Records {
    received: HashMap<String, Vec<Received>>,
    gates: HashSet<String>,
}

/// A request as it reached the origin.
#[derive(Debug, Clone)]
pub struct Received {
    pub head: String,
    pub body: Vec<u8>,
    /// Whether the body came to its end.
    pub whole: bool,
}

impl Upstream {
    /// Starts listening on a port that the kernel chooses; ends when it is dropped.
    ///
    /// # Panics
    /// If the loopback interface has no free port.
    pub fn start() -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (records, changed, ended) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        let shared = Arc::new(Shared { records, changed, ended });
        let all = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if all.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&all);
                std::thread::spawn(move || Conversation { client: Client::of(stream), shared }.run());
            }
        });
        Upstream { address, shared }
    }

    /// The requests with this tag, whole or not.
    pub(super) fn received(&self, tag: &str) -> Vec<Received> {
        self.shared.records().received.get(tag).cloned().unwrap_or_default()
    }

    /// How many requests with this tag came to their end.
    pub(super) fn whole(&self, tag: &str) -> usize {
        self.received(tag).iter().filter(|received| received.whole).count()
    }

    /// Waits until a request with this tag has begun to arrive.
    pub(super) fn waits_for(&self, tag: &str, time: Duration) -> bool {
        let records = self.shared.records();
        let missing = |records: &mut Records| !records.received.contains_key(tag);
        !self.shared.changed.wait_timeout_while(records, time, missing).is_ok_and(|(_, waited)| waited.timed_out())
    }

    /// Forgets what it got.
    pub(super) fn forget(&self) {
        *self.shared.records() = Records::default();
    }

    /// Lets the answer to this request go on.
    pub(super) fn open(&self, tag: &str) {
        self.shared.records().gates.insert(tag.to_owned());
        self.shared.changed.notify_all();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn begin(&self, tag: &str, head: &str) -> usize {
        let mut records = self.records();
        let all = records.received.entry(tag.to_owned()).or_default();
        all.push(Received { head: head.to_owned(), body: Vec::new(), whole: false });
        let at = all.len() - 1;
        self.changed.notify_all();
        at
    }

    fn end(&self, tag: &str, at: usize, body: Vec<u8>) {
        if let Some(received) = self.records().received.get_mut(tag).and_then(|all| all.get_mut(at)) {
            (received.body, received.whole) = (body, true);
        }
        self.changed.notify_all();
    }

    fn wait_for_gate(&self, tag: &str) {
        let shut = |records: &mut Records| !records.gates.contains(tag);
        drop(self.changed.wait_timeout_while(self.records(), PATIENCE, shut));
    }
}

/// One connection from a host.
struct Conversation {
    client: Client,
    shared: Arc<Shared>,
}

impl Conversation {
    fn run(mut self) {
        // A host may keep a connection for as long as it likes.
        while let Some(head) = self.head() {
            let head = String::from_utf8_lossy(&head).into_owned();
            let tag = header(&head, "x-tag").unwrap_or("no tag").to_owned();
            let at = self.shared.begin(&tag, &head);
            let Some(body) = self.body(&head) else { return };
            self.shared.end(&tag, at, body);
            if !self.answer(&head, &tag) {
                return self.client.hang_up();
            }
        }
    }

    fn head(&mut self) -> Option<Vec<u8>> {
        let start = Instant::now();
        loop {
            match self.client.until(b"\r\n\r\n") {
                Ok(head) => return head,
                Err(_) if self.shared.ended.load(Ordering::SeqCst) || start.elapsed() > PATIENCE * 8 => return None,
                Err(_) => {}
            }
        }
    }

    /// The body; `None` if it breaks off.
    fn body(&mut self, head: &str) -> Option<Vec<u8>> {
        if header(head, "transfer-encoding").is_some() {
            let mut body = Vec::new();
            loop {
                match self.client.chunk().ok()?? {
                    chunk if chunk.is_empty() => return Some(body),
                    chunk => body.extend_from_slice(&chunk),
                }
            }
        }
        let length = header(head, "content-length").map_or(Some(0), |length| length.parse().ok())?;
        self.client.take(length).ok()?
    }

    /// Answers as the path says; false if the connection shall end.
    fn answer(&mut self, head: &str, tag: &str) -> bool {
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let path = target.split('?').next().unwrap_or_default();
        match path {
            "/page" if method == "HEAD" => {
                self.say("200 OK", &format!("Content-Type: text/html\r\nContent-Length: {}", PAGE.len()))
            }
            "/page" => self.page(PAGE),
            "/long-page" => self.page(&long_page()),
            "/leak" => self.page(&format!("<p>{LEAK}</p>")),
            "/leak-at-the-end" => self.page(&format!("{}{LEAK}", "<p>fine</p>\n".repeat(5_000))),
            "/leak-in-chunks" => {
                let (first, second) = LEAK.split_at(5);
                self.say("200 OK", "Content-Type: text/html\r\nTransfer-Encoding: chunked")
                    && [first, second, ""].into_iter().all(|chunk| self.chunk(chunk.as_bytes()))
            }
            "/leak-coded" => self.whole("Content-Type: text/html\r\nContent-Encoding: gzip", &gzip(LEAK.as_bytes())),
            "/leak-unread" => self.whole("Content-Type: application/octet-stream", LEAK.as_bytes()),
            "/leak-header" => self.whole(&format!("Content-Type: text/plain\r\nX-Leak: {LEAK}"), FINE.as_bytes()),
            "/teapot" => self.say("418 I'm a teapot", "Content-Type: text/plain\r\nContent-Length: 0"),
            "/missing" => self.say("404 Not Found", "Content-Type: text/plain\r\nContent-Length: 0"),
            "/none" => self.say("204 No Content", "X-Kept: yes"),
            "/not-modified" => self.say("304 Not Modified", "ETag: \"a\""),
            "/chunked" => {
                self.say("200 OK", "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked")
                    && ["fi", "ne\n", ""].into_iter().all(|chunk| self.chunk(chunk.as_bytes()))
            }
            "/until-close" => {
                self.say("200 OK", "Content-Type: text/plain\r\nConnection: close");
                self.client.send(FINE.as_bytes());
                false
            }
            "/large" => {
                let length = LARGE.iter().sum::<usize>();
                self.say(
                    "200 OK",
                    &format!(
                        "Content-Type: application/octet-stream\r\nX-Accel-Buffering: no\r\nContent-Length: {length}"
                    ),
                ) && self.client.sends(&vec![b'l'; LARGE[0]])
                    && {
                        self.shared.wait_for_gate(tag);
                        self.client.sends(&vec![b'l'; LARGE[1]])
                    }
            }
            "/events" | "/events-leak" => {
                let fields = "Content-Type: text/event-stream\r\nX-Accel-Buffering: no\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked";
                if !(self.say("200 OK", fields) && self.chunk(EVENTS[0].as_bytes())) {
                    return false;
                }
                self.shared.wait_for_gate(tag);
                let last = if path == "/events" { EVENTS[1].to_owned() } else { format!("data: {LEAK}\n\n") };
                self.chunk(last.as_bytes()) && self.chunk(b"")
            }
            "/websocket" => {
                let upgrade =
                    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
                self.say("101 Switching Protocols", upgrade) && self.echo()
            }
            "/hangs-up" => false,
            "/breaks-off" => {
                self.say(
                    "200 OK",
                    "Content-Type: application/octet-stream\r\nX-Accel-Buffering: no\r\nContent-Length: 100000",
                );
                self.client.send(b"the beginning");
                false
            }
            "/page-breaks-off" => {
                self.say("200 OK", "Content-Type: text/html\r\nContent-Length: 100000");
                self.client.send(b"<p>the beginning</p>");
                false
            }
            _ => self.whole("Content-Type: text/plain", FINE.as_bytes()),
        }
    }

    fn say(&mut self, status: &str, fields: &str) -> bool {
        self.client.sends(format!("HTTP/1.1 {status}\r\n{fields}\r\n\r\n").as_bytes())
    }

    fn whole(&mut self, fields: &str, body: &[u8]) -> bool {
        self.say("200 OK", &format!("{fields}\r\nContent-Length: {}", body.len())) && self.client.sends(body)
    }

    fn page(&mut self, text: &str) -> bool {
        self.whole("Content-Type: text/html; charset=utf-8", text.as_bytes())
    }

    fn chunk(&mut self, data: &[u8]) -> bool {
        let framed = [format!("{:x}\r\n", data.len()).as_bytes(), data, b"\r\n"].concat();
        self.client.sends(&framed)
    }

    /// Sends lines back until the other side has enough.
    fn echo(&mut self) -> bool {
        while let Ok(Some(line)) = self.client.until(b"\n") {
            if !self.client.sends(&[b"echo:", line.as_slice()].concat()) {
                break;
            }
        }
        false
    }
}

/// A page that is longer than `SecResponseBodyLimit`.
pub fn long_page() -> String {
    "<p>fine</p>\n".repeat(33_000)
}

/// Text as gzip without compression (RFC 1952, and RFC 1951, section 3.2.4). At most 65,535 bytes.
pub fn gzip(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    let mut coded = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    coded.extend_from_slice(&length.to_le_bytes());
    coded.extend_from_slice(&(!length).to_le_bytes());
    coded.extend_from_slice(text);
    coded.extend_from_slice(&crc32(text).to_le_bytes());
    coded.extend_from_slice(&u32::from(length).to_le_bytes());
    coded
}

fn crc32(text: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
    !text.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}
