//! How fast this machine is: what a fuel takes here, beside the constant that figures in milliseconds are converted with.

use crate::governor::thread_cpu_time;
use crate::lang::pcre;
use crate::limits::Limits;
use crate::meter::{FUEL_PER_MICROSECOND, Meter};
use crate::scan::{Cache, Cursor, Groups, Pattern, Want};
use serde::Serialize;

/// Nanoseconds that a fuel takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// By which milliseconds in a configuration are converted, on every machine.
    pub nominal_ns_per_fuel: f64,
    /// Measured now: the dense automaton that the unit of fuel is made of. Budgets and verdicts do not depend on it.
    pub measured_ns_per_fuel: f64,
}

/// Measures for some milliseconds.
pub fn measure() -> Rate {
    let nominal = 1000.0 / FUEL_PER_MICROSECOND as f64;
    Rate { nominal_ns_per_fuel: nominal, measured_ns_per_fuel: dense().unwrap_or(nominal) }
}

/// The best of some scans through a small dense automaton, which may meanwhile be put aside.
fn dense() -> Option<f64> {
    let limits = Limits::default();
    let parsed = pcre::parse(br"(?:union|select)\s+from", true, &limits).ok()?;
    let pattern = Pattern::build(&parsed.hir, Want::Match, &limits, None).ok()?;
    let text = b"An ordinary sentence, as people write them: it has no such words in it. ".repeat(4_000);
    let scan = || {
        let (mut cache, mut cursor, mut groups) = (Cache::default(), Cursor::default(), Groups::default());
        let mut meter = Meter::unlimited();
        let begun = thread_cpu_time();
        pattern.scan(&mut cache, &text, &mut cursor, u64::MAX, &mut groups, &mut meter).ok()?;
        Some((thread_cpu_time() - begun).as_nanos() as f64 / meter.spent().max(1) as f64)
    };
    (0..7).filter_map(|_| scan()).min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_takes_some_time_for_a_fuel() {
        let rate = measure();
        assert!((1.9..2.1).contains(&rate.nominal_ns_per_fuel));
        assert!(rate.measured_ns_per_fuel > 0.01 && rate.measured_ns_per_fuel < 1000.0, "{rate:?}");
    }
}
