//! A slot: the one pointer that says which ruleset rules, and the generations that it can go back to.
//!
//! Reading is one atomic load, and never waits. Whoever changes something holds a lock meanwhile, which readers do not know of: a change
//! is a few comparisons and one store, compiling and disks stay outside.

use super::release::{ContentHash, Release};
use super::rollout::Pinned;
use crate::engine::Scratch;
use crate::program::{Loaded, Switches};
use crate::sync::{ArcSwap, AtomicU64, Mutex, MutexGuard, Ordering};
use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

/// What is known about a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// Its number. Every deployment has a higher one than all before it, a rollback too.
    pub number: u64,
    /// What was deployed. Two generations of the same content decide alike.
    pub content: ContentHash,
    /// The number that whoever signed the bundle has given it.
    pub serial: Option<u64>,
    /// When it came into service, in microseconds since 1970 as the host's clock has it.
    pub at: u64,
    /// How it came.
    pub origin: Origin,
}

/// How a ruleset came into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// It is what the process was configured with.
    Started,
    /// The history had it when the process started.
    Restored,
    /// The rules of the engine itself, where nothing else could be loaded.
    Builtin,
    /// Somebody has put it into service.
    Promoted,
    /// It was in service before, as the generation of this number.
    RolledBack(u64),
    /// It is the generation of this number, compiled: what that one had taken ready-made was wrong.
    Recompiled(u64),
}

/// What is to come into service.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The rules.
    pub release: Arc<Release>,
    /// [`Slot::next_number`].
    pub number: u64,
    /// Microseconds since 1970.
    pub at: u64,
    /// How it comes.
    pub origin: Origin,
}

impl Candidate {
    /// What it will be known as.
    pub fn generation(&self) -> Generation {
        let Candidate { release, number, at, origin } = self;
        let (content, serial) = (release.content(), release.serial());
        Generation { number: *number, content, serial, at: *at, origin: *origin }
    }
}

/// Why a ruleset does not come into service. What is in service stays there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Something else has come into service since.
    #[error("it was made against generation {planned}, but generation {current} is in service")]
    Stale {
        /// The generation that it was made against.
        planned: u64,
        /// The one in service.
        current: u64,
    },
    /// It is older than the oldest that may be in service.
    #[error("{}, at least {minimum} is asked for", serial.map_or("it has no serial".to_owned(), |serial| format!("its serial is {serial}")))]
    BelowMinimum {
        /// Its serial; what has none could be any.
        serial: Option<u64>,
        /// The pinned minimum.
        minimum: u64,
    },
}

