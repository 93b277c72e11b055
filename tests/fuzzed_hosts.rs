//! The fuzz targets of hosts in this package, tried without a fuzzer: see `tests/regressions.rs`, which has those of the engine.

#[path = "../fuzz/src/hosts/admin_api/mod.rs"]
mod admin_api;
#[path = "oracle/choices.rs"]
#[allow(dead_code)]
mod choices;
#[path = "../fuzz/src/hosts/memory.rs"]
#[allow(dead_code)]
mod memory;
#[path = "../fuzz/src/hosts/panics.rs"]
mod panics;
mod replay;
#[path = "../fuzz/src/hosts/spop/mod.rs"]
mod spop;

use replay::Target;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

#[global_allocator]
static ALLOCATOR: memory::Asked = memory::Asked;

/// One target at a time: what a connection takes is seen in the memory of the whole process.
static TURN: Mutex<()> = Mutex::new(());

fn is_right(target: Target) {
    if !replay::is_asked_for(target.0) {
        return;
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(replay::kept(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz"), target) > 0);
    replay::any_bytes(target);
}

#[test]
fn the_admin_api() {
    is_right(("admin_api", admin_api::admin_api));
}

#[test]
fn the_protocol_of_haproxy() {
    is_right(("spop", spop::spop));
}
