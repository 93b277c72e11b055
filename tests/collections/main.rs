//! Persistent collections from outside: rules over several requests, many threads, floods, restarts.

mod bounds;
#[cfg(feature = "persist")]
mod disk;
mod example;
mod semantics;
mod site;
mod threads;
