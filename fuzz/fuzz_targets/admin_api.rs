//! Requests to the admin API of a proxy, by callers of every role.
#![no_main]

use fusewall_fuzz::hosts;

#[global_allocator]
static ALLOCATOR: hosts::memory::Asked = hosts::memory::Asked;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hosts::admin_api::admin_api(data));
