//! Targets of the hosts: those who hold the engine, and speak to somebody. Each is driven through what it shows to others: functions of
//! C, a connection, a socket.
//!
//! The tests of the hosts take these files one by one, and `choices` beside them.

pub mod admin_api;
pub mod c_abi;
pub mod memory;
pub mod panics;
pub mod spop;

pub use super::oracle::choices;
