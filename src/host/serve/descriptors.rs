//! File descriptors: how many sockets this process may have open.
//!
//! A connection from a client takes one, its request upstream another. Were clients let in up to the last of them, idle ones
//! would keep requests from reaching the upstream.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for everything that is no connection: listeners, log, rule files.
const SPARE: u64 = 64;

/// Raises this process's soft limit to its hard limit: the low default (1,024 on many systems) is there for programs that use
/// `select`. Where that is refused, the limit stays as it is.
pub fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// How many of `wanted` client connections there are descriptors for.
pub(in crate::host) fn affordable(wanted: usize) -> usize {
    let places = getrlimit(Resource::Nofile).current.map_or(u64::MAX, |limit| limit.saturating_sub(SPARE) / 2).max(1);
    wanted.min(usize::try_from(places).unwrap_or(usize::MAX))
}
