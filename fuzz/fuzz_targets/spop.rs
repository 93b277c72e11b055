//! What a peer sends to the agent of HAProxy.
#![no_main]

use fusewall_fuzz::hosts;

#[global_allocator]
static ALLOCATOR: hosts::memory::Asked = hosts::memory::Asked;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hosts::spop::spop(data));
