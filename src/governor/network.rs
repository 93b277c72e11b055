//! Clients are counted by network: an address costs its owner nothing.

use std::net::IpAddr;

/// A client's network: /24 of IPv4, /56 of IPv6.
///
/// ```
/// use fusewall::governor::Network;
/// let network = |text: &str| Network::from(text.parse::<std::net::IpAddr>().unwrap());
/// assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.200"));
/// assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
/// assert_eq!(network("2001:db8:0:100::1"), network("2001:db8:0:1ff::2"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network(u64);

impl Network {
    /// The network as a number, different for each.
    pub(super) const fn number(self) -> u64 {
        self.0
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Network(1 << 63 | u64::from(u32::from(address) >> 8)),
            IpAddr::V6(address) => Network((u128::from(address) >> 72) as u64),
        }
    }
}
