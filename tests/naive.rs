//! Planner and engine against the naive interpreter.

mod oracle;
mod traffic;

#[path = "naive/corpus.rs"]
mod corpus;
#[path = "naive/disabled.rs"]
mod disabled;
#[path = "naive/names.rs"]
mod names;
#[path = "naive/packages.rs"]
mod packages;
#[path = "naive/planner.rs"]
mod planner;
#[path = "naive/random.rs"]
mod random;
#[path = "naive/table.rs"]
mod table;
