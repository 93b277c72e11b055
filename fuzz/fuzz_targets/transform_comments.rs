//! Any bytes as a value: transformations of comments give what a second implementation gives.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::transform::comments(data));
