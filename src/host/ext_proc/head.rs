//! Heads as the engine wants them, from header maps and attributes.

use super::messages::{HeaderMap, HeaderValue, Kind, Struct};
use crate::host::exchange::{Ends, RequestHead};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// What `request_attributes` brought, if it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Attributes<'a> {
    source: Option<&'a str>,
    destination: Option<&'a str>,
    protocol: Option<&'a str>,
}

impl<'a> Attributes<'a> {
    /// Of a message, whatever the filter is called.
    pub(super) fn of(attributes: &'a BTreeMap<String, Struct>) -> Attributes<'a> {
        let text = |name: &str| {
            let value = attributes.values().find_map(|filter| filter.fields.get(name));
            match value.and_then(|value| value.kind.as_ref()) {
                Some(Kind::Text(text)) if !text.is_empty() => Some(text.as_str()),
                _ => None,
            }
        };
        Attributes {
            source: text("source.address"),
            destination: text("destination.address"),
            protocol: text("request.protocol"),
        }
    }

    /// Who sent the request, by Envoy's reckoning; `None` if Envoy does not say it.
    pub(super) fn client(&self) -> Option<SocketAddr> {
        self.source.and_then(address)
    }

    /// The two ends of the connection. Those that are not known are `0.0.0.0`.
    pub(super) fn ends(&self) -> Ends {
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let server = self.destination.and_then(address);
        Ends { client: self.client().unwrap_or(nowhere), server: server.unwrap_or(nowhere) }
    }
}

/// `192.0.2.1:80` or `[2001:db8::1]:80`.
fn address(text: &str) -> Option<SocketAddr> {
    let address: SocketAddr = text.parse().ok()?;
    Some(SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// A request's head, and what two servers could read in two ways, if anything: such a request is refused with 400.
pub(super) fn request(map: HeaderMap, attributes: &Attributes<'_>) -> (RequestHead, Option<&'static str>) {
    let version = match attributes.protocol {
        // As other hosts name it to the rules.
        Some("HTTP/2") => "HTTP/2.0",
        Some("HTTP/3") => "HTTP/3.0",
        Some(version) => version,
        None => "HTTP/1.1",
    };
    let mut head = RequestHead { version: version.as_bytes().to_vec(), ..RequestHead::default() };
    let mut authority: Option<Vec<u8>> = None;
    let mut objection = None;
    for field in map.headers {
        let value = value(&field);
        match field.key.as_str() {
            ":method" => head.method = value,
            ":path" => head.target = value,
            ":authority" => authority = Some(value),
            name if name.starts_with(':') => {}
            _ => head.headers.push((field.key.into_bytes(), value)),
        }
    }
    if head.method.is_empty() || (head.target.is_empty() && head.method != b"CONNECT") {
        objection = Some("The head has no method or no path.");
    }
    if head.values("host").nth(usize::from(authority.is_none())).is_some() {
        objection = Some("There is more than one Host.");
    }
    if let Some(authority) = authority {
        head.headers.insert(0, (b"host".to_vec(), authority));
    }
    (head, objection)
}

/// Names and values of header fields.
type Fields = Vec<(Vec<u8>, Vec<u8>)>;

/// The status of a response, and its header fields.
pub(super) fn response(map: HeaderMap) -> (Option<u16>, Fields) {
    let mut status = None;
    let mut fields = Vec::with_capacity(map.headers.len());
    for field in map.headers {
        let value = value(&field);
        if field.key == ":status" {
            status = std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok());
        } else if !field.key.starts_with(':') {
            fields.push((field.key.into_bytes(), value));
        }
    }
    (status, fields)
}

fn value(field: &HeaderValue) -> Vec<u8> {
    if field.raw_value.is_empty() { field.value.as_bytes().to_vec() } else { field.raw_value.to_vec() }
}

/// The length that a head declares for its body.
pub(super) fn declared(fields: &[(Vec<u8>, Vec<u8>)]) -> Option<u64> {
    let value = field(fields, b"content-length")?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The first value of a field.
pub(super) fn field<'f>(fields: &'f [(Vec<u8>, Vec<u8>)], name: &[u8]) -> Option<&'f [u8]> {
    fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::ext_proc::messages::Value;
    use bytes::Bytes;

    fn map(fields: &[(&str, &str)]) -> HeaderMap {
        let header = |&(key, value): &(&str, &str)| HeaderValue {
            key: key.to_owned(),
            value: String::new(),
            raw_value: Bytes::copy_from_slice(value.as_bytes()),
        };
        HeaderMap { headers: fields.iter().map(header).collect() }
    }

    fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, Struct> {
        let value = |text: &str| Value { kind: Some(Kind::Text(text.to_owned())) };
        let fields = pairs.iter().map(|(name, text)| ((*name).to_owned(), value(text))).collect();
        BTreeMap::from([("envoy.filters.http.ext_proc".to_owned(), Struct { fields })])
    }

    #[test]
    fn a_head_reads_as_http_1_would_say_it() {
        let sent = [(":method", "GET"), (":path", "/p?q"), (":authority", "a:1"), (":scheme", "http"), ("x", "y")];
        let told = attributes(&[("request.protocol", "HTTP/2"), ("source.address", "[::ffff:192.0.2.1]:5")]);
        let told = Attributes::of(&told);
        let (head, objection) = request(map(&sent), &told);
        let fields = vec![(b"host".to_vec(), b"a:1".to_vec()), (b"x".to_vec(), b"y".to_vec())];
        assert_eq!((head.headers, objection), (fields, None));
        assert_eq!((head.method, head.target, head.version), (b"GET".to_vec(), b"/p?q".to_vec(), b"HTTP/2.0".to_vec()));
        assert_eq!(told.ends().client, "192.0.2.1:5".parse().unwrap());
        assert_eq!(Attributes::default().ends().client, "0.0.0.0:0".parse().unwrap());
    }

    #[test]
    fn heads_that_say_nothing_or_too_much_are_objected_to() {
        let objects = |fields: &[(&str, &str)]| request(map(fields), &Attributes::default()).1.is_some();
        assert!(objects(&[]) && objects(&[(":method", "GET")]));
        let both = [(":method", "GET"), (":path", "/"), (":authority", "a"), ("host", "b")];
        assert!(objects(&both) && !objects(&both[..3]));
        let twice = [(":method", "GET"), (":path", "/"), ("host", "a"), ("host", "b")];
        assert!(objects(&twice) && !objects(&twice[..3]));
    }

    #[test]
    fn a_status_is_a_number() {
        assert_eq!(response(map(&[(":status", "204"), ("a", "b")])), (Some(204), vec![(b"a".to_vec(), b"b".to_vec())]));
        assert_eq!(response(map(&[(":status", "x")])).0, None);
        assert_eq!(declared(&[(b"Content-Length".to_vec(), b"7".to_vec())]), Some(7));
    }
}
