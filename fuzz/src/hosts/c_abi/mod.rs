//! Any program of calls to the C API of libmodsecurity, in any order.
//!
//! A program stays within what `modsecurity.h` allows: null pointers and handles of another kind anywhere, calls too early, too late and
//! twice, rules and engines given back while their transactions go on. What was given back is not used again.
//!
//! | file | does |
//! |---|---|
//! | `program` | reads bytes as calls, makes each, and compares its answer |
//! | `host` | what a host holds: handles, and what is known of each |
//! | `direct` | a request as the engine itself judges it |
//! | `handed` | what is handed over: memory of `malloc`, given back once |
//! | `words` | what hosts say |

// C is spoken here.
#![allow(unsafe_code)]

mod direct;
mod handed;
mod host;
mod program;
mod words;

use super::panics;

/// Each answer is what the engine itself comes to, the same calls have the same answers, and nothing panics, not even where it is caught.
pub fn c_abi(data: &[u8]) {
    let run = || program::run(data);
    let (first, again) = panics::none_in(|| (run(), run()));
    assert_eq!(first, again, "the same calls, made twice");
}
