//! The governor: under load in simulated time, and the circuit breakers of rules.

mod breakers;
mod broken;
mod clocks;
#[cfg(feature = "tower")]
mod lanes;
mod overload;
mod quarantine;
mod reports;
mod simulation;
mod tickets;
