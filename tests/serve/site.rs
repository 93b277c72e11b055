//! A site under test: the proxy, a scripted upstream behind it, and a client that sends raw bytes.

use fusewall::Waf;
use fusewall::governor::Exposition;
use fusewall::host::audit::AuditLog;
use fusewall::host::serve::{Config, ErrorLog, ServeMetrics, Server};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Nothing in these tests takes longer than this unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Site {
    pub address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    pub audit: Option<AuditLog>,
    metrics: ServeMetrics,
    down: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Site {
    /// A proxy in front of `upstream`; `change` sets what the test is about.
    pub async fn start(upstream: Option<&Upstream>, change: impl FnOnce(&mut Config)) -> Site {
        Site::start_with(waf(), upstream, change).await
    }

    /// The same with other rules.
    pub async fn start_with(waf: Waf, upstream: Option<&Upstream>, change: impl FnOnce(&mut Config)) -> Site {
        let mut config = Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Config::default() };
        config.upstream.url = upstream.map(|upstream| format!("http://{}", upstream.address));
        change(&mut config);
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let error_log = ErrorLog::to(move |line| lines.lock().unwrap().push(line.to_owned()));
        let server = Server::bind(config, waf, error_log).await.unwrap();
        let address = server.addresses()[0];
        let (audit, metrics) = (server.audit_log(), server.metrics());
        let (down, wait) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            let _ = wait.await;
        }));
        Site { address, log, audit, metrics, down: Some(down), running }
    }

    /// Waits for a log line that has all of `parts`.
    pub async fn logged(&self, parts: &[&str]) -> String {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let found =
                self.log.lock().unwrap().iter().find(|line| parts.iter().all(|part| line.contains(part))).cloned();
            match found {
                Some(line) => return line,
                None if tokio::time::Instant::now() > deadline => {
                    panic!("no line with {parts:?} in {:#?}", self.log.lock().unwrap())
                }
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// What the proxy itself counts, as `/metrics` shows it.
    pub fn metrics(&self) -> String {
        let mut text = Exposition::default();
        self.metrics.expose(&mut text);
        text.finish()
    }

    /// Waits for a line of the metrics.
    pub async fn counts(&self, line: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !self.metrics().lines().any(|have| have == line) {
            assert!(tokio::time::Instant::now() < deadline, "no {line:?} in {}", self.metrics());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn connect(&self) -> Client {
        Client::new(TcpStream::connect(self.address).await.unwrap())
    }

    /// One request on a connection of its own.
    pub async fn send(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut client = self.connect().await;
        client.write(request).await;
        client.reply().await
    }

    /// Asks the proxy to end.
    pub fn shut_down(&mut self) {
        let _ = self.down.take().unwrap().send(());
    }

    /// Waits until the proxy has ended.
    pub async fn ended(self) {
        tokio::time::timeout(PATIENCE, self.running).await.unwrap().unwrap();
    }
}

/// An HTTP/1 response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

/// A connection that sends exactly what it is told to.
pub struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Client { stream, read: Vec::new() }
    }

    /// Both halves, for a client that reads while it writes.
    pub fn into_split(self) -> (tokio::net::tcp::OwnedReadHalf, tokio::net::tcp::OwnedWriteHalf) {
        self.stream.into_split()
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Writes as long as the other side reads.
    pub async fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    async fn more(&mut self) -> usize {
        let mut chunk = vec![0; 65536];
        let count = tokio::time::timeout(PATIENCE, self.stream.read(&mut chunk)).await.expect("an answer in time");
        let count = count.unwrap_or(0);
        self.read.extend_from_slice(&chunk[..count]);
        count
    }

    /// Bytes up to and with `end`.
    pub async fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, end) {
                return self.read.drain(..at + end.len()).collect();
            }
            if self.more().await == 0 {
                panic!(
                    "closed before {:?}; had {:?}",
                    String::from_utf8_lossy(end),
                    String::from_utf8_lossy(&self.read)
                );
            }
        }
    }

    pub async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.more().await > 0, "closed early");
        }
        self.read.drain(..count).collect()
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> Vec<u8> {
        while self.more().await > 0 {}
        std::mem::take(&mut self.read)
    }

    pub async fn reply_head(&mut self) -> (u16, String) {
        let head = String::from_utf8(self.until(b"\r\n\r\n").await).unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head)
    }

    pub async fn reply(&mut self) -> Reply {
        self.reply_to("GET").await
    }

    pub async fn reply_to(&mut self, method: &str) -> Reply {
        let (status, head) = self.reply_head().await;
        let mut body = Vec::new();
        if method == "HEAD" || status == 204 || status == 304 || status == 101 {
        } else if header(&head, "transfer-encoding").is_some() {
            loop {
                let size = String::from_utf8(self.until(b"\r\n").await).unwrap();
                let size = usize::from_str_radix(size.trim(), 16).unwrap();
                body.extend(self.take(size).await);
                self.until(b"\r\n").await;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = header(&head, "content-length") {
            body = self.take(length.parse().unwrap()).await;
        } else {
            body = self.rest().await;
        }
        Reply { status, head, body }
    }

    /// Whether the other side closes without another byte.
    pub async fn closes(&mut self) -> bool {
        self.rest().await.is_empty()
    }
}

/// A web server that does what the path says and keeps what it received.
pub struct Upstream {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

/// A request as it reached the upstream.
#[derive(Debug, Clone)]
pub struct Received {
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

pub const EVENTS: usize = 5;
pub const BIG: usize = 64 << 20;

impl Upstream {
    pub async fn start() -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&received);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(Client::new(stream), Arc::clone(&all)));
            }
        });
        Upstream { address, received }
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn last(&self) -> Received {
        self.received().pop().expect("a request reached the upstream")
    }
}

