//! A request that was let in: what it spends is paid for as it goes, and booked at its end.

use super::level::Level;
use super::network::Network;
use super::tenant::{Part, Prepaid, Tenant};
use std::sync::Arc;

/// Fuel after which a request pays without waiting for its end, and from which on it is measured: about 1.5 ms.
const SLICE: u64 = 1_000_000;
/// Nanoseconds that are not worth giving back before the end.
const SMALL: u64 = 200_000;

/// Permission to evaluate one request. It is settled at the latest when it is dropped.
#[derive(Debug)]
pub struct Ticket {
    tenant: Arc<Tenant>,
    network: Option<Network>,
    /// Whether nothing was known of the network when the request began.
    first: bool,
    prepaid: Prepaid,
    level: Level,
    sampled: bool,
    /// Fuel spent, as far as it is known.
    fuel: u64,
    /// Of it, what has been paid for.
    paid_fuel: u64,
    /// What that was worth.
    nanos: u64,
    measured: Measured,
    /// Of it, what has been paid for.
    paid: Measured,
}

/// Fuel, and the CPU time that it has taken.
#[derive(Debug, Clone, Copy, Default)]
struct Measured {
    fuel: u64,
    nanos: u64,
}

/// Where a call of the engine began.
#[derive(Debug, Clone, Copy)]
#[must_use = "the call is to be ended"]
pub struct Started {
    spent: u64,
    cpu: Option<u64>,
}

impl Ticket {
    /// Of a client's network, if that is known, and whether this is its first request.
    pub(super) fn new(
        tenant: Arc<Tenant>,
        client: (Option<Network>, bool),
        prepaid: Prepaid,
        level: Level,
        sampled: bool,
    ) -> Self {
        let none = Measured::default();
        let (network, first) = client;
        Ticket {
            tenant,
            network,
            first,
            prepaid,
            level,
            sampled,
            fuel: 0,
            paid_fuel: 0,
            nanos: 0,
            measured: none,
            paid: none,
        }
    }

    /// Whether work may be done for this request that decides nothing about it.
    pub fn shadow(&self) -> bool {
        self.level < Level::Shadow
    }

    /// What was shed when the request was let in.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether the tenant is well over its part now, so that what this request uses is borrowed from others.
    pub fn borrows(&self) -> bool {
        self.tenant.borrows()
    }

    /// Whether the CPU time of this request's next call is wanted, when it has spent `spent` fuel so far: of one request in 16, and
    /// of every long one.
    pub fn samples_clock(&self, spent: u64) -> bool {
        self.sampled || spent >= SLICE
    }

    /// A call of the engine begins, after `spent` fuel. Reads the thread's clock if that [is wanted](Self::samples_clock).
    pub fn start(&self, spent: u64) -> Started {
        let cpu = match self.samples_clock(spent) {
            true => self.tenant.governor().clock().thread_cpu_nanos(),
            false => None,
        };
        Started { spent, cpu }
    }

    /// The call has ended, on the same thread, after `spent` fuel altogether.
    pub fn stop(&mut self, started: Started, spent: u64) {
        self.fuel = self.fuel.max(spent);
        let now = started.cpu.and_then(|_| self.tenant.governor().clock().thread_cpu_nanos());
        if let (Some(before), Some(now)) = (started.cpu, now) {
            self.measured.fuel = self.measured.fuel.saturating_add(spent.saturating_sub(started.spent));
            self.measured.nanos = self.measured.nanos.saturating_add(now.saturating_sub(before));
        }
        if self.fuel - self.paid_fuel >= SLICE {
            self.pay(false);
        }
    }

    /// The request has been inspected and now waits for its response, maybe for long: what was taken beforehand and not spent goes
    /// back, so that waiting takes nothing from others.
    pub fn wait(&mut self) {
        let missing = self.tenant.worth(self.fuel - self.paid_fuel);
        if self.prepaid.iter().any(|prepaid| prepaid.saturating_sub(missing) > SMALL) {
            self.pay(false);
            self.tenant.give_back(&mut self.prepaid);
        }
    }

    /// The request is over; it has spent `fuel` altogether.
    pub fn settle(mut self, fuel: u64) {
        self.fuel = self.fuel.max(fuel);
    }

    /// Pays for what was spent since the last time: what was measured as measured, the rest by the rate.
    fn pay(&mut self, ended: bool) {
        let measured = Measured {
            fuel: self.measured.fuel.saturating_sub(self.paid.fuel),
            nanos: self.measured.nanos.saturating_sub(self.paid.nanos),
        };
        let fuel = self.fuel - self.paid_fuel;
        let estimated = self.tenant.worth(fuel.saturating_sub(measured.fuel));
        let nanos = measured.nanos.saturating_add(estimated);
        self.nanos = self.nanos.saturating_add(nanos);
        self.tenant.pay(
            self.network,
            Part { fuel, nanos, so_far: self.nanos, ended, first: self.first },
            &mut self.prepaid,
        );
        self.paid_fuel = self.fuel;
        self.paid = self.measured;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pay(true);
        let Measured { fuel, nanos } = self.measured;
        self.tenant.correct(fuel, nanos, self.sampled);
    }
}
