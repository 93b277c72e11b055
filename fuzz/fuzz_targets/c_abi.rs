//! A program of calls to the C API of libmodsecurity.
#![no_main]

use fusewall_fuzz::hosts;

#[global_allocator]
static ALLOCATOR: hosts::memory::Asked = hosts::memory::Asked;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hosts::c_abi::c_abi(data));
