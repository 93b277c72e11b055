//! The process: its clock and the ids that it gives out. The only floor below the hosts that knows the time.
//!
//! CPU shares, the per-rule ledger and the quarantine have their place here.

mod clock;
mod identity;
mod periodic;

pub use clock::SystemEnv;
pub use identity::Identities;
pub use periodic::Periodic;
