//! Hosts: what stands between a connection and the engine.
//!
//! [`exchange`] is the one place that knows in which order a request and its response pass the engine, and what becomes of a
//! body that is too long or cannot be read. The adapters only translate types and move bytes. One room per host; each is
//! behind a feature of its own, so that an embedder builds what it uses and nothing else.

#[cfg(feature = "serve")]
pub mod admin;
pub mod audit;
pub mod exchange;
#[cfg(feature = "ext-proc")]
pub mod ext_proc;
#[cfg(feature = "http1")]
pub mod http1;
#[cfg(any(feature = "tower", feature = "serve"))]
pub mod inspect;
#[cfg(feature = "tower")]
pub mod journal;
mod look_up;
#[cfg(any(feature = "tower", feature = "serve"))]
pub mod parts;
#[cfg(feature = "spoa")]
pub mod scrape;
#[cfg(feature = "serve")]
pub mod serve;
#[cfg(feature = "spoa")]
pub mod spoa;
#[cfg(feature = "tower")]
pub mod tower;

pub use look_up::NameLookUps;

#[cfg(any(feature = "tower", feature = "serve"))]
pub use inspect::InspectionLimits;
