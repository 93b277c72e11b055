//! A token bucket whose tokens are nanoseconds of CPU.

use super::atomic::{change, change_signed};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Time between two refills, at least: below it the tokens are not worth the writes.
const LEAST: u64 = 10_000;
/// Time that a refill counts, at most: after a pause every bucket is full anyway.
const MOST: u64 = 60_000_000_000;
/// Threads read the clock and come here in another order. What is older than this comes from a clock that was set back.
const DISORDER: u64 = 200_000_000;

/// Nanoseconds of CPU that may be used. Never above its capacity, never deeper in debt than it is told: what a request costs is
/// known when it has been spent.
#[derive(Debug)]
pub(super) struct Bucket {
    level: AtomicI64,
    filled: AtomicU64,
}

impl Bucket {
    /// A bucket with `level` in it at the time `now`.
    pub(super) const fn new(level: i64, now: u64) -> Self {
        Bucket { level: AtomicI64::new(level), filled: AtomicU64::new(now) }
    }

    /// What is in it; below zero it is in debt.
    pub(super) fn level(&self) -> i64 {
        self.level.load(Ordering::Relaxed)
    }

    /// Adds what has come in since the last time: `rate` millionths of a core, up to `capacity`.
    pub(super) fn refill(&self, now: u64, rate: u64, capacity: i64) {
        let (before, after) = change(&self.filled, |filled| match now.checked_sub(filled) {
            Some(elapsed) if elapsed < LEAST => filled,
            Some(_) => now,
            None if filled - now < DISORDER => filled,
            None => now,
        });
        let Some(elapsed) = after.checked_sub(before).filter(|&elapsed| elapsed > 0) else { return };
        let income = u128::from(elapsed.min(MOST)) * u128::from(rate) / 1_000_000;
        self.give(u64::try_from(income).unwrap_or(u64::MAX), capacity);
    }

    /// Adds `nanos`, up to `capacity`.
    pub(super) fn give(&self, nanos: u64, capacity: i64) {
        let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
        change_signed(&self.level, |level| level.saturating_add(nanos).min(capacity));
    }

    /// Takes `nanos` out, down to a debt of `debt`; answers how much was taken.
    pub(super) fn take(&self, nanos: u64, debt: i64) -> u64 {
        let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
        let (before, after) = change_signed(&self.level, |level| level.saturating_sub(nanos).max(-debt).min(level));
        before.abs_diff(after)
    }

    /// Takes `nanos` out if there are as many in it.
    pub(super) fn spend(&self, nanos: u64) -> bool {
        let Ok(nanos @ 1..) = i64::try_from(nanos) else { return nanos == 0 };
        let (before, after) = change_signed(&self.level, |level| if level < nanos { level } else { level - nanos });
        before != after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn it_fills_at_its_rate_and_no_further_than_its_capacity() {
        let bucket = Bucket::new(0, 0);
        bucket.refill(SECOND / 10, 500_000, 100_000_000);
        assert_eq!(bucket.level(), 50_000_000);
        bucket.refill(SECOND * 100, 500_000, 100_000_000);
        assert_eq!(bucket.level(), 100_000_000);
    }

    #[test]
    fn debt_is_bounded_and_what_was_not_taken_is_not_given_back() {
        let bucket = Bucket::new(10, 0);
        assert_eq!(bucket.take(1_000, 100), 110);
        assert_eq!(bucket.level(), -100);
        assert_eq!(bucket.take(u64::MAX, 100), 0);
        assert_eq!(bucket.level(), -100);
    }

    #[test]
    fn a_clock_that_was_set_back_costs_a_refill_and_nothing_more() {
        let bucket = Bucket::new(0, 3600 * SECOND);
        bucket.refill(SECOND, 1_000_000, 1_000_000);
        assert_eq!(bucket.level(), 0);
        bucket.refill(SECOND + 500_000, 1_000_000, 1_000_000);
        assert_eq!(bucket.level(), 500_000);
    }

    proptest! {
        #[test]
        fn no_clock_and_no_cost_leave_the_bounds(
            steps in prop::collection::vec((any::<u64>(), any::<u64>(), any::<bool>()), 1..50),
        ) {
            let bucket = Bucket::new(0, 0);
            for (now, amount, take) in steps {
                bucket.refill(now, amount, 1_000_000);
                let before = bucket.level();
                if take {
                    prop_assert_eq!(bucket.take(amount, 5_000) as i64, before - bucket.level());
                } else {
                    bucket.give(amount, 1_000_000);
                }
                prop_assert!((-5_000..=1_000_000).contains(&bucket.level()));
            }
        }
    }
}
