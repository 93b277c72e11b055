//! Heads on their way through: what of a request goes upstream, what of a response comes back, and who the client is.

use super::upstream::Upstream;
use crate::host::exchange::RequestHead;
use crate::net::IpSet;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Method, Request, Version};
use std::net::{IpAddr, SocketAddr};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Fields that mean one connection only (RFC 9110, section 7.6.1), besides those that `Connection` names.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Fields for the recipient at the end, which `Connection` has no business to name (RFC 9110, section 7.6.1). A sender that
/// could take them away would have one request inspected and another one sent on.
const END_TO_END: [HeaderName; 10] = [
    header::HOST,
    header::AUTHORIZATION,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::COOKIE,
    header::ORIGIN,
];

/// What forwarding a request has to know besides its head.
pub(super) struct Hop<'r> {
    pub(super) peer: IpAddr,
    /// Whether the peer is a trusted proxy.
    pub(super) trusted: bool,
    /// Whether the client's connection is TLS.
    pub(super) secure: bool,
    /// The protocol to upgrade to, if the request asks for one that is passed on.
    pub(super) upgrade: Option<&'r [u8]>,
    pub(super) preserve_host: bool,
    /// Whether the upstream must not use a content coding, because its answer is read.
    pub(super) plain_response: bool,
}

/// Who sent the request: the peer, or, when the peer is a trusted proxy, the rightmost address in `X-Forwarded-For` that is
/// not itself one. Ports of such clients are unknown: 0.
pub(in crate::host) fn client(trusted: &IpSet, peer: SocketAddr, head: &RequestHead) -> SocketAddr {
    if !trusted.contains(peer.ip()) {
        return peer;
    }
    let mut client = peer;
    let entries = head.values("x-forwarded-for").rev().flat_map(|value| value.rsplit(|&byte| byte == b','));
    for entry in entries {
        // What does not parse, a trusted proxy did not write: what stands before it is not believed either.
        let Some(address) = address(entry.trim_ascii()) else { break };
        // A proxy that listens for both families writes IPv4 addresses as ::ffff:192.0.2.1, which no rule expects.
        let address = address.to_canonical();
        client = SocketAddr::new(address, 0);
        if !trusted.contains(address) {
            break;
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let entry = std::str::from_utf8(entry).ok()?;
    let bare = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    entry.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip())).or_else(bare)
}

