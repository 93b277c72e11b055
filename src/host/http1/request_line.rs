//! The request line: `method SP request-target SP HTTP-version` (RFC 9112, section 3).
//!
//! The line is read twice over: once strictly, to decide, and once as well as it goes, so that the rules have a method, a target
//! and a version of a refused request too.

use super::authority;
use crate::byteset::ByteSet;

/// What a method or field name is made of (RFC 9110, section 5.6.2).
pub(super) const TOKEN: ByteSet = ByteSet::of(b"!#$%&'*+-.^_`|~")
    .union(ByteSet::range(b'0', b'9'))
    .union(ByteSet::range(b'A', b'Z'))
    .union(ByteSet::range(b'a', b'z'));

/// What a target may hold: everything but controls, the space and `#`. Raw `<`, `"` and bytes above 0x7F are no URI characters
/// either, but they cannot move the end of the line, and the rules want to see them.
const TARGET: ByteSet = ByteSet::of(b"!\"").union(ByteSet::range(b'$', b'~')).union(ByteSet::range(0x80, 0xff));

/// The version of a request line that names none.
pub(super) const SIMPLE: &[u8] = b"HTTP/0.9";

/// The three parts of a request line and what is wrong with them.
pub(super) struct RequestLine<'a> {
    pub(super) method: &'a [u8],
    pub(super) target: &'a [u8],
    /// As received; [`SIMPLE`] when the line has none.
    pub(super) version: &'a [u8],
    pub(super) refusal: Option<&'static str>,
}

/// Reads a line without its line end.
pub(super) fn read(line: &[u8]) -> RequestLine<'_> {
    let mut parts = line.split(|&byte| byte == b' ');
    if let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        && !method.is_empty()
        && !target.is_empty()
        && !version.is_empty()
    {
        return RequestLine { method, target, version, refusal: check(method, target, version) };
    }
    salvage(line)
}

fn check(method: &[u8], target: &[u8], version: &[u8]) -> Option<&'static str> {
    if !method.iter().all(|&byte| TOKEN.contains(byte)) {
        return Some("the method is not a token");
    }
    if !target.iter().all(|&byte| TARGET.contains(byte)) {
        return Some("the target has a control character or a fragment");
    }
    if !has_known_form(method, target) {
        return Some("the target has none of the four forms");
    }
    match version {
        [b'H', b'T', b'T', b'P', b'/', b'0', b'.', b'0'..=b'9'] => Some("HTTP before 1.0"),
        [b'H', b'T', b'T', b'P', b'/', b'1'..=b'9', b'.', b'0'..=b'9'] => None,
        _ => Some("the version is malformed"),
    }
}

/// Origin-form, absolute-form, authority-form (`CONNECT` only) or asterisk-form (`OPTIONS` only): RFC 9112, section 3.2.
fn has_known_form(method: &[u8], target: &[u8]) -> bool {
    if method == b"CONNECT" {
        return authority::has_host_and_port(target);
    }
    if target == b"*" {
        return method == b"OPTIONS";
    }
    target.first() == Some(&b'/') || is_absolute(target)
}

fn is_absolute(target: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', target) else { return false };
    let (scheme, rest) = target.split_at(colon);
    let Some(rest) = rest.strip_prefix(b"://") else { return false };
    let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
        && rest.get(..end).is_some_and(authority::is_valid)
}

/// The parts of a line that is refused: the first word, the last one when there are three, and what lies between.
fn salvage(line: &[u8]) -> RequestLine<'_> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let line = trim_blanks(line);
    let first = line.iter().position(blank).unwrap_or(line.len());
    let (method, rest) = line.split_at_checked(first).unwrap_or((line, b""));
    let rest = trim_blanks(rest);
    match rest.iter().rposition(blank) {
        None => RequestLine { method, target: rest, version: SIMPLE, refusal: Some("the request line has no version") },
        Some(last) => {
            let (target, version) = rest.split_at_checked(last).unwrap_or((rest, b""));
            let refusal = Some("the request line is not three words separated by single spaces");
            RequestLine { method, target: trim_blanks(target), version: trim_blanks(version), refusal }
        }
    }
}

/// Without spaces and tabs at both ends (`OWS` of RFC 9110).
pub(super) fn trim_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}
