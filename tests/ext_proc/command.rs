//! The command: configuration, rules that change under it, metrics, and its end.

use super::grpc::{Connection, get, status};
use super::processor::eventually;
use fusewall::host::ext_proc::messages::Response;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// The command in a process of its own.
pub struct Running {
    pub child: Child,
    pub address: SocketAddr,
    said: Arc<Mutex<Vec<String>>>,
}

impl Running {
    pub fn start(folder: &Path, config: &str) -> Running {
        let file = folder.join("ext-proc.toml");
        fs::write(&file, config).expect("a file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_fusewall"))
            .args(["ext-proc", "--listen", "127.0.0.1:0", "--config"])
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stderr.take().expect("its log"));
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                heard.lock().expect("lines").push(line);
            }
        });
        let address = || -> Option<SocketAddr> {
            let said = said.lock().expect("lines");
            said.iter().find_map(|line| line.strip_prefix("fusewall: listening for Envoy on ")?.parse().ok())
        };
        eventually(|| address().is_some(), || format!("{:?}", said.lock()));
        let address = address().expect("seen a moment ago");
        Running { child, address, said }
    }

    fn says(&self, part: &str) {
        let said = || self.said.lock().expect("lines").iter().any(|line| line.contains(part));
        eventually(said, || format!("{part:?} in {:#?}", self.said.lock()));
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill").success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn verdict(address: SocketAddr, path: &str) -> i32 {
    let mut stream = Connection::open(address).await.process().await;
    stream.send(get(path));
    match stream.response().await {
        Response::ImmediateResponse(refusal) => status(&refusal),
        _ => 0,
    }
}

fn rules(folder: &TempDir, word: &str) {
    let text = format!("SecRuleEngine On\nSecRule ARGS \"@contains {word}\" \"id:1,phase:1,deny,status:403\"\n");
    fs::write(folder.path().join("rules.conf"), text).expect("a file");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_change_under_it_and_what_does_not_load_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    rules(&folder, "first");
    let here = folder.path().display().to_string();
    let config = format!("rules = ['{here}/rules.conf']\n[admin]\nsocket = '{here}/admin.sock'\n");
    let mut running = Running::start(folder.path(), &config);
    assert_eq!([verdict(running.address, "/?a=first").await, verdict(running.address, "/?a=second").await], [403, 0]);
    rules(&folder, "second");
    running.signal("HUP");
    running.says("rules loaded anew");
    assert_eq!([verdict(running.address, "/?a=first").await, verdict(running.address, "/?a=second").await], [0, 403]);
    fs::write(folder.path().join("rules.conf"), "SecRule ARGS @nothing\n").expect("a file");
    running.signal("HUP");
    running.says("the rules do not load; those in service stay there");
    assert_eq!(verdict(running.address, "/?a=second").await, 403);

    let metrics = || {
        let mut admin = UnixStream::connect(folder.path().join("admin.sock")).expect("it listens");
        admin.write_all(b"GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n").expect("it reads");
        let mut metrics = String::new();
        admin.read_to_string(&mut metrics).expect("an answer");
        metrics
    };
    for line in [
        "fusewall_ext_proc_streams_total{outcome=\"refused\"} 3\n",
        "fusewall_ext_proc_notes_total{kind=\"no_source_address\"} 5\n",
        "fusewall_requests_total{action=\"deny\"} 3\n",
    ] {
        eventually(|| metrics().contains(line), || format!("{line}{}", metrics()));
    }
    running.signal("TERM");
    assert!(running.child.wait().expect("it ends").success());
}

#[test]
fn a_wrong_configuration_starts_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wrong.toml");
    fs::write(&file, "[upstream]\nurl = 'http://127.0.0.1'\n").expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_fusewall")).args(["ext-proc", "--config"]).arg(&file).output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("wrong.toml:1: unknown key `upstream`"), "{said}");
}
