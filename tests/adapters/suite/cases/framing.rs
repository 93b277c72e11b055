//! Requests whose end two servers could see in two places (RFC 9112, sections 6 and 7), and what is no request at all.

use super::request::TAG;
use super::*;

fn head(fields: &str, body: &str) -> Step {
    Raw(format!("POST /framing HTTP/1.1\r\nHost: www.example\r\nX-Tag: {TAG}\r\n{fields}\r\n\r\n{body}").into())
}

/// Must be refused.
fn wrong(name: &'static str, fields: &str, body: &str) -> Case {
    case(name, and_goes_on(vec![head(fields, body), Get(Answer::TurnedAway), Origin(NotWhole)]))
}

/// May be refused, or be mended and read in one way by everybody.
fn doubtful(name: &'static str, fields: &str, body: &str, read: &'static [u8]) -> Case {
    case(name, and_goes_on(vec![head(fields, body), Get(Answer::Any), Origin(Arrival::NothingOr(read))]))
}

pub fn cases() -> Vec<Case> {
    let hidden = format!("GET /hidden HTTP/1.1\r\nHost: www.example\r\nX-Tag: {TAG}\r\n\r\n");
    let both = "Content-Length: 6\r\nTransfer-Encoding: chunked";
    vec![
        doubtful("a length and chunks", both, "0\r\n\r\nX", b""),
        doubtful("a length and chunks, and a request behind them", both, &format!("0\r\n\r\n{hidden}"), b""),
        doubtful("a coding behind the chunks", "Transfer-Encoding: chunked, identity", "0\r\n\r\n", b""),
        doubtful("chunks that are written otherwise", "Transfer-Encoding: xchunked", "0\r\n\r\n", b""),
        doubtful("a blank before the colon", "Content-Length : 3", "abc", b"abc"),
        doubtful("a folded field", "X-Folded: a\r\n b\r\nContent-Length: 3", "abc", b"abc"),
        doubtful("lines without a carriage return", "X-A: b\nContent-Length: 3", "abc", b"abc"),
        wrong("two lengths", "Content-Length: 3\r\nContent-Length: 4", "abcd"),
        wrong("a length with a sign", "Content-Length: +3", "abc"),
        wrong("a length below zero", "Content-Length: -3", "abc"),
        wrong("a length in hexadecimal digits", "Content-Length: 0x3", "abc"),
        wrong("a length beyond all numbers", "Content-Length: 99999999999999999999999", "abc"),
        wrong("a chunk without a size", "Transfer-Encoding: chunked", "zz\r\nabc\r\n0\r\n\r\n"),
        wrong("a chunk beyond all numbers", "Transfer-Encoding: chunked", "fffffffffffffffff1\r\nabc\r\n0\r\n\r\n"),
        wrong("a chunk that is longer than it says", "Transfer-Encoding: chunked", "3\r\nabcdef\r\n0\r\n\r\n"),
        wrong("a field with a zero byte", "X-Zero: a\0b\r\nContent-Length: 0", ""),
        wrong("a field without a colon", "no colon here\r\nContent-Length: 0", ""),
        case(
            "another protocol",
            and_goes_on(vec![
                Raw(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n".to_vec()),
                Get(Answer::TurnedAway),
                Origin(Nothing),
            ]),
        ),
    ]
}
