//! How long things have taken, in buckets that threads count in without a lock.

use super::exposition::Exposition;
use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of the buckets in nanoseconds: from 25 us to 1 s, about two and a half times the one before.
const BOUNDS: [u64; 14] = [
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
];

/// A histogram of durations.
///
/// ```
/// use fusewall::governor::{Durations, Exposition};
/// let durations = Durations::default();
/// durations.observe(30_000);
/// let mut text = Exposition::default();
/// durations.expose(&mut text, "work_seconds", "Work.");
/// assert!(text.finish().contains("work_seconds_bucket{le=\"0.00005\"} 1\n"));
/// ```
#[derive(Debug, Default)]
pub struct Durations {
    /// How many fell into each bucket and no smaller one; the last: over all bounds.
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
}

impl Durations {
    /// Counts one.
    pub fn observe(&self, nanos: u64) {
        let at = BOUNDS.partition_point(|bound| *bound < nanos);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
            self.nanos.fetch_add(nanos, Ordering::Relaxed);
        }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// Writes them as a histogram of Prometheus, in seconds. What is counted meanwhile may show in the buckets and not in the sum.
    pub fn expose(&self, text: &mut Exposition, name: &'static str, help: &'static str) {
        let mut below = 0;
        let buckets = self.buckets.iter().map(|bucket| {
            below += bucket.load(Ordering::Relaxed);
            below
        });
        let bounds = BOUNDS.iter().map(|nanos| (*nanos as f64 / 1e9).to_string()).chain(["+Inf".to_owned()]);
        let buckets: Vec<_> = bounds.zip(buckets).collect();
        text.histogram(name, help, &buckets, self.nanos.load(Ordering::Relaxed) as f64 / 1e9);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_everything_up_to_their_bound() {
        let durations = Durations::default();
        for nanos in [0, 25_000, 25_001, 999_999_999, u64::MAX / 2] {
            durations.observe(nanos);
        }
        let mut text = Exposition::default();
        durations.expose(&mut text, "a_seconds", "A.");
        let text = text.finish();
        for line in ["{le=\"0.000025\"} 2", "{le=\"0.00005\"} 3", "{le=\"0.25\"} 3", "{le=\"1\"} 4", "{le=\"+Inf\"} 5"]
        {
            assert!(text.contains(&format!("a_seconds_bucket{line}\n")), "{line} in {text}");
        }
        assert!(
            text.contains("\na_seconds_count 5\n")
                && text.starts_with("# HELP a_seconds A.\n# TYPE a_seconds histogram\n")
        );
        assert_eq!(durations.count(), 5);
    }
}
