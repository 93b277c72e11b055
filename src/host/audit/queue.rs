//! The queue between requests and the thread that writes.

use super::files::Place;
use super::rate::Rate;
use super::{AuditCounts, AuditLimits, AuditLogError};
use crate::engine::AuditRecord;
use crate::rule::AuditSettings;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

/// How often drops are told.
const TELL: Duration = Duration::from_secs(1);

/// The audit log of a host. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AuditLog {
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
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
    /// Opens the log that the settings describe, and starts its thread. `report` gets a line when records are dropped or lost:
    /// one a second at most.
    ///
    /// # Errors
    /// [`AuditLogError`]: the settings name no place, or it cannot be opened.
    pub fn open(
        settings: &AuditSettings,
        limits: AuditLimits,
        report: impl FnMut(&str) + Send + 'static,
    ) -> Result<Self, AuditLogError> {
        let place = Place::open(settings)?;
        let (jobs, waiting) = sync_channel(limits.queue_records);
        let shared = Arc::new(Shared {
            rate: Rate::new(limits.records_per_second),
            limits,
            waiting_bytes: AtomicUsize::new(0),
            counts: Counts::default(),
        });
        let worker = Worker { place, shared: Arc::clone(&shared), told: AuditCounts::default(), lost: 0, report };
        std::thread::spawn(move || worker.run(&waiting));
        Ok(AuditLog { jobs, shared })
    }

    /// Writes a record, soon; `make` is called only if the log takes one now. Never waits.
    pub fn write(&self, make: impl FnOnce() -> Option<AuditRecord>) {
        let shared = &self.shared;
        if !shared.rate.admits() {
            shared.counts.over_rate.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Some(mut record) = make() else { return };
        record.limit = record.limit.min(shared.limits.record_bytes);
        let size = record.memory();
        let before = shared.waiting_bytes.fetch_add(size, Ordering::Relaxed);
        let fits = before.saturating_add(size) <= shared.limits.queue_bytes;
        if !fits || self.jobs.try_send(Job::Write(Box::new(record), size)).is_err() {
            shared.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
            shared.counts.over_queue.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Opens the files anew, after those that wait have been written: for rotation. Waits for a place in the queue.
    pub fn reopen(&self) {
        // Without its thread there is nothing to reopen.
        let _ = self.jobs.send(Job::Reopen);
    }

    /// Waits until everything that was handed over before is written, or for `time`; whether it is.
    pub fn flush(&self, time: Duration) -> bool {
        let (done, wait) = sync_channel(1);
        self.jobs.send(Job::Flush(done)).is_ok() && wait.recv_timeout(time).is_ok()
    }

    /// What has become of the records so far.
    pub fn counts(&self) -> AuditCounts {
        self.shared.counts.now()
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

/// The thread that writes.
struct Worker<R> {
    place: Place,
    shared: Arc<Shared>,
    /// The counts when they were last told.
    told: AuditCounts,
    /// Records lost since the disk last took one.
    lost: u64,
    report: R,
}

impl<R: FnMut(&str)> Worker<R> {
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut last = std::time::Instant::now();
        loop {
            match jobs.recv_timeout(TELL) {
                Ok(Job::Write(record, size)) => {
                    self.write(&record);
                    self.shared.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
                }
                Ok(Job::Reopen) => {
                    if let Err(error) = self.place.reopen() {
                        (self.report)(&format!(
                            "Fusewall: audit log: cannot be reopened, the old file is written on: {error}"
                        ));
                    }
                }
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
            (self.report)(&format!("Fusewall: audit log: {} records were lost", self.lost));
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
                    (self.report)(&format!("Fusewall: audit log: records are written again; {lost} were lost"));
                }
            }
            Err(error) => {
                counts.failed.fetch_add(1, Ordering::Relaxed);
                self.lost += 1;
                if self.lost == 1 {
                    (self.report)(&format!("Fusewall: audit log: records are lost: {error}"));
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
            (self.report)(&format!("Fusewall: audit log: records are missing: {}", lost.join(", ")));
        }
    }
}
