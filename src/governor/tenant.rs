//! Whose requests they are: a tenant with its part of the share, and the decision about each of its requests.

use super::atomic::{Counter, blend};
use super::bucket::Bucket;
use super::clients::{Client, Clients};
use super::fuel_rate::FuelRate;
use super::level::Level;
use super::metrics::TenantMetrics;
use super::network::Network;
use super::share::{DEBT, Governor, SAMPLED};
use super::ticket::Ticket;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How long a client or a tenant is asked to wait, at most, in seconds.
const LONGEST_WAIT: u64 = 60;

/// What was taken beforehand of the share and of a tenant's two buckets, nanoseconds.
pub(super) type Prepaid = [u64; 3];

/// What a request has spent since it paid last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) fuel: u64,
    pub(super) nanos: u64,
    /// Nanoseconds from its beginning on.
    pub(super) so_far: u64,
    /// Whether it is its last.
    pub(super) ended: bool,
    /// Whether nothing was known of its client when it began.
    pub(super) first: bool,
}

/// A request is not let in: nothing of it was inspected, and nothing of it may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shed {
    /// The status to answer with.
    pub status: u16,
    /// What to say in `Retry-After`, seconds.
    pub retry_after_secs: u64,
    /// Why.
    pub reason: ShedReason,
}

/// Why a request is shed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShedReason {
    /// Its client costs far more than others of the tenant do: 429.
    Client,
    /// The tenant asks for more than its part: 503.
    Tenant,
    /// The client's requests make one rule after the other fail: 429.
    Faults,
}

impl fmt::Display for Shed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reason {
            ShedReason::Client => "The client's requests are too dear.",
            ShedReason::Tenant => "The CPU share of rule evaluation is spent.",
            ShedReason::Faults => "The client's requests make rules fail.",
        })
    }
}

impl std::error::Error for Shed {}

/// One of those who share a governor: a site, a customer. Made by [`Governor::tenant`].
#[derive(Debug)]
pub struct Tenant {
    governor: Arc<Governor>,
    name: Box<str>,
    weight: AtomicU32,
    /// What all its clients go by. Its debt ends at one burst: a tenant gets its part, whatever it has borrowed before.
    bucket: Bucket,
    /// What its dear clients go by: the same, with a longer memory, so that they wait for what they have spent.
    dear: Bucket,
    clients: Clients,
    /// What its fuel is worth: the requests of others, which may be of a kind that is dear for its fuel, do not change its bill.
    rate: FuelRate,
    /// What a request costs, in the mean, nanoseconds.
    request: AtomicU64,
    /// What the first request of a network costs: attacks come from networks that nobody knows, and look like no others.
    first: AtomicU64,
    admitted: Counter,
    shed_clients: Counter,
    shed_tenants: Counter,
    without_shadow: Counter,
    fuel: Counter,
    nanos: Counter,
}

