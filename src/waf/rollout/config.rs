//! What a rollout is to be like, what is known of one, and why one does not begin.

use super::recorded::Recorded;
use crate::store::Refused;
use crate::store::rollout::{
    ComparisonFigures, Contest, Decision, Figures, Gates, Judged, Misdeclared, Must, Pinned, Plan, Secret, Stage,
};
use serde::Serialize;
use std::io;
use std::path::PathBuf;

/// What a rollout is to be like. `docs/rollout.md` says what the defaults come from.
///
/// ```
/// use fusewall::RolloutConfig;
/// let config = RolloutConfig::default();
/// assert!(!config.waive_loosening && config.journal.is_none());
/// ```
#[derive(Debug, Clone)]
pub struct RolloutConfig {
    /// The stages, and how long each takes.
    pub plan: Plan,
    /// What the candidate is held against.
    pub gates: Gates,
    /// In the canary, lets pass what only the ruleset in service blocks. Without it a candidate cannot loosen before it is promoted.
    pub waive_loosening: bool,
    /// Requests of one's own whose verdict is known. They are tried before anything else.
    pub probes: Vec<Probe>,
    /// A file that takes the events, from which [`replay`](crate::store::journal::replay) makes every decision again. It holds
    /// networks, outcomes and times.
    pub journal: Option<PathBuf>,
    /// Bytes of requests that may wait for the other ruleset: 64 MiB. What comes beyond is not observed.
    pub queue_bytes: usize,
    /// Asks about every request, also about those that no gate counts: for comparisons. It doubles the CPU of the rules.
    pub every_request: bool,
    /// Milliseconds between two looks at the gates: 1,000.
    pub tick_millis: u64,
    /// The key by which clients are chosen for the canary; a new one by default. Processes that share one choose the same clients.
    pub secret: Option<Secret>,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        RolloutConfig {
            plan: Plan::default(),
            gates: Gates::default(),
            waive_loosening: false,
            probes: Vec::new(),
            journal: None,
            queue_bytes: 64 << 20,
            every_request: false,
            tick_millis: 1000,
            secret: None,
        }
    }
}

/// A request of one's own, and what it must come to.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Its name in decisions.
    pub id: String,
    /// What it must come to.
    pub must: Must,
    /// The request.
    pub request: Recorded,
}

/// What is known of a rollout: of the one under way, or of the last one.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct RolloutStatus {
    /// Which generations.
    pub contest: Contest,
    /// How far it has come.
    #[serde(flatten)]
    pub stage: Stage,
    /// Whether it has ended, well or not.
    pub over: bool,
    /// What was observed in this stage.
    pub figures: Figures,
    /// Every gate, judged by these figures.
    pub gates: Vec<Judged>,
    /// Both rulesets on the same requests, since it began: `a` is the one in service before, `b` the candidate.
    pub comparison: ComparisonFigures,
    /// What was decided so far, the latest 64.
    pub decisions: Vec<Decision>,
    /// Requests that were not observed because there was no room or no CPU to ask both rulesets.
    pub left_out: u64,
    /// Requests that are not compared: they were turned away before all of them was known, and the other ruleset let pass what it saw.
    pub incomplete: u64,
    /// What has gone wrong besides: a promotion that was refused, a journal that cannot be written.
    pub problem: Option<String>,
}

/// Why a rollout does not begin. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotBegun {
    /// Another one is under way.
    #[error("generation {} is on its way already: approve or abort that rollout first", .0.candidate)]
    UnderWay(Contest),
    /// Something else is in service than the candidate was made against, or its serial is too low.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// Another generation is pinned.
    #[error("{0}")]
    Pinned(#[from] Pinned),
    /// Plan or gates make no sense.
    #[error("{0}")]
    Misdeclared(#[from] Misdeclared),
    /// No generation is kept to roll back to.
    #[error("no generation is kept to roll back to: build with `keep_generations(1)` or more")]
    NothingKept,
    /// The journal cannot be made, or there is no thread.
    #[error("{what}: {problem}")]
    Io {
        /// What was tried.
        what: String,
        /// What went wrong.
        problem: io::Error,
    },
}

/// There is no rollout under way, or nothing to decide about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no rollout is under way")]
pub struct NoRollout;
