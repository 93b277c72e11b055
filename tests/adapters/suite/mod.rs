//! What every host must do, whichever proxy it lives in.
//!
//! A host's test program takes this folder in by `#[path]`, starts an [`Upstream`], puts itself before it with [`RULES`], and
//! asks [`passes`]. The cases (`cases/`) are scripts: what is sent, what comes back, and what reaches the origin. They speak
//! through bare TCP, so that nothing between them and the host mends what is wrong. The suite uses the standard library alone.
//!
//! | file | holds |
//! |---|---|
//! | `ability.rs` | what a host may lack by its nature |
//! | `case.rs` | what a script consists of |
//! | `cases/` | the scripts, one file per subject |
//! | `client.rs` | a connection that sends exactly what it is told to |
//! | `play.rs` | one script against one host |
//! | `request.rs` | requests as bytes |
//! | `upstream.rs` | the origin server: what it got, and what it answers |
//! | `figures.rs` | what the filter adds to the time of a request |

// Each test program uses a part of it.
#![allow(dead_code, unused_imports)]

mod ability;
mod case;
mod cases;
mod client;
pub mod figures;
mod play;
mod request;
mod upstream;

pub use ability::Ability;
pub use upstream::Upstream;

use std::net::SocketAddr;
use std::time::Instant;

/// The rules that a host under test runs, as SecLang text.
pub const RULES: &str = include_str!("rules.conf");

/// A host under test: a proxy with the filter in it.
pub struct Host<'u> {
    /// How it is called in reports.
    pub name: &'static str,
    /// Where it listens, without TLS.
    pub address: SocketAddr,
    /// The origin to which it sends what passes.
    pub upstream: &'u Upstream,
    /// What it cannot do by its nature. The suite then asserts what happens instead, so that a host which lists what it can do
    /// fails like one which cannot do what it does not list.
    pub lacks: &'u [Ability],
}

/// Runs all cases.
///
/// # Panics
/// If one of them fails. The message lists all that do.
pub fn passes(host: &Host<'_>) {
    let start = Instant::now();
    let cases = cases::all();
    let mut failures = Vec::new();
    let mut refused = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let outcome = play::play(host, number, case);
        refused.extend(outcome.never.into_iter().map(|tag| (case.name, tag)));
        if let Err(why) = outcome.result {
            failures.push(format!("{}: {why}", case.name));
        }
    }
    // By now everything has arrived that ever will.
    for (name, tag) in refused {
        if host.upstream.whole(&tag) > 0 {
            failures.push(format!("{name}: a refused request reached the origin later"));
        }
    }
    println!("{}: {} cases in {:.1?}, lacks {:?}", host.name, cases.len(), start.elapsed(), host.lacks);
    let count = failures.len();
    assert!(failures.is_empty(), "{}: {count} of {} cases fail\n{}", host.name, cases.len(), failures.join("\n"));
}
