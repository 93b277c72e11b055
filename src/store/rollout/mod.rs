//! How a ruleset comes into service step by step: compared with the one in service, tried on a part of the clients, promoted, and
//! rolled back if it does harm. Pure logic: what was observed and what time it is are told, so every decision can be made again.
//!
//! | file | holds |
//! |---|---|
//! | `outcome` | what one ruleset says of one request; what counts while two decide |
//! | `comparison` | two rulesets on the same requests; `fuel`: a histogram |
//! | `source`, `sample` | what was observed, by networks of clients |
//! | `gates` | what a candidate is held against, and how it is judged; `share`: parts of a whole |
//! | `stage` | the stages and the plan |
//! | `course` | the rollout: events in, decisions out |
//! | `canary` | which clients the candidate decides about |
//! | `lane` | what stays in service whatever others want |
//!
//! `docs/rollout.md` says why one client, or five hundred, can neither bring about nor prevent what they should not.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod canary;
mod comparison;
mod course;
mod fuel;
mod gates;
mod lane;
mod outcome;
mod sample;
mod share;
mod source;
mod stage;

pub use canary::{Canary, Secret};
pub use comparison::{Both, Change, Comparison, ComparisonFigures, RuleFigures, Side, compare};
pub use course::{Contest, Decision, Event, Must, Rollout, Taken, Why};
pub use fuel::FuelFigures;
pub use gates::{Finding, Gate, Gates, Judged, Misdeclared};
pub use lane::{EmergencyLane, Pinned};
pub use outcome::{Action, Outcome, combined};
pub use sample::{Figures, FuelSums, Observation, RuleSources};
pub use share::Share;
pub use source::Source;
pub use stage::{Plan, Stage, Step};
