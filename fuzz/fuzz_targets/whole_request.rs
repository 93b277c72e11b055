//! Any bytes as a request to the built-in rules: no panic, no more fuel than granted, pauses make no difference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::whole_request(data));
