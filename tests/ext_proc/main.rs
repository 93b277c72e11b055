//! `fusewall ext-proc`: by a client of our own, and under a real Envoy.

mod answers;
mod client;
mod command;
#[cfg(target_os = "linux")]
mod cost;
mod envoy;
mod governor;
mod grpc;
mod health;
mod hostile;
mod processor;
mod sites;
#[path = "../adapters/suite/mod.rs"]
mod suite;
