//! Any bytes as a request target: a second reader splits it the same way.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::uri(data));