async fn serve(mut client: Client, received: Arc<Mutex<Vec<Received>>>) {
    loop {
        while memchr::memmem::find(&client.read, b"\r\n\r\n").is_none() {
            if client.more().await == 0 {
                return;
            }
        }
        let head = String::from_utf8(client.until(b"\r\n\r\n").await).unwrap();
        let mut body = Vec::new();
        if head.starts_with("POST /early ") {
            let _ = client.try_write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno").await;
            tokio::time::sleep(PATIENCE).await;
        }
        if let Some(length) = header(&head, "content-length") {
            body = client.take(length.parse().unwrap()).await;
        } else if header(&head, "transfer-encoding").is_some() {
            loop {
                let size = String::from_utf8(client.until(b"\r\n").await).unwrap();
                let size = usize::from_str_radix(size.trim(), 16).unwrap();
                body.extend(client.take(size).await);
                client.until(b"\r\n").await;
                if size == 0 {
                    break;
                }
            }
        }
        received.lock().unwrap().push(Received { head: head.clone(), body });
        if respond(&mut client, &head).await.is_err() {
            return;
        }
    }
}

async fn respond(client: &mut Client, head: &str) -> std::io::Result<()> {
    let target = head.split(' ').nth(1).unwrap();
    match target.split('?').next().unwrap() {
        "/events" => {
            client
                .try_write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                .await?;
            for number in 0..EVENTS {
                // The gap is what a buffering proxy would close.
                tokio::time::sleep(Duration::from_millis(100)).await;
                let event = match target.ends_with("leak") && number == EVENTS - 1 {
                    true => "data: leak-secret\n\n".to_owned(),
                    false => format!("data: {number}\n\n"),
                };
                client.try_write(format!("{:x}\r\n{event}\r\n", event.len())).await?;
            }
            client.try_write("0\r\n\r\n").await
        }
        "/big" => {
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {BIG}\r\n\r\n");
            client.try_write(head).await?;
            let block = vec![b'x'; 1 << 20];
            for _ in 0..BIG >> 20 {
                client.try_write(&block).await?;
            }
            Ok(())
        }
        "/ws" => {
            client
                .try_write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Accept: yes\r\n\r\n")
                .await?;
            loop {
                let bytes = client.take(1).await;
                let more = std::mem::take(&mut client.read);
                client.try_write([b"echo:".as_slice(), &bytes, &more].concat()).await?;
            }
        }
        "/leak" => html(client, "all of it: leak-secret").await,
        "/long-page" => html(client, &"<p>fine</p>".repeat(100_000)).await,
        "/none" => client.try_write("HTTP/1.1 204 No Content\r\n\r\n").await,
        "/none-with-length" => client.try_write("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n").await,
        "/chunked" => {
            let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n\
                          3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
            client.try_write(answer).await
        }
        "/broken" => {
            client
                .try_write(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 100\r\n\r\nabc",
                )
                .await?;
            Err(std::io::ErrorKind::ConnectionAborted.into())
        }
        "/silent" => {
            tokio::time::sleep(PATIENCE).await;
            Ok(())
        }
        _ if head.starts_with("HEAD ") => client.try_write("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n").await,
        _ => client.try_write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok").await,
    }
}

async fn html(client: &mut Client, page: &str) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n", page.len());
    client.try_write(format!("{head}{page}")).await
}

/// The rules of these tests.
pub fn waf() -> Waf {
    Waf::builder()
        .rules_text("host.conf", include_str!("../data/host.conf"))
        .build()
        .unwrap_or_else(|report| panic!("{}", report.render(false)))
}
