//! Rules that follow their files: when what was read changes, it is staged and promoted, without anybody sending a signal.
//!
//! An event of the system, or a slow clock where it gives none, says that it is time to look; what decides is the content of the files
//! (`src/store/watch.rs`). They are loaded once two looks have seen the same: editors and deployments write in several steps. What does
//! not load leaves what is in service, is told once, and is tried again when the files change again.

use crate::store::{ContentHash, Inventory, LoadReport, Origin, RuleSource, WatchedFiles};
use crate::waf::{NotPromoted, Staged, Waf};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How to watch.
#[derive(Debug, Clone, Copy)]
pub struct WatchConfig {
    /// How long files must stay as they are before they are loaded.
    pub settle: Duration,
    /// How often they are looked at when the system tells of nothing.
    pub poll: Duration,
    /// Whether the system is asked to tell.
    pub events: bool,
}

impl Default for WatchConfig {
    fn default() -> Self {
        WatchConfig { settle: Duration::from_millis(250), poll: Duration::from_secs(5), events: true }
    }
}

/// What came of a change.
#[derive(Debug)]
pub enum Followed {
    /// Other rules are in service, as this generation.
    Promoted(u64, LoadReport),
    /// The rules are those that are in service already.
    Same,
    /// They do not load. What is in service stays.
    Refused(LoadReport),
    /// They load, but were not put into service. What is in service stays.
    NotPromoted(NotPromoted),
}

/// Looks at files that change all the time, before it is asked anew which folders they are in.
const LOOKS: u32 = 40;

enum Signal {
    /// Something has happened in one of the folders.
    Event,
    Stop,
}

