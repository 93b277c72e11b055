//! A sum that fades: half of it is gone after two seconds.

use super::atomic::change;
use std::sync::atomic::{AtomicU64, Ordering};

/// Time in which a sum fades by one step, nanoseconds.
pub(super) const STEP: u64 = 250_000_000;
/// Steps after which half of it is left.
const HALF: u64 = 8;
/// 2^(-n/8) in 65,536ths.
const FACTORS: [u64; HALF as usize] = [65_536, 60_097, 55_109, 50_535, 46_341, 42_495, 38_968, 35_734];

const STEP_BITS: u32 = 24;
const VALUE_BITS: u32 = 64 - STEP_BITS;
const VALUE: u64 = (1 << VALUE_BITS) - 1;
const STEPS: u64 = (1 << STEP_BITS) - 1;

/// The sum and the step in which it was true, in one number. It holds up to 2^40, of nanoseconds 18 minutes.
#[derive(Debug, Default)]
pub(super) struct Decaying(AtomicU64);

/// The step at a time.
pub(super) fn step(now: u64) -> u64 {
    now / STEP
}

fn value_at(state: u64, step: u64) -> u64 {
    let (then, value) = (state >> VALUE_BITS, state & VALUE);
    let passed = (step & STEPS).wrapping_sub(then) & STEPS;
    // More than half the way around is a clock that was set back.
    if passed > STEPS / 2 {
        return value;
    }
    let halved = value.checked_shr(u32::try_from(passed / HALF).unwrap_or(u32::MAX)).unwrap_or(0);
    let factor = FACTORS.get((passed % HALF) as usize).copied().unwrap_or(0);
    (halved * factor) >> 16
}

impl Decaying {
    /// What is left of it at a step.
    pub(super) fn get(&self, step: u64) -> u64 {
        value_at(self.0.load(Ordering::Relaxed), step)
    }

    /// Adds to it.
    pub(super) fn add(&self, more: u64, step: u64) {
        change(&self.0, |state| {
            let value = value_at(state, step).saturating_add(more).min(VALUE);
            ((step & STEPS) << VALUE_BITS) | value
        });
    }

    /// Begins anew.
    pub(super) fn set(&self, value: u64, step: u64) {
        self.0.store(((step & STEPS) << VALUE_BITS) | value.min(VALUE), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_is_gone_after_two_seconds() {
        let sum = Decaying::default();
        sum.add(1_000_000, step(0));
        assert_eq!(sum.get(step(2_000_000_000)), 500_000);
        assert!(sum.get(step(1_000_000_000)).abs_diff(707_107) < 20);
        assert_eq!(sum.get(step(3_600_000_000_000)), 0);
    }

    #[test]
    fn it_saturates_and_a_clock_set_back_keeps_it() {
        let sum = Decaying::default();
        sum.add(u64::MAX, 10);
        sum.add(u64::MAX, 10);
        assert_eq!(sum.get(10), VALUE);
        assert_eq!(sum.get(3), VALUE);
    }
}
