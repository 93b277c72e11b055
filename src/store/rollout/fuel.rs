//! Fuel of many requests in fixed memory.

use serde::Serialize;

/// Buckets in each octave: a value is known to one part in so many.
const PER_OCTAVE: u64 = 128;
const BITS: u32 = PER_OCTAVE.ilog2();
/// Values below this have a bucket each.
const EXACT: u64 = 2 * PER_OCTAVE;
const BUCKETS: usize = (EXACT + (63 - BITS as u64) * PER_OCTAVE) as usize;

/// What requests have cost.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct FuelFigures {
    /// The mean, exactly.
    pub mean: f64,
    /// What 99 of 100 requests do not exceed, at most 1 % too high.
    pub p99: u64,
    /// The dearest, exactly.
    pub max: u64,
}

/// A histogram that is as fine everywhere, relative to the value. 60 KB.
#[derive(Debug, Clone)]
pub(super) struct FuelHistogram {
    buckets: Box<[u64]>,
    count: u64,
    sum: u128,
    max: u64,
}

fn bucket(fuel: u64) -> usize {
    if fuel < EXACT {
        return fuel as usize;
    }
    let shift = fuel.ilog2() - BITS;
    (EXACT + u64::from(shift - 1) * PER_OCTAVE + (fuel >> shift) - PER_OCTAVE) as usize
}

/// The highest value of a bucket.
fn highest(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let shift = (bucket - EXACT) / PER_OCTAVE + 1;
    let lowest = ((bucket - EXACT) % PER_OCTAVE + PER_OCTAVE) << shift;
    lowest | ((1 << shift) - 1)
}

impl FuelHistogram {
    pub(super) fn new() -> FuelHistogram {
        FuelHistogram { buckets: vec![0; BUCKETS].into(), count: 0, sum: 0, max: 0 }
    }

    pub(super) fn add(&mut self, fuel: u64) {
        if let Some(count) = self.buckets.get_mut(bucket(fuel)) {
            *count += 1;
        }
        self.count += 1;
        self.sum += u128::from(fuel);
        self.max = self.max.max(fuel);
    }

    pub(super) fn figures(&self) -> FuelFigures {
        if self.count == 0 {
            return FuelFigures::default();
        }
        let rank = self.count - self.count / 100;
        let mut below = 0;
        let at = self.buckets.iter().position(|&count| {
            below += count;
            below >= rank
        });
        let p99 = at.map_or(self.max, |at| highest(at).min(self.max));
        FuelFigures { mean: self.sum as f64 / self.count as f64, p99, max: self.max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_lies_in_its_bucket_and_is_known_to_a_part_in_128(fuel in any::<u64>(), shift in 0..64_u32) {
            let fuel = fuel >> shift;
            let at = bucket(fuel);
            prop_assert!(at < BUCKETS);
            prop_assert!(highest(at) >= fuel && highest(at) - fuel <= fuel / PER_OCTAVE);
            prop_assert!(at == 0 || highest(at - 1) < fuel);
        }
    }

    #[test]
    fn figures_of_a_thousand() {
        let mut histogram = FuelHistogram::new();
        assert_eq!(histogram.figures(), FuelFigures::default());
        for fuel in 1..=1000 {
            histogram.add(fuel);
        }
        let FuelFigures { mean, p99, max } = histogram.figures();
        assert_eq!((mean, max), (500.5, 1000));
        assert!((990..=999).contains(&p99), "{p99}");
    }
}