/// Why nothing was rolled back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NothingToRollBackTo {
    /// No generation before is kept.
    #[error("no generation before this one is kept")]
    Nothing,
    /// Another one is in service than the caller has seen, or the one before is older than the oldest that may be in service.
    #[error("the generation before is not taken: {0}")]
    Refused(#[from] Refused),
    /// What is in service stays there until somebody unpins it.
    #[error("{0}")]
    Pinned(#[from] Pinned),
}

/// A ruleset in service. Everything that a request reads hangs off it.
#[derive(Debug)]
pub struct Deployed {
    release: Arc<Release>,
    generation: Generation,
    switches: Arc<Switches>,
    /// Why it is not what the process was told to run.
    degraded: Option<Arc<str>>,
}

impl Deployed {
    fn new(candidate: Candidate, degraded: Option<Arc<str>>) -> Self {
        let generation = candidate.generation();
        let switches = Arc::new(Switches::new(candidate.release.loaded().program().rules.len()));
        Deployed { release: candidate.release, generation, switches, degraded }
    }

    /// A ruleset that is asked beside the one in service. `prepare` turns the switches that are to be off from the start.
    pub fn beside(candidate: Candidate, prepare: impl FnOnce(&Deployed)) -> Arc<Deployed> {
        let deployed = Arc::new(Deployed::new(candidate, None));
        prepare(&deployed);
        deployed
    }

    /// The rules, which other generations may have, too.
    pub fn release(&self) -> &Arc<Release> {
        &self.release
    }

    /// The program and its automata.
    pub fn loaded(&self) -> &Arc<Loaded> {
        self.release.loaded()
    }

    /// Its number: 1 for the first ruleset of a slot, unless a history knows of others.
    pub fn generation(&self) -> u64 {
        self.generation.number
    }

    /// What is known about it.
    pub fn about(&self) -> Generation {
        self.generation
    }

    /// Why it is not what the process was told to run, if it is not.
    pub fn degraded(&self) -> Option<&Arc<str>> {
        self.degraded.as_ref()
    }

    /// What can be turned off in it while it is in service.
    pub fn switches(&self) -> &Arc<Switches> {
        &self.switches
    }

    /// Memory for one evaluation.
    pub fn scratch(&self) -> Box<Scratch> {
        self.release.scratch()
    }

    /// Takes memory back.
    pub fn recycle(&self, scratch: Box<Scratch>) {
        self.release.recycle(scratch);
    }
}

/// Where a ruleset is in service; replaced by one atomic store.
#[derive(Debug)]
pub struct Slot {
    current: ArcSwap<Deployed>,
    next: AtomicU64,
    changing: Mutex<Past>,
}

/// What whoever changes something looks at.
#[derive(Debug)]
struct Past {
    /// What can be rolled back to, the latest last.
    older: VecDeque<(Arc<Release>, Generation)>,
    keep: usize,
    minimum: Option<u64>,
}

impl Past {
    /// How many of the oldest are more than can be rolled back to. Nothing else holds them but requests that have begun with them.
    fn beyond(&self) -> usize {
        // Without these guards D7 and D23 must be seen to fail: nothing is there to go back to, or nothing ever goes.
        match () {
            () if cfg!(fusewall_without = "kept") => self.older.len(),
            () if cfg!(fusewall_without = "freed") => 0,
            () => self.older.len().saturating_sub(self.keep),
        }
    }

    fn admits(&self, serial: Option<u64>) -> Result<(), Refused> {
        match self.minimum {
            Some(minimum) if serial.is_none_or(|serial| serial < minimum) => {
                Err(Refused::BelowMinimum { serial, minimum })
            }
            _ => Ok(()),
        }
    }
}

impl Slot {
    /// A slot with its first ruleset, which keeps `keep` generations for rollbacks. `degraded`: why it is another ruleset than
    /// was asked for.
    pub fn new(first: Candidate, keep: usize, degraded: Option<Arc<str>>) -> Self {
        let next = AtomicU64::new(first.number + 1);
        let changing = Mutex::new(Past { older: VecDeque::new(), keep, minimum: None });
        Slot { current: ArcSwap::from_pointee(Deployed::new(first, degraded)), next, changing }
    }

    /// The ruleset in service now. A request calls this once and keeps the answer.
    #[inline]
    pub fn current(&self) -> Arc<Deployed> {
        self.current.load_full()
    }

    /// A number that no generation has had.
    pub fn next_number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// No generation gets a number up to this one: others have had them.
    pub fn skip_numbers(&self, last: u64) {
        self.next.fetch_max(last.saturating_add(1), Ordering::Relaxed);
    }

    /// How many generations are kept for rollbacks.
    pub fn keeps(&self) -> usize {
        self.past().keep
    }

    /// Nothing with a lower serial comes into service from now on; a minimum is never lowered. What is in service stays.
    pub fn pin_serial(&self, minimum: u64) -> u64 {
        let mut past = self.past();
        let pinned = past.minimum.map_or(minimum, |before| before.max(minimum));
        past.minimum = Some(pinned);
        pinned
    }

    /// Whether something of this serial may come into service.
    ///
    /// # Errors
    /// It may not.
    pub fn admits(&self, serial: Option<u64>) -> Result<(), Refused> {
        self.past().admits(serial)
    }

    /// Puts a ruleset into service, if `expected` still is: compare and swap. Without one it replaces whatever is there. `prepare`
    /// turns the switches that are to be off from the start; requests under way finish on theirs.
    ///
    /// # Errors
    /// Another generation is in service, a later one than the candidate's, or its serial is below the minimum.
    pub fn apply(
        &self,
        candidate: Candidate,
        expected: Option<u64>,
        prepare: impl FnOnce(&Deployed),
    ) -> Result<Arc<Deployed>, Refused> {
        let mut past = self.past();
        let current = self.current.load_full();
        let number = current.generation();
        let expected = expected.filter(|_| !cfg!(fusewall_without = "compare"));
        match expected {
            Some(planned) if planned != number => return Err(Refused::Stale { planned, current: number }),
            _ if candidate.number <= number => {
                return Err(Refused::Stale { planned: candidate.number, current: number });
            }
            _ => {}
        }
        // What has wrong automata has to go, and is never gone back to.
        if !matches!(candidate.origin, Origin::Recompiled(_)) {
            past.admits(candidate.release.serial())?;
            past.older.push_back((current.release.clone(), current.generation));
            let beyond = past.beyond();
            past.older.drain(..beyond);
        }
        let next = Arc::new(Deployed::new(candidate, None));
        prepare(&next);
        self.current.store(next.clone());
        Ok(next)
    }

    /// Puts the generation before into service again, under a new number; nothing is compiled. Twice in a row goes back two, if so
    /// many are kept.
    ///
    /// # Errors
    /// There is none, or its serial is below the minimum.
    pub fn roll_back(&self, at: u64, prepare: impl FnOnce(&Deployed)) -> Result<Arc<Deployed>, NothingToRollBackTo> {
        self.roll_back_from(None, at, prepare)
    }

    /// The same, if `expected` is in service; without one whatever is.
    ///
    /// # Errors
    /// There is none, its serial is below the minimum, or another generation is in service.
    pub fn roll_back_from(
        &self,
        expected: Option<u64>,
        at: u64,
        prepare: impl FnOnce(&Deployed),
    ) -> Result<Arc<Deployed>, NothingToRollBackTo> {
        let mut past = self.past();
        let current = self.current.load().generation();
        if let Some(planned) = expected.filter(|planned| *planned != current) {
            return Err(Refused::Stale { planned, current }.into());
        }
        let (release, before) = past.older.pop_back().ok_or(NothingToRollBackTo::Nothing)?;
        if let Err(refused) = past.admits(release.serial()) {
            past.older.push_back((release, before));
            return Err(refused.into());
        }
        let origin = Origin::RolledBack(before.number);
        let next = Arc::new(Deployed::new(Candidate { release, number: self.next_number(), at, origin }, None));
        prepare(&next);
        self.current.store(next.clone());
        Ok(next)
    }

    /// Puts the generation before into service again because `faulty` has failed, if that one still is in service. `why` is what
    /// it is [degraded](Deployed::degraded) by. `helps` says whether the one before is any better. Nothing happens otherwise.
    pub fn fall_back(
        &self,
        faulty: u64,
        at: u64,
        why: Arc<str>,
        helps: impl FnOnce(&Release) -> bool,
        prepare: impl FnOnce(&Deployed),
    ) -> Option<Arc<Deployed>> {
        let mut past = self.past();
        if self.current.load().generation() != faulty {
            return None;
        }
        let (release, before) = past.older.back().filter(|(release, _)| helps(release))?;
        past.admits(release.serial()).ok()?;
        let origin = Origin::RolledBack(before.number);
        let candidate = Candidate { release: release.clone(), number: self.next_number(), at, origin };
        past.older.pop_back();
        let next = Arc::new(Deployed::new(candidate, Some(why)));
        prepare(&next);
        self.current.store(next.clone());
        Some(next)
    }

    /// What is in service, and behind it what can be rolled back to, the latest first.
    pub fn generations(&self) -> Vec<Generation> {
        let past = self.past();
        let older = past.older.iter().rev().map(|(_, generation)| *generation);
        std::iter::once(self.current.load().generation).chain(older).collect()
    }

    /// Never goes back to this release.
    pub fn forget(&self, release: &Arc<Release>) {
        self.past().older.retain(|(other, _)| !Arc::ptr_eq(other, release));
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
