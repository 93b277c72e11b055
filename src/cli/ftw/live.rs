//! Against a server that runs: stages go over TCP, and the server's own log says which rules have matched.
//!
//! As with go-ftw, requests with the header `X-CRS-Test` stand between the stages, and a rule has the server log what that header
//! says ([`MARKING_RULE`]). What the log has between two marks belongs to the stage between them: stages go one after the other, and
//! a server with one worker writes its lines in that order.

mod answer;
mod log;
pub mod origin;

use super::backend::Response;
use super::exchange::{Outcome, Record};
use anyhow::{Context, Result, ensure};
use log::Log;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What a server needs among its rules, so that marks reach its log.
pub const MARKING_RULE: &str = r#"SecRule REQUEST_HEADERS:X-CRS-Test "@rx ^.*$" "id:999999,phase:1,pass,t:none,log,msg:'X-CRS-Test %{MATCHED_VAR}',ctl:ruleRemoveById=1-999999""#;

/// A server may be silent for so long before its answer counts as complete.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a server answers whose parser refuses a request, whatever its rules say.
const PARSER: [u16; 5] = [400, 414, 431, 494, 505];
/// Why a request without matches got one of these.
const REFUSED: &str = "the server refused it before any rule";

/// A server and its log.
#[derive(Debug)]
pub struct Live {
    server: SocketAddr,
    log: Log,
    /// What the marks of this run begin with: no other run's do.
    run: String,
    marks: u64,
}

impl Live {
    /// Opens the log at its end, and sets the first mark. `target` is `http://HOST` or `http://HOST:PORT`.
    ///
    /// # Errors
    /// A target that is none or does not answer, a log that cannot be read, or one that does not show the mark.
    pub fn begin(target: &str, log: &Path) -> Result<Live> {
        let server = address(target)?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let run = format!("fusewall-ftw-{}-{}-", std::process::id(), since.as_nanos());
        let log = Log::at_its_end(log).with_context(|| format!("cannot read {}", log.display()))?;
        let mut live = Live { server, log, run, marks: 0 };
        live.mark()?;
        Ok(live)
    }

    /// Sends the bytes of a stage; what came of it.
    ///
    /// # Errors
    /// The server does not answer any more, or its log does not show the mark behind the stage.
    pub fn exchange(&mut self, bytes: &[u8]) -> Result<Outcome> {
        let answer = self.send(bytes)?;
        let lines = self.mark()?;
        let records: Vec<Record> = lines.into_iter().map(|line| Record { rule: rule_of(&line), line }).collect();
        let is_silent = records.iter().all(|record| record.rule == 0);
        let (response, has_head) = answer::parse(&answer).map_or_else(
            || (Response { status: 0, headers: Vec::new(), body: answer.clone() }, false),
            |response| (response, true),
        );
        let refused = (is_silent && (PARSER.contains(&response.status) || !has_head)).then_some(REFUSED);
        Ok(Outcome { response, has_head, refused, records })
    }

    /// Sets a mark; the lines since the one before.
    fn mark(&mut self) -> Result<Vec<String>> {
        self.marks += 1;
        // The dash at the end keeps the first mark apart from the tenth.
        let mark = format!("{}{}-", self.run, self.marks);
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-CRS-Test: {mark}\r\nConnection: close\r\n\r\n");
        let answer = self.send(request.as_bytes())?;
        ensure!(!answer.is_empty(), "{} does not answer", self.server);
        let lines = self.log.until(&mark, PATIENCE).with_context(|| {
            format!("the log does not show requests with `X-CRS-Test`: give the server this rule first\n{MARKING_RULE}")
        })?;
        Ok(lines.into_iter().filter(|line| !line.contains(&self.run)).collect())
    }

    /// Sends bytes over a connection of their own and reads the first answer, as far as it comes.
    fn send(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let cannot = || format!("cannot connect to {}", self.server);
        let mut stream = TcpStream::connect_timeout(&self.server, PATIENCE).with_context(cannot)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // A server may answer, and close, before it has read everything.
        let _: io::Result<()> = stream.write_all(bytes);
        Ok(answer::read(&mut stream, bytes.starts_with(b"HEAD ")))
    }
}

