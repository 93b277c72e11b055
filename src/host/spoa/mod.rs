//! `fusewall spoa`: the agent that HAProxy asks about requests and responses (SPOE), in the protocol of its agents (SPOP 2.0).
//!
//! HAProxy sends messages whose arguments are those of coraza-spoa, and gets variables back that its configuration turns into answers.
//! `docs/haproxy.md` is the page for operators; the protocol is described in HAProxy's `doc/SPOE.txt`.
//!
//! | file | does |
//! |---|---|
//! | [`config`] | what it can be told, from TOML |
//! | `agent` | accepts connections; who is asked for which message |
//! | `connection` | one connection: frames in, frames out |
//! | [`frames`], [`answers`] | frames, read without trust; and written |
//! | `hello`, `status` | what both sides agree on first; why a connection ends |
//! | `payload` | payloads that come in several frames |
//! | `message`, `headers` | what the arguments of a message say |
//! | `length` | whether a body came whole |
//! | `application` | one message on its way through the engine |
//! | `waiting` | transactions between their request and their response |
//! | `verdict` | what HAProxy is told |
//! | `counters` | what was counted |

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod agent;
pub mod answers;
mod application;
pub mod config;
mod connection;
mod counters;
pub mod frames;
mod headers;
mod hello;
mod length;
mod message;
mod payload;
mod status;
mod verdict;
mod waiting;

pub use agent::{Agent, AgentError};
pub use config::Config;
pub use status::Status;
