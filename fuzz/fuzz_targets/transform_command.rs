//! Any bytes as a value: transformations of `cmdLine` give what a second implementation gives.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::transform::command(data));
