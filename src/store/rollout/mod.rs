//! How a ruleset comes into service step by step: compared with the one in service, tried on a part of the clients, promoted, and
//! rolled back if it does harm. Pure logic: what was observed and what time it is are told, so every decision can be taken again.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod comparison;
mod fuel;
mod outcome;

pub use comparison::{Both, Change, Comparison, ComparisonFigures, RuleFigures, Side, compare};
pub use fuel::FuelFigures;
pub use outcome::{Action, Outcome, combined};
