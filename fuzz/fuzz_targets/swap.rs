//! A generated exchange: what comes into service meanwhile makes no difference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::swap(data));
