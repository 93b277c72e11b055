//! libmodsecurity, in a process of its own: whatever it does with a request, the replay goes on.
//!
//! The program is `fusewall-against` (`src/cli/against`, a package of its own: it alone calls C functions). Both speak JSON lines, one
//! answer to each request.

use super::{Engine, Settings, Troubles};
use crate::cli::replay::differences::Said;
use crate::cli::replay::judge::Unjudged;
use crate::cli::replay::source::Recorded;
use crate::cli::requests::Prepared;
use crate::store::rollout::Action;
use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The name of the program.
const PROGRAM: &str = "fusewall-against";

/// For loading the library and the rules.
const START: Duration = Duration::from_secs(120);

/// Requests in a row that the engine may leave without an answer before it is given up: each costs a start.
const FAILURES: u64 = 20;

/// Processes at a time: one for each set of rules that cannot be judged.
const PROCESSES: usize = 4;

/// What the program is told first.
#[derive(Debug, Clone, Serialize)]
struct Setup {
    library: PathBuf,
    rules: Vec<PathBuf>,
    /// SecLang behind the rules.
    more: String,
}

/// What it answers first, and to each request.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    Error { error: String },
    Ready { engine: String },
    Verdict { disruptive: bool, status: u16, url: Option<String>, rules: Vec<u64> },
}

#[derive(Debug, Serialize)]
struct Request<'a> {
    id: &'a str,
    client: String,
    method: String,
    uri: String,
    /// Without `HTTP/`.
    version: String,
    headers: Vec<[String; 2]>,
    body: String,
    response: Option<Response>,
}

#[derive(Debug, Serialize)]
struct Response {
    status: u16,
    headers: Vec<[String; 2]>,
    body: String,
}

/// The engine.
pub(super) struct Process {
    program: PathBuf,
    setup: Setup,
    timeout: Duration,
    name: String,
    /// The running ones, by the rules that are left out; the one that was asked last is the last.
    running: Vec<(Vec<u64>, Running)>,
    in_a_row: u64,
    troubles: Troubles,
}

impl Process {
    /// Starts it once, so that whatever is wrong is said before the first request.
    pub(super) fn new(library: &Path, settings: &Settings) -> anyhow::Result<Process> {
        ensure!(
            !settings.rules.rules.is_empty(),
            "libmodsecurity needs rules to compare with: name them with --rules (the built-in ones are Fusewall's own)"
        );
        let mut rules = Vec::new();
        for path in &settings.rules.rules {
            rules.extend(files(path)?);
        }
        // Nothing of a replay belongs into the logs of the server.
        let enforce = if settings.enforce { "SecRuleEngine On\n" } else { "" };
        let more = format!("SecAuditEngine Off\nSecDebugLogLevel 0\n{enforce}");
        let mut process = Process {
            program: settings.program.clone().unwrap_or_else(beside),
            setup: Setup { library: library.to_owned(), rules, more },
            timeout: settings.timeout,
            name: String::new(),
            running: Vec::new(),
            in_a_row: 0,
            troubles: Troubles::default(),
        };
        process.start(&[])?;
        Ok(process)
    }

    /// Puts a running one without these rules at the end of the list.
    fn start(&mut self, off: &[u64]) -> anyhow::Result<()> {
        if let Some(at) = self.running.iter().position(|(known, _)| known == off) {
            let found = self.running.remove(at);
            self.running.push(found);
            return Ok(());
        }
        let mut setup = self.setup.clone();
        if !off.is_empty() {
            let ids: Vec<_> = off.iter().map(u64::to_string).collect();
            setup.more.push_str(&format!("SecRuleRemoveById {}\n", ids.join(" ")));
        }
        let mut running = Running::start(&self.program)?;
        match running.ask(serde_json::to_string(&setup)?, START) {
            Ok(Answer::Ready { engine }) => self.name = engine,
            Ok(Answer::Error { error }) => bail!("{error}"),
            Ok(Answer::Verdict { .. }) => bail!("{PROGRAM} is of another version than this program"),
            Err(Lost::Hung) => bail!("{PROGRAM} has not loaded the rules within {} seconds", START.as_secs()),
            Err(Lost::Ended(how)) => bail!("{PROGRAM} ended while it loaded the rules: {how}"),
        }
        if self.running.len() >= PROCESSES {
            self.running.remove(0);
        }
        self.running.push((off.to_vec(), running));
        Ok(())
    }
}

