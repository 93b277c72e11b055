//! How much is shed: a level that rises at once and falls slowly.

use super::atomic::change;
use std::sync::atomic::AtomicU64;

/// What is shed at a level, in order: each takes in those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing.
    Calm,
    /// Work that decides nothing: shadow rules.
    Shadow,
    /// Requests of clients that are far dearer than others of their tenant, if that tenant is over its part.
    Clients,
    /// Requests of tenants that are over their part.
    Tenants,
}

impl Level {
    /// Its number, from 0 to 3.
    pub const fn number(self) -> u8 {
        self as u8
    }

    const fn of(number: u64) -> Level {
        match number {
            0 => Level::Calm,
            1 => Level::Shadow,
            2 => Level::Clients,
            _ => Level::Tenants,
        }
    }
}

const TIME_BITS: u32 = 56;
const TIME: u64 = (1 << TIME_BITS) - 1;

/// The level in force. One number: the level, and since when it could be lower (0: it could not).
#[derive(Debug)]
pub(super) struct Latch {
    state: AtomicU64,
    calm: u64,
}

impl Latch {
    /// A latch that falls by one level for every `calm` nanoseconds in which it could be lower.
    pub(super) fn new(calm: u64) -> Self {
        Latch { state: AtomicU64::new(0), calm }
    }

    /// Rises to `rise` if that is higher, falls by one if `fall` has been lower for long enough; answers the level.
    pub(super) fn update(&self, rise: Level, fall: Level, now: u64) -> Level {
        let now = (now & TIME).max(1);
        let (_, state) = change(&self.state, |state| {
            let (level, since) = (state >> TIME_BITS, state & TIME);
            if rise > Level::of(level) {
                return u64::from(rise.number()) << TIME_BITS;
            }
            if fall >= Level::of(level) {
                return level << TIME_BITS;
            }
            match now.checked_sub(since) {
                Some(waited) if since > 0 && waited >= self.calm => ((level - 1) << TIME_BITS) | now,
                Some(_) if since > 0 => state,
                // It begins to wait; so it does with a clock that was set back.
                _ => (level << TIME_BITS) | now,
            }
        });
        Level::of(state >> TIME_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{Calm, Clients, Shadow, Tenants};

    #[test]
    fn it_rises_at_once_and_falls_step_by_step() {
        let latch = Latch::new(100);
        assert_eq!(latch.update(Tenants, Tenants, 1), Tenants);
        assert_eq!(latch.update(Calm, Calm, 10), Tenants);
        assert_eq!(latch.update(Calm, Calm, 109), Tenants);
        assert_eq!(latch.update(Calm, Calm, 110), Clients);
        assert_eq!(latch.update(Calm, Calm, 209), Clients);
        assert_eq!(latch.update(Calm, Calm, 210), Shadow);
        assert_eq!(latch.update(Calm, Calm, 310), Calm);
    }

    #[test]
    fn a_moment_of_pressure_begins_the_wait_anew() {
        let latch = Latch::new(100);
        latch.update(Clients, Clients, 1);
        latch.update(Calm, Calm, 50);
        latch.update(Calm, Clients, 100);
        assert_eq!(latch.update(Calm, Calm, 160), Clients);
        assert_eq!(latch.update(Calm, Calm, 259), Clients);
        assert_eq!(latch.update(Calm, Calm, 260), Shadow);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_it_for_one_wait_at_most() {
        let latch = Latch::new(100);
        latch.update(Shadow, Shadow, 1_000_000);
        latch.update(Calm, Calm, 1_000_000);
        assert_eq!(latch.update(Calm, Calm, 5), Shadow);
        assert_eq!(latch.update(Calm, Calm, 105), Calm);
    }
}
