//! How many exchanges have ended how, since the process began.

use super::Waf;
use crate::engine::{Decided, Exhaustion, Interruption, InterruptionAction, Reason};
use crate::governor::Durations;
use crate::meter::Scope;
use once_cell::race::OnceBox;
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

/// Exchanges that have spent a budget, and what was decided then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// Which budget: the first one that ran dry.
    pub scope: Scope,
    /// What was decided.
    pub policy: Decided,
    /// How many exchanges.
    pub count: u64,
}

const SCOPES: [Scope; 3] = [Scope::Request, Scope::Rule, Scope::Memory];
const POLICIES: [Decided; 5] = [Decided::Block, Decided::Allow, Decided::Match, Decided::Skip, Decided::Score];

/// A row for each of [`SCOPES`], in it a counter for each of [`POLICIES`].
type ByScope = [[AtomicU64; POLICIES.len()]; SCOPES.len()];

/// The counters behind [`Counts`] and [`Exceeded`]. Those that most tenants never need are made by the first exchange that does.
#[derive(Debug, Default)]
pub(super) struct Counting {
    passed: AtomicU64,
    denied: AtomicU64,
    dropped: AtomicU64,
    redirected: AtomicU64,
    exhausted: AtomicU64,
    failed: AtomicU64,
    exceeded: OnceBox<ByScope>,
    durations: OnceBox<Durations>,
}

impl Counting {
    /// An exchange is over. `nanos`: what its evaluation took, as far as the host has told.
    pub(super) fn count(&self, ended: Option<&Interruption>, exhausted: Option<Exhaustion>, nanos: u64) {
        if nanos > 0 {
            self.durations().observe(nanos);
        }
        if let Some(exhausted) = exhausted {
            let scope = SCOPES.iter().position(|scope| *scope == exhausted.scope);
            let policy = POLICIES.iter().position(|policy| *policy == exhausted.policy);
            let row = scope.and_then(|scope| self.exceeded.get_or_init(Box::default).get(scope));
            if let Some(count) = row.zip(policy).and_then(|(row, policy)| row.get(policy)) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
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

    fn durations(&self) -> &Durations {
        self.durations.get_or_init(Box::default)
    }
}

impl Waf {
    /// How many exchanges have ended how so far, those of all generations together.
    pub fn counts(&self) -> Counts {
        let Counting { passed, denied, dropped, redirected, exhausted, failed, .. } = &*self.shared.counting;
        let [passed, denied, dropped, redirected, exhausted, failed] =
            [passed, denied, dropped, redirected, exhausted, failed].map(|count| count.load(Ordering::Relaxed));
        Counts { passed, denied, dropped, redirected, exhausted, failed }
    }

    /// How many exchanges have spent which budget, and what was decided then: every pair, also those that never were.
    pub fn budgets_exceeded(&self) -> impl Iterator<Item = Exceeded> {
        let exceeded = self.shared.counting.exceeded.get_or_init(Box::default);
        SCOPES.iter().zip(exceeded).flat_map(|(scope, row)| {
            let count = |(policy, count): (&Decided, &AtomicU64)| Exceeded {
                scope: *scope,
                policy: *policy,
                count: count.load(Ordering::Relaxed),
            };
            POLICIES.iter().zip(row).map(count)
        })
    }

    /// How long the evaluation of exchanges has taken, of those whose host tells ([`Transaction::took`](crate::Transaction::took)).
    pub fn durations(&self) -> &Durations {
        self.shared.counting.durations()
    }
}