impl Tenant {
    pub(super) fn new(governor: Arc<Governor>, name: &str, weight: u32) -> Self {
        let weight = weight.max(1);
        governor.reweigh(0, weight);
        let (_, burst) = governor.part(weight);
        let now = governor.clock().nanos();
        Tenant {
            governor,
            name: name.into(),
            weight: AtomicU32::new(weight),
            bucket: Bucket::new(burst, now),
            dear: Bucket::new(burst, now),
            clients: Clients::new(),
            rate: FuelRate::nominal(),
            request: AtomicU64::new(0),
            first: AtomicU64::new(0),
            admitted: Counter::default(),
            shed_clients: Counter::default(),
            shed_tenants: Counter::default(),
            without_shadow: Counter::default(),
            fuel: Counter::default(),
            nanos: Counter::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its governor.
    pub fn governor(&self) -> &Arc<Governor> {
        &self.governor
    }

    pub(super) fn set_weight(&self, weight: u32) {
        let weight = weight.max(1);
        let before = self.weight.swap(weight, Ordering::Relaxed);
        self.governor.reweigh(before, weight);
    }

    /// Decides about a request of a client, before anything of it is inspected. Without an address the client is nobody's
    /// network, and never the dear one.
    ///
    /// # Errors
    /// The request is shed.
    pub fn admit(self: &Arc<Self>, client: Option<IpAddr>) -> Result<Ticket, Shed> {
        let network = client.map(Network::from);
        if !self.governor.sheds() {
            return Ok(self.let_in(network, 0, false, Level::Calm));
        }
        let now = self.governor.clock().nanos();
        let (balance, level, burst) = self.refill(now);
        let client = network.map(|network| self.clients.look_up(network, now)).unwrap_or_default();
        let first = network.is_some() && client.request == 0;
        let expected = match client.request {
            0 => self.expected(first),
            request => request,
        };
        match self.judge(client, expected, balance, level, burst) {
            None => Ok(self.let_in(network, expected, first, level)),
            Some(shed) => {
                match shed.reason {
                    ShedReason::Client | ShedReason::Faults => self.shed_clients.add(1),
                    ShedReason::Tenant => self.shed_tenants.add(1),
                }
                Err(shed)
            }
        }
    }

    /// Lets a request in without asking, for hosts that have decided already. It is accounted like any other.
    pub fn account(self: &Arc<Self>, client: Option<IpAddr>) -> Ticket {
        let network = client.map(Network::from);
        if !self.governor.sheds() {
            return self.let_in(network, 0, false, Level::Calm);
        }
        let (_, level, _) = self.refill(self.governor.clock().nanos());
        self.let_in(network, self.expected(false), false, level)
    }

    /// What a request of a client will cost of whom nothing is known, nanoseconds; `first`: because it is its first.
    fn expected(&self, first: bool) -> u64 {
        match self.first.load(Ordering::Relaxed) {
            cost @ 1.. if first => cost,
            _ => self.request.load(Ordering::Relaxed),
        }
    }

    /// Adds what has come in; answers the balance of all, the level, and the burst of the own part.
    fn refill(&self, now: u64) -> (i64, Level, i64) {
        let (balance, level) = self.governor.look(now);
        let (part, burst) = self.governor.part(self.weight.load(Ordering::Relaxed));
        self.bucket.refill(now, part, burst);
        self.dear.refill(now, part, burst);
        (balance, level, burst)
    }

    fn judge(&self, client: Client, expected: u64, balance: i64, level: Level, burst: i64) -> Option<Shed> {
        // Without this guard D9 must be seen to fail.
        if cfg!(fusewall_without = "shedding") {
            return None;
        }
        // The dearest request must fit into a full bucket, or it would never be let in again.
        let expected = i64::try_from(expected).unwrap_or(i64::MAX);
        let after = balance.saturating_sub(expected.min(self.governor.clients_mark() * 2));
        let own_after = self.dear.level().saturating_sub(expected.min(burst / 2));
        let level = level.max(self.governor.rise(after));
        let is_dear = level >= Level::Clients && self.clients.is_dear(client);
        if is_dear && own_after < burst / 4 && after < self.governor.clients_mark() {
            // Costs halve every two seconds.
            let wait = u64::from(self.clients.excess(client).ilog2() + 1) * 2;
            return Some(shed(ShedReason::Client, wait));
        }
        let own = self.bucket.level();
        // Within its part.
        if own > 0 || level < Level::Tenants {
            return None;
        }
        let mark = if well_over(own, burst) { self.governor.tenants_mark() } else { self.governor.last_mark() };
        (balance < mark).then(|| shed(ShedReason::Tenant, self.governor.seconds_to(mark, balance)))
    }

    /// Whether it is well over its part: the CPU that it uses now is what others leave idle.
    pub(super) fn borrows(&self) -> bool {
        if !self.governor.sheds() {
            return false;
        }
        let (part, burst) = self.governor.part(self.weight.load(Ordering::Relaxed));
        self.bucket.refill(self.governor.clock().nanos(), part, burst);
        well_over(self.bucket.level(), burst)
    }

    fn let_in(self: &Arc<Self>, network: Option<Network>, expected: u64, first: bool, level: Level) -> Ticket {
        self.admitted.add(1);
        if level >= Level::Shadow {
            self.without_shadow.add(1);
        }
        // What it will cost is taken now, as far as that is known: many that come at once cannot all find the bucket full.
        let prepaid = match self.governor.sheds() {
            true => self.take([expected; 3]),
            false => [0; 3],
        };
        Ticket::new(Arc::clone(self), (network, first), prepaid, level, self.governor.samples())
    }

    /// Takes CPU time out of the share and of the tenant's two buckets; answers what was taken.
    fn take(&self, [all, own, dear]: Prepaid) -> Prepaid {
        let (_, burst) = self.governor.part(self.weight.load(Ordering::Relaxed));
        let deep = burst.saturating_mul(DEBT);
        [self.governor.take(all), self.bucket.take(own, burst), self.dear.take(dear, deep)]
    }

    /// Nanoseconds of CPU that `fuel` of its requests is worth.
    pub(super) fn worth(&self, fuel: u64) -> u64 {
        self.rate.nanos(fuel)
    }

    /// Takes a measurement of one of its requests into account.
    pub(super) fn correct(&self, fuel: u64, nanos: u64, sampled: bool) {
        let times = if sampled { SAMPLED } else { 1 };
        self.rate.correct(fuel, nanos, times);
        self.governor.rate.correct(fuel, nanos, times);
    }

    /// Pays for a part of a request: from what was prepaid, then from the buckets; and books it.
    pub(super) fn pay(&self, network: Option<Network>, part: Part, prepaid: &mut Prepaid) {
        self.fuel.add(part.fuel);
        self.nanos.add(part.nanos);
        if !self.governor.sheds() {
            return;
        }
        let missing = prepaid.each_mut().map(|paid| {
            let covered = part.nanos.min(*paid);
            *paid -= covered;
            part.nanos - covered
        });
        self.take(missing);
        if let Some(network) = network {
            let now = self.governor.clock().nanos();
            self.clients.book(network, part.nanos, part.so_far, part.ended, now);
        }
        // What first requests cost is learnt while they run: before the first of them ends, many may have come.
        if part.first && (part.ended || part.so_far > self.first.load(Ordering::Relaxed)) {
            blend(&self.first, part.so_far, 16);
        }
        if part.ended {
            blend(&self.request, part.so_far, 16);
            self.give_back(prepaid);
        }
    }

    /// Gives back what was prepaid and not spent.
    pub(super) fn give_back(&self, prepaid: &mut Prepaid) {
        let [all, own, dear] = std::mem::take(prepaid);
        let (_, burst) = self.governor.part(self.weight.load(Ordering::Relaxed));
        self.governor.give(all);
        self.bucket.give(own, burst);
        self.dear.give(dear, burst);
    }

    /// What has been counted so far.
    pub fn metrics(&self) -> TenantMetrics {
        TenantMetrics {
            name: self.name.clone().into(),
            weight: self.weight.load(Ordering::Relaxed),
            admitted: self.admitted.get(),
            shed_clients: self.shed_clients.get(),
            shed_tenants: self.shed_tenants.get(),
            without_shadow: self.without_shadow.get(),
            fuel: self.fuel.get(),
            cpu_nanos: self.nanos.get(),
            balance_nanos: self.bucket.level(),
        }
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        self.governor.reweigh(self.weight.load(Ordering::Relaxed), 0);
    }
}

impl Shed {
    /// What a client is told that makes rules fail: to come back after a minute.
    pub(crate) const fn faults() -> Shed {
        Shed { status: 429, retry_after_secs: LONGEST_WAIT, reason: ShedReason::Faults }
    }
}

/// Whether a tenant's balance says that it is well over its part. One that asks for its part and no more never comes here.
fn well_over(balance: i64, burst: i64) -> bool {
    balance <= -burst / 2
}

fn shed(reason: ShedReason, wait: u64) -> Shed {
    let status = match reason {
        ShedReason::Client | ShedReason::Faults => 429,
        ShedReason::Tenant => 503,
    };
    Shed { status, retry_after_secs: wait.clamp(1, LONGEST_WAIT), reason }
}
