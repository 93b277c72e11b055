//! Any bytes as a form: how they arrive makes no difference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::urlencoded(data));
