//! An nginx in a folder of its own, and a client.

use crate::debian::Debian;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing here takes so long, however busy the machine is.
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(10);

/// A folder with a configuration.
pub struct Site {
    folder: TempDir,
    pub debian: Debian,
    pub address: SocketAddr,
    workers: usize,
}

/// nginx while it runs; it ends with this.
pub struct Running<'s> {
    site: &'s Site,
    process: Child,
}

impl Site {
    /// `http` is what stands in the block of that name, with `LISTEN` for the address and `HERE` for the folder.
    pub fn new(debian: Debian, http: &str) -> Site {
        Site::with_workers(2, debian, http)
    }

    /// The same, with so many workers.
    pub fn with_workers(workers: usize, debian: Debian, http: &str) -> Site {
        let folder = tempfile::tempdir().expect("a folder");
        // Free a moment ago: nobody else takes it in between, or nginx says so.
        let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("an address");
        let site = Site { folder, debian, address, workers };
        for name in ["lib", "logs", "html"] {
            fs::create_dir(site.path().join(name)).expect("a folder");
        }
        let library = std::env::current_exe().expect("the path of this test").with_file_name("libmodsecurity.so");
        symlink(library, site.path().join("lib/libmodsecurity.so.3")).expect("a link");
        site.write("html/index.html", "hello");
        site.configure(http);
        site
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).expect("a file");
    }

    /// Another configuration.
    pub fn configure(&self, http: &str) {
        // Workers give up the rights of root, and could not read this folder then.
        let user = if fs::metadata(self.path()).expect("a folder").uid() == 0 { "user root;" } else { "" };
        let temporary =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {name};\n"));
        let http =
            http.replace("LISTEN", &self.address.to_string()).replace("HERE", &self.path().display().to_string());
        let text = format!(
            "load_module {};\nworker_processes {};\ndaemon off;\npid logs/pid;\n{user}\nerror_log logs/error.log info;\n\
             events {{ worker_connections 256; }}\nhttp {{\n{}access_log off;\n{http}\n}}\n",
            self.debian.module.display(),
            self.workers,
            temporary.concat()
        );
        self.write("nginx.conf", &text);
    }

    fn nginx(&self) -> Command {
        let mut command = Command::new(&self.debian.nginx);
        command.arg("-p").arg(self.path()).args(["-c", "nginx.conf"]);
        command.env("LD_LIBRARY_PATH", self.path().join("lib"));
        command.env("FUSEWALL_METRICS", self.path().join("logs/metrics.prom"));
        command
    }

    /// `nginx -t`.
    pub fn check(&self) -> Output {
        self.nginx().arg("-t").output().expect("nginx")
    }

    pub fn start(&self) -> Running<'_> {
        let mut process = self.nginx().stderr(Stdio::piped()).spawn().expect("nginx");
        let start = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = process.try_wait().expect("its state") {
                let mut said = String::new();
                let _ = process.stderr.take().map(|mut stderr| stderr.read_to_string(&mut said));
                panic!("nginx has ended: {status}\n{said}\n{}", self.log());
            }
            assert!(start.elapsed() < LONG, "nginx does not listen\n{}", self.log());
            sleep(SHORT);
        }
        Running { site: self, process }
    }

    /// The status of an answer over the socket in the folder.
    pub fn ask_socket(&self, target: &str) -> u16 {
        let mut stream = UnixStream::connect(self.path().join("socket")).expect("it listens");
        let request = format!("GET {target} HTTP/1.1\r\nHost: www.example\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path().join("logs/error.log")).unwrap_or_default()
    }

    /// Has nginx load what is in this folder, instead of this library.
    pub fn load_from(&self, folder: &Path) {
        for entry in fs::read_dir(folder).expect("libraries") {
            let found = entry.expect("a library").path();
            let place = self.path().join("lib").join(found.file_name().expect("a name"));
            let _ = fs::remove_file(&place);
            symlink(&found, place).expect("a link");
        }
    }

    /// Waits until the log has a text so many times.
    pub fn wait_for(&self, text: &str, times: usize) {
        let start = Instant::now();
        while self.log().matches(text).count() < times {
            assert!(start.elapsed() < LONG, "`{text}` does not come {times} times:\n{}", self.log());
            sleep(SHORT);
        }
    }
}

impl Running<'_> {
    /// Reads the configuration again.
    pub fn reload(&self) {
        self.signal("HUP");
    }

    pub fn master(&self) -> u32 {
        self.process.id()
    }

    /// The workers that there are now.
    pub fn workers(&self) -> Vec<u32> {
        let processes = fs::read_dir("/proc").expect("processes").flatten();
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.filter(|process| parent(*process) == Some(self.master())).collect()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.process.id().to_string()).status();
        assert!(sent.expect("kill").success());
    }
}

/// The second field behind the name in brackets (proc(5)).
fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Memory of a process that is in RAM, in KB.
pub fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("its state");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.signal("TERM");
        let ended = self.process.wait().expect("it ends");
        let log = self.site.log();
        assert!(std::thread::panicking() || ended.success(), "{ended}\n{log}");
        let fell = log.lines().find(|line| line.contains("exited on signal"));
        assert!(std::thread::panicking() || fell.is_none(), "{fell:?}");
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

/// Sends a request and reads the answer to its end. An answer that breaks off before its status is an error.
pub fn ask(to: SocketAddr, method: &str, target: &str, headers: &str, body: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(LONG))?;
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: www.example\r\nUser-Agent: a test\r\nAccept: */*\r\nConnection: close\r\n{headers}{length}\r\n"
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    match (status, read) {
        (Some(status), _) => Ok(Answer { status, text }),
        (None, Err(problem)) => Err(problem),
        (None, Ok(_)) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
