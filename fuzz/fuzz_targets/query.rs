//! Any bytes as a query string: a second reader reads the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::query(data));