/// A thread that watches. Dropped, it ends; a load that it has begun ends first.
#[derive(Debug)]
pub struct Watching {
    signals: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Watching {
    /// Watches the files that the WAF in service was loaded from: `files` are those that it was built with, `source` is what they are
    /// asked for. `tell` is called with what comes of each change.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(
        waf: Waf,
        source: RuleSource,
        files: WatchedFiles,
        config: WatchConfig,
        tell: impl FnMut(Followed) + Send + 'static,
    ) -> io::Result<Watching> {
        let (signals, received) = channel();
        let events = Events::new(signals.clone(), config.events);
        let generation = waf.generation();
        // Where a start has fallen back on other rules, these are not what the files hold.
        let inventory = if generation.origin == Origin::Started { files.inventory() } else { Inventory::default() };
        let in_service = (generation.content, inventory);
        let mut watch = Watch { waf, source, files, config, in_service, signals: received, events, tell };
        let thread = std::thread::Builder::new().name("fusewall-watch".to_owned()).spawn(move || watch.run())?;
        Ok(Watching { signals, thread: Some(thread) })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // A thread that has ended needs no signal.
        let _ = self.signals.send(Signal::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Watch<T> {
    waf: Waf,
    source: RuleSource,
    files: WatchedFiles,
    config: WatchConfig,
    /// The content that was put into service last by this thread or by the start, and what it was read from.
    in_service: (ContentHash, Inventory),
    signals: Receiver<Signal>,
    events: Events,
    tell: T,
}

/// The thread is to end.
struct Stopped;

impl<T: FnMut(Followed)> Watch<T> {
    fn run(&mut self) {
        loop {
            self.events.listen(&self.files.inventory());
            // What has changed before the system was asked to tell.
            if self.files.are_current() {
                match self.signals.recv_timeout(self.config.poll) {
                    Ok(Signal::Event) | Err(RecvTimeoutError::Timeout) => {}
                    Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                }
                if self.files.are_current() {
                    // Much happens in folders that rules have nothing to do with: a busy one is looked at so often, not more.
                    if self.rest(self.config.settle).is_err() {
                        return;
                    }
                    continue;
                }
            }
            match self.settled() {
                Ok(true) => self.follow(),
                Ok(false) => {}
                Err(Stopped) => return,
            }
        }
    }

    /// Waits, whatever is told meanwhile.
    fn rest(&self, time: Duration) -> Result<(), Stopped> {
        let until = Instant::now() + time;
        loop {
            match self.signals.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Signal::Event) => {}
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
            }
        }
    }

    /// Waits until two looks have seen the same; false if that does not happen, or it is what was read last.
    fn settled(&self) -> Result<bool, Stopped> {
        let read = self.files.inventory();
        let mut before = read.look_again();
        for _ in 0..LOOKS {
            self.rest(self.config.settle)?;
            let now = read.look_again();
            if now == before {
                return Ok(now != read);
            }
            before = now;
        }
        Ok(false)
    }

    /// Loads what the files hold now, unless it is in service.
    fn follow(&mut self) {
        let (content, inventory) = &self.in_service;
        let serves = self.waf.generation().content;
        if *content == serves && !inventory.is_empty() && inventory.look_again() == *inventory {
            // A change was taken back.
            self.files.resume(inventory.clone());
            return (self.tell)(Followed::Same);
        }
        self.files.begin();
        let staged = match self.waf.stage(&self.source) {
            Ok(staged) => staged,
            Err(report) => return (self.tell)(Followed::Refused(report)),
        };
        if !self.files.are_current() {
            // They have changed while they were read: half of this is old. The next round sees what there is then.
            return;
        }
        let content = staged.release().content();
        let followed = if content == self.waf.generation().content {
            Followed::Same
        } else {
            match self.promote(staged) {
                Ok(followed) => followed,
                Err(refused) => return (self.tell)(Followed::NotPromoted(refused)),
            }
        };
        self.in_service = (content, self.files.inventory());
        (self.tell)(followed);
    }

    fn promote(&self, staged: Staged) -> Result<Followed, NotPromoted> {
        let report = staged.report().clone();
        // Whatever came into service while these were loaded: they are what the files hold.
        let staged = staged.onto(self.waf.generation().number);
        let generation = self.waf.promote(staged)?;
        Ok(Followed::Promoted(generation.number, report))
    }
}

/// What the system tells of folders, if it does.
struct Events {
    watcher: Option<RecommendedWatcher>,
    /// The folders that are listened to, and which ones they were: a folder of the same name may have taken their place.
    folders: BTreeMap<PathBuf, Identity>,
}

/// Device and number of a folder.
type Identity = (u64, u64);

impl Events {
    fn new(signals: Sender<Signal>, wanted: bool) -> Events {
        let told = move |event: notify::Result<notify::Event>| {
            // Reading is no change; ours least of all.
            if event.is_ok_and(|event| event.kind.is_access()) {
                return;
            }
            // A thread that has ended needs no events.
            let _ = signals.send(Signal::Event);
        };
        let watcher = wanted.then(|| notify::recommended_watcher(told));
        let watcher = watcher.and_then(|made| {
            made.inspect_err(
                |problem| tracing::warn!(%problem, "changes of files are looked for, the system does not tell of them"),
            )
            .ok()
        });
        Events { watcher, folders: BTreeMap::new() }
    }

    /// Listens to the folders of what was read, and to no others.
    fn listen(&mut self, inventory: &Inventory) {
        let Some(watcher) = &mut self.watcher else { return };
        let folders = inventory.folders();
        let wanted: BTreeMap<_, _> =
            folders.into_iter().filter_map(|folder| identity(&folder).map(|identity| (folder, identity))).collect();
        if wanted == self.folders {
            return;
        }
        for (folder, identity) in &self.folders {
            if wanted.get(folder) != Some(identity) {
                // One that has gone is not listened to any more anyway.
                let _ = watcher.unwatch(folder);
            }
        }
        let mut heard = BTreeMap::new();
        for (folder, identity) in wanted {
            // What cannot be listened to is looked at every so often.
            let is_heard = self.folders.get(&folder) == Some(&identity)
                || watcher.watch(&folder, RecursiveMode::NonRecursive).is_ok();
            if is_heard {
                heard.insert(folder, identity);
            }
        }
        self.folders = heard;
    }
}

#[cfg(unix)]
fn identity(folder: &std::path::Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(folder).ok().filter(fs::Metadata::is_dir).map(|about| (about.dev(), about.ino()))
}

#[cfg(not(unix))]
fn identity(folder: &std::path::Path) -> Option<Identity> {
    fs::metadata(folder).ok().filter(fs::Metadata::is_dir).map(|_| (0, 0))
}
