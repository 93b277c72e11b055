//! What the arguments of a message say about a request or a response.
//!
//! Names and meanings are those of coraza-spoa. `target` is ours: the request target as it came (`url` in HAProxy), in place of `path`
//! and `query`.

use super::frames::{Message, Value};
use super::headers::{self, Fields};
use crate::host::exchange::{Ends, RequestHead};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Bytes of an id that somebody else has chosen.
const LONGEST_ID: usize = 128;

/// An argument that is missing, or is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the argument `{argument}` is {problem}")]
pub(super) struct Unusable {
    argument: &'static str,
    problem: &'static str,
}

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request<'b> {
    /// The id that HAProxy has given it, if it has.
    pub(super) id: Option<&'b str>,
    pub(super) ends: Ends,
    pub(super) head: RequestHead,
    /// As much of the body as HAProxy had.
    pub(super) body: &'b [u8],
}

/// The answer of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response<'b> {
    /// The id of the request.
    pub(super) id: Option<&'b str>,
    pub(super) status: u16,
    pub(super) version: Vec<u8>,
    pub(super) headers: Fields,
    /// As much of the body as HAProxy had.
    pub(super) body: &'b [u8],
}

impl<'b> Request<'b> {
    /// Reads the arguments.
    pub(super) fn read(message: &Message<'b>) -> Result<Self, Unusable> {
        let target = match message.argument("target").and_then(Value::bytes) {
            Some(target) => target.to_vec(),
            None => {
                let mut target = text(message, "path")?.to_vec();
                // Nothing where there is no question mark: `/?` is not `/`.
                if let Some(query) = optional(message, "query")? {
                    target.push(b'?');
                    target.extend_from_slice(query);
                }
                target
            }
        };
        let head = RequestHead {
            method: text(message, "method")?.to_vec(),
            target,
            version: version(message)?,
            headers: fields(message)?,
        };
        let ends =
            Ends { client: address(message, "src-ip", "src-port"), server: address(message, "dst-ip", "dst-port") };
        Ok(Request { id: id(message), ends, head, body: optional(message, "body")?.unwrap_or_default() })
    }
}

impl<'b> Response<'b> {
    /// Reads the arguments.
    pub(super) fn read(message: &Message<'b>) -> Result<Self, Unusable> {
        let status = message.argument("status").and_then(Value::integer).and_then(|status| u16::try_from(status).ok());
        Ok(Response {
            id: id(message),
            status: status.ok_or(Unusable { argument: "status", problem: "missing or no status" })?,
            version: version(message)?,
            headers: fields(message)?,
            body: optional(message, "body")?.unwrap_or_default(),
        })
    }
}

/// Text that must be there.
fn text<'b>(message: &Message<'b>, argument: &'static str) -> Result<&'b [u8], Unusable> {
    optional(message, argument)?.ok_or(Unusable { argument, problem: "missing" })
}

/// Text or bytes, unless HAProxy could not fetch them or was not asked to.
fn optional<'b>(message: &Message<'b>, argument: &'static str) -> Result<Option<&'b [u8]>, Unusable> {
    match message.argument(argument) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.bytes().map(Some).ok_or(Unusable { argument, problem: "no text" }),
    }
}

fn fields(message: &Message<'_>) -> Result<Fields, Unusable> {
    let value = message.argument("headers").ok_or(Unusable { argument: "headers", problem: "missing" })?;
    headers::read(value).ok_or(Unusable { argument: "headers", problem: "no list of header fields" })
}

/// `1.1` is how HAProxy says it.
fn version(message: &Message<'_>) -> Result<Vec<u8>, Unusable> {
    let version = optional(message, "version")?.unwrap_or(b"1.1");
    Ok(if version.starts_with(b"HTTP/") { version.to_vec() } else { [b"HTTP/", version].concat() })
}

