//! Random patterns and values: screening a value before matching never loses a match.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::prefilter(data));
