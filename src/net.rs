//! IP sets: sorted, merged ranges; a look-up is a binary search.
//!
//! IPv4 and IPv6 are kept apart. An IPv4-mapped address (`::ffff:192.0.2.1`, what a dual-stack socket reports for an IPv4 client)
//! *is* its IPv4 address here, in entries and in look-ups; a wider IPv6 network such as `::/0` holds mapped addresses when they are
//! asked for as such, but no IPv4 address.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

use crate::meter::Price;
use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use std::net::IpAddr;

/// The address that a value spells, blanks around it left aside; `None` for anything else.
pub fn parse_address(text: &[u8]) -> Option<IpAddr> {
    // The longest spelling of an IPv6 address has 45 characters.
    let text = text.trim_ascii();
    if text.len() > 45 {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A set of addresses, built at load time.
///
/// ```
/// use fusewall::net::IpSet;
/// let set = IpSet::from_ranges(vec![IpSet::parse_entry("192.0.2.7/24")?, IpSet::parse_entry("2001:db8::1")?]);
/// assert!(set.contains("192.0.2.200".parse().unwrap()));
/// assert!(!set.contains("2001:db8::2".parse().unwrap()));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IpSet {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl IpSet {
    /// Whether `address` is in the set. Costs [`price`](Self::price).
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.v4.contains(v4.into()),
            IpAddr::V6(v6) => {
                self.v6.contains(v6.into()) || v6.to_ipv4_mapped().is_some_and(|v4| self.v4.contains(v4.into()))
            }
        }
    }

    /// A set of inclusive ranges, in any order, overlapping or not. A range whose ends are of different families is taken as
    /// one of IPv6.
    pub fn from_ranges(ranges: Vec<(IpAddr, IpAddr)>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (first, last) in ranges {
            match (first.to_canonical(), last.to_canonical()) {
                (IpAddr::V4(first), IpAddr::V4(last)) => v4.push((first.into(), last.into())),
                _ => v6.push((in_v6(first), in_v6(last))),
            }
        }
        IpSet { v4: Ranges::new(v4), v6: Ranges::new(v6) }
    }

    /// The first and the last address of one entry of a list: an address or a network in CIDR notation, IPv4 or IPv6, blanks
    /// around it ignored. Host bits may be set: `10.10.10.7/21` is `10.10.8.0/21`.
    ///
    /// # Errors
    /// What is wrong with the entry and what is expected, for the author of the list.
    pub fn parse_entry(text: &str) -> Result<(IpAddr, IpAddr), String> {
        let text = text.trim();
        let (address_text, length_text) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address_text.parse().map_err(|_| {
            format!("{address_text:?} is not an IP address; expected one like 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or 2001:db8::/32")
        })?;
        let Some(length_text) = length_text else {
            return Ok((address, address));
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        // Digits only: `parse` alone would take a sign.
        let digits = !length_text.is_empty() && length_text.bytes().all(|byte| byte.is_ascii_digit());
        let network = digits
            .then(|| length_text.parse().ok().and_then(|length| IpNet::new(address, length).ok()))
            .flatten()
            .ok_or_else(|| {
                let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
                format!(
                    "{length_text:?} is not a prefix length of {address_text}; expected a number from 0 to {most} for {family}"
                )
            })?;
        Ok((network.network(), network.broadcast()))
    }

    /// The set as the fewest networks, IPv4 first, in order: how it is printed.
    pub fn networks(&self) -> impl Iterator<Item = IpNet> + '_ {
        let v4 = self.v4.0.iter().flat_map(|&(first, last)| Ipv4Subnets::new(first.into(), last.into(), 0));
        let v6 = self.v6.0.iter().flat_map(|&(first, last)| Ipv6Subnets::new(first.into(), last.into(), 0));
        v4.map(IpNet::V4).chain(v6.map(IpNet::V6))
    }

    /// Number of disjoint ranges.
    pub fn len(&self) -> usize {
        self.v4.0.len() + self.v6.0.len()
    }

    /// No address at all.
    pub fn is_empty(&self) -> bool {
        self.v4.0.is_empty() && self.v6.0.is_empty()
    }

    /// What one look-up costs: the halvings of a binary search, each a possible cache miss.
    pub fn price(&self) -> Price {
        let halvings = u64::from(usize::BITS - self.len().leading_zeros());
        Price::new(40 + 20 * halvings, 0)
    }
}

fn in_v6(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
    .into()
}

/// Sorted, disjoint, inclusive ranges.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Ranges<N>(Vec<(N, N)>);

