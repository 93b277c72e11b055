//! Every engine lives in a process of its own: its heap is its own, its memory can be told, and two versions of
//! libmodsecurity do not meet (they share process-wide symbols, parser tables among them, and would read each other's).
//!
//! This command starts itself as a worker and speaks JSON lines with it. Only the evaluation is timed, by the worker,
//! with the CPU clock of its thread; reading orders and writing answers is not.

use crate::engines::{Kind, Verdict};
use crate::requests::Request;
use anyhow::{Context, bail};
use fusewall::governor::thread_cpu_time;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// The argument that makes this command a worker.
pub const ARGUMENT: &str = "--worker";

#[derive(Debug, Serialize, Deserialize)]
enum Order {
    Load { kind: Kind, rules: PathBuf },
    Take(Box<Request>),
    Evaluate(usize),
}

#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    Loaded(Loaded),
    Taken,
    Evaluated(Turn),
    Failed(String),
}

/// What loading took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Loaded {
    /// The engine's name and version.
    pub version: String,
    /// Wall-clock time in milliseconds; an engine may use several threads.
    pub load_ms: f64,
    /// Resident memory that loading added, in KB; 0 where the system does not tell.
    pub rss_kb: u64,
}

/// One evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// CPU time of the thread, in nanoseconds.
    pub cpu_ns: u64,
    /// What the engine says.
    pub verdict: Verdict,
}

/// A worker, as its parent sees it. It ends when its parent drops it.
pub struct Worker {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// What loading took.
    pub loaded: Loaded,
}

impl Worker {
    /// Starts a worker with an engine and its rules.
    ///
    /// # Errors
    /// A process that cannot be started, an engine that does not load.
    pub fn start(kind: &Kind, rules: &Path) -> anyhow::Result<Worker> {
        let program = std::env::current_exe()?;
        let mut child = Command::new(program).arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("a worker without an output")?);
        let loaded = Loaded { version: String::new(), load_ms: 0.0, rss_kb: 0 };
        let mut worker = Worker { child, orders, answers, loaded };
        match worker.ask(&Order::Load { kind: kind.clone(), rules: rules.to_owned() })? {
            Answer::Loaded(loaded) => worker.loaded = loaded,
            other => bail!("unexpected answer {other:?}"),
        }
        Ok(worker)
    }

    /// Hands over a request; they are numbered from 0.
    ///
    /// # Errors
    /// A request that the engine's interface cannot express.
    pub fn take(&mut self, request: &Request) -> anyhow::Result<()> {
        match self.ask(&Order::Take(Box::new(request.clone())))? {
            Answer::Taken => Ok(()),
            other => bail!("unexpected answer {other:?}"),
        }
    }

    /// Evaluates a request.
    ///
    /// # Errors
    /// An engine that fails.
    pub fn evaluate(&mut self, index: usize) -> anyhow::Result<Turn> {
        match self.ask(&Order::Evaluate(index))? {
            Answer::Evaluated(turn) => Ok(turn),
            other => bail!("unexpected answer {other:?}"),
        }
    }

    fn ask(&mut self, order: &Order) -> anyhow::Result<Answer> {
        let orders = self.orders.as_mut().context("a worker that has ended")?;
        send(orders, order)?;
        match receive(&mut self.answers)?.context("the worker has ended")? {
            Answer::Failed(why) => bail!("{}: {why}", self.loaded.version),
            answer => Ok(answer),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Its input has ended, so it ends; how does not matter any more.
        let _ = self.child.wait();
    }
}

fn send(to: &mut impl Write, message: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)?;
    Ok(to.flush()?)
}

fn receive<T: DeserializeOwned>(from: &mut impl BufRead) -> anyhow::Result<Option<T>> {
    let mut line = String::new();
    Ok(if from.read_line(&mut line)? == 0 { None } else { Some(serde_json::from_str(&line)?) })
}

/// A worker's life: answers orders until there are no more.
///
/// # Errors
/// A parent that cannot be heard or answered. What fails in an engine is an answer.
pub fn serve() -> anyhow::Result<()> {
    let (mut orders, mut answers) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut engine = None;
    while let Some(order) = receive(&mut orders)? {
        let answer = match (order, &mut engine) {
            (Order::Load { kind, rules }, _) => {
                let (before, started) = (resident_kb().unwrap_or(0), Instant::now());
                kind.load(&rules).map(|loaded| {
                    let load_ms = started.elapsed().as_secs_f64() * 1000.0;
                    let rss_kb = resident_kb().unwrap_or(0).saturating_sub(before);
                    let version = engine.insert(loaded).version();
                    Answer::Loaded(Loaded { version, load_ms, rss_kb })
                })
            }
            (Order::Take(request), Some(engine)) => engine.take(&request).map(|()| Answer::Taken),
            (Order::Evaluate(index), Some(engine)) => {
                let before = thread_cpu_time();
                let verdict = engine.evaluate(index);
                let cpu = thread_cpu_time() - before;
                let cpu_ns = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
                verdict.map(|verdict| Answer::Evaluated(Turn { cpu_ns, verdict }))
            }
            (_, None) => Err(anyhow::anyhow!("no engine is loaded")),
        };
        send(&mut answers, &answer.unwrap_or_else(|error| Answer::Failed(format!("{error:#}"))))?;
    }
    Ok(())
}

/// Resident memory as Linux tells it.
fn resident_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