/// An address and its port. Those of a unix socket are none, and count as unspecified.
fn address(message: &Message<'_>, ip: &str, port: &str) -> SocketAddr {
    let ip = match message.argument(ip) {
        Some(Value::Address(ip)) => ip,
        _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    let port = message.argument(port).and_then(Value::integer).and_then(|port| u16::try_from(port).ok());
    SocketAddr::new(ip, port.unwrap_or(0))
}

/// An id that may stand in a log line; from anything else one is made.
fn id<'b>(message: &Message<'b>) -> Option<&'b str> {
    let id = std::str::from_utf8(message.argument("id")?.bytes()?).ok()?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\]".contains(&byte);
    (!id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(plain)).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'b>(arguments: &[(&'b str, Value<'b>)]) -> Message<'b> {
        let arguments = arguments.iter().map(|(name, value)| (name.as_bytes(), *value)).collect();
        Message { name: b"coraza-req", arguments }
    }

    const REQUEST: &[(&str, Value<'_>)] = &[
        ("app", Value::Text(b"sample_app")),
        ("id", Value::Text(b"a-1")),
        ("src-ip", Value::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)))),
        ("src-port", Value::Integer(5000)),
        ("dst-ip", Value::Null),
        ("method", Value::Text(b"POST")),
        ("path", Value::Text(b"/p\xff")),
        ("query", Value::Text(b"q=1")),
        ("version", Value::Text(b"1.1")),
        ("headers", Value::Text(b"host: a\r\n\r\n")),
        ("body", Value::Binary(b"body")),
    ];

    fn without(name: &str) -> Message<'static> {
        let mut message = message(REQUEST);
        message.arguments.retain(|(own, _)| *own != name.as_bytes());
        message
    }

    fn with<'b>(name: &'b str, value: Value<'b>) -> Message<'b> {
        let mut message = without(name);
        message.arguments.push((name.as_bytes(), value));
        message
    }

    #[test]
    fn a_request_is_what_its_arguments_say() {
        let whole = message(REQUEST);
        let request = Request::read(&whole).unwrap();
        assert_eq!((request.id, request.body), (Some("a-1"), &b"body"[..]));
        assert_eq!(request.ends.client, "192.0.2.1:5000".parse().unwrap());
        assert_eq!(request.ends.server, "0.0.0.0:0".parse().unwrap());
        assert_eq!(request.head.target, b"/p\xff?q=1");
        assert_eq!((&request.head.method[..], &request.head.version[..]), (&b"POST"[..], &b"HTTP/1.1"[..]));
        assert_eq!(request.head.headers, [(b"host".to_vec(), b"a".to_vec())]);
        assert_eq!(Request::read(&without("query")).unwrap().head.target, b"/p\xff");
        assert_eq!(Request::read(&with("query", Value::Text(b""))).unwrap().head.target, b"/p\xff?");
        let target = Value::Text(b"http://a/p");
        assert_eq!(Request::read(&with("target", target)).unwrap().head.target, b"http://a/p");
        assert_eq!(Request::read(&without("body")).unwrap().body, b"");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let problem = |message: Message<'_>| Request::read(&message).unwrap_err().to_string();
        assert_eq!(problem(without("method")), "the argument `method` is missing");
        assert_eq!(problem(without("path")), "the argument `path` is missing");
        assert_eq!(problem(without("headers")), "the argument `headers` is missing");
        assert_eq!(problem(with("query", Value::Integer(1))), "the argument `query` is no text");
        let fields = Value::Text(b"nonsense");
        assert_eq!(problem(with("headers", fields)), "the argument `headers` is no list of header fields");
        assert!(Response::read(&message(REQUEST)).is_err());
    }

    #[test]
    fn an_id_is_taken_if_it_can_stand_in_a_log_line() {
        for (id, taken) in [("7F:1", true), ("", false), ("a b", false), ("a\"]", false), (&*"x".repeat(129), false)] {
            assert_eq!(Request::read(&with("id", Value::Text(id.as_bytes()))).unwrap().id.is_some(), taken, "{id}");
        }
    }
}