/// The head that goes upstream. The body's framing is left to the client that sends it.
///
/// # Errors
/// Why the request cannot be sent on: it is refused with 400.
pub(super) fn request(head: &RequestHead, upstream: &Upstream, hop: &Hop<'_>) -> Result<Request<()>, &'static str> {
    let method = Method::from_bytes(&head.method).map_err(|_| "The method cannot be sent on.")?;
    let (target, authority) = split_target(&head.target);
    let host = head.values("host").next();
    if let (Some(authority), Some(host)) = (authority, host)
        && !authority.eq_ignore_ascii_case(host)
    {
        return Err("Request target and Host name different hosts.");
    }
    if authority.is_none() && !target.starts_with(b"/") && target != b"*" {
        return Err("The request target has a scheme other than http.");
    }
    if target == b"*" && method != Method::OPTIONS {
        return Err("Only OPTIONS may ask for the server itself.");
    }
    let target = match (method == Method::OPTIONS, target) {
        // RFC 9112, section 3.2.4: no path at all asks for the server itself.
        (true, b"") => PathAndQuery::from_static("*"),
        _ => encode_target(target).ok_or("The request target cannot be sent on.")?,
    };
    let uri = upstream.uri(target).map_err(|_| "The request target cannot be sent on.")?;

    let mut headers = HeaderMap::with_capacity(head.headers.len() + 4);
    for (name, value) in &head.headers {
        if is_disguised(name) || (!hop.trusted && tells_of_forwarding(name)) {
            continue;
        }
        let name = HeaderName::from_bytes(name).map_err(|_| "A header name cannot be sent on.")?;
        let value = HeaderValue::from_bytes(value).map_err(|_| "A header value cannot be sent on.")?;
        headers.try_append(name, value).map_err(|_| "There are too many header fields.")?;
    }
    let trailers = headers.get_all(header::TE).iter().any(|value| has_token(value.as_bytes(), b"trailers"));
    remove_hop_by_hop(&mut headers);
    for name in [header::EXPECT, header::CONTENT_LENGTH] {
        headers.remove(name);
    }
    if upstream.http2() {
        headers.remove(header::HOST);
        if trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
    } else if !hop.preserve_host {
        headers.remove(header::HOST);
    }
    if hop.plain_response {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if let Some(protocol) = hop.upgrade {
        let protocol = HeaderValue::from_bytes(protocol).map_err(|_| "Upgrade cannot be sent on.")?;
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol);
    }
    add_forwarded(&mut headers, host.or(authority), hop);

    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = if upstream.http2() { Version::HTTP_2 } else { Version::HTTP_11 };
    *request.headers_mut() = headers;
    Ok(request)
}

fn add_forwarded(headers: &mut HeaderMap, host: Option<&[u8]>, hop: &Hop<'_>) {
    let mut chain = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        chain.extend_from_slice(value.as_bytes());
        chain.extend_from_slice(b", ");
    }
    chain.extend_from_slice(hop.peer.to_canonical().to_string().as_bytes());
    if let Ok(chain) = HeaderValue::from_bytes(&chain) {
        headers.insert(X_FORWARDED_FOR, chain);
    }
    let scheme = if hop.secure { "https" } else { "http" };
    headers.entry(X_FORWARDED_PROTO).or_insert(HeaderValue::from_static(scheme));
    if let Some(host) = host.and_then(|host| HeaderValue::from_bytes(host).ok()) {
        headers.entry(X_FORWARDED_HOST).or_insert(host);
    }
}

/// Whether a field tells where a request came from: `Forwarded`, `X-Real-IP`, `X-Forwarded-...`, with underscores too, which
/// servers that make variables of header names cannot tell from hyphens.
fn tells_of_forwarding(name: &[u8]) -> bool {
    let is = |known: &[u8]| same_variable(name, known);
    is(b"forwarded") || is(b"x-real-ip") || name.get(..12).is_some_and(|start| same_variable(start, b"x-forwarded-"))
}

/// Whether a field with underscores becomes the variable of one that the proxy itself writes or takes out.
fn is_disguised(name: &[u8]) -> bool {
    let own = [header::CONTENT_LENGTH, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO];
    name.contains(&b'_') && HOP_BY_HOP.iter().chain(&own).any(|known| same_variable(name, known.as_str().as_bytes()))
}

/// Whether two names are the same but for case and for underscores in the place of hyphens.
fn same_variable(name: &[u8], known: &[u8]) -> bool {
    let plain = |&byte: &u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == known.len() && name.iter().map(plain).eq(known.iter().map(plain))
}

/// Takes out what means the upstream's connection only. `Content-Length` is left to whoever frames the body.
pub(super) fn response_headers(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    headers.remove(header::CONTENT_LENGTH);
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let mut named = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        for token in value.as_bytes().split(|&byte| byte == b',') {
            if let Ok(name) = HeaderName::from_bytes(token.trim_ascii())
                && !END_TO_END.contains(&name)
                && !tells_of_forwarding(name.as_str().as_bytes())
            {
                named.push(name);
            }
        }
    }
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Whether a comma-separated list has a token, parameters aside.
pub(super) fn has_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|item| {
        let item = item.split(|&byte| byte == b';').next().unwrap_or_default();
        item.trim_ascii().eq_ignore_ascii_case(token)
    })
}

/// Path and query of a target, and its authority if it is in absolute form.
fn split_target(target: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(scheme) = memchr::memmem::find(target, b"://") else { return (target, None) };
    let (name, rest) = target.split_at(scheme);
    let known = name.eq_ignore_ascii_case(b"http") || name.eq_ignore_ascii_case(b"https");
    let Some(rest) = rest.get(3..).filter(|_| known) else { return (target, None) };
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    (path, Some(authority))
}

