//! IP sets: sorted, merged ranges; a look-up is a binary search.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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

    /// The set as the fewest networks, in order. IPv4 addresses are shown as such.
    pub fn networks(&self) -> Vec<IpNet> {
        let mut found = Vec::new();
        for &(first, last) in &self.ranges {
            let mut at = first;
            loop {
                // The largest aligned block that starts here and does not reach past the end.
                let mut bits = at.trailing_zeros().min(128);
                while bits > 0 && last - at < block(bits) {
                    bits -= 1;
                }
                found.extend(network(at, bits));
                match at.checked_add(block(bits)).and_then(|end| end.checked_add(1)) {
                    Some(next) if next <= last => at = next,
                    _ => break,
                }
            }
        }
        found
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

/// One less than the number of addresses that differ in the last `bits` bits.
fn block(bits: u32) -> u128 {
    1u128.checked_shl(bits).map_or(u128::MAX, |size| size - 1)
}

fn network(first: u128, bits: u32) -> Option<IpNet> {
    if first >> 32 == 0xffff && bits <= 32 {
        let address = Ipv4Addr::from(first as u32);
        return Ipv4Net::new(address, (32 - bits) as u8).ok().map(IpNet::V4);
    }
    Ipv6Net::new(Ipv6Addr::from(first), (128 - bits) as u8).ok().map(IpNet::V6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(&str, &str)]) -> IpSet {
        IpSet::from_ranges(ranges.iter().map(|(a, b)| (a.parse().unwrap(), b.parse().unwrap())).collect())
    }

    #[test]
    fn networks_cover_the_same_addresses() {
        let some = set(&[("10.0.0.0", "10.0.0.4"), ("::1", "::1"), ("192.168.0.0", "192.168.255.255")]);
        let shown: Vec<_> = some.networks().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["::1/128", "10.0.0.0/30", "10.0.0.4/32", "192.168.0.0/16"]);
        assert_eq!(set(&[("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")]).networks()[0].to_string(), "::/0");
        assert_eq!(set(&[("0.0.0.0", "255.255.255.255")]).networks()[0].to_string(), "0.0.0.0/0");
        let again = some.networks().iter().map(|net| (net.network(), net.broadcast())).collect();
        assert_eq!(IpSet::from_ranges(again), some);
    }
}
