//! Any value and parameter: operators decide as naive ones do.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::operators(data));
