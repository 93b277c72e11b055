//! A reload, as whoever has asked for it holds it.

use crate::diag::Severity;
use crate::store::LoadReport;
use std::any::Any;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What has come of a reload.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Reloaded {
    /// The rules are in service.
    InService {
        /// The generation's number.
        generation: u64,
        /// Warnings and notes.
        report: Arc<LoadReport>,
    },
    /// They do not load; what was in service still is.
    Refused(Arc<LoadReport>),
    /// Loading them has failed inside of the engine; what was in service still is.
    Failed,
    /// A newer reload of the same tenant has taken its place in the queue: these rules were never looked at.
    Superseded,
    /// The tenant was removed, or all of them, before they were looked at.
    Withdrawn,
}

impl Reloaded {
    /// Whether the rules are in service now.
    pub fn is_in_service(&self) -> bool {
        matches!(self, Reloaded::InService { .. })
    }

    pub(super) fn of(loaded: Result<Result<(u64, LoadReport), LoadReport>, Box<dyn Any + Send>>) -> Reloaded {
        match loaded {
            Ok(Ok((generation, report))) => Reloaded::InService { generation, report: Arc::new(report) },
            Ok(Err(report)) => Reloaded::Refused(Arc::new(report)),
            Err(_) => Reloaded::Failed,
        }
    }

    /// Says so in the log.
    pub(super) fn tell(&self, tenant: &str) {
        match self {
            Reloaded::InService { generation, .. } => tracing::info!(tenant, generation, "rules reloaded"),
            Reloaded::Refused(report) => {
                let first = report.diagnostics.iter().find(|found| found.severity == Severity::Error);
                let (code, message) = first.map(|first| (first.code, first.message.as_str())).unwrap_or_default();
                tracing::error!(tenant, code, message, "the rules do not load, those in service stay");
            }
            Reloaded::Failed => tracing::error!(tenant, "loading the rules has failed, those in service stay"),
            Reloaded::Superseded | Reloaded::Withdrawn => tracing::debug!(tenant, "a reload was overtaken"),
        }
    }
}

/// A reload that was asked for. It goes on whether somebody waits for it or not.
#[derive(Debug, Clone, Default)]
pub struct Reload(Arc<(Mutex<Option<Reloaded>>, Condvar)>);

impl Reload {
    /// What has come of it; `None`: it waits, or is being loaded.
    pub fn outcome(&self) -> Option<Reloaded> {
        self.state().clone()
    }

    /// Waits until it has ended.
    pub fn wait(&self) -> Reloaded {
        let mut state = self.state();
        loop {
            match &*state {
                Some(outcome) => return outcome.clone(),
                None => state = self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    pub(super) fn end(&self, outcome: Reloaded) {
        *self.state() = Some(outcome);
        self.0.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, Option<Reloaded>> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
