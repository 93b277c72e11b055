//! How many exchanges have ended how, since the process began.

use super::Waf;
use crate::engine::{Interruption, InterruptionAction, Reason};
use std::sync::atomic::{AtomicU64, Ordering};

/// Exchanges that have ended, by what became of them; each is counted once.
///
/// ```
/// use fusewall::Waf;
/// let waf = Waf::builder().build().expect("the built-in rules load");
/// drop(waf.transaction());
/// assert_eq!(waf.counts().passed, 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Let through.
    pub passed: u64,
    /// Answered with an error.
    pub denied: u64,
    /// Cut.
    pub dropped: u64,
    /// Sent elsewhere.
    pub redirected: u64,
    /// Refused because their budget was spent.
    pub exhausted: u64,
    /// Refused because the engine has failed.
    pub failed: u64,
}

/// The counters behind [`Counts`].
#[derive(Debug, Default)]
pub(super) struct Counting {
    passed: AtomicU64,
    denied: AtomicU64,
    dropped: AtomicU64,
    redirected: AtomicU64,
    exhausted: AtomicU64,
    failed: AtomicU64,
}

impl Counting {
    pub(super) fn count(&self, ended: Option<&Interruption>) {
        let counter = match ended.map(|ended| (&ended.reason, &ended.action)) {
            None => &self.passed,
            Some((Reason::InternalError, _)) => &self.failed,
            Some((Reason::Budget(_), _)) => &self.exhausted,
            Some((_, InterruptionAction::Deny)) => &self.denied,
            Some((_, InterruptionAction::Drop)) => &self.dropped,
            Some((_, InterruptionAction::Redirect(_))) => &self.redirected,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Waf {
    /// How many exchanges have ended how so far, those of all generations together.
    pub fn counts(&self) -> Counts {
        let Counting { passed, denied, dropped, redirected, exhausted, failed } = &*self.shared.counting;
        let [passed, denied, dropped, redirected, exhausted, failed] =
            [passed, denied, dropped, redirected, exhausted, failed].map(|count| count.load(Ordering::Relaxed));
        Counts { passed, denied, dropped, redirected, exhausted, failed }
    }
}
