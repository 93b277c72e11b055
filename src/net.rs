//! IP sets: sorted, merged ranges; a look-up is a binary search.

use std::net::IpAddr;

/// A set of addresses, built at load time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IpSet {
    /// Sorted, disjoint, inclusive ranges of IPv6 (IPv4 as ::ffff:a.b.c.d).
    ranges: Vec<(u128, u128)>,
}

impl IpSet {
    /// Whether `address` is in the set.
    pub fn contains(&self, address: IpAddr) -> bool {
        let key = number(address);
        let after = self.ranges.partition_point(|&(first, _)| first <= key);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|&(_, last)| key <= last)
    }

    /// A set of inclusive ranges.
    pub fn from_ranges(mut ranges: Vec<(IpAddr, IpAddr)>) -> Self {
        ranges.sort_unstable();
        let mut numbers: Vec<_> = ranges.into_iter().map(|(first, last)| (number(first), number(last))).collect();
        numbers.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(numbers.len());
        for (first, last) in numbers {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        IpSet { ranges: merged }
    }

    /// Number of disjoint ranges.
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// No address at all.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_ipv6_mapped()),
        IpAddr::V6(v6) => u128::from(v6),
    }
}
