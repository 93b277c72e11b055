//! The process: its clock and the ids that it gives out. The only floor below the hosts that knows the time.
//!
//! CPU shares, the per-rule ledger and the quarantine have their place here.

mod clock;
#[cfg(feature = "cli")]
mod cpu;
mod identity;
mod periodic;

pub use clock::SystemEnv;
#[cfg(feature = "cli")]
pub use cpu::thread_cpu_time;
pub use identity::Identities;
pub use periodic::Periodic;
