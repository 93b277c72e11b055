//! The metered engine: a [`Program`](crate::program::Program) and a request in, a [`Verdict`] out.
//!
//! Everything here runs while somebody waits: no panic, no lock, no clock, no allocation that grows with the number of
//! rules; every step is charged before it runs. The state of an evaluation is explicit (`cursor`), so it can pause between
//! values and inside long scans and go on later, on any thread.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::unreachable)
)]

mod act;
pub mod audit;
mod buffers;
mod caches;
mod collections;
mod cursor;
mod env;
mod eval;
mod expand;
mod expanded;
mod matched;
mod memory;
mod operator;
mod performance;
pub mod persist;
mod prepare;
mod record;
mod sanitise;
mod scratch;
mod selection;
mod sieve;
mod trace;
mod transaction;
mod tx;
pub mod upload;
mod values;
mod verdict;

pub use audit::AuditRecord;
pub use env::{Answer, Env, EnvVariable, FixedEnv, Resolver};
pub use record::MatchRecord;
pub use scratch::Scratch;
pub use trace::{Event, LeftOut, Test, Trace};
pub use transaction::{Step, Transaction};
pub use verdict::{
    Decided, Exhaustion, Interruption, InterruptionAction, Policy, Reason, RulePolicy, Score, Tried, Verdict,
};
