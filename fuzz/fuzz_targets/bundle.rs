//! A compiled bundle of any content under a valid signature.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::bundle(data));