fn address(target: &str) -> Result<SocketAddr> {
    let wanted = || format!("`{target}` is no target: expected http://HOST or http://HOST:PORT");
    let authority = target.strip_prefix("http://").with_context(wanted)?.trim_end_matches('/');
    let with_port = if authority.parse::<SocketAddr>().is_ok() || authority.rsplit_once(':').is_some_and(is_port) {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let found = with_port.to_socket_addrs().with_context(wanted)?.next();
    found.with_context(|| format!("`{authority}` has no address"))
}

fn is_port((_, port): (&str, &str)) -> bool {
    port.parse::<u16>().is_ok()
}

/// The rule that a line tells of; 0: none.
fn rule_of(line: &str) -> u64 {
    let id = line.split("[id \"").nth(1).and_then(|rest| rest.split('"').next());
    id.and_then(|id| id.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ftw::{FtwArgs, run_live};
    use std::fs::OpenOptions;
    use std::io::Read;
    use std::net::TcpListener;

    #[test]
    fn targets() {
        assert_eq!(address("http://127.0.0.1:81").unwrap().to_string(), "127.0.0.1:81");
        assert_eq!(address("http://127.0.0.1/").unwrap().to_string(), "127.0.0.1:80");
        assert_eq!(address("http://[::1]").unwrap().to_string(), "[::1]:80");
        for wrong in ["127.0.0.1:80", "https://127.0.0.1", "http://", "http://a b"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn rules_of_lines() {
        assert_eq!(rule_of("x [info] 1#1: *2 ModSecurity: Warning. [file \"a\"] [id \"942100\"] [rev \"\"]"), 942100);
        assert_eq!(rule_of("x [info] 1#1: *2 client sent invalid request"), 0);
    }

    /// A server that logs rule 7 for `attack`, refuses `broken`, and logs marks if it `marks`.
    fn server(log: &Path, marks: bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut log = OpenOptions::new().append(true).create(true).open(log).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).unwrap() == 0 {
                        break;
                    }
                    request.push(byte[0]);
                }
                let text = String::from_utf8(request).unwrap();
                let mark = text.split("X-CRS-Test: ").nth(1).and_then(|rest| rest.split('\r').next());
                match mark {
                    Some(mark) if marks => writeln!(log, "a [id \"999999\"] [msg \"X-CRS-Test {mark}\"]").unwrap(),
                    _ if text.contains("attack") => writeln!(log, "a [id \"7\"] [msg \"m\"]").unwrap(),
                    _ => writeln!(log, "a line of another kind").unwrap(),
                }
                let status = if text.contains("broken") { "400 Bad Request" } else { "200 OK" };
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok").unwrap();
            }
        });
        address
    }

    #[test]
    fn the_log_between_two_marks_judges_a_stage() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("error.log");
        let address = server(&log, true);
        std::fs::write(&log, "[id \"8\"] from before\n").unwrap();
        let tests = "
rule_id: 7
tests:
  - stages: [{input: {uri: /attack}, output: {log: {expect_ids: [7], no_expect_ids: [8, 999999]}}}]
  - stages: [{input: {uri: /calm}, output: {log: {no_expect_ids: [7], match_regex: another kind}}}]
  - stages: [{input: {uri: /broken}, output: {status: 400}}]
  - stages: [{input: {uri: /calm}, output: {log: {expect_ids: [7]}}}]
";
        std::fs::write(folder.path().join("7.yaml"), tests).unwrap();
        let (tests, target) = (folder.path().join("7.yaml"), Some(format!("http://{address}")));
        let args = FtwArgs { tests, target, log: Some(log), ..FtwArgs::default() };
        let report = run_live(&args).unwrap();
        assert_eq!((report.engine.passed, report.front_end.passed, report.refused.len()), (2, 1, 1), "{report}");
        assert_eq!(report.failed[0].why, "expected 7; logged nothing; status 200; GET /calm HTTP/1.1");
    }

    #[test]
    fn a_log_without_marks_is_an_error_that_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("error.log");
        let address = server(&log, false);
        let mut live = Live { server: address, log: Log::at_its_end(&log).unwrap(), run: "run-".to_owned(), marks: 0 };
        live.log.patience = Some(Duration::from_millis(20));
        let problem = format!("{:#}", live.mark().unwrap_err());
        assert!(problem.contains("SecRule REQUEST_HEADERS:X-CRS-Test"), "{problem}");
    }
}
