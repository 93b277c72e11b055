//! Scanners and verifiers: the automata that the planner builds and the engine runs. All linear, all metered.

pub mod require;
