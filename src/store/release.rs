//! A release: a ruleset that has passed every check, compiled once and deployed as often as anybody wants.

use super::bundle::Hashes;
use super::checked::Checked;
use super::loading::{LoadReport, Loading, RuleSource};
use super::unverified::Unverified;
use crate::engine::Scratch;
use crate::lang::seclang::Rights;
use crate::plan::Options;
use crate::program::Loaded;
use crate::wire::Writer;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Scratches kept for reuse, at most.
const POOL: usize = 64;

/// A ruleset that can go into service: what it is, and what was made of it, which [other releases](super::Releases) of the same
/// content may have as well.
#[derive(Debug)]
pub struct Release {
    compiled: Arc<Compilation>,
    content: ContentHash,
    serial: Option<u64>,
}

/// What is made of rules once. What all deployments of them share hangs off it: the automata and the pool of scratches.
#[derive(Debug)]
pub(super) struct Compilation {
    checked: Checked,
    /// What was taken ready-made, until somebody has compared it.
    unverified: Mutex<Option<Arc<Unverified>>>,
    /// What loading it has found, for whoever else loads the same.
    findings: Option<LoadReport>,
    /// Scratches between requests. The lock is only ever tried: whoever finds it taken makes a new scratch (or drops one). What a
    /// request has left in one is cleared before it goes back, and again before the next request, which may be of another tenant.
    #[allow(clippy::vec_box, reason = "a scratch moves between pool and transaction: one pointer, not kilobytes")]
    pool: [Mutex<Vec<Box<Scratch>>>; 4],
}

impl Compilation {
    pub(super) fn new(checked: Checked, unverified: Option<Arc<Unverified>>) -> Compilation {
        Compilation { checked, unverified: Mutex::new(unverified), findings: None, pool: Default::default() }
    }

    pub(super) fn with_findings(self, findings: LoadReport) -> Compilation {
        Compilation { findings: Some(findings), ..self }
    }

    pub(super) fn findings(&self) -> Option<&LoadReport> {
        self.findings.as_ref()
    }
}

impl Release {
    pub(super) fn new(compiled: Arc<Compilation>, content: ContentHash, serial: Option<u64>) -> Release {
        Release { compiled, content, serial }
    }

    /// The program and its automata.
    pub fn loaded(&self) -> &Arc<Loaded> {
        self.compiled.checked.loaded()
    }

    /// What was loaded.
    pub fn content(&self) -> ContentHash {
        self.content
    }

    /// The number that whoever signed the bundle has given it.
    pub fn serial(&self) -> Option<u64> {
        self.serial
    }

    /// The same release under another serial: of a source that has no signature to carry it.
    #[must_use]
    pub fn with_serial(self, serial: Option<u64>) -> Release {
        Release { serial, ..self }
    }

    /// What was made of the rules.
    pub(super) fn compiled(&self) -> &Arc<Compilation> {
        &self.compiled
    }

    /// What nobody has compared yet.
    pub fn unverified(&self) -> Option<Arc<Unverified>> {
        self.compiled.unverified.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It was compared: nothing holds the stored automata any longer.
    pub fn verified(&self) {
        self.compiled.unverified.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Memory for one evaluation.
    pub fn scratch(&self) -> Box<Scratch> {
        let pooled = self.compiled.pool.iter().find_map(|shelf| shelf.try_lock().ok()?.pop());
        pooled.unwrap_or_else(|| Box::new(Scratch::new(self.loaded().program())))
    }

    /// Takes memory back.
    pub fn recycle(&self, scratch: Box<Scratch>) {
        let pool = &self.compiled.pool;
        for shelf in pool {
            if let Ok(mut shelf) = shelf.try_lock()
                && shelf.len() < POOL / pool.len()
            {
                shelf.push(scratch);
                return;
            }
        }
    }
}

/// SHA-256 of everything that decides what a ruleset means: where reading begins, every file that was read, the limits, what the
/// rules may do, the switches of the planner. The same files have the same hash whether they came alone or in a bundle.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub(super) [u8; 32]);

impl ContentHash {
    pub(super) fn new(source: &RuleSource, hashes: &Hashes, loading: &Loading) -> ContentHash {
        let Loading { limits, options, capabilities, base, .. } = loading;
        let mut writer = Writer::default();
        writer.bytes(format!("{source:?}").as_bytes());
        writer.bytes(format!("{limits:?}").as_bytes());
        // The folder that rules are confined to is not seen in them. What goes without saying is not written: whoever has these
        // rules in a history knows them by their hash.
        let other = (capabilities.rights(), base.as_deref(), *options);
        if other != (Rights::All, None, Options::default()) {
            writer.bytes(format!("{other:?}").as_bytes());
        }
        for (name, hash) in hashes {
            writer.bytes(name.as_bytes());
            writer.raw(hash);
        }
        ContentHash(Sha256::digest(writer.into_bytes()).into())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
