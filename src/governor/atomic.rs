//! Numbers that threads share: read and changed without a lock, and without ever wrapping around.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A count that stops at its end.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        change(&self.0, |count| count.saturating_add(more));
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Replaces a number by a function of it; answers the old and the new one.
pub(super) fn change(number: &AtomicU64, new: impl Fn(u64) -> u64) -> (u64, u64) {
    let mut old = number.load(Ordering::Relaxed);
    loop {
        let next = new(old);
        if next == old {
            return (old, old);
        }
        match number.compare_exchange_weak(old, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return (old, next),
            Err(now) => old = now,
        }
    }
}

/// The same for a signed number.
pub(super) fn change_signed(number: &AtomicI64, new: impl Fn(i64) -> i64) -> (i64, i64) {
    let mut old = number.load(Ordering::Relaxed);
    loop {
        let next = new(old);
        if next == old {
            return (old, old);
        }
        match number.compare_exchange_weak(old, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return (old, next),
            Err(now) => old = now,
        }
    }
}

/// Moves a mean towards a sample by `weight` in 256ths; the first sample is taken whole.
pub(super) fn blend(mean: &AtomicU64, sample: u64, weight: u64) {
    change(mean, |old| match old {
        0 => sample.max(1),
        old => {
            let mixed = u128::from(old) * u128::from(256 - weight.min(256)) + u128::from(sample) * u128::from(weight);
            u64::try_from(mixed / 256).unwrap_or(u64::MAX).max(1)
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stop_at_their_end() {
        let counter = Counter::default();
        counter.add(u64::MAX - 1);
        counter.add(5);
        assert_eq!(counter.get(), u64::MAX);
    }

    #[test]
    fn a_mean_follows_its_samples() {
        let mean = AtomicU64::new(0);
        blend(&mean, 1000, 16);
        assert_eq!(mean.load(Ordering::Relaxed), 1000);
        for _ in 0..200 {
            blend(&mean, 3000, 16);
        }
        assert!((2900..=3000).contains(&mean.load(Ordering::Relaxed)));
        blend(&mean, u64::MAX, 256);
        assert_eq!(mean.load(Ordering::Relaxed), u64::MAX);
    }
}
