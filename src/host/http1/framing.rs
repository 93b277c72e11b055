//! How long the body is (RFC 9112, section 6.3), read as strictly as that section allows a server to.

use super::head::Fields;
use super::request_line::trim_blanks;

/// How the end of a request body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// So many bytes follow the head.
    Length(u64),
    /// The body comes in chunks; a chunk of length 0 is the last one.
    Chunked,
}

/// Status and reason of a refusal.
pub(super) type Refusal = (u16, &'static str);

/// The framing that the fields of a request declare. Whatever two servers could read in two ways is refused: both kinds of
/// length, a second length (even an equal one), a coding besides or after `chunked`, a coding from before HTTP/1.1.
pub(super) fn of(version: &[u8], fields: &Fields) -> Result<Framing, Refusal> {
    let mut codings = values(fields, b"transfer-encoding");
    let mut lengths = values(fields, b"content-length");
    match (codings.next(), lengths.next()) {
        (None, None) => Ok(Framing::None),
        (None, Some(length)) => match lengths.next() {
            None => length_of(length).map(Framing::Length),
            Some(_) => Err((400, "more than one Content-Length")),
        },
        (Some(_), Some(_)) => Err((400, "both Transfer-Encoding and Content-Length")),
        (Some(coding), None) => {
            if !is_http_1_1(version) {
                return Err((400, "Transfer-Encoding before HTTP/1.1"));
            }
            if codings.next().is_some() {
                return Err((400, "more than one Transfer-Encoding"));
            }
            transfer_coding(coding)
        }
    }
}

/// Whether a well-formed version is HTTP/1.1 or later.
pub(super) fn is_http_1_1(version: &[u8]) -> bool {
    version >= b"HTTP/1.1".as_slice()
}

/// The values of all fields of a name, which is given in lower case.
pub(super) fn values<'a>(fields: &'a Fields, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    fields.iter().filter(move |(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
}

/// The members of a comma-separated list over all fields of a name.
pub(super) fn members<'a>(fields: &'a Fields, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    values(fields, name).flat_map(|value| value.split(|&byte| byte == b',')).map(trim_blanks)
}

/// `1*DIGIT`. No sign, no list, no space, and it must fit: `Content-Length: +5` and `5, 5` are refused.
fn length_of(value: &[u8]) -> Result<u64, Refusal> {
    const REFUSAL: Refusal = (400, "Content-Length is not a number");
    if value.is_empty() {
        return Err(REFUSAL);
    }
    value.iter().try_fold(0_u64, |length, byte| match byte {
        b'0'..=b'9' => {
            length.checked_mul(10).and_then(|length| length.checked_add(u64::from(byte - b'0'))).ok_or(REFUSAL)
        }
        _ => Err(REFUSAL),
    })
}

fn transfer_coding(value: &[u8]) -> Result<Framing, Refusal> {
    let known = |coding: &[u8]| {
        [b"gzip".as_slice(), b"x-gzip", b"deflate", b"compress", b"x-compress"]
            .iter()
            .any(|name| coding.eq_ignore_ascii_case(name))
    };
    let mut codings = value.split(|&byte| byte == b',').map(trim_blanks).rev();
    if !codings.next().is_some_and(|last| last.eq_ignore_ascii_case(b"chunked")) {
        return Err((400, "the last transfer coding is not chunked"));
    }
    let others: Vec<&[u8]> = codings.collect();
    match others.as_slice() {
        [] => Ok(Framing::Chunked),
        // RFC 9112, section 6.1: well-formed, but nothing that is taken apart here.
        _ if others.iter().all(|coding| known(coding)) => Err((501, "a transfer coding besides chunked")),
        _ => Err((400, "Transfer-Encoding is malformed")),
    }
}
