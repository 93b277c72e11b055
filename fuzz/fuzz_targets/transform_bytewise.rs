//! Any bytes as a value: transformations of letter case and parity give what a second implementation gives.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::transform::bytewise(data));
