//! The process's share of CPU for rule evaluation.

use super::atomic::change;
use super::bucket::Bucket;
use super::clock::{Clock, SystemClock};
use super::fuel_rate::FuelRate;
use super::level::{Latch, Level};
use super::metrics::Metrics;
use super::tenant::Tenant;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Debt that is remembered, in bursts: what is deeper is forgiven, so that one mistake has an end.
pub(super) const DEBT: i64 = 10;
/// For so long the bucket has to be above a mark before a level falls by one.
const CALM_NANOS: u64 = 500_000_000;
/// One request in so many is measured.
pub(super) const SAMPLED: u64 = 16;

/// What a [`Governor`] is told.
#[derive(Debug, Clone, PartialEq)]
pub struct GovernorConfig {
    /// The part of all cores that rule evaluation may use, above 0, up to 1. `None`, the default: CPU is counted and nothing is
    /// ever shed.
    pub share: Option<f64>,
    /// Cores of the machine; 0, the default: as many as the process may use.
    pub cores: usize,
    /// How far evaluation may run ahead of its share, in milliseconds of that share. 100 by default.
    pub burst_millis: u64,
}

impl Default for GovernorConfig {
    fn default() -> Self {
        GovernorConfig { share: None, cores: 0, burst_millis: 100 }
    }
}

/// Keeps the CPU time of all rule evaluation of a process within a share of the machine.
///
/// What a request costs is known when it has been spent, so the share is a token bucket that may go into bounded debt. When it
/// runs dry, requests are shed in a declared order ([`Level`]), and none of a tenant that is within its own part. Nothing that
/// is let through is inspected any less. `docs/governor.md` has the figures.
///
/// Everything that requests do here is made of atomics: no lock, and no allocation but for a tenant's first clients: 2 KiB,
/// and 96 bytes 256 times at most.
///
/// ```
/// use fusewall::governor::{Governor, GovernorConfig};
/// let governor = Governor::new(&GovernorConfig { share: Some(0.7), ..GovernorConfig::default() });
/// let shop = governor.tenant("shop", 3);
/// let blog = governor.tenant("blog", 1);
/// let ticket = shop.admit(Some([192, 0, 2, 1].into())).expect("there is CPU to spare");
/// ticket.settle(250_000);
/// assert_eq!(shop.metrics().fuel, 250_000);
/// # drop(blog);
/// ```
#[derive(Debug)]
pub struct Governor {
    clock: Arc<dyn Clock>,
    /// Millionths of a core; `None`: only count.
    capacity: Option<u64>,
    share: Option<f64>,
    burst: i64,
    burst_millis: u64,
    bucket: Bucket,
    latch: Latch,
    /// Over all tenants, for those who look at it: each pays by its own.
    pub(super) rate: FuelRate,
    weights: AtomicU64,
    tenants: Mutex<Vec<Weak<Tenant>>>,
    tickets: AtomicU64,
}

/// Nanoseconds of CPU that `millis` milliseconds at a rate of `capacity` millionths of a core are.
fn nanos(millis: u64, capacity: u64) -> i64 {
    i64::try_from(u128::from(millis) * u128::from(capacity)).unwrap_or(i64::MAX)
}

impl Governor {
    /// A governor by the system's clock.
    pub fn new(config: &GovernorConfig) -> Arc<Self> {
        Self::with_clock(config, SystemClock::new())
    }

    /// A governor by another clock. A share that is no number above 0 counts as none, one above 1 as 1.
    pub fn with_clock(config: &GovernorConfig, clock: impl Clock + 'static) -> Arc<Self> {
        let cores = match config.cores {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            cores => cores,
        };
        let share = config.share.filter(|&share| share > 0.0).map(|share| share.min(1.0));
        let capacity = share.map(|share| ((share * cores as f64 * 1e6) as u64).max(1));
        let burst_millis = config.burst_millis.clamp(1, 60_000);
        let burst = nanos(burst_millis, capacity.unwrap_or(0));
        let now = clock.nanos();
        Arc::new(Governor {
            clock: Arc::new(clock),
            capacity,
            share,
            burst,
            burst_millis,
            bucket: Bucket::new(burst, now),
            latch: Latch::new(CALM_NANOS),
            rate: FuelRate::nominal(),
            weights: AtomicU64::new(0),
            tenants: Mutex::new(Vec::new()),
            tickets: AtomicU64::new(0),
        })
    }

