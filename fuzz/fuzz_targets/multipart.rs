//! Any bytes as a multipart body: how they arrive makes no difference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::multipart(data));
