//! Who speaks for or against a candidate: networks, because an address costs its owner nothing.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// A source of requests: a client's network, /24 of IPv4 and /56 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source(u64);

/// A block of networks as one owner may have it: /16 of IPv4, /32 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Block(u64);

const V4: u64 = 1 << 63;

impl Source {
    pub(super) const fn block(self) -> Block {
        Block(if self.0 & V4 == 0 { self.0 >> 24 } else { V4 | (self.0 & !V4) >> 8 })
    }
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Source(V4 | u64::from(u32::from(address) >> 8)),
            IpAddr::V6(address) => Source((u128::from(address) >> 72) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_the_blocks_that_they_are_in() {
        let source = |text: &str| Source::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(source("192.0.2.1"), source("::ffff:192.0.2.200"));
        assert_ne!(source("192.0.2.1"), source("192.0.3.1"));
        assert_eq!(source("192.0.2.1").block(), source("192.0.3.1").block());
        assert_ne!(source("192.0.2.1").block(), source("192.1.2.1").block());
        assert_eq!(source("2001:db8:0:100::1"), source("2001:db8:0:1ff::2"));
        assert_ne!(source("2001:db8:0:100::1"), source("2001:db8:0:200::1"));
        assert_eq!(source("2001:db8:0:100::1").block(), source("2001:db8:ffff::1").block());
        assert_ne!(source("2001:db8::1").block(), source("2001:db9::1").block());
    }
}
