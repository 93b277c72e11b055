//! What the clients of a tenant have cost lately, by network, in a table of bounded size, of which only what is needed is made.

use super::atomic::{blend, change};
use super::decaying::{Decaying, step};
use super::network::Network;
use once_cell::race::OnceBox;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sets of places in the table.
const SETS: usize = 256;
/// Places in a set: a network is found in one of them.
const WAYS: usize = 4;
/// A client is dear that costs more than so many times what the median network does (rounded up to a power of two).
const FAR_ABOVE: u64 = 4;
/// To turn away a client that costs less than this part of the whole would help nobody.
const LEAST_PART: u64 = 64;
/// What costs less than this, in nanoseconds, is not counted as a network.
const LEAST_COST: u64 = 1_000;

/// One network. Two threads that give a place to two networks at once may book one request's cost to the other: no harm in it.
#[derive(Debug, Default)]
struct Slot {
    /// Keyed hash of the network; 0: free.
    tag: AtomicU64,
    cost: Decaying,
    request: AtomicU64,
}

/// What is known of a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Client {
    /// What it has cost in the last seconds, nanoseconds, fading.
    pub(super) cost: u64,
    /// What one request of it costs; 0: unknown.
    pub(super) request: u64,
}

/// Places that networks share.
type Set = [Slot; WAYS];

/// The dearest networks of a tenant. Those that cost least give way to new ones, so no number of networks displaces a dear one.
#[derive(Debug)]
pub(super) struct Clients {
    keys: RandomState,
    /// Made for the first network, and each set for the first that falls into it: of a thousand tenants few have many clients. Of two
    /// threads that make one at once one wins, and none waits.
    sets: OnceBox<[OnceBox<Set>; SETS]>,
    /// The step for which the two below were worked out.
    surveyed: AtomicU64,
    /// Above this a client is dear; `u64::MAX`: there is nobody to compare it with.
    mark: AtomicU64,
}

impl Clients {
    pub(super) fn new() -> Self {
        let (surveyed, mark) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Clients { keys: RandomState::new(), sets: OnceBox::new(), surveyed, mark }
    }

    /// The tag of a network, and the number of the set that it falls into.
    fn place(&self, network: Network) -> (u64, usize) {
        let tag = self.keys.hash_one(network.number()) | 1;
        (tag, (tag >> 8) as usize % SETS)
    }

    /// What is known of a client.
    pub(super) fn look_up(&self, network: Network, now: u64) -> Client {
        let (tag, set) = self.place(network);
        let set = self.sets.get().and_then(|sets| sets.get(set)).and_then(OnceBox::get);
        let mut places = set.into_iter().flatten();
        let Some(slot) = places.find(|slot| slot.tag.load(Ordering::Relaxed) == tag) else { return Client::default() };
        Client { cost: slot.cost.get(step(now)), request: slot.request.load(Ordering::Relaxed) }
    }

    /// Books what a client has cost since the last time: a part of a request that has cost `request` so far. What a client's
    /// requests cost is learnt while they run, so that it is known before the first of them ends.
    pub(super) fn book(&self, network: Network, nanos: u64, request: u64, ended: bool, now: u64) {
        let step = step(now);
        let (tag, set) = self.place(network);
        let sets = self.sets.get_or_init(|| Box::new(std::array::from_fn(|_| OnceBox::new())));
        let Some(places) = sets.get(set).map(|set| set.get_or_init(Box::default)) else { return };
        if let Some(slot) = places.iter().find(|slot| slot.tag.load(Ordering::Relaxed) == tag) {
            slot.cost.add(nanos, step);
            match ended {
                true => blend(&slot.request, request, 64),
                false => _ = slot.request.fetch_max(request, Ordering::Relaxed),
            }
        } else if let Some(slot) = places.iter().min_by_key(|slot| slot.cost.get(step)) {
            slot.tag.store(tag, Ordering::Relaxed);
            slot.cost.set(nanos, step);
            slot.request.store(request.max(1), Ordering::Relaxed);
        }
        self.survey(step);
    }

    /// Whether a client costs far more than others of its tenant do.
    pub(super) fn is_dear(&self, client: Client) -> bool {
        client.cost > self.mark.load(Ordering::Relaxed)
    }

