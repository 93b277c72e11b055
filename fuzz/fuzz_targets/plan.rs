//! A random ruleset and random requests: what was planned means what the rules say.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fusewall_fuzz::oracles::plan(data));
