//! Detectors for SQL injection and cross-site scripting: `@detectSQLi` and `@detectXSS`.
//!
//! Both are ports of the libinjection algorithm and give the answers of its version 3.9.2; `tests/oracle/libinjection.py`
//! compares them with the C library. They allocate nothing, keep no state between calls and cannot panic. They charge the
//! rule as they read, block by block and token by token: most honest input is judged by its first few tokens and costs next
//! to nothing, while [`SQLI_PRICE`] and [`XSS_PRICE`] bound what the worst input can cost. No byte is visited more than a
//! constant number of times, whatever the input.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod input;
mod sqli;
mod xss;

pub use sqli::{Dialect, Fingerprint, Quote, Reading, SQLI_NEEDS, SQLI_PRICE, sqli, sqli_fingerprint};
pub use xss::{Context, XSS_NEEDS, XSS_PRICE, xss, xss_in};
