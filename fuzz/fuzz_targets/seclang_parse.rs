//! Any rule text: findings have places, and what is right is printed and read back.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::seclang_parse(data));
