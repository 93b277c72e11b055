//! Debian's haproxy in a folder of its own, the server behind it, and a client.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

use super::agent::PATIENCE;

/// Where a haproxy is, and where its libraries are.
pub struct Debian {
    program: PathBuf,
    libraries: PathBuf,
}

/// The one of `FUSEWALL_HAPROXY_DIR` (the packages, unpacked), of the system, or the one that `fetch` gets. Without any the tests are left
/// out, unless `FUSEWALL_HAPROXY` is `required`.
pub fn find() -> Option<Debian> {
    let given = std::env::var_os("FUSEWALL_HAPROXY_DIR").map(PathBuf::from);
    let found = given.as_deref().into_iter().chain([Path::new("/")]).find_map(inside).or_else(|| inside(&fetched()?));
    if found.is_none() {
        let required = std::env::var_os("FUSEWALL_HAPROXY").is_some_and(|wish| wish == "required");
        assert!(!required, "Debian's haproxy is not here and cannot be fetched");
        eprintln!("left out: Debian's haproxy is not here and cannot be fetched");
    }
    found
}

fn inside(root: &Path) -> Option<Debian> {
    let libraries = root.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
    let found = Debian { program: root.join("usr/sbin/haproxy"), libraries };
    let runs = || found.command().arg("-v").output().is_ok_and(|output| output.status.success());
    (found.program.exists() && runs()).then_some(found)
}

/// Downloads and unpacks the packages, once, beside what was built.
fn fetched() -> Option<PathBuf> {
    /// Tests that run at the same time fetch it once.
    static FETCHING: Mutex<()> = Mutex::new(());
    let _one = FETCHING.lock();
    let own = std::env::current_exe().ok()?;
    let target = own.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists())?;
    let folder = target.join("haproxy");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spoa/fetch");
    Command::new(script).arg(&folder).status().is_ok_and(|status| status.success()).then_some(folder)
}

impl Debian {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("LD_LIBRARY_PATH", &self.libraries);
        command
    }
}

/// A haproxy that runs; it ends with this.
pub struct Site {
    pub address: SocketAddr,
    process: Child,
    said: Arc<Mutex<String>>,
    _folder: TempDir,
}

/// The two files of `docs/haproxy.md`: what people copy is what is tested.
pub fn documented() -> (String, String) {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/haproxy.md");
    let page = fs::read_to_string(page).expect("the page");
    let mut blocks =
        page.split("```haproxy\n").skip(1).map(|block| block.split("```").next().expect("its end").to_owned());
    (blocks.next().expect("the agent's part"), blocks.next().expect("haproxy.cfg"))
}

impl Site {
    /// With the files of the page, changed a little; `None` without a haproxy.
    pub fn documented(agent: SocketAddr, upstream: SocketAddr, buffer: usize) -> Option<Site> {
        let (spoe, haproxy) = documented();
        Site::start(&spoe, &haproxy, agent, upstream, buffer)
    }

    /// With these files: the agent's address in the second is `127.0.0.1:9000`, haproxy's own `:80`.
    pub fn start(spoe: &str, haproxy: &str, agent: SocketAddr, upstream: SocketAddr, buffer: usize) -> Option<Site> {
        let debian = find()?;
        // The port was free a moment ago. Should somebody else have taken it meanwhile: another one.
        (0..5)
            .find_map(|_| Site::try_start(&debian, spoe, haproxy, agent, upstream, buffer))
            .or_else(|| panic!("no port"))
    }

