//! From bytes to inputs: what a target makes of what the fuzzer gives it. Rulesets and exchanges come from `tests/oracle/generate.rs`.

mod request;

pub use request::spelled;

/// The bytes up to the first marker, and those behind it: two inputs in one.
pub fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&byte| byte == 0xff) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => data.split_at(data.len() / 2),
    }
}
