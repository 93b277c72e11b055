//! What fuel is worth in CPU time on this machine.

use super::atomic::change;
use crate::meter::FUEL_PER_MICROSECOND;
use std::sync::atomic::{AtomicU64, Ordering};

/// Nanoseconds are counted for this much fuel, so that the rate is a whole number.
const SCALE: u64 = 1 << 20;
/// What [`SCALE`] fuel is worth nominally.
const NOMINAL: u64 = SCALE * 1000 / FUEL_PER_MICROSECOND;
/// The corrected rate stays within this factor of the nominal one, whatever was measured.
const FACTOR: u64 = 4;
/// A sample of so much fuel moves the rate by an eighth; smaller ones by less.
const WHOLE: u64 = 4_000_000;
/// Below this the clock measures itself.
const LEAST_FUEL: u64 = 1_000;

/// The rate, corrected by what was measured. A hostile request can move it by a factor of [`FACTOR`] at most.
#[derive(Debug)]
pub(super) struct FuelRate {
    nanos: AtomicU64,
}

impl FuelRate {
    /// The nominal rate.
    pub(super) fn nominal() -> Self {
        FuelRate { nanos: AtomicU64::new(NOMINAL) }
    }

    /// Nanoseconds of CPU that `fuel` is worth.
    pub(super) fn nanos(&self, fuel: u64) -> u64 {
        let nanos = u128::from(fuel) * u128::from(self.nanos.load(Ordering::Relaxed)) / u128::from(SCALE);
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// Nanoseconds that one fuel is worth.
    pub(super) fn nanos_per_fuel(&self) -> f64 {
        self.nanos.load(Ordering::Relaxed) as f64 / SCALE as f64
    }

    /// Takes a measurement into account: `fuel` has taken `nanos`. It stands for `times` requests like it.
    pub(super) fn correct(&self, fuel: u64, nanos: u64, times: u64) {
        if fuel < LEAST_FUEL {
            return;
        }
        let measured = u128::from(nanos) * u128::from(SCALE) / u128::from(fuel);
        let measured = u64::try_from(measured).unwrap_or(u64::MAX).clamp(NOMINAL / FACTOR, NOMINAL * FACTOR);
        let weight = fuel.saturating_mul(times).min(WHOLE);
        change(&self.nanos, |rate| {
            // All terms are below 2^50: the rate is bounded, the weight too.
            let step = (measured as i128 - rate as i128) * i128::from(weight) / i128::from(WHOLE * 8);
            u64::try_from(rate as i128 + step).unwrap_or(NOMINAL).clamp(NOMINAL / FACTOR, NOMINAL * FACTOR)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_starts_as_the_nominal_one_and_follows_the_machine() {
        let rate = FuelRate::nominal();
        let nominal = 1000.0 / FUEL_PER_MICROSECOND as f64;
        assert!((rate.nanos_per_fuel() - nominal).abs() < 0.001);
        for _ in 0..2000 {
            rate.correct(50_000, 150_000, 16);
        }
        assert!((rate.nanos_per_fuel() - 3.0).abs() < 0.02, "{}", rate.nanos_per_fuel());
        assert!(rate.nanos(1_000_000).abs_diff(3_000_000) < 20_000);
    }

    #[test]
    fn dear_requests_count_by_their_fuel() {
        let (few, many) = (FuelRate::nominal(), FuelRate::nominal());
        few.correct(10_000, 30_000, 1);
        many.correct(4_000_000, 12_000_000, 1);
        assert!(many.nanos_per_fuel() - few.nanos_per_fuel() > 0.05);
    }

    proptest! {
        #[test]
        fn nothing_talks_it_out_of_its_bounds(
            samples in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 1..300),
        ) {
            let rate = FuelRate::nominal();
            let nominal = rate.nanos_per_fuel();
            for (fuel, nanos, times) in samples {
                rate.correct(fuel, nanos, times);
                prop_assert!((nominal / 4.01..=nominal * 4.01).contains(&rate.nanos_per_fuel()));
            }
        }
    }
}
