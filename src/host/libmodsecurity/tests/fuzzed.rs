//! The fuzz target of the C API, tried without a fuzzer: see `tests/regressions.rs` of the main package, which has those of the engine.

#[path = "../../../../fuzz/src/hosts/c_abi/mod.rs"]
mod c_abi;
#[path = "../../../../tests/oracle/choices.rs"]
#[allow(dead_code)]
mod choices;
#[path = "../../../../fuzz/src/hosts/memory.rs"]
#[allow(dead_code)]
mod memory;
#[path = "../../../../fuzz/src/hosts/panics.rs"]
mod panics;
#[path = "../../../../tests/replay/mod.rs"]
mod replay;

use replay::Target;
use std::path::Path;

#[global_allocator]
static ALLOCATOR: memory::Asked = memory::Asked;

#[test]
fn the_c_api() {
    let target: Target = ("c_abi", c_abi::c_abi);
    if !replay::is_asked_for(target.0) {
        return;
    }
    assert!(replay::kept(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz"), target) > 0);
    replay::any_bytes(target);
}
