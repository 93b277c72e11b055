//! The governor under load, in simulated time: who is shed, who never is, and how much CPU evaluation takes.

mod breakers;
mod broken;
mod clocks;
mod overload;
mod quarantine;
mod reports;
mod simulation;