    fn try_start(
        debian: &Debian,
        spoe: &str,
        haproxy: &str,
        agent: SocketAddr,
        upstream: SocketAddr,
        buffer: usize,
    ) -> Option<Site> {
        let folder = tempfile::tempdir().expect("a folder");
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("an address");
        let spoe_file = folder.path().join("fusewall.conf");
        // A machine under load must not look like an agent that is away.
        fs::write(&spoe_file, spoe.replace("timeout     processing 500ms", "timeout processing 30s")).expect("a file");
        let haproxy = haproxy
            .replace("bind :80", &format!("bind {address}"))
            .replace("/etc/haproxy/fusewall.conf", &spoe_file.display().to_string())
            .replace("127.0.0.1:9000 check", &format!("{agent} check inter 50ms fastinter 50ms rise 1 fall 1"));
        let text = format!(
            "global\n    maxconn 200\n    nbthread 2\n    tune.bufsize {buffer}\n    log stderr format raw local0 notice\n\
             defaults\n    log global\n    timeout client 60s\n    timeout server 60s\n    timeout connect 10s\n    timeout tunnel 60s\n\n\
             {haproxy}\nbackend site\n    mode http\n    server origin {upstream}\n"
        );
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, text).expect("a file");
        let mut process =
            debian.command().arg("-db").arg("-f").arg(&file).stderr(Stdio::piped()).spawn().expect("haproxy");
        let said = Arc::new(Mutex::new(String::new()));
        let (stderr, lines) = (process.stderr.take().expect("its messages"), said.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let mut site = Site { address, process, said, _folder: folder };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = site.process.try_wait().expect("its state") {
                sleep(Duration::from_millis(50));
                let said = site.said();
                assert!(said.contains("cannot bind"), "haproxy has ended: {status}\n{said}");
                return None;
            }
            assert!(start.elapsed() < PATIENCE, "haproxy does not listen\n{}", site.said());
            sleep(Duration::from_millis(5));
        }
        Some(site)
    }

    /// Its log.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub fn wait_for(&self, text: &str) {
        let start = Instant::now();
        while !self.said().contains(text) {
            assert!(start.elapsed() < PATIENCE, "`{text}` does not come:\n{}", self.said());
            sleep(Duration::from_millis(5));
        }
    }

    pub fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, "", b"")
    }

    /// The form that the body is.
    pub fn post(&self, kind: &str, body: &[u8]) -> Answer {
        self.ask("POST", "/", &format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()), body)
    }

    /// Sends a request and reads the answer to its end.
    pub fn ask(&self, method: &str, target: &str, headers: &str, body: &[u8]) -> Answer {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: www.example\r\nConnection: close\r\n{headers}\r\n");
        let mut stream = self.connect();
        // Who is refused early may find the connection closed while it writes.
        let _ = stream.write_all(&[head.as_bytes(), body].concat());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, text }
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("haproxy listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An answer; its status is 0 if the connection was closed without one.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

/// The server behind it: a thread for each connection, one request each.
pub struct Upstream {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    pub fn start() -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").expect("an address");
        let address = listener.local_addr().expect("its address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let requests = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let requests = requests.clone();
                std::thread::spawn(move || answer(stream, &requests));
            }
        });
        Upstream { address, seen }
    }
}

fn answer(stream: TcpStream, requests: &Mutex<Vec<String>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (mut head, mut line) = (String::new(), String::new());
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
        head.push_str(&line);
    }
    let first = head.lines().next()?.to_owned();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    requests.lock().unwrap().push(first.clone());
    let mut stream = stream.into_inner();
    let target = first.split(' ').nth(1)?;
    let (headers, text) = match target {
        "/hidden" => ("X-Secret: 1\r\n", "nothing".to_owned()),
        "/secret" => ("", "the secret".to_owned()),
        "/events" => {
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n";
            stream.write_all(head).ok()?;
            // Ends when the client has gone: nobody waits for it.
            let _ = stream.read(&mut [0]);
            return None;
        }
        "/socket" => {
            // Of the key that RFC 6455 has for an example; HAProxy lets none pass without.
            let head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
            stream.write_all(head).ok()?;
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).ok()?;
            bytes.reverse();
            stream.write_all(&bytes).ok()?;
            return None;
        }
        _ => ("", format!("{} bytes", body.len())),
    };
    let length = text.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all((head + &text).as_bytes()).ok()
}