/// Path and query as they go upstream: what a URI must not hold is percent-encoded, a fragment is cut off (it never belongs to
/// a request), every other byte stays as it is.
fn encode_target(target: &[u8]) -> Option<PathAndQuery> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut encoded = Vec::with_capacity(target.len() + 16);
    if target == b"*" {
        return PathAndQuery::from_maybe_shared(Bytes::from_static(b"*")).ok();
    }
    if !target.starts_with(b"/") {
        encoded.push(b'/');
    }
    let mut query = false;
    for &byte in target.iter().take_while(|&&byte| byte != b'#') {
        query |= byte == b'?';
        let stays = match byte {
            b'!' | b'$'..=b';' | b'=' | b'@'..=b'_' | b'a'..=b'z' | b'|' | b'~' => true,
            b'?' => true,
            b'`' | b'{' | b'}' => query,
            _ => false,
        };
        if stays {
            encoded.push(byte);
        } else {
            let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or(b'0');
            encoded.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    PathAndQuery::from_maybe_shared(Bytes::from(encoded)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(text: &str) -> Vec<u8> {
        let mut bytes = text.bytes();
        let mut decoded = Vec::new();
        while let Some(byte) = bytes.next() {
            match byte {
                b'%' => {
                    let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                    decoded.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                }
                other => decoded.push(other),
            }
        }
        decoded
    }

    proptest! {
        #[test]
        fn an_encoded_target_says_the_same_bytes(tail in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut target = b"/".to_vec();
            target.extend(tail.into_iter().filter(|byte| !b"%#".contains(byte)));
            let encoded = encode_target(&target).unwrap();
            prop_assert_eq!(decode(encoded.as_str()), target);
        }
    }

    #[test]
    fn escapes_stay_as_they_came() {
        let encode = |target: &str| encode_target(target.as_bytes()).unwrap().to_string();
        assert_eq!(encode("/a%2fb?x=%3Cy"), "/a%2fb?x=%3Cy");
        assert_eq!(encode("/?q=<script>\"é#frag"), "/?q=%3Cscript%3E%22%C3%A9");
        assert_eq!(encode("?x"), "/?x");
        assert_eq!(encode("*"), "*");
        assert_eq!(encode("//a//b"), "//a//b");
    }

    #[test]
    fn absolute_targets_are_split() {
        assert_eq!(split_target(b"HTTP://h:1/a?b"), (&b"/a?b"[..], Some(&b"h:1"[..])));
        assert_eq!(split_target(b"http://h?b"), (&b"?b"[..], Some(&b"h"[..])));
        assert_eq!(split_target(b"/x?u=http://h/"), (&b"/x?u=http://h/"[..], None));
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_no_trusted_proxy() {
        let net = |a: &str, b: &str| (a.parse().unwrap(), b.parse().unwrap());
        let trusted = IpSet::from_ranges(vec![net("10.0.0.0", "10.255.255.255")]);
        let of = |peer: &str, values: &[&str]| {
            let headers = values.iter().map(|v| (b"X-Forwarded-For".to_vec(), v.as_bytes().to_vec())).collect();
            let head = RequestHead { headers, ..RequestHead::default() };
            client(&trusted, SocketAddr::new(peer.parse().unwrap(), 9), &head).ip().to_string()
        };
        assert_eq!(of("192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
        assert_eq!(of("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &["203.0.113.1, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(of("10.0.0.1", &["198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(of("10.0.0.1", &["203.0.113.9", "198.51.100.1:80"]), "198.51.100.1");
        assert_eq!(of("10.0.0.1", &["198.51.100.1, junk, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(of("10.0.0.1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(of("10.0.0.1", &["198.51.100.1, ::ffff:10.0.0.2"]), "198.51.100.1", "the family does not matter");
        assert_eq!(of("10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn hop_by_hop_fields_go_and_host_stays() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("connection", "x-a, Host, close"), ("x-a", "1"), ("host", "h"), ("te", "gzip"), ("x-b", "2")]
        {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["host", "x-b"]);
    }
}
