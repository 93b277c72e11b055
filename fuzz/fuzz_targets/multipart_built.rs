//! Multipart bodies and what is in them: exactly that is found.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::multipart_built(data));
