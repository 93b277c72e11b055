//! The command `fusewall serve` as its operator meets it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};

/// Rules that load at once.
const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/host.conf");

/// A proxy that runs as a process.
pub struct Serving {
    pub child: Child,
    pub errors: BufReader<ChildStderr>,
    pub address: SocketAddr,
}

fn serve(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fusewall"));
    command.arg("serve").args(arguments).stderr(Stdio::piped());
    command
}

impl Serving {
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// The same with more variables in its environment.
    pub fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = serve(&["--listen", "127.0.0.1:0"]);
        let mut child = command.args(arguments).envs(environment.iter().copied()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let line = line_with(&mut errors, "listening on");
        let address = line.split("http://").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        Serving { child, errors, address }
    }

    pub fn status(&self, target: &str) -> String {
        self.answer(&format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
    }

    /// The status of the answer to a request that asks to close the connection.
    pub fn answer(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }

    pub fn signal(&self, signal: &str) {
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

pub fn line_with(reader: &mut impl BufRead, part: &str) -> String {
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

#[test]
fn the_last_lines_of_the_log_are_written_before_the_process_ends() {
    let mut site = Serving::start(&["--rules", RULES]);
    for _ in 0..200 {
        assert_eq!(site.status("/?q=<script>"), "403");
    }
    site.signal("-INT");
    let mut log = String::new();
    site.errors.read_to_string(&mut log).unwrap();
    let ids: std::collections::HashSet<_> = log
        .lines()
        .filter(|line| line.contains("Access denied"))
        .filter_map(|line| line.split("[unique_id ").nth(1))
        .collect();
    assert_eq!(ids.len(), 200);
    assert!(site.child.wait().unwrap().success());
}

#[test]
fn a_hangup_loads_the_rules_anew_and_keeps_the_old_ones_if_they_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.conf");
    let rule =
        |word: &str| format!("SecRuleEngine On\nSecRule REQUEST_URI \"@contains {word}\" \"id:1,phase:1,deny\"\n");
    std::fs::write(&file, rule("first")).unwrap();
    let mut site = Serving::start(&["--rules", file.to_str().unwrap()]);
    assert_eq!((site.status("/first"), site.status("/second")), ("403".into(), "200".into()));
    std::fs::write(&file, rule("second")).unwrap();
    site.signal("-HUP");
    line_with(&mut site.errors, "rules loaded anew");
    assert_eq!((site.status("/first"), site.status("/second")), ("200".into(), "403".into()));
    std::fs::write(&file, "SecRule nonsense").unwrap();
    site.signal("-HUP");
    line_with(&mut site.errors, "those in service stay there");
    assert_eq!(site.status("/second"), "403");
}

#[test]
fn with_a_history_it_starts_whatever_the_rules_are() {
    let folder = tempfile::tempdir().unwrap();
    let (file, config) = (folder.path().join("rules.conf"), folder.path().join("serve.toml"));
    let text = format!("rules = ['{}']\nhistory = '{}'\n", file.display(), folder.path().join("history").display());
    std::fs::write(&config, text).unwrap();
    std::fs::write(&file, "SecRuleEngine On\nSecRule ARGS \"@contains evil\" \"id:1,phase:1,deny\"\n").unwrap();
    let start = || Serving::start(&["--config", config.to_str().unwrap()]);
    let mut site = start();
    assert_eq!(site.status("/?q=evil"), "403");
    site.signal("-INT");
    assert!(site.child.wait().unwrap().success());
    assert!(!folder.path().join("history/starts").exists(), "an end in order is no crash");
    for poison in ["SecRule nonsense", "", "SecRuleEngine On\nInclude absent.conf\n"] {
        std::fs::write(&file, poison).unwrap();
        let mut command = serve(&["--listen", "127.0.0.1:0", "--config", config.to_str().unwrap()]);
        let mut child = command.spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        // The log has a thread of its own: either line may come first.
        let mut told = String::new();
        while !(told.contains("degraded:") && told.contains("listening on")) {
            told += &line_with(&mut errors, "");
        }
        assert!(told.contains("do not load") && told.contains("Restored"), "{told}");
        let address = told.split("http://").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        let mut site = Serving { child, errors, address };
        assert_eq!(site.status("/?q=evil"), "403", "{poison}");
        site.signal("-INT");
        assert!(site.child.wait().unwrap().success());
    }
    let rules = folder.path().join("none.conf");
    std::fs::write(&rules, "").unwrap();
    let output = serve(&["--rules", rules.to_str().unwrap()]).output().unwrap();
    assert!(!output.status.success(), "without one it does not");
}

#[test]
fn what_keeps_it_from_starting_is_said() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    for (arguments, parts) in [
        (&["--listen", "8080"][..], &["127.0.0.1:8080"][..]),
        (&["--rules", RULES, "--listen", "192.0.2.1:80"], &["cannot listen on 192.0.2.1:80"]),
        (&["--rules", RULES, "--upstream", "localhost:3000"], &["localhost:3000", "http://"]),
        (&["--rules", RULES, "--upstream", "http://a:99999"], &["http://a:99999", "port"]),
        (&["--rules", "/no/such/file.conf"], &["/no/such/file.conf"]),
        (&["--config", "/no/such/file.toml"], &["/no/such/file.toml"]),
        (&["--rules", RULES, "--listen", taken.as_str()], &["cannot listen on", taken.as_str()]),
    ] {
        let output = serve(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}: {errors}");
        assert!(parts.iter().all(|part| errors.contains(part)), "{arguments:?}: {errors}");
    }
}
