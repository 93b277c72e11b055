//! Hosts and ports as they stand in `Host`, in `CONNECT` targets and in absolute-form targets.

use std::net::Ipv6Addr;

use crate::byteset::ByteSet;

/// Bytes of a registered name (RFC 3986, section 3.2.2) without percent-encoding: no name of the DNS needs it, and servers
/// disagree about whether `%00` in a host is decoded.
const NAME: ByteSet = ByteSet::of(b"-._~!$&'()*+,;=")
    .union(ByteSet::range(b'0', b'9'))
    .union(ByteSet::range(b'A', b'Z'))
    .union(ByteSet::range(b'a', b'z'));

/// Whether `authority` is `host` or `host:port` without user information.
pub(crate) fn is_valid(authority: &[u8]) -> bool {
    split(authority).is_some_and(|port| port.is_none_or(|port| port.is_empty() || is_port(port)))
}

/// Whether `authority` is `host:port` with both parts present: the target of `CONNECT`.
pub(super) fn has_host_and_port(authority: &[u8]) -> bool {
    split(authority).flatten().is_some_and(is_port)
}

/// The port behind a valid host, if there is a colon; nothing when the host is not valid.
fn split(authority: &[u8]) -> Option<Option<&[u8]>> {
    let (host_is_valid, rest) = match authority.strip_prefix(b"[") {
        Some(literal) => {
            let end = memchr::memchr(b']', literal)?;
            let (address, rest) = literal.split_at_checked(end)?;
            let address = std::str::from_utf8(address).ok()?;
            (address.parse::<Ipv6Addr>().is_ok(), rest.get(1..)?)
        }
        None => {
            let end = memchr::memchr(b':', authority).unwrap_or(authority.len());
            let (name, rest) = authority.split_at_checked(end)?;
            (!name.is_empty() && name.iter().all(|&byte| NAME.contains(byte)), rest)
        }
    };
    if !host_is_valid {
        return None;
    }
    match rest.split_first() {
        None => Some(None),
        Some((b':', port)) => Some(Some(port)),
        Some(_) => None,
    }
}

fn is_port(port: &[u8]) -> bool {
    port.len() <= 5
        && port.iter().all(u8::is_ascii_digit)
        && std::str::from_utf8(port).is_ok_and(|digits| digits.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_with_an_optional_port() {
        for good in ["localhost", "a.b:80", "a.b:", "127.0.0.1", "[::1]", "[fe80::f1:01:fe01:1]:80", "under_score"] {
            assert!(is_valid(good.as_bytes()), "{good}");
        }
        for bad in [
            "", ":80", "a%00", "a b", "a:b", "a:80:80", "a:65536", "u@a", "a/b", "[::1", "[::1]x", "[a]", "[]",
            "\u{e9}",
        ] {
            assert!(!is_valid(bad.as_bytes()), "{bad}");
        }
        assert!(has_host_and_port(b"a:80") && has_host_and_port(b"[::1]:80"));
        assert!(!has_host_and_port(b"a") && !has_host_and_port(b"a:"));
    }
}
