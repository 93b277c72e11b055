//! Hosts: what stands between a connection and the engine.
//!
//! One room per host; each is behind a feature of its own, so that an embedder builds what it uses and nothing else.

#[cfg(feature = "http1")]
pub mod http1;