    /// A tenant: of the share, each is guaranteed the part that its weight is of all weights, and may borrow what others leave
    /// idle. The same name is the same tenant, with the weight that was given last; a weight of 0 counts as 1. Its part is free
    /// again when the last handle on it is gone.
    pub fn tenant(self: &Arc<Self>, name: &str, weight: u32) -> Arc<Tenant> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|tenant| tenant.strong_count() > 0);
        if let Some(known) = tenants.iter().filter_map(Weak::upgrade).find(|tenant| tenant.name() == name) {
            known.set_weight(weight);
            return known;
        }
        let tenant = Arc::new(Tenant::new(Arc::clone(self), name, weight));
        tenants.push(Arc::downgrade(&tenant));
        tenant
    }

    /// The level in force.
    pub fn level(&self) -> Level {
        if self.sheds() { self.look(self.clock.nanos()).1 } else { Level::Calm }
    }

    /// What has been counted so far. Meant for a metrics endpoint: takes the lock that [`tenant`](Self::tenant) takes.
    pub fn metrics(&self) -> Metrics {
        let tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let tenants = tenants.iter().filter_map(Weak::upgrade).map(|tenant| tenant.metrics()).collect();
        Metrics {
            share: self.share,
            // Without requests nobody else would see that all is calm again.
            level: self.level(),
            nanos_per_fuel: self.rate.nanos_per_fuel(),
            balance_nanos: self.bucket.level(),
            tenants,
        }
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Whether there is a share to keep.
    pub(super) fn sheds(&self) -> bool {
        self.capacity.is_some()
    }

    /// What is in the bucket at the time `now`, and the level that follows from it.
    pub(super) fn look(&self, now: u64) -> (i64, Level) {
        self.bucket.refill(now, self.capacity.unwrap_or(0), self.burst);
        let balance = self.bucket.level();
        let level = self.latch.update(self.rise(balance), self.fall(balance), now);
        (balance, level)
    }

    /// The level that a balance asks for. The mark for the highest is so low because a single dear request must not reach it.
    pub(super) fn rise(&self, balance: i64) -> Level {
        match balance {
            _ if balance < self.burst.saturating_mul(-5) / 2 => Level::Tenants,
            _ if balance < self.burst / 4 => Level::Clients,
            _ if balance < self.burst / 2 => Level::Shadow,
            _ => Level::Calm,
        }
    }

    /// The level that it would do with: what is shed keeps the balance at the mark where it is shed, so the marks for less lie
    /// higher.
    fn fall(&self, balance: i64) -> Level {
        match balance {
            _ if balance < -self.burst => Level::Tenants,
            _ if balance < self.burst / 2 => Level::Clients,
            _ if balance < self.burst / 4 * 3 => Level::Shadow,
            _ => Level::Calm,
        }
    }

    /// Below this a dear client of a tenant over its part is turned away.
    pub(super) fn clients_mark(&self) -> i64 {
        self.burst / 4
    }

    /// Below this any request of a tenant well over its part is turned away, at the highest level.
    pub(super) fn tenants_mark(&self) -> i64 {
        self.burst.saturating_mul(-2)
    }

    /// The same for a tenant that is over its part by a little: one that only asks for its part never sees it, because those
    /// that ask for more are turned away before.
    pub(super) fn last_mark(&self) -> i64 {
        self.burst.saturating_mul(-3)
    }

    /// Seconds until the balance is at the mark again if nothing is spent.
    pub(super) fn seconds_to(&self, mark: i64, balance: i64) -> u64 {
        let missing = u64::try_from(mark.saturating_sub(balance)).unwrap_or(0);
        (missing / self.capacity.unwrap_or(1).max(1)).div_ceil(1_000)
    }

    pub(super) fn take(&self, nanos: u64) -> u64 {
        self.bucket.take(nanos, self.burst.saturating_mul(DEBT))
    }

    pub(super) fn give(&self, nanos: u64) {
        self.bucket.give(nanos, self.burst);
    }

    /// The part of the capacity that a weight is worth, in millionths of a core, and the burst of that part.
    pub(super) fn part(&self, weight: u32) -> (u64, i64) {
        let weights = self.weights.load(Ordering::Relaxed).max(1);
        let part = u128::from(self.capacity.unwrap_or(0)) * u128::from(weight) / u128::from(weights);
        let part = u64::try_from(part).unwrap_or(u64::MAX);
        (part, nanos(self.burst_millis, part))
    }

    /// Changes the sum of weights.
    pub(super) fn reweigh(&self, less: u32, more: u32) {
        change(&self.weights, |sum| sum.saturating_sub(less.into()).saturating_add(more.into()));
    }

    /// Whether the request that begins now is one of those that are measured.
    pub(super) fn samples(&self) -> bool {
        let number = self.tickets.fetch_add(1, Ordering::Relaxed);
        // The multiplier is 2^64 over the golden ratio: neighbours end far apart.
        (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).is_multiple_of(SAMPLED)
    }
}
