//! Reloads that wait to be loaded. When everybody reloads at once, there is one for each tenant, the newest, and no more than there
//! is room for.

use super::reload::{Reload, Reloaded};
use crate::store::RuleSource;
use crate::waf::Waf;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Why a reload was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotQueued {
    /// There is nobody of this name.
    #[error("there is no tenant `{0}`")]
    NoSuchTenant(Box<str>),
    /// Too many wait already.
    #[error("{waiting} reloads wait, {most} may: try again later, or raise the length of the queue")]
    Full {
        /// How many wait.
        waiting: usize,
        /// How many may.
        most: usize,
    },
}

/// What has become of reloads so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueCounts {
    /// Waiting now.
    pub waiting: usize,
    /// Waiting at once, at most so far.
    pub most_waiting: usize,
    /// Being loaded now.
    pub loading: usize,
    /// Loaded, whatever came of it.
    pub loaded: u64,
    /// Superseded by newer ones.
    pub superseded: u64,
    /// Refused because the queue was full.
    pub refused: u64,
}

/// A reload, with all that it takes.
pub(super) struct Job {
    pub(super) tenant: Arc<str>,
    pub(super) waf: Waf,
    pub(super) source: RuleSource,
    pub(super) reload: Reload,
}

pub(super) struct Queue {
    most: usize,
    state: Mutex<State>,
    /// Something waits that can be loaded, or the queue is closed.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// In the order in which they came; a newer one stands where the older one stood.
    order: VecDeque<Arc<str>>,
    waiting: HashMap<Arc<str>, Job>,
    /// Tenants whose rules are being loaded: the next reload of one waits until it is done, or it could be overtaken.
    loading: HashSet<Arc<str>>,
    closed: bool,
    counts: QueueCounts,
}

impl Queue {
    pub(super) fn new(most: usize) -> Queue {
        Queue { most, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Takes a reload, in the place of an older one of the same tenant if one waits.
    ///
    /// # Errors
    /// Too many wait.
    pub(super) fn push(&self, tenant: Arc<str>, waf: Waf, source: RuleSource) -> Result<Reload, NotQueued> {
        let reload = Reload::default();
        let mut state = self.state();
        let waiting = state.waiting.len();
        // Drill D17.
        let is_bounded = !cfg!(fusewall_without = "queue");
        if !state.waiting.contains_key(&tenant) {
            if waiting >= self.most && is_bounded {
                state.counts.refused += 1;
                return Err(NotQueued::Full { waiting, most: self.most });
            }
            state.order.push_back(tenant.clone());
        }
        let job = Job { tenant: tenant.clone(), waf, source, reload: reload.clone() };
        if let Some(older) = state.waiting.insert(tenant, job) {
            state.counts.superseded += 1;
            older.reload.end(Reloaded::Superseded);
        }
        state.counts.most_waiting = state.counts.most_waiting.max(state.waiting.len());
        drop(state);
        self.changed.notify_one();
        Ok(reload)
    }

    /// The next one to be loaded; waits for it. `None`: there will be none.
    pub(super) fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            let next = state.order.iter().position(|tenant| !state.loading.contains(tenant));
            if let Some(tenant) = next.and_then(|at| state.order.remove(at))
                && let Some(job) = state.waiting.remove(&tenant)
            {
                state.loading.insert(tenant);
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// What [`next`](Self::next) gave out for this tenant has ended.
    pub(super) fn done(&self, tenant: &str) {
        let mut state = self.state();
        state.loading.remove(tenant);
        state.counts.loaded += 1;
        drop(state);
        // Another thread may wait for this very tenant.
        self.changed.notify_all();
    }

    /// What waits for this tenant is not loaded any more.
    pub(super) fn withdraw(&self, tenant: &str) {
        let mut state = self.state();
        state.order.retain(|other| **other != *tenant);
        if let Some(job) = state.waiting.remove(tenant) {
            job.reload.end(Reloaded::Withdrawn);
        }
    }

    /// Nothing is loaded any more.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.order.clear();
        let jobs: Vec<_> = state.waiting.drain().collect();
        drop(state);
        jobs.into_iter().for_each(|(_, job)| job.reload.end(Reloaded::Withdrawn));
        self.changed.notify_all();
    }

    pub(super) fn counts(&self) -> QueueCounts {
        let state = self.state();
        QueueCounts { waiting: state.waiting.len(), loading: state.loading.len(), ..state.counts }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
