//! Names by which block lists are asked over DNS (RFC 5782).

use crate::meter::Price;
use std::fmt::Write;
use std::net::IpAddr;

/// What making a name costs.
pub const PRICE: Price = Price::new(640, 1024);

/// Letters of a domain name, its parts and dots.
const LONGEST: usize = 253;

/// The name to ask `zone` about a value with: backwards if it is an `address`, a host name as it stands. `key` stands first where the list wants
/// one (`SecHttpBlKey`). `None` for a value that is neither, or does not fit.
///
/// ```
/// use fusewall::ops::block_list::query;
/// let address = "203.0.113.7".parse().ok();
/// assert_eq!(query(b"203.0.113.7", address, "bl.example", None).as_deref(), Some("7.113.0.203.bl.example"));
/// assert_eq!(query(b"203.0.113.7", address, "bl.example", Some("key")).as_deref(), Some("key.7.113.0.203.bl.example"));
/// assert_eq!(query(b"not a name", None, "bl.example", None), None);
/// ```
pub fn query(value: &[u8], address: Option<IpAddr>, zone: &str, key: Option<&str>) -> Option<String> {
    let mut name = String::new();
    if let Some(key) = key {
        name.push_str(key);
        name.push('.');
    }
    match address {
        Some(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            write!(name, "{d}.{c}.{b}.{a}").ok()?;
        }
        Some(IpAddr::V6(address)) => {
            let nibbles = address.octets().into_iter().rev().flat_map(|byte| [byte & 15, byte >> 4]);
            for (at, nibble) in nibbles.enumerate() {
                let dot = if at == 0 { "" } else { "." };
                write!(name, "{dot}{nibble:x}").ok()?;
            }
        }
        None => {
            let fits = !value.is_empty()
                && value.split(|byte| *byte == b'.').all(|label| {
                    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                    (1..=63).contains(&label.len()) && label.iter().all(letter)
                });
            name.push_str(std::str::from_utf8(value).ok().filter(|_| fits)?);
        }
    }
    name.push('.');
    name.push_str(zone);
    (name.len() <= LONGEST).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::query;

    #[test]
    fn names_of_addresses_and_hosts() {
        let six = query(b"2001:db8::1", "2001:db8::1".parse().ok(), "b.example", None).unwrap();
        assert!(six.starts_with("1.0.0.0.") && six.ends_with(".8.b.d.0.1.0.0.2.b.example"), "{six}");
        assert_eq!(
            query(b"www.shop.example", None, "uri.example", None).as_deref(),
            Some("www.shop.example.uri.example")
        );
        for bad in [&b""[..], b"a..b", b"a b", b".a", &[b'a'; 64], &b"a.".repeat(126), b"\xff"] {
            assert_eq!(query(bad, None, "b.example", None), None, "{}", bad.escape_ascii());
        }
    }
}
