//! What is known of each rule: how often it ran, what it has cost, and how many networks were behind what it did wrong.

use super::super::atomic::{Counter, change};
use super::super::decaying::Decaying;
use once_cell::race::OnceBox;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// One evaluation in a fading sum: a sum of whole ones would lose its last bit every time it fades.
const ONE: u64 = 1 << 10;

/// A rule's account, as a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// Evaluations.
    pub evaluations: u64,
    /// Fuel that they have spent together.
    pub fuel: u64,
    /// Fuel of the dearest.
    pub worst: u64,
    /// Evaluations above the certified price.
    pub over_price: u64,
    /// Panics caught.
    pub panics: u64,
}

/// The account of one rule.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    evaluations: Counter,
    fuel: Counter,
    worst: AtomicU64,
    suspicions: OnceBox<Suspicions>,
}

/// What may be brought against a rule. A rule that enforces and keeps to its price never needs it.
#[derive(Debug, Default)]
pub(super) struct Suspicions {
    over_price: Counter,
    panics: Counter,
    /// Of the last seconds.
    recent: Decaying,
    dear: Decaying,
    /// Networks for which it was dear.
    pub(super) dear_networks: Networks,
    /// Networks for which it was over its price, or panicked.
    pub(super) fault_networks: Networks,
    /// How often it went off, one after the other.
    pub(super) times: AtomicU32,
    /// Cheap evaluations since it is tried.
    pub(super) probes: AtomicU32,
    /// Evaluations that were asked for since.
    pub(super) asked: AtomicU64,
}

impl Ledger {
    pub(super) fn note(&self, fuel: u64, over_price: bool, panicked: bool) {
        self.evaluations.add(1);
        self.fuel.add(fuel);
        self.worst.fetch_max(fuel, Ordering::Relaxed);
        if over_price || panicked {
            let suspicions = self.suspicions();
            suspicions.over_price.add(over_price.into());
            suspicions.panics.add(panicked.into());
        }
    }

    /// Made the first time, once for each rule; of two threads that make it at once one wins, and none waits.
    pub(super) fn suspicions(&self) -> &Suspicions {
        self.suspicions.get_or_init(Box::default)
    }

    pub(super) fn account(&self) -> Account {
        let suspicions = self.suspicions.get();
        Account {
            evaluations: self.evaluations.get(),
            fuel: self.fuel.get(),
            worst: self.worst.load(Ordering::Relaxed),
            over_price: suspicions.map_or(0, |suspicions| suspicions.over_price.get()),
            panics: suspicions.map_or(0, |suspicions| suspicions.panics.get()),
        }
    }
}

impl Suspicions {
    /// Notes whether an evaluation was dear; answers how many there were in the last seconds, and how many of them were dear.
    pub(super) fn weigh(&self, dear: bool, step: u64) -> (u64, u64) {
        self.recent.add(ONE, step);
        if dear {
            self.dear.add(ONE, step);
        }
        (self.recent.get(step) / ONE, self.dear.get(step) / ONE)
    }

    /// Forgets the last seconds.
    pub(super) fn forget(&self, step: u64) {
        self.recent.set(0, step);
        self.dear.set(0, step);
        self.dear_networks.clear();
        self.fault_networks.clear();
    }
}

/// A lower bound of how many networks there were in this period and the one before: one bit for each, by its keyed hash.
#[derive(Debug, Default)]
pub(super) struct Networks {
    period: AtomicU64,
    now: AtomicU64,
    before: AtomicU64,
}

impl Networks {
    /// Adds the network with the hash `hash`; answers how many there were without it, and with it.
    pub(super) fn add(&self, hash: u64, period: u64) -> (u32, u32) {
        let (old, new) = change(&self.period, |_| period);
        if old != new {
            let now = self.now.swap(0, Ordering::Relaxed);
            self.before.store(if old.checked_add(1) == Some(new) { now } else { 0 }, Ordering::Relaxed);
        }
        let before = self.before.load(Ordering::Relaxed);
        let now = self.now.fetch_or(1 << (hash % 64), Ordering::Relaxed);
        ((now | before).count_ones(), (now | before | 1 << (hash % 64)).count_ones())
    }

    fn clear(&self) {
        self.now.store(0, Ordering::Relaxed);
        self.before.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_counted_once_and_forgotten_after_two_periods() {
        let networks = Networks::default();
        assert_eq!(networks.add(1, 10), (0, 1));
        assert_eq!(networks.add(1, 10), (1, 1));
        assert_eq!(networks.add(2, 11), (1, 2));
        assert_eq!(networks.add(2, 12), (1, 1));
        assert_eq!(networks.add(3, 20), (0, 1));
    }

    #[test]
    fn evaluations_are_weighed_by_what_was_lately() {
        let ledger = Ledger::default();
        for _ in 0..1000 {
            ledger.suspicions().weigh(false, 0);
        }
        assert_eq!(ledger.suspicions().weigh(true, 0), (1001, 1));
        // Eight steps are two seconds: half of it counts.
        assert_eq!(ledger.suspicions().weigh(true, 8), (501, 1));
        assert_eq!(ledger.account(), Account::default());
    }

    #[test]
    fn a_rule_that_keeps_to_its_price_is_only_counted() {
        let ledger = Ledger::default();
        ledger.note(7, false, false);
        ledger.note(5, false, false);
        assert!(ledger.suspicions.get().is_none());
        ledger.note(9, true, false);
        ledger.note(0, false, true);
        assert_eq!(ledger.account(), Account { evaluations: 4, fuel: 21, worst: 9, over_price: 1, panics: 1 });
    }
}
