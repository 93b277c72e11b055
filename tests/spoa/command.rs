//! The command `fusewall spoa` as its operator meets it.

use super::peer::{Peer, Typed, get};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

/// An agent that runs as a process.
struct Serving {
    child: Child,
    errors: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fusewall"));
        command.args(["spoa", "--listen", "127.0.0.1:0"]).args(arguments).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let line = line_with(&mut errors, "listening for HAProxy on ");
        let address = line.trim().rsplit(' ').next().unwrap().parse().unwrap();
        Serving { child, errors, address }
    }

    fn refuses(&self, query: &str) -> bool {
        Peer::connect(self.address).ask(&get(query))["fail"] == Typed::Number(1)
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line_with(reader: &mut impl BufRead, part: &str) -> String {
    let mut all = String::new();
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "no {part:?} in {all}");
        if line.contains(part) {
            return line;
        }
        all += &line;
    }
}

fn rule(word: &str) -> String {
    format!("SecRuleEngine On\nSecRule ARGS \"@contains {word}\" \"id:1,phase:1,deny\"\n")
}

fn scrape(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn rules_are_loaded_anew_and_stay_if_they_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.conf");
    fs::write(&file, rule("first")).unwrap();
    let mut agent = Serving::start(&["--rules", file.to_str().unwrap()]);
    assert_eq!((agent.refuses("q=first"), agent.refuses("q=second")), (true, false));
    fs::write(&file, rule("second")).unwrap();
    agent.signal("-HUP");
    line_with(&mut agent.errors, "rules loaded anew");
    assert_eq!((agent.refuses("q=first"), agent.refuses("q=second")), (false, true));
    fs::write(&file, "SecRule nonsense").unwrap();
    agent.signal("-HUP");
    line_with(&mut agent.errors, "those in service stay there");
    assert!(agent.refuses("q=second"));
}

#[test]
fn each_application_follows_its_files_and_monitoring_sees_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.conf"), rule("first")).unwrap();
    fs::write(path("b.conf"), rule("other")).unwrap();
    let config = format!(
        "watch = true\ndefault_application = 'b'\n[metrics]\nlisten = '127.0.0.1:0'\n\
         [[applications]]\nname = 'sample_app'\nrules = ['{}']\n[[applications]]\nname = 'b'\nrules = ['{}']\n",
        path("a.conf").display(),
        path("b.conf").display()
    );
    fs::write(path("spoa.toml"), config).unwrap();
    let mut agent = Serving::start(&["--config", path("spoa.toml").to_str().unwrap()]);
    let line = line_with(&mut agent.errors, "metrics on http://");
    let metrics = line.trim().trim_end_matches("/metrics").rsplit('/').next().unwrap().to_owned();
    assert!(agent.refuses("q=first") && !agent.refuses("q=other"));
    fs::write(path("a.conf"), rule("second")).unwrap();
    let followed = line_with(&mut agent.errors, "the rule files have changed");
    assert!(followed.contains("application sample_app: ") && followed.contains("generation 2"), "{followed}");
    assert!(agent.refuses("q=second"));
    let page = scrape(&metrics, "/metrics");
    assert!(page.contains("fusewall_requests_total{application=\"sample_app\",action=\"deny\"} 2\n"), "{page}");
    assert!(
        page.contains("fusewall_ruleset_info{application=\"sample_app\",digest=\"")
            && page.contains("generation=\"2\"")
    );
    assert!(scrape(&metrics, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(scrape(&metrics, "/elsewhere").starts_with("HTTP/1.1 404"));
    // Every family has one help and one type line, and every line two words.
    let body = page.split("\r\n\r\n").nth(1).unwrap();
    assert!(body.lines().all(|line| line.starts_with('#') || line.rsplit_once(' ').is_some()), "{body}");
    assert_eq!(body.matches("# TYPE fusewall_requests_total counter").count(), 1);
}

#[test]
fn a_wrong_configuration_is_named_and_nothing_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spoa.toml");
    fs::write(&file, "listen = ['127.0.0.1:0']\n[limits]\nconections = 1\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fusewall"));
    let output = command.args(["spoa", "--config", file.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("spoa.toml:3: unknown key `limits.conections`; did you mean `limits.connections`?"),
        "{said}"
    );
}

#[test]
fn a_signal_ends_it_when_everything_is_answered_and_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.conf");
    fs::write(&file, rule("evil")).unwrap();
    let mut agent = Serving::start(&["--rules", file.to_str().unwrap()]);
    let mut peer = Peer::connect(agent.address);
    assert_eq!(peer.ask(&get("q=evil"))["fail"], Typed::Number(1));
    agent.signal("-TERM");
    assert_eq!(peer.disconnected(), 0);
    let mut log = String::new();
    agent.errors.read_to_string(&mut log).unwrap();
    assert!(log.contains("[unique_id \"an-id\"]"), "{log}");
    let mut waited = Duration::ZERO;
    while agent.child.try_wait().unwrap().is_none() && waited < super::agent::PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
        waited += Duration::from_millis(5);
    }
    assert!(agent.child.wait().unwrap().success());
}
