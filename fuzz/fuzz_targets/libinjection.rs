//! Any bytes for the detectors: within their price, the same under every budget.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::libinjection(data));
