//! The second opinion on a request: another ruleset evaluates it beside the first.

use crate::engine;
use crate::governor::Report;
use crate::store::Deployed;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// An evaluation that a panic cannot leave: what has failed is not asked again.
pub(in crate::waf) struct Second {
    inner: Option<engine::Transaction>,
    deployed: Arc<Deployed>,
    failed: bool,
}

impl Second {
    pub(super) fn new(inner: engine::Transaction, deployed: Arc<Deployed>) -> Second {
        Second { inner: Some(inner), deployed, failed: false }
    }

    /// Asks it; after a panic, or if it has failed before, the answer is `otherwise`.
    pub(in crate::waf) fn ask<T>(&mut self, otherwise: T, call: impl FnOnce(&mut engine::Transaction) -> T) -> T {
        let Some(inner) = self.inner.as_mut().filter(|_| !self.failed) else { return otherwise };
        match catch_unwind(AssertUnwindSafe(|| call(inner))) {
            Ok(answer) => answer,
            Err(_) => {
                self.failed = true;
                if let Some(left_out) = Report::InternalError.admit() {
                    let (generation, left_out) = (self.deployed.generation(), left_out.count());
                    let rule = inner.running_rule().and_then(|rule| self.deployed.loaded().program().source(rule));
                    let rule = rule.map_or(0, |rule| rule.id.0);
                    tracing::error!(unique_id = inner.unique_id(), generation, rule, left_out, "internal error");
                }
                otherwise
            }
        }
    }

    /// What it says, unless it has failed.
    pub(in crate::waf) fn told(&self) -> Option<&engine::Transaction> {
        self.inner.as_ref().filter(|_| !self.failed)
    }

    /// Fuel spent, also by what has failed.
    pub(in crate::waf) fn fuel(&self) -> u64 {
        self.inner.as_ref().map_or(0, engine::Transaction::fuel)
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        // What a panic left behind is not reused.
        if let Some(inner) = self.inner.take().filter(|_| !self.failed)
            && let Ok(scratch) = catch_unwind(AssertUnwindSafe(|| inner.into_scratch()))
        {
            self.deployed.recycle(scratch);
        }
    }
}