impl Engine for Process {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn judge(&mut self, recorded: &Recorded, unjudged: &Arc<Unjudged>) -> anyhow::Result<Option<Said>> {
        let id = &recorded.request.id;
        if self.in_a_row >= FAILURES {
            self.troubles.not_asked += 1;
            return Ok(None);
        }
        self.start(&unjudged.off)?;
        let Some((_, running)) = self.running.last_mut() else { bail!("no process was started") };
        let lost = match running.ask(serde_json::to_string(&request(&recorded.request))?, self.timeout) {
            Ok(Answer::Verdict { disruptive, status, url, rules }) => {
                self.in_a_row = 0;
                let action = match (disruptive, url) {
                    (false, _) => Action::Pass,
                    (true, None) => Action::Deny { status },
                    (true, Some(location)) => Action::Redirect { status, location },
                };
                return Ok(Some(Said { action, rules: Some(rules) }));
            }
            Ok(Answer::Error { error }) => {
                self.troubles.refused += 1;
                self.troubles.example(id, error);
                return Ok(None);
            }
            Ok(Answer::Ready { .. }) => Lost::Ended("it does not answer what it is asked".to_owned()),
            Err(lost) => lost,
        };
        // The next request gets a new one.
        self.running.pop();
        self.in_a_row += 1;
        match lost {
            Lost::Hung => {
                self.troubles.hung += 1;
                self.troubles.example(id, format_args!("no answer within {:?}", self.timeout));
            }
            Lost::Ended(how) => {
                self.troubles.crashed += 1;
                self.troubles.example(id, format_args!("the engine ended: {how}"));
            }
        }
        if self.in_a_row == FAILURES {
            self.troubles.example(id, format_args!("{FAILURES} in a row without an answer: it is no longer asked"));
        }
        Ok(None)
    }

    fn troubles(&self) -> Troubles {
        self.troubles.clone()
    }
}

/// The program beside this one, or wherever programs are looked for.
fn beside() -> PathBuf {
    let own = std::env::current_exe().ok();
    let beside = own.and_then(|own| Some(own.parent()?.join(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX))));
    beside.filter(|path| path.exists()).unwrap_or_else(|| PROGRAM.into())
}

/// A file, or those of a folder in the order in which Fusewall loads them.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![std::path::absolute(path)?]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    files.into_iter().map(|file| Ok(std::path::absolute(file)?)).collect()
}

fn request(request: &Prepared) -> Request<'_> {
    let headers = |headers: &[(Vec<u8>, Vec<u8>)]| {
        headers.iter().map(|(name, value)| [STANDARD.encode(name), STANDARD.encode(value)]).collect()
    };
    let version = String::from_utf8_lossy(&request.version);
    Request {
        id: &request.id,
        client: request.client.to_string(),
        method: STANDARD.encode(&request.method),
        uri: STANDARD.encode(&request.uri),
        version: version.strip_prefix("HTTP/").unwrap_or(&version).to_owned(),
        headers: headers(&request.headers),
        body: STANDARD.encode(&request.body),
        response: request.response.as_ref().map(|response| Response {
            status: response.status,
            headers: headers(&response.headers),
            body: STANDARD.encode(&response.body),
        }),
    }
}

/// Why there is no answer.
enum Lost {
    Hung,
    Ended(String),
}

/// A process, and a thread for each of its pipes: nothing it does, or does not do, makes this one wait longer than it wants.
struct Running {
    child: Child,
    requests: Sender<String>,
    answers: Receiver<String>,
    /// The last line of its standard error.
    last_words: Arc<Mutex<String>>,
}

impl Running {
    fn start(program: &Path) -> anyhow::Result<Running> {
        let mut command = Command::new(program);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = piped.with_context(|| {
            format!(
                "{} cannot be started: it runs libmodsecurity, and belongs beside this program (cargo build --release -p \
                 {PROGRAM}), or where --against-program says",
                program.display()
            )
        })?;
        let (requests, to_write) = channel::<String>();
        let (answered, answers) = channel();
        let last_words = Arc::new(Mutex::new(String::new()));
        if let Some(mut input) = child.stdin.take() {
            std::thread::spawn(move || {
                for line in to_write {
                    if writeln!(input, "{line}").and_then(|()| input.flush()).is_err() {
                        return;
                    }
                }
            });
        }
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                let lines = BufReader::new(output).lines().map_while(Result::ok);
                lines.map(|line| answered.send(line)).take_while(Result::is_ok).for_each(drop);
            });
        }
        if let Some(errors) = child.stderr.take() {
            let last = last_words.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(errors).lines().map_while(Result::ok).filter(|line| !line.trim().is_empty())
                {
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = line;
                }
            });
        }
        Ok(Running { child, requests, answers, last_words })
    }

    fn ask(&mut self, line: String, timeout: Duration) -> Result<Answer, Lost> {
        // A writer that has ended has lost its reader, which the answers tell as well.
        let _ = self.requests.send(line);
        match self.answers.recv_timeout(timeout) {
            Ok(line) => serde_json::from_str(&line).map_err(|error| Lost::Ended(format!("no answer: {error}"))),
            Err(RecvTimeoutError::Timeout) => Err(Lost::Hung),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
                let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Err(Lost::Ended(if words.is_empty() { status } else { format!("{status}, {words}") }))
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
