//! The queue between requests and the thread that writes.

use super::files::Place;
use super::rate::Rate;
use super::{AuditCounts, AuditLimits, AuditLogError};
use crate::engine::AuditRecord;
use crate::engine::audit::WrittenForm;
use crate::rule::AuditSettings;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// How often drops are told.
const TELL: Duration = Duration::from_secs(1);

/// The audit log of a host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AuditLog {
    desk: Arc<Desk>,
    shared: Arc<Shared>,
}

/// Where records are handed over. It ends the thread with itself.
#[derive(Debug, Default)]
struct Desk {
    /// The way to the thread, once there is one.
    jobs: OnceLock<SyncSender<Job>>,
    /// What the thread works with, until it has taken it.
    idle: Arc<Mutex<Option<Worker>>>,
}

#[derive(Debug)]
struct Shared {
    limits: AuditLimits,
    rate: Rate,
    waiting_bytes: AtomicUsize,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    bytes: AtomicU64,
    over_rate: AtomicU64,
    over_queue: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug)]
enum Job {
    Write(Box<AuditRecord>, usize),
    Reopen,
    Flush(SyncSender<()>),
}

impl AuditLog {
    /// Opens the log that the settings describe. Its thread starts with the first record: a process may open the log, with the rights
    /// that it has then, and fork before. `report` gets a line when records are dropped or lost: one a second at most.
    ///
    /// # Errors
    /// [`AuditLogError`]: the settings name no place, or it cannot be opened.
    pub fn open(
        settings: &AuditSettings,
        limits: AuditLimits,
        report: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, AuditLogError> {
        Self::open_in(settings, settings.format.into(), limits, report)
    }

    /// The same with records in another form than `SecAuditLogFormat` asks for.
    ///
    /// # Errors
    /// [`AuditLogError`]: the settings name no place, or it cannot be opened.
    pub fn open_in(
        settings: &AuditSettings,
        form: WrittenForm,
        limits: AuditLimits,
        report: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, AuditLogError> {
        let place = Place::open(settings, form)?;
        let shared = Arc::new(Shared {
            rate: Rate::new(limits.records_per_second),
            limits,
            waiting_bytes: AtomicUsize::new(0),
            counts: Counts::default(),
        });
        let (told, report) = (AuditCounts::default(), Report(Box::new(report)));
        let worker = Worker { place, shared: Arc::clone(&shared), told, lost: 0, report };
        let idle = Arc::new(Mutex::new(Some(worker)));
        Ok(AuditLog { desk: Arc::new(Desk { jobs: OnceLock::new(), idle }), shared })
    }

    /// Writes a record, soon; `make` is called only if the log takes one now. Never waits.
    pub fn write(&self, make: impl FnOnce() -> Option<AuditRecord>) {
        let shared = &self.shared;
        // First of all: the thread also tells what is dropped.
        let jobs = self.desk.open(shared.limits.queue_records);
        if !shared.rate.admits() {
            shared.counts.over_rate.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Some(mut record) = make() else { return };
        record.limit = record.limit.min(shared.limits.record_bytes);
        let size = record.memory();
        let before = shared.waiting_bytes.fetch_add(size, Ordering::Relaxed);
        let fits = before.saturating_add(size) <= shared.limits.queue_bytes;
        let write = |jobs: &SyncSender<Job>| jobs.try_send(Job::Write(Box::new(record), size)).is_ok();
        if !fits || !jobs.is_some_and(write) {
            shared.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
            shared.counts.over_queue.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Opens the files anew, after those that wait have been written: for rotation. Waits for a place in the queue.
    pub fn reopen(&self) {
        match self.desk.jobs.get() {
            // Without its thread there is nothing to reopen.
            Some(jobs) => drop(jobs.send(Job::Reopen)),
            None => self.desk.idle().iter_mut().for_each(Worker::reopen),
        }
    }

    /// Waits until everything that was handed over before is written, or for `time`; whether it is.
    pub fn flush(&self, time: Duration) -> bool {
        let Some(jobs) = self.desk.jobs.get() else { return true };
        let (done, wait) = sync_channel(1);
        jobs.send(Job::Flush(done)).is_ok() && wait.recv_timeout(time).is_ok()
    }

    /// What has become of the records so far.
    pub fn counts(&self) -> AuditCounts {
        self.shared.counts.now()
    }
}

impl Desk {
    /// The way to the thread, which starts now if it has not. None: the system gives no thread, the next record tries again.
    fn open(&self, places: usize) -> Option<&SyncSender<Job>> {
        if let Some(jobs) = self.jobs.get() {
            return Some(jobs);
        }
        // Whoever waits here finds the thread started.
        let worker = self.idle();
        if worker.is_some() && self.jobs.get().is_none() {
            let (jobs, waiting) = sync_channel(places);
            let idle = Arc::clone(&self.idle);
            let run = move || {
                let worker = idle.lock().unwrap_or_else(PoisonError::into_inner).take();
                worker.into_iter().for_each(|worker| worker.run(&waiting));
            };
            if std::thread::Builder::new().name("fusewall-audit".to_owned()).spawn(run).is_ok() {
                let _ = self.jobs.set(jobs);
            }
        }
        self.jobs.get()
    }

    fn idle(&self) -> MutexGuard<'_, Option<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn now(&self) -> AuditCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        AuditCounts {
            written: read(&self.written),
            bytes: read(&self.bytes),
            over_rate: read(&self.over_rate),
            over_queue: read(&self.over_queue),
            failed: read(&self.failed),
        }
    }
}

/// Who is told of lost records.
struct Report(Box<dyn FnMut(&str) + Send>);

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Report")
    }
}

/// The thread that writes.
#[derive(Debug)]
struct Worker {
    place: Place,
    shared: Arc<Shared>,
    /// The counts when they were last told.
    told: AuditCounts,
    /// Records lost since the disk last took one.
    lost: u64,
    report: Report,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut last = std::time::Instant::now();
        loop {
            match jobs.recv_timeout(TELL) {
                Ok(Job::Write(record, size)) => {
                    self.write(&record);
                    self.shared.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
                }
                Ok(Job::Reopen) => self.reopen(),
                Ok(Job::Flush(done)) => {
                    // Whoever waited may have gone.
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if last.elapsed() >= TELL {
                last = std::time::Instant::now();
                self.tell();
            }
        }
        self.tell();
        if self.lost > 0 {
            (self.report.0)(&format!("Fusewall: audit log: {} records were lost", self.lost));
        }
    }

    fn reopen(&mut self) {
        if let Err(error) = self.place.reopen() {
            (self.report.0)(&format!("Fusewall: audit log: cannot be reopened, the old file is written on: {error}"));
        }
    }

    fn write(&mut self, record: &AuditRecord) {
        let counts = &self.shared.counts;
        // A record that cannot be written is lost; the log goes on.
        let written = catch_unwind(AssertUnwindSafe(|| self.place.write(record)))
            .unwrap_or_else(|_| Err(std::io::Error::other("internal error")));
        match written {
            Ok(size) => {
                counts.written.fetch_add(1, Ordering::Relaxed);
                counts.bytes.fetch_add(size as u64, Ordering::Relaxed);
                let lost = std::mem::take(&mut self.lost);
                if lost > 0 {
                    (self.report.0)(&format!("Fusewall: audit log: records are written again; {lost} were lost"));
                }
            }
            Err(error) => {
                counts.failed.fetch_add(1, Ordering::Relaxed);
                self.lost += 1;
                if self.lost == 1 {
                    (self.report.0)(&format!("Fusewall: audit log: records are lost: {error}"));
                }
            }
        }
    }

    /// Tells how many records have been dropped since it was last told.
    fn tell(&mut self) {
        let now = self.shared.counts.now();
        let lost = [
            (now.over_rate - self.told.over_rate, "came too fast"),
            (now.over_queue - self.told.over_queue, "found the queue full"),
        ];
        self.told = now;
        let lost: Vec<_> =
            lost.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}")).collect();
        if !lost.is_empty() {
            (self.report.0)(&format!("Fusewall: audit log: records are missing: {}", lost.join(", ")));
        }
    }
}
