//! The agent for HAProxy: as its peer sees it frame by frame, through Debian's haproxy, and as its operator starts it.

mod agent;
mod command;
mod conformance;
mod governor;
mod haproxy;
mod messages;
mod peer;
mod protocol;
#[path = "../adapters/suite/mod.rs"]
mod suite;
mod through_haproxy;
