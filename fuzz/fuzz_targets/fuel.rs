//! The dearest request of a ruleset: fuel a byte is what the search climbs, and no request may cost more than is certified for its size.
//! `FUSEWALL_FUEL_RULES` names other rules than the built-in ones.
#![no_main]

use std::sync::atomic::{AtomicU8, Ordering};

/// What libFuzzer takes for coverage beside the edges of the program, and clears before each input: the more fuel a byte takes, the
/// more of these are set.
#[unsafe(link_section = "__libfuzzer_extra_counters")]
static CLIMBED: [AtomicU8; 256] = [const { AtomicU8::new(0) }; 256];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let per_byte = fusewall_fuzz::oracles::fuel(data);
    // Eight steps for each doubling.
    let height = (8.0 * per_byte.max(1.0).log2()) as usize;
    CLIMBED.iter().take(height).for_each(|step| step.store(1, Ordering::Relaxed));
});
