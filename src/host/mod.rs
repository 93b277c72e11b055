//! Hosts: how HTTP traffic reaches the engine.
//!
//! [`exchange`] is the one place that knows in which order a request and its response pass the engine, and what becomes of a
//! body that is too long or cannot be read. The adapters (the reverse proxy `serve`, the `tower` layer) only translate types and move bytes.

pub mod exchange;
#[doc(hidden)]
pub mod fake;
#[cfg(any(feature = "tower", feature = "serve"))]
mod inspect;
#[cfg(feature = "http1")]
pub mod http1;
#[cfg(feature = "serve")]
pub mod serve;
