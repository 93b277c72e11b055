//! Commands as users start them: what they answer, and how they end.

mod bench;
mod check;
mod diff;
mod man;
