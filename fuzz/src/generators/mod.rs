//! From bytes to inputs: what a target makes of what the fuzzer gives it. Rulesets and exchanges come from `tests/oracle/generate.rs`.
//!
//! Bodies are made together with what is to be found in them.

mod graphql;
mod letters;
mod multipart;
mod pattern;
mod request;
mod rules;
mod tokens;

pub use graphql::graphql;
pub use letters::{found, lettered};
pub use multipart::multipart;
pub use pattern::pattern;
pub use request::spelled;
pub use rules::rules;
pub use tokens::spelled_in;

use super::oracle::generate::Choices;

/// The bytes up to the first marker, and those behind it: two inputs in one.
pub fn halves(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&byte| byte == 0xff) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => data.split_at(data.len() / 2),
    }
}

/// One of a list.
fn one<T: Copy>(from: &mut Choices<'_>, list: &[T]) -> T {
    list[from.below(list.len())]
}

/// Up to `most` of a list, joined.
fn some(from: &mut Choices<'_>, list: &[&str], most: usize) -> String {
    (0..from.below(most + 1)).map(|_| one(from, list)).collect()
}
