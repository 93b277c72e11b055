//! I4: bodies whose type is missing, told twice, odd, or not what they are.

use crate::attempt::{ATTACK, Attempt, Expected, field, json_string, percent, post, xml_text};
use crate::oracle::exchange::Exchange;
use crate::row::Row;
use std::sync::LazyLock;

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    Row::of("I4", "content types missing, twice, with two character sets, not that of the body; any method", attempts())
});

/// Content-Type headers of one request.
const TYPES: &[&[&str]] = &[
    &[],
    &[""],
    &[" "],
    &["application/x-www-form-urlencoded"],
    &["Application/X-WWW-Form-URLEncoded;charset=utf-8"],
    &[" application/x-www-form-urlencoded"],
    &["application/x-www-form-urlencoded2"],
    &["application/x-www-form-urlencoded, text/plain"],
    &["text/plain, application/x-www-form-urlencoded"],
    &["application/x-www-form-urlencoded; charset=utf-8; charset=utf-7"],
    &["application/x-www-form-urlencoded; charset=ibm037"],
    &["application/x-www-form-urlencoded", "text/plain"],
    &["text/plain", "application/x-www-form-urlencoded"],
    &["application/x-www-form-urlencoded", "application/x-www-form-urlencoded"],
    &["image/png", "application/x-www-form-urlencoded"],
    &["application/json"],
    &["APPLICATION/JSON"],
    &["application/json ; charset=UTF-16"],
    &["application/vnd.x+json"],
    &["application/json", "text/plain"],
    &["text/plain", "application/json"],
    &["application/json", "application/xml"],
    &["text/json"],
    &["application/x-json"],
    &["application/jsonx"],
    &["application/xml"],
    &["text/xml; charset=\"utf-7\""],
    &["application/soap+xml; action=\"x\""],
    &["image/svg+xml"],
    &["multipart/form-data; boundary=B"],
    &["multipart/form-data"],
    &["multipart/form-data; boundary="],
    &["multipart/form-data; boundary=C"],
    &["multipart/mixed; boundary=B"],
    &["multipart/related; boundary=B"],
    &["Multipart/Form-Data; Boundary=B"],
    &["multipart/form-data; boundary=B", "multipart/form-data; boundary=C"],
    &["text/plain"],
    &["text/html"],
    &["text/plain; charset=utf-16le"],
    &["image/png"],
    &["video/mp4"],
    &["application/octet-stream"],
    &["application/x-unheard-of"],
    &["*/*"],
    &["nonsense"],
    &[";charset=utf-8"],
];

fn attempts() -> Vec<Attempt> {
    let bodies = [
        ("a form", format!("a=1&q={}", percent(ATTACK))),
        ("JSON", format!("{{\"a\":1,\"q\":\"{}\"}}", json_string(ATTACK))),
        ("XML", format!("<a><q>{}</q></a>", xml_text(ATTACK))),
        ("multipart", format!("{}{}--B--\r\n", field("a", "1"), field("q", ATTACK))),
        ("text", ATTACK.to_owned()),
    ];
    let mut attempts = Vec::new();
    for types in TYPES {
        for (kind, body) in &bodies {
            for method in ["POST", "PUT", "PATCH", "GET", "DELETE", "OPTIONS"] {
                let mut exchange = Exchange { method: method.into(), ..post("", body.as_bytes()) };
                exchange.headers.remove(0);
                let exchange = types.iter().fold(exchange, |exchange, value| exchange.header("Content-Type", value));
                let expected = match types {
                    [_, _] => Expected::Refused,
                    _ => Expected::Seen,
                };
                attempts.push(Attempt::new(format!("{method}, {kind} as {types:?}"), exchange, expected));
            }
        }
    }
    // Escapes that only the other processor would undo.
    let escaped: String = ATTACK.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let hidden = format!("{{\"q\":\"{escaped}\"}}");
    for content_type in ["text/plain", "application/octet-stream", "application/xml", "multipart/form-data; boundary=B"]
    {
        let what = format!("escaped JSON as {content_type}");
        attempts.push(Attempt::new(what, post(content_type, hidden.as_bytes()), Expected::Seen));
    }
    // The name of the header may be written in any case.
    for name in ["content-type", "CONTENT-TYPE", "Content-type"] {
        let mut exchange = post("", format!("q={}", percent(ATTACK)));
        exchange.headers.remove(0);
        let exchange = exchange.header(name, "application/x-www-form-urlencoded");
        attempts.push(Attempt::new(format!("{name} of a form"), exchange, Expected::Found));
    }
    // The field that tells the character set of the fields (RFC 7578, section 4.6).
    let told = format!("_charset_=utf-7&q={}", percent("+ADw-script+AD4-"));
    attempts.push(Attempt::new(
        "_charset_ in a form",
        post("application/x-www-form-urlencoded", told),
        Expected::Flagged,
    ));
    let told = format!("{}{}--B--\r\n", field("_charset_", "utf-16"), field("q", "x"));
    attempts.push(Attempt::new(
        "_charset_ in multipart",
        post("multipart/form-data; boundary=B", told),
        Expected::Flagged,
    ));
    for content_type in ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=ISO-8859-1"] {
        attempts.push(Attempt::new(content_type, post(content_type, "a=1&_charset_=utf-8"), Expected::Nothing));
    }
    attempts
}

#[test]
fn no_body_goes_past_all_rules() {
    ROW.assert();
}
