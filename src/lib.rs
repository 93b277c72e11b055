//! Fusewall: a web application firewall engine that compiles rules into linear-time matchers and meters every step.

pub mod byteset;
#[cfg(feature = "cli")]
pub mod cli;
pub mod detect;
pub mod diag;
pub mod files;
pub mod host;
pub mod http;
pub mod lang;
pub mod limits;
pub mod meter;
pub mod net;
pub mod ops;
pub mod rule;
pub mod scan;
pub mod transform;

pub use limits::Limits;
