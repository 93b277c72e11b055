//! Reports of what goes wrong, so many a second of each kind: when every request fails, telling of it must not cost more than failing.

use super::bucket::Bucket;
use super::clock::{Clock, SystemClock};
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Kinds of reports. Each has a limit of its own, for the whole process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Report {
    /// The engine failed: 20 a second.
    InternalError,
    /// A budget is spent: 100 a second.
    Exhausted,
    /// A request was shed: 100 a second.
    Shed,
    /// The peer at the other end fails: 100 a second.
    Upstream,
    /// A rule goes off or comes back: 20 a second.
    Quarantine,
    /// Data that rules ask for is not there: 5 a second.
    Missing,
    /// The admin API refuses something: 20 a second.
    Admin,
}

impl Report {
    /// Asks to report. `None`: not now; it is counted, and the next report that may be made says so.
    ///
    /// ```
    /// use fusewall::governor::Report;
    /// if let Some(left_out) = Report::InternalError.admit() {
    ///     eprintln!("internal error{left_out}");
    /// }
    /// ```
    pub fn admit(self) -> Option<LeftOut> {
        static LIMITS: [Limit; 7] = [
            Limit::new(20),
            Limit::new(100),
            Limit::new(100),
            Limit::new(100),
            Limit::new(20),
            Limit::new(5),
            Limit::new(20),
        ];
        static CLOCK: OnceLock<SystemClock> = OnceLock::new();
        let [internal_error, exhausted, shed, upstream, quarantine, missing, admin] = &LIMITS;
        let limit = match self {
            Report::InternalError => internal_error,
            Report::Exhausted => exhausted,
            Report::Shed => shed,
            Report::Upstream => upstream,
            Report::Quarantine => quarantine,
            Report::Missing => missing,
            Report::Admin => admin,
        };
        limit.admit(CLOCK.get_or_init(SystemClock::new).nanos())
    }
}

/// How many reports of the kind were left out since the last one; as text ` (1234 more were left out)`, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut(u64);

impl LeftOut {
    /// The number.
    pub const fn count(self) -> u64 {
        self.0
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" (1 more was left out)"),
            count => write!(f, " ({count} more were left out)"),
        }
    }
}

/// In a bucket of reports each is worth so much: a second of the clock brings as many as there may be in one.
const SECOND: i64 = 1_000_000_000;
/// Reports at once, in seconds' worth.
const BURST: i64 = 3;

/// So many a second, and three times as many at once.
#[derive(Debug)]
struct Limit {
    per_second: u32,
    bucket: Bucket,
    left_out: AtomicU64,
}

impl Limit {
    const fn new(per_second: u32) -> Self {
        Limit { per_second, bucket: Bucket::new(BURST * SECOND, 0), left_out: AtomicU64::new(0) }
    }

    fn admit(&self, now: u64) -> Option<LeftOut> {
        self.bucket.refill(now, 1_000_000, BURST * SECOND);
        // Drill D12.
        let unlimited = cfg!(fusewall_without = "reports");
        if !self.bucket.spend(SECOND as u64 / u64::from(self.per_second)) && !unlimited {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(LeftOut(self.left_out.swap(0, Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_minute_of_failures_few_are_told_and_none_is_forgotten() {
        let limit = Limit::new(20);
        let (mut told, mut counted) = (0, 0);
        // 60 s at 10,000 a second.
        for number in 1..=600_000_u64 {
            if let Some(left_out) = limit.admit(number * 100_000) {
                told += 1;
                counted += left_out.count();
            }
        }
        assert!((1200..=1300).contains(&told), "{told}");
        let waiting = limit.left_out.load(Ordering::Relaxed);
        assert_eq!(told + counted + waiting, 600_000);
        let later = limit.admit(100_000 * 1_000_000).expect("there is room again");
        assert_eq!(later.to_string(), format!(" ({waiting} more were left out)"));
        assert_eq!(limit.admit(100_000 * 1_000_001).expect("still").to_string(), "");
    }
}
