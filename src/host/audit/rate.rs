//! At most so many in a second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Counts within seconds of its own clock. Without a lock: second and count are one number.
#[derive(Debug)]
pub(super) struct Rate {
    start: Instant,
    most: u32,
    state: AtomicU64,
}

impl Rate {
    pub(super) fn new(most: u32) -> Self {
        Rate { start: Instant::now(), most, state: AtomicU64::new(0) }
    }

    /// Takes one of this second's places, if there is one.
    pub(super) fn admits(&self) -> bool {
        self.admits_in(self.start.elapsed().as_secs())
    }

    fn admits_in(&self, second: u64) -> bool {
        let second = second & u64::from(u32::MAX);
        let next = |state: u64| {
            let taken = if state >> 32 == second { state & u64::from(u32::MAX) } else { 0 };
            (taken < u64::from(self.most)).then_some(second << 32 | (taken + 1))
        };
        self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_with_the_next_second() {
        let rate = Rate::new(2);
        assert_eq!(
            [0, 0, 0, 1, 1, 1, 7].map(|second| rate.admits_in(second)),
            [true, true, false, true, true, false, true]
        );
    }
}