impl<N: Ord + Copy + Successor> Ranges<N> {
    fn new(mut ranges: Vec<(N, N)>) -> Self {
        ranges.retain(|(first, last)| first <= last);
        ranges.sort_unstable();
        let mut merged: Vec<(N, N)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.successor() => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        merged.shrink_to_fit();
        Ranges(merged)
    }

    fn contains(&self, key: N) -> bool {
        let after = self.0.partition_point(|&(first, _)| first <= key);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|&(_, last)| key <= last)
    }
}

/// The next number; the greatest is its own.
trait Successor {
    fn successor(self) -> Self;
}

impl Successor for u32 {
    fn successor(self) -> Self {
        self.saturating_add(1)
    }
}

impl Successor for u128 {
    fn successor(self) -> Self {
        self.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(entries: &[&str]) -> IpSet {
        IpSet::from_ranges(entries.iter().map(|entry| IpSet::parse_entry(entry).unwrap()).collect())
    }

    fn has(set: &IpSet, address: &str) -> bool {
        set.contains(address.parse().unwrap())
    }

    #[test]
    fn host_bits_are_masked_and_neighbours_merge() {
        let set = set(&["10.10.10.7/21", " 10.10.16.0/21 ", "2001:db8::ffff/112"]);
        assert_eq!(set.len(), 2);
        assert!(has(&set, "10.10.8.0") && has(&set, "10.10.23.255") && !has(&set, "10.10.7.255"));
        assert!(has(&set, "2001:db8::") && !has(&set, "2001:db8::1:0"));
        assert!(!has(&IpSet::default(), "::") && IpSet::default().is_empty());
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address_but_ipv6_networks_hold_no_ipv4() {
        let v4 = set(&["192.0.2.0/24"]);
        assert!(has(&v4, "::ffff:192.0.2.9"));
        assert!(has(&set(&["::ffff:192.0.2.0/120"]), "192.0.2.9"));
        let all_v6 = set(&["::/0"]);
        assert!(has(&all_v6, "::ffff:192.0.2.9") && has(&all_v6, "2001:db8::1") && !has(&all_v6, "192.0.2.9"));
        assert!(!has(&set(&["0.0.0.0/0"]), "2001:db8::1"));
    }

    #[test]
    fn networks_cover_the_same_addresses() {
        let some = set(&["10.0.0.0/30", "10.0.0.4", "::1", "192.168.0.0/16", "0.0.0.0/8", "2001:db8::/33"]);
        let shown: Vec<_> = some.networks().map(|network| network.to_string()).collect();
        assert_eq!(shown, ["0.0.0.0/8", "10.0.0.0/30", "10.0.0.4/32", "192.168.0.0/16", "::1/128", "2001:db8::/33"]);
        assert_eq!(set(&shown.iter().map(String::as_str).collect::<Vec<_>>()), some);
        assert_eq!(set(&["0.0.0.0/0", "::/0"]).networks().count(), 2);
    }

    #[test]
    fn errors_say_what_is_expected() {
        let error = |text| IpSet::parse_entry(text).unwrap_err();
        assert!(error("10.0.0.0/100").contains("0 to 32 for IPv4"));
        assert!(error("::/129").contains("0 to 128 for IPv6"));
        assert!(error("10.0.0.0/+8").contains("\"+8\""));
        assert!(error("10.0.0.0/").contains("prefix length"));
        assert!(error("10.0.0").contains("expected one like"));
        assert!(error("").contains("not an IP address"));
    }

    /// Addresses close together, so that networks overlap and touch.
    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            (0u32..64).prop_map(|low| IpAddr::V4((0xC000_0200 | low).into())),
            (0u128..64).prop_map(|low| IpAddr::V6((0x2001_0db8 << 96 | low).into())),
            (0u32..64).prop_map(|low| IpAddr::V6(std::net::Ipv4Addr::from(0xC000_0200 | low).to_ipv6_mapped())),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_a_list_asked_one_by_one(
            entries in prop::collection::vec((address(), 0u8..8), 0..12),
            questions in prop::collection::vec(address(), 32),
        ) {
            let networks: Vec<IpNet> = entries
                .into_iter()
                .map(|(address, host_bits)| IpNet::new(address, if address.is_ipv4() { 32 } else { 128 } - host_bits).unwrap())
                .collect();
            let set = IpSet::from_ranges(
                networks.iter().map(|network| IpSet::parse_entry(&network.to_string()).unwrap()).collect(),
            );
            for question in questions {
                let naive = networks.iter().any(|network| {
                    let (first, last) = (network.network().to_canonical(), network.broadcast().to_canonical());
                    (first..=last).contains(&question.to_canonical())
                });
                prop_assert_eq!(set.contains(question), naive);
            }
        }
    }
}
