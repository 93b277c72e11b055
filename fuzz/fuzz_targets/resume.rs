//! A generated ruleset and exchanges: how they are paused makes no difference.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::resume(data));
