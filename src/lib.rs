//! Fusewall: a web application firewall engine that compiles rules into linear-time matchers and meters every step.

pub mod byteset;
#[cfg(feature = "cli")]
pub mod cli;
pub mod detect;
pub mod diag;
pub mod engine;
pub mod files;
pub mod geo;
pub mod governor;
pub mod host;
pub mod http;
pub mod lang;
pub mod limits;
pub mod meter;
pub mod net;
pub mod ops;
mod parallel;
pub mod plan;
pub mod program;
pub mod rule;
pub mod scan;
pub mod store;
mod sync;
pub mod transform;
mod waf;
pub mod wire;

pub use engine::{
    AuditRecord, Interruption, InterruptionAction, MatchRecord, Policy, Reason, RulePolicy, Step, Verdict,
};
pub use limits::Limits;
pub use rule::Phase;
pub use waf::{
    Counts, Exceeded, FallBack, Health, HistoryConfig, NoRollout, NotAdded, NotBegun, NotHeld, NotPromoted, NotQueued,
    Probe, QueueCounts, Recorded, Reload, Reloaded, RolloutConfig, RolloutStatus, RuleAccount, Staged, Switch, Tenants,
    TenantsBuilder, Transaction, Verification, Waf, WafBuilder,
};

/// The examples of the README, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
