//! Any bytes as a Cookie header: a second reader reads the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::cookies(data));
