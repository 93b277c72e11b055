//! A slot: the one pointer that says which ruleset rules.

use crate::engine::Scratch;
use crate::program::{Loaded, Switches};
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex};

/// Scratches kept for reuse, at most.
const POOL: usize = 64;

/// A ruleset in service. Everything that a request reads hangs off it.
#[derive(Debug)]
pub struct Deployed {
    loaded: Arc<Loaded>,
    generation: u64,
    switches: Arc<Switches>,
    /// Scratches between requests. The lock is only ever tried: whoever finds it taken makes a new scratch (or drops one).
    #[allow(clippy::vec_box, reason = "a scratch moves between pool and transaction: one pointer, not kilobytes")]
    pool: [Mutex<Vec<Box<Scratch>>>; 4],
}

impl Deployed {
    fn new(loaded: Arc<Loaded>, generation: u64) -> Self {
        let switches = Arc::new(Switches::new(loaded.program().rules.len()));
        Deployed { loaded, generation, switches, pool: Default::default() }
    }

    /// The program and its automata.
    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// Its number: 1 for the first ruleset of a slot.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// What can be turned off in it while it is in service.
    pub fn switches(&self) -> &Arc<Switches> {
        &self.switches
    }

    /// Memory for one evaluation.
    pub fn scratch(&self) -> Box<Scratch> {
        let pooled = self.pool.iter().find_map(|shelf| shelf.try_lock().ok()?.pop());
        pooled.unwrap_or_else(|| Box::new(Scratch::new(self.loaded.program())))
    }

    /// Takes memory back.
    pub fn recycle(&self, scratch: Box<Scratch>) {
        for shelf in &self.pool {
            if let Ok(mut shelf) = shelf.try_lock()
                && shelf.len() < POOL / self.pool.len()
            {
                shelf.push(scratch);
                return;
            }
        }
    }
}

/// Where a ruleset is in service; replaced by one atomic store.
#[derive(Debug)]
pub struct Slot {
    current: ArcSwap<Deployed>,
}

impl Slot {
    /// A slot with its first ruleset.
    pub fn new(loaded: Arc<Loaded>) -> Self {
        Slot { current: ArcSwap::from_pointee(Deployed::new(loaded, 1)) }
    }

    /// The ruleset in service now. A request calls this once and keeps the answer.
    pub fn current(&self) -> Arc<Deployed> {
        self.current.load_full()
    }

    /// Puts another ruleset into service, after `prepare` has turned the switches that are to be off from the start; requests under
    /// way finish on theirs. Answers what is in service now.
    pub fn replace(&self, loaded: Arc<Loaded>, prepare: impl Fn(&Deployed)) -> Arc<Deployed> {
        loop {
            let current = self.current.load();
            let next = Arc::new(Deployed::new(loaded.clone(), current.generation + 1));
            prepare(&next);
            let before = self.current.compare_and_swap(&*current, next.clone());
            if Arc::ptr_eq(&before, &current) {
                return next;
            }
        }
    }
}
