//! Planner and engine against the naive interpreter.

mod oracle;

#[path = "naive/corpus.rs"]
mod corpus;
#[path = "naive/planner.rs"]
mod planner;
#[path = "naive/random.rs"]
mod random;
#[path = "naive/table.rs"]
mod table;
