//! No request takes more than its size is certified for.

use super::super::generators::spelled;
use fusewall::engine::FixedEnv;
use fusewall::{Limits, Waf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Rules that run to their ends, whatever they cost.
static UNBOUNDED: LazyLock<Waf> = LazyLock::new(|| {
    let mut limits = Limits::default();
    (limits.fuel_base, limits.fuel_cap, limits.fuel_rule) = (u64::MAX, u64::MAX, u64::MAX);
    let builder = Waf::builder().env(FixedEnv::default()).limits(limits);
    let builder = match std::env::var_os("FUSEWALL_FUEL_RULES") {
        Some(path) => builder.rules_path(path),
        None => builder.rules_builtin(),
    };
    builder.build().expect("the rules load")
});

/// The most fuel a byte that an input of this run has taken.
static DEAREST: AtomicU64 = AtomicU64::new(0);

/// Any request takes no more fuel than its size is certified for. Answers fuel for each byte.
pub fn fuel(data: &[u8]) -> f64 {
    let exchange = spelled(data);
    let transaction = exchange.evaluate(&UNBOUNDED);
    let fuel = transaction.verdict().expect("the engine does not fail").fuel;
    // What the exchange adds of its own, version and line ends, and what came out of content codings.
    let (came, out) = (transaction.request_body().len(), transaction.decoded_request_body().len());
    let bytes = data.len() + 64 + if came == out { 0 } else { out };
    let certified = fusewall::plan::bound(&UNBOUNDED.loaded(), bytes).fuel;
    assert!(fuel <= certified, "{fuel} fuel for {bytes} bytes, certified are {certified}");
    let per_byte = fuel as f64 / bytes as f64;
    let before = DEAREST.fetch_max(per_byte as u64, Ordering::Relaxed);
    if per_byte as u64 > before {
        eprintln!("dearest: {per_byte:.0} fuel a byte, {bytes} bytes, certified {certified}");
    }
    per_byte
}
