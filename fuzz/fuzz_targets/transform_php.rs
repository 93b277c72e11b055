//! Any bytes as a value: transformations of names of PHP's arguments give what a second implementation gives.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::transform::php(data));
