//! The running process as those meet it who look after it: rotation, metrics.

use crate::command::Serving;
use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const RULES: &str = "SecRuleEngine On\nSecAuditEngine On\nSecAuditLog DIR/audit.log\n\
    SecRule ARGS \"@contains <script\" \"id:1,phase:1,deny,status:403,msg:'script'\"\n";

struct Operated {
    serving: Serving,
    folder: TempDir,
}

impl Operated {
    /// A process with an audit log and an admin socket; `more` is added to its configuration.
    fn start(more: &str) -> Operated {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("rules.conf"), RULES.replace("DIR", &path(""))).unwrap();
        let config =
            format!("rules = ['{}']\n{more}\n[admin]\nsocket = '{}'\n", path("rules.conf"), path("admin.sock"));
        std::fs::write(path("serve.toml"), config).unwrap();
        Operated { serving: Serving::start(&["--config", &path("serve.toml")]), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn metrics(&self) -> String {
        let mut stream = UnixStream::connect(self.path("admin.sock")).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Waits for a line of the metrics.
    fn counts(&self, line: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.metrics().lines().any(|have| have == line) {
            assert!(Instant::now() < deadline, "no {line:?} in {}", self.metrics());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the process in order.
    fn end(mut self) -> TempDir {
        self.serving.signal("-TERM");
        let mut log = String::new();
        self.serving.errors.read_to_string(&mut log).unwrap();
        assert!(self.serving.child.wait().unwrap().success(), "{log}");
        self.folder
    }
}

/// Sends requests on one connection; answers how many were answered.
fn send(address: SocketAddr, requests: usize) -> usize {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut answered = 0;
    for number in 0..requests {
        let last = if number + 1 == requests { "Connection: close\r\n" } else { "" };
        write!(stream, "HEAD /?n={number} HTTP/1.1\r\nHost: a\r\n{last}\r\n").unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
            head.push(byte[0]);
        }
        answered += usize::from(head.starts_with(b"HTTP/1.1 200"));
    }
    answered
}

fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "half a line ends {}", path.display());
    text.lines().map(|line| serde_json::from_str(line).expect("one whole record a line")).collect()
}

#[test]
fn no_record_is_lost_when_the_log_is_rotated_under_load() {
    const CLIENTS: usize = 3;
    const REQUESTS: usize = 300;
    let operated = Operated::start("[audit]\nformat = 'ocsf'\nrecords_per_second = 1000000\nqueue_records = 100000");
    let address = operated.serving.address;
    let clients: Vec<_> = (0..CLIENTS).map(|_| std::thread::spawn(move || send(address, REQUESTS))).collect();
    let mut rotated = Vec::new();
    while !clients.iter().all(|client| client.is_finished()) && rotated.len() < 50 {
        let to = operated.path(&format!("audit.log.{}", rotated.len()));
        std::fs::rename(operated.path("audit.log"), &to).unwrap();
        rotated.push(to);
        operated.serving.signal("-USR1");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !operated.path("audit.log").exists() {
            assert!(Instant::now() < deadline, "the log is not opened anew");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let answered: usize = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert_eq!(answered, CLIENTS * REQUESTS, "rotation costs no request");
    operated.counts(&format!("fusewall_audit_records_total{{outcome=\"written\"}} {answered}"));
    let metrics = operated.metrics();
    for line in ["{outcome=\"over_rate\"} 0", "{outcome=\"over_queue\"} 0", "{outcome=\"failed\"} 0"] {
        assert!(metrics.contains(&format!("fusewall_audit_records_total{line}\n")), "{line} in {metrics}");
    }
    let folder = operated.end();
    rotated.push(folder.path().join("audit.log"));
    let records: Vec<_> = rotated.iter().flat_map(|path| lines(path)).collect();
    assert!(records.iter().all(|record| record["class_uid"] == 4002), "`audit.format` decides");
    let ids: HashSet<_> = records.iter().map(|record| record["metadata"]["uid"].as_str().unwrap()).collect();
    assert_eq!((records.len(), ids.len()), (answered, answered));
    assert!(rotated.len() > 3, "{} files: it was rotated while requests came", rotated.len());
}

#[test]
fn what_is_dropped_is_counted() {
    let operated = Operated::start("[audit]\nqueue_bytes = 1");
    assert_eq!(send(operated.serving.address, 3), 3);
    operated.counts("fusewall_audit_records_total{outcome=\"over_queue\"} 3");
    operated.counts("fusewall_log_lines_lost_total 0");
}

/// Names and labels of all series.
fn series(metrics: &str) -> BTreeSet<String> {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

#[test]
fn no_client_can_make_a_series() {
    let operated = Operated::start("");
    let before = series(&operated.metrics());
    for number in 0..60 {
        let evil = format!("M{number}");
        let mut head = format!("{evil} /{evil}?{evil}={evil} HTTP/1.1\r\nHost: {evil}.example\r\n");
        for name in ["User-Agent", "X-Forwarded-For", "X-Request-Id", "traceparent", &evil] {
            let _ = write!(head, "{name}: {evil}\" 1\r\n");
        }
        operated.serving.answer(&format!("{head}Connection: close\r\n\r\n"));
        operated.serving.answer(&format!("GET /?q=<script{evil} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    }
    operated.counts("fusewall_requests_total{action=\"deny\"} 60");
    operated.counts("fusewall_eval_duration_seconds_count 120");
    let metrics = operated.metrics();
    assert_eq!(series(&metrics), before);
    assert!(series(&metrics).len() < 150, "few enough for any monitoring");
    assert!(!metrics.contains("M1"), "{metrics}");
}

#[test]
fn budgets_that_are_spent_are_counted_by_what_was_decided() {
    let operated = Operated::start("[budget]\nbase = 1\nper_byte = 1\ncap = 1");
    assert_eq!(operated.serving.status("/?a=1"), "503");
    operated.counts("fusewall_budget_exceeded_total{scope=\"request\",policy=\"block\"} 1");
    operated.counts("fusewall_requests_total{action=\"exhausted\"} 1");
}

#[test]
#[cfg(feature = "otlp")]
fn every_series_that_the_pages_name_is_there() {
    let operated =
        Operated::start("[governor]\nshare = 0.9\nquarantine = true\n[otlp]\nendpoint = 'http://127.0.0.1:9'");
    let metrics = operated.metrics();
    for page in ["docs/operate.md", "docs/audit-log.md", "README.md"] {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let names: BTreeSet<_> = names.filter(|name| name.starts_with("fusewall_") && name.len() > 9).collect();
        for name in names {
            let found = metrics
                .lines()
                .any(|line| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} ")));
            assert!(found, "{page} names {name}, which is not in {metrics}");
        }
    }
    for alert in ["fusewall_requests_total{action=\"internal_error\"}", "fusewall_strongest_mode{mode=\"on\"}"] {
        assert!(metrics.contains(alert), "{alert} is what an alert asks for");
    }
}
