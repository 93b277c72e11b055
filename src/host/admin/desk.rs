//! What all requests share: the rules in service, what is staged, and until when a weaker mode holds.

use super::config::AdminConfig;
use super::handlers::mode::Temporary;
use super::handlers::shelf::Shelf;
use crate::governor::{Clock, Exposition};
use crate::store::RuleSource;
use crate::waf::Waf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// Told when other rules have come into service.
pub(super) type Promoted = Box<dyn Fn(&Waf) + Send + Sync>;

/// Adds what the host itself counts.
pub(super) type Metrics = Box<dyn Fn(&mut Exposition) + Send + Sync>;

pub(super) struct Desk {
    pub(super) waf: Waf,
    pub(super) config: AdminConfig,
    /// What the process was configured with.
    pub(super) source: RuleSource,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shelf: Mutex<Shelf>,
    pub(super) temporary: Mutex<Option<Temporary>>,
    /// One ruleset is loaded at a time: it takes memory and processors.
    pub(super) loads: Arc<Semaphore>,
    pub(super) tally: Tally,
    /// The process is about to end.
    pub(super) ending: AtomicBool,
    pub(super) promoted: Promoted,
    pub(super) metrics: Metrics,
}

/// Requests to the API.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) answered: AtomicU64,
    pub(super) refused: AtomicU64,
}

impl Desk {
    pub(super) fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn temporary(&self) -> MutexGuard<'_, Option<Temporary>> {
        self.temporary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what has had its time. Once a second, and before somebody looks.
    pub(super) fn tick(&self) {
        let now = self.clock.nanos();
        super::handlers::mode::expire(self, now);
        self.shelf().expire(now);
    }
}
