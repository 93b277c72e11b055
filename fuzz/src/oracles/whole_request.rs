//! Any request to the built-in rules.

use super::super::generators::spelled;
use fusewall::engine::FixedEnv;
use fusewall::{Limits, Waf};
use std::sync::LazyLock;

/// Small automata: determinising everything would take most of a short run, and lazy DFAs are the harder case.
static BUILT_IN: LazyLock<Waf> = LazyLock::new(|| {
    let mut limits = Limits::default();
    limits.dense_dfa_bytes = 32 << 10;
    limits.determinize_bytes = 128 << 10;
    let builder = Waf::builder().rules_builtin().env(FixedEnv::default()).limits(limits);
    builder.build().expect("the built-in rules load")
});

/// Any request: the engine does not fail, stays within its fuel, and does not care how it is paused.
pub fn whole_request(data: &[u8]) {
    let (steps, request) = data.split_at(data.len().min(4));
    let exchange = spelled(request);
    let whole = exchange.evaluate(&BUILT_IN).verdict().expect("the engine does not fail");
    let limits = Limits::default();
    let bytes = (data.len() + 64) as u64;
    assert!(whole.fuel <= limits.fuel_base + limits.fuel_per_byte * bytes, "{} fuel", whole.fuel);
    assert_eq!(whole.exhausted, None);
    let mut fuel = steps.iter().cycle().map(|&byte| 1 + u64::from(byte) * 40);
    let mut piece = steps.iter().rev().cycle().map(|&byte| 1 + usize::from(byte));
    let paused = exchange.evaluate_paused(&BUILT_IN, &mut || fuel.next().unwrap_or(u64::MAX), &mut || {
        piece.next().unwrap_or(usize::MAX)
    });
    assert_eq!(Some(whole), paused.verdict());
}