    /// How many times dearer a client is than one may be; at least 1.
    pub(super) fn excess(&self, client: Client) -> u64 {
        (client.cost / self.mark.load(Ordering::Relaxed).max(1)).max(1)
    }

    /// Works the mark out, once in a step: by the first thread that comes along.
    fn survey(&self, step: u64) {
        let (before, after) = change(&self.surveyed, |_| step);
        if before == after {
            return;
        }
        // By powers of two: the median need not be known any better, and this takes no memory.
        let (mut octaves, mut networks, mut total) = ([0_u32; 64], 0_u32, 0_u64);
        let places = self.sets.get().into_iter().flatten().filter_map(OnceBox::get).flatten();
        for slot in places.filter(|slot| slot.tag.load(Ordering::Relaxed) != 0) {
            let cost = slot.cost.get(step);
            if cost < LEAST_COST {
                continue;
            }
            if let Some(octave) = octaves.get_mut(cost.ilog2() as usize) {
                *octave += 1;
            }
            networks += 1;
            total = total.saturating_add(cost);
        }
        let mut below = 0;
        // Of an even number the lower of the two in the middle: of two clients one may be dear.
        let median = octaves.iter().position(|&octave| {
            below += octave;
            below * 2 >= networks
        });
        let mark = match median {
            Some(median) if networks > 1 => {
                let above = 1_u64.checked_shl(median as u32 + 1).unwrap_or(u64::MAX);
                above.saturating_mul(FAR_ABOVE).max(total / LEAST_PART)
            }
            _ => u64::MAX,
        };
        self.mark.store(mark, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::decaying::STEP;
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn network(number: u32) -> Network {
        Network::from(IpAddr::from(Ipv4Addr::from(number << 8)))
    }

    fn book(clients: &Clients, number: u32, nanos: u64, now: u64) {
        clients.book(network(number), nanos, nanos, true, now);
    }

    fn is_dear(clients: &Clients, number: u32, now: u64) -> bool {
        clients.is_dear(clients.look_up(network(number), now))
    }

    #[test]
    fn one_of_two_may_be_dear_and_one_alone_is_not() {
        let clients = Clients::new();
        book(&clients, 1, 100_000_000, STEP);
        book(&clients, 1, 100_000_000, 2 * STEP);
        assert!(!is_dear(&clients, 1, 2 * STEP));
        book(&clients, 2, 1_000_000, 2 * STEP);
        book(&clients, 2, 1_000_000, 3 * STEP);
        assert!(is_dear(&clients, 1, 3 * STEP));
        assert!(!is_dear(&clients, 2, 3 * STEP));
        assert!(!is_dear(&clients, 3, 3 * STEP));
    }

    #[test]
    fn the_dear_ones_are_found_among_many_and_many_alike_are_not_dear() {
        let clients = Clients::new();
        for tick in 1..20 {
            for number in 0..500 {
                book(&clients, number, 1_000_000, tick * STEP);
            }
            book(&clients, 900, 100_000_000, tick * STEP);
        }
        assert!(is_dear(&clients, 900, 20 * STEP));
        assert!((0..500).all(|number| !is_dear(&clients, number, 20 * STEP)));
        // Costs fade, and with them the reason.
        assert!(!is_dear(&clients, 900, 400 * STEP));
    }

    #[test]
    fn places_are_made_for_those_who_come() {
        let clients = Clients::new();
        assert_eq!(clients.look_up(network(1), STEP), Client::default());
        assert!(clients.sets.get().is_none());
        for _ in 0..3 {
            book(&clients, 1, 1_000_000, STEP);
        }
        assert_eq!(clients.look_up(network(1), STEP).cost, 3_000_000);
        let made = clients.sets.get().into_iter().flatten().filter(|set| set.get().is_some());
        assert_eq!(made.count(), 1);
    }

    #[test]
    fn a_flood_of_networks_does_not_displace_a_dear_one() {
        let clients = Clients::new();
        book(&clients, 0, 500_000_000, STEP);
        for number in 1..50_000 {
            book(&clients, number, 10_000, STEP);
        }
        assert_eq!(clients.look_up(network(0), STEP).cost, 500_000_000);
        assert_eq!(clients.look_up(network(0), STEP).request, 500_000_000);
    }
}
