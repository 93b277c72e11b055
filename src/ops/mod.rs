//! Pure operator functions, shared by constant folding, the engine and the naive interpreter.
//!
//! They look at bytes and know nothing of rules, captures or macros. Each has its price beside it: what a call costs at most.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod block_list;
pub mod byte_range;
pub mod check_digits;
pub mod numeric;
pub mod text;
pub mod validate;
