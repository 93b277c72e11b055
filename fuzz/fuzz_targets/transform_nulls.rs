//! Any bytes as a value: transformations of NUL bytes give what a second implementation gives.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::transform::nulls(data));
