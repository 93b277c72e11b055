//! The audit log, from rules to the written record.

mod forms;
mod hiding;
mod hostile;
mod ocsf;
mod page;
mod relevance;
mod sink;
mod traffic;
