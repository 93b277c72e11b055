//! Any pattern: PCRE2 takes the same ones and finds the same.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::pcre_parse(data));
