//! The clocks by which shares of CPU are kept: one that only moves on, and the CPU time of a thread.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Tells the time. A wrong clock, one that jumps or goes back, may cost a little precision and must do no harm.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Nanoseconds since some fixed moment.
    fn nanos(&self) -> u64;

    /// Nanoseconds of CPU time that the calling thread has used; `None` where the system does not tell.
    fn thread_cpu_nanos(&self) -> Option<u64>;
}

/// The system's clocks.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Clocks that begin now.
    pub fn new() -> Self {
        SystemClock { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn nanos(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    #[cfg(any(feature = "cli", feature = "tower"))]
    fn thread_cpu_nanos(&self) -> Option<u64> {
        u64::try_from(super::thread_cpu_time().as_nanos()).ok()
    }

    #[cfg(not(any(feature = "cli", feature = "tower")))]
    fn thread_cpu_nanos(&self) -> Option<u64> {
        None
    }
}

/// Clocks that stand still until they are moved: for simulations and tests.
///
/// ```
/// use fusewall::governor::{Clock, ManualClock};
/// let clock = ManualClock::default();
/// clock.advance(1_000);
/// assert_eq!(clock.nanos(), 1_000);
/// ```
#[derive(Debug, Default)]
pub struct ManualClock {
    nanos: AtomicU64,
    cpu: AtomicU64,
}

impl ManualClock {
    /// Lets `nanos` nanoseconds pass.
    pub fn advance(&self, nanos: u64) {
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Sets the time, also back.
    pub fn set(&self, nanos: u64) {
        self.nanos.store(nanos, Ordering::Relaxed);
    }

    /// Lets the thread use `nanos` nanoseconds of CPU.
    pub fn work(&self, nanos: u64) {
        self.cpu.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn nanos(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }

    fn thread_cpu_nanos(&self) -> Option<u64> {
        Some(self.cpu.load(Ordering::Relaxed))
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn nanos(&self) -> u64 {
        (**self).nanos()
    }

    fn thread_cpu_nanos(&self) -> Option<u64> {
        (**self).thread_cpu_nanos()
    }
}
