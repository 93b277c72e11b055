//! What comes into service is recorded in the history, if there is one: before it comes, so that the next process knows of it.

use crate::governor::Periodic;
use crate::store::Generation;
use crate::store::history::{Disk, History, SystemDisk};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where and how the rulesets that were in service are kept: for a start at which the configured rules do not load. A thread that
/// waits for the start to settle begins in [`build`](crate::WafBuilder::build): a process that forks does so before.
///
/// ```no_run
/// use fusewall::{HistoryConfig, Waf};
/// let history = HistoryConfig::new("/var/lib/fusewall/history");
/// let waf = Waf::builder().rules_path("/etc/fusewall/site.conf").history(history).build().expect("something loads");
/// println!("{:?}", waf.health());
/// ```
#[derive(Debug, Clone)]
pub struct HistoryConfig {
    place: Place,
    pub(super) rulesets: usize,
    pub(super) starts: u32,
    pub(super) settle_millis: u64,
    pub(super) resume: bool,
}

#[derive(Debug, Clone)]
enum Place {
    Folder(PathBuf),
    /// The outer lock is only held while it is taken out.
    Given(Arc<Mutex<Option<Box<dyn Disk>>>>),
}

impl HistoryConfig {
    /// In this folder, which is made if there is none. It must belong to the user of the process, and nobody else may write to it;
    /// two processes cannot share one.
    pub fn new(folder: impl Into<PathBuf>) -> HistoryConfig {
        HistoryConfig::at(Place::Folder(folder.into()))
    }

    /// On something else than the file system.
    pub fn on(disk: impl Disk + 'static) -> HistoryConfig {
        HistoryConfig::at(Place::Given(Arc::new(Mutex::new(Some(Box::new(disk))))))
    }

    fn at(place: Place) -> HistoryConfig {
        HistoryConfig { place, rulesets: 8, starts: 3, settle_millis: 10_000, resume: false }
    }

    /// How many rulesets are kept, beside those that are [pinned](crate::Waf::pin); 8 by default.
    #[must_use]
    pub fn rulesets(mut self, rulesets: usize) -> Self {
        self.rulesets = rulesets;
        self
    }

    /// After how many starts in a row that have not settled a ruleset is not tried again; 3 by default.
    #[must_use]
    pub fn starts(mut self, starts: u32) -> Self {
        self.starts = starts.max(1);
        self
    }

    /// When a start counts as settled, in milliseconds after the rules have come into service; 10,000 by default. [`Waf::settled`](crate::Waf::settled)
    /// and the end of the last [`Waf`](crate::Waf) count as well.
    #[must_use]
    pub fn settle_millis(mut self, millis: u64) -> Self {
        self.settle_millis = millis;
        self
    }

    /// Begins with the latest ruleset of the history instead of the configured one, which is for the first start alone: rules
    /// come by [`Waf::promote`](crate::Waf::promote) otherwise.
    #[must_use]
    pub fn resume(mut self) -> Self {
        self.resume = true;
        self
    }

    /// Opens it.
    pub(super) fn open(&self) -> io::Result<History> {
        let disk: Box<dyn Disk> = match &self.place {
            Place::Folder(folder) => Box::new(SystemDisk::open(folder)?),
            Place::Given(disk) => {
                let taken = disk.lock().unwrap_or_else(PoisonError::into_inner).take();
                taken.ok_or_else(|| io::Error::new(io::ErrorKind::ResourceBusy, "it is in use already"))?
            }
        };
        History::open(disk, self.rulesets)
    }
}

/// The history of a WAF.
#[derive(Debug)]
pub(super) struct Recording {
    config: HistoryConfig,
    opened: Arc<Mutex<Option<History>>>,
    /// What is wrong with it; locked for moments only.
    trouble: Mutex<Option<Arc<str>>>,
    settling: Mutex<Option<Periodic>>,
}

impl Recording {
    pub(super) fn new(config: HistoryConfig, opened: Option<History>, trouble: Option<Arc<str>>) -> Recording {
        let opened = Arc::new(Mutex::new(opened));
        Recording { config, opened, trouble: Mutex::new(trouble), settling: Mutex::new(None) }
    }

    /// The start has come through.
    pub(super) fn settled(&self) {
        settled(&self.opened);
    }

    /// Lets the start settle: now, or after a while.
    pub(super) fn wait_to_settle(&self) {
        if self.config.settle_millis == 0 {
            self.settled();
            return;
        }
        let (opened, mut done) = (self.opened.clone(), false);
        let once = move || {
            if !std::mem::replace(&mut done, true) {
                settled(&opened);
            }
        };
        match Periodic::start("fusewall-settle", self.config.settle_millis, once) {
            Ok(periodic) => *self.settling.lock().unwrap_or_else(PoisonError::into_inner) = Some(periodic),
            Err(problem) => {
                tracing::error!(%problem, "nobody waits for the start to settle: it counts as settled now");
                self.settled();
            }
        }
    }

    /// Makes something durable; opens the history first if that has failed before.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut History) -> io::Result<T>) -> io::Result<T> {
        let mut opened = lock(&self.opened);
        let done = match &mut *opened {
            Some(history) => work(history),
            none => self.config.open().and_then(|history| work(none.insert(history))),
        };
        let trouble = done.as_ref().err().map(|problem| said(problem).into());
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        done
    }

    /// What is wrong with it, in words.
    pub(super) fn trouble(&self) -> Option<Arc<str>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What came into service again is recorded as such.
    pub(super) fn record_again(&self, generation: Generation) {
        if let Err(problem) = self.with(|history| history.record_again(generation)) {
            tracing::error!(%problem, generation = generation.number, "this generation is not recorded in the history");
        }
    }
}

/// The history cannot be used, in words.
pub(super) fn said(problem: &io::Error) -> String {
    format!("the history of rulesets cannot be used: {problem}")
}

fn lock(opened: &Mutex<Option<History>>) -> MutexGuard<'_, Option<History>> {
    opened.lock().unwrap_or_else(PoisonError::into_inner)
}

fn settled(opened: &Mutex<Option<History>>) {
    if let Some(history) = &mut *lock(opened)
        && let Err(problem) = history.settled()
    {
        tracing::error!(%problem, "this start still counts as one that has not come through");
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // It may be about to settle: whoever is first does it.
        *self.settling.lock().unwrap_or_else(PoisonError::into_inner) = None;
        settled(&self.opened);
    }
}
