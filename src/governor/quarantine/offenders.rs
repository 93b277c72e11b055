//! Clients that find faults in many rules: the fault that counts is then theirs.

use super::super::network::Network;
use super::PERIOD;
use once_cell::race::OnceBox;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

/// Places in the table. A network that is displaced is forgotten: to get there takes as many networks as a botnet has.
const SLOTS: usize = 256;

#[derive(Debug, Default)]
struct Slot {
    /// Keyed hash of the network, with the period in its lowest bits.
    tag: AtomicU64,
    /// One bit for each rule, by its number.
    rules: AtomicU64,
}

/// The networks that have found faults in this period of a minute.
#[derive(Debug)]
pub(super) struct Offenders {
    keys: RandomState,
    /// Made for the first of them.
    slots: OnceBox<[Slot; SLOTS]>,
}

impl Offenders {
    pub(super) fn new() -> Self {
        Offenders { keys: RandomState::new(), slots: OnceBox::new() }
    }

    /// The keyed hash of a network.
    pub(super) fn hash(&self, network: Network) -> u64 {
        self.keys.hash_one(network.number())
    }

    /// The tag of a network, and its place.
    fn find(&self, network: Network, now: u64) -> (u64, usize) {
        let hash = self.hash(network);
        ((hash & !0xff) | ((now / PERIOD) & 0xff) | 0x100, (hash >> 32) as usize % SLOTS)
    }

    /// Notes that a network has found a fault in a rule; answers in how many rules it had before, and has now.
    pub(super) fn note(&self, network: Network, rule: u32, now: u64) -> (u32, u32) {
        let (tag, place) = self.find(network, now);
        let slots = self.slots.get_or_init(|| Box::new(std::array::from_fn(|_| Slot::default())));
        let Some(slot) = slots.get(place) else { return (0, 0) };
        if slot.tag.swap(tag, Ordering::Relaxed) != tag {
            slot.rules.store(0, Ordering::Relaxed);
        }
        let bit = 1 << (rule % 64);
        let before = slot.rules.fetch_or(bit, Ordering::Relaxed);
        (before.count_ones(), (before | bit).count_ones())
    }

    /// In how many rules a network has found a fault.
    pub(super) fn count(&self, network: Network, now: u64) -> u32 {
        let Some(slots) = self.slots.get() else { return 0 };
        let (tag, place) = self.find(network, now);
        slots
            .get(place)
            .filter(|slot| slot.tag.load(Ordering::Relaxed) == tag)
            .map_or(0, |slot| slot.rules.load(Ordering::Relaxed).count_ones())
    }
}
