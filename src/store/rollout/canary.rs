//! Which clients the candidate decides about: a keyed hash of the address that a connection comes from.
//!
//! Nothing that a client writes takes part, so nobody can ask to be in or out. The key is secret and new for each rollout: whoever
//! was in the last one knows nothing about the next, and the same clients are not always the first to suffer.

use super::share::Share;
use sha2::{Digest, Sha256};
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::net::IpAddr;

/// The key of a rollout's canary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 16]);

impl Secret {
    /// A new one, from the random numbers of the system.
    pub fn random() -> Secret {
        let half = || RandomState::new().hash_one(()).to_le_bytes();
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(half().into_iter().chain(half())) {
            *to = from;
        }
        Secret(bytes)
    }

    /// One that several processes share, so that a client is in the canary of all of them or of none.
    pub const fn new(bytes: [u8; 16]) -> Secret {
        Secret(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Chooses clients.
///
/// ```
/// use fusewall::store::rollout::{Canary, Secret, Share};
/// let canary = Canary::new(Secret::random());
/// let client = "192.0.2.7".parse().unwrap();
/// assert!(canary.takes(client, Share::ALL) && !canary.takes(client, Share::NONE));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Canary {
    secret: Secret,
}

impl Canary {
    /// A canary with this key.
    pub const fn new(secret: Secret) -> Canary {
        Canary { secret }
    }

    /// Whether the candidate decides about the client at this address, of a connection or as a trusted proxy has told it. Who is in
    /// stays in while the share grows. Of IPv6 the /64 counts: within it systems change their addresses by themselves.
    pub fn takes(&self, client: IpAddr, share: Share) -> bool {
        self.place(client) < share.parts()
    }

    /// A client's place among a million.
    fn place(&self, client: IpAddr) -> u32 {
        // Both kinds have one length, so a hash with the key in front is a keyed hash.
        let address = match client.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => (u128::from(address) & !u128::from(u64::MAX)).to_be_bytes(),
        };
        let digest: [u8; 32] = Sha256::new().chain_update(self.secret.0).chain_update(address).finalize().into();
        let first = digest.iter().take(8).fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        ((u128::from(first) * u128::from(Share::ALL.parts())) >> 64) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn client(number: u32) -> IpAddr {
        Ipv4Addr::from(number).into()
    }

    #[test]
    fn the_share_is_what_was_asked_for() {
        // Neighbouring addresses are as good as any.
        let clients = 100_000;
        for (key, percent) in [(1, 1), (2, 5), (3, 25), (4, 50)] {
            let canary = Canary::new(Secret::new([key; 16]));
            let taken =
                (0..clients).filter(|&number| canary.takes(client(0x0a00_0000 + number), Share::percent(percent)));
            let (taken, share) = (taken.count() as f64, f64::from(percent) / 100.0);
            let expected = share * f64::from(clients);
            let deviation = (f64::from(clients) * share * (1.0 - share)).sqrt();
            assert!((taken - expected).abs() < 5.0 * deviation, "{percent} %: {taken}");
        }
    }

    #[test]
    fn another_secret_takes_others() {
        let [one, other] = [Canary::new(Secret::random()), Canary::new(Secret::random())];
        let share = Share::percent(10);
        let both = (0..10_000).filter(|&number| one.takes(client(number), share) && other.takes(client(number), share));
        // A tenth of a tenth.
        assert!((40..180).contains(&both.count()));
    }

    #[test]
    fn a_client_is_known_by_its_address_alone() {
        let canary = Canary::new(Secret::new([7; 16]));
        let place = |text: &str| canary.place(text.parse().expect("an address"));
        assert_eq!(place("192.0.2.1"), place("::ffff:192.0.2.1"));
        assert_ne!(place("192.0.2.1"), place("192.0.2.2"));
        assert_eq!(place("2001:db8::1"), place("2001:db8::ffff:1"));
        assert_ne!(place("2001:db8::1"), place("2001:db8:0:1::1"));
    }

    proptest! {
        #[test]
        fn who_is_in_stays_in(secret: [u8; 16], address: u128, share in 0..=1_000_000_u32, more in 0..=1_000_000_u32) {
            let canary = Canary::new(Secret::new(secret));
            let address = IpAddr::V6(address.into());
            let (share, grown) = (Share::per_million(share), Share::per_million(share.saturating_add(more)));
            prop_assert!(!canary.takes(address, share) || canary.takes(address, grown));
            prop_assert!(canary.takes(address, Share::ALL) && !canary.takes(address, Share::NONE));
        }
    }
}
