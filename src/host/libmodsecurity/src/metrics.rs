//! Counters of all workers of a host, in a file that monitoring reads.
//!
//! `FUSEWALL_METRICS` names the file. It is opened while the host configures itself, with the rights that it has then; the counters
//! are memory that all processes share which fork afterwards, so that they go on over reloads. Requests only add to them. A thread of
//! each worker, from its first request on, writes the file when something has changed.

use crate::transaction::Request;
use fusewall::engine::Reason;
use fusewall::governor::Exposition;
use fusewall::host::exchange::Refusal;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Once, OnceLock};
use std::time::Duration;

/// The variable of the environment that names the file.
const VARIABLE: &str = "FUSEWALL_METRICS";
/// The file is as old as this at most.
const PERIOD: Duration = Duration::from_secs(1);

static METRICS: OnceLock<Option<Metrics>> = OnceLock::new();

/// What can become of a request; what it is called stands in [`ACTIONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Denied,
    Dropped,
    Redirected,
    Exhausted,
    Failed,
}

const ACTIONS: [&str; 6] = ["pass", "deny", "drop", "redirect", "exhausted", "internal_error"];

/// What the processes share. All zero at first.
#[repr(C)]
#[derive(Debug, Default)]
struct Counters {
    requests: [AtomicU64; ACTIONS.len()],
    /// Request bodies of which the host has given less than there was.
    cut: AtomicU64,
    /// Rises with each change.
    version: AtomicU64,
    /// The version that was written last.
    written: AtomicU64,
}

#[derive(Debug)]
struct Metrics {
    counters: &'static Counters,
    file: File,
    path: PathBuf,
    /// A write has failed, and this process has said so.
    failing: AtomicBool,
}

/// Opens the file that the environment names, if it names one; once in the life of a host.
pub fn open() {
    METRICS.get_or_init(|| {
        let path = PathBuf::from(std::env::var_os(VARIABLE)?);
        let opened = OpenOptions::new().write(true).create(true).truncate(true).open(&path);
        match opened.and_then(|file| Ok((file, shared()?))) {
            Ok((file, counters)) => {
                let metrics = Metrics { counters, file, path, failing: AtomicBool::new(false) };
                metrics.write();
                Some(metrics)
            }
            Err(problem) => {
                tracing::error!(path = %path.display(), %problem, "{VARIABLE}: nothing is counted");
                None
            }
        }
    });
}

/// Memory that processes share which fork from here on.
fn shared() -> std::io::Result<&'static Counters> {
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: new memory, of a length that is not zero, wherever there is room.
    let memory = unsafe { libc::mmap(ptr::null_mut(), size_of::<Counters>(), access, kind, -1, 0) };
    if memory == libc::MAP_FAILED {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: it begins a page, is as long as it must be and all zero, and is never given back.
    Ok(unsafe { &*memory.cast::<Counters>() })
}

/// Counts a request that is over; `None`: one that the engine never saw.
pub fn count(request: Option<&Request>) {
    if let Some(Some(metrics)) = METRICS.get()
        && let Some(outcome) = request.map_or(Some(Outcome::Failed), outcome)
    {
        metrics.add(&metrics.counters.requests[outcome as usize]);
    }
}

/// Counts a request body of which the host has given less than there was.
pub fn count_cut() {
    if let Some(Some(metrics)) = METRICS.get() {
        metrics.add(&metrics.counters.cut);
    }
}

/// Writes what has not been written yet: for a worker that ends.
pub fn flush() {
    if let Some(Some(metrics)) = METRICS.get() {
        metrics.write_changes();
    }
}

/// What has become of a request. None if nothing of it was inspected, because the host has begun it and told nothing.
fn outcome(request: &Request) -> Option<Outcome> {
    if request.broken {
        return Some(Outcome::Failed);
    }
    let exchange = request.so_far()?;
    Some(match (exchange.interruption().map(|ended| ended.reason), exchange.refusal()) {
        (Some(Reason::Budget(_)), _) => Outcome::Exhausted,
        (Some(Reason::InternalError), _) => Outcome::Failed,
        (_, None) => Outcome::Passed,
        (_, Some(Refusal::Page(_))) => Outcome::Denied,
        (_, Some(Refusal::Redirect { .. })) => Outcome::Redirected,
        (_, Some(Refusal::Drop)) => Outcome::Dropped,
    })
}

impl Metrics {
    fn add(&'static self, counter: &AtomicU64) {
        static WRITER: Once = Once::new();
        counter.fetch_add(1, Ordering::Relaxed);
        self.counters.version.fetch_add(1, Ordering::Release);
        WRITER.call_once(|| {
            let write = || {
                loop {
                    std::thread::sleep(PERIOD);
                    self.write_changes();
                }
            };
            if let Err(problem) = std::thread::Builder::new().name("fusewall-metrics".to_owned()).spawn(write) {
                tracing::error!(%problem, "counters are written only when this worker ends");
            }
        });
    }

    /// One process writes each change, whichever sees it first.
    fn write_changes(&self) {
        let version = self.counters.version.load(Ordering::Acquire);
        if self.counters.written.swap(version, Ordering::AcqRel) != version {
            self.write();
        }
    }

    /// The text never gets shorter, because counters only rise: what was written before is always covered.
    fn write(&self) {
        let written = self.file.write_all_at(self.text().as_bytes(), 0);
        let failing = written.is_err();
        if let Err(problem) = written
            && !self.failing.load(Ordering::Relaxed)
        {
            tracing::error!(path = %self.path.display(), %problem, "the counters cannot be written");
        }
        self.failing.store(failing, Ordering::Relaxed);
    }

    fn text(&self) -> String {
        let mut text = Exposition::default();
        let mut family =
            text.family("fusewall_requests_total", "counter", "Inspected requests, by what became of them.");
        for (action, count) in ACTIONS.iter().zip(&self.counters.requests) {
            family.sample(&[("action", action)], count.load(Ordering::Relaxed));
        }
        let help = "Request bodies of which the host has given less than there was.";
        text.family("fusewall_request_bodies_cut_total", "counter", help)
            .sample(&[], self.counters.cut.load(Ordering::Relaxed));
        text.finish()
    }
}
