//! Request bodies: their formats, their codings, and the pieces in which they come.

use super::request::{form, json, multipart, post};
use super::*;

pub fn cases() -> Vec<Case> {
    let coded = |text: &[u8]| form("/coded", "").header("Content-Encoding", "gzip").body_is(upstream::gzip(text));
    let unread = || form("/unread", "text=attack-body");
    let begun = || unread().without_its_body();
    let held = || form("/", "text=a+benign+one").without_its_body();
    vec![
        case("a form passes", passes(form("/form", "name=value&text=%27a+b%27"))),
        case("an attack in a form is refused", refused(form("/form", "name=value&text=attack%2Dbody"))),
        case("JSON passes", passes(json("/json", r#"{"name":["value",1,null]}"#))),
        case("an attack in JSON is refused", refused(json("/json", r#"{"name":["value","attack\u002dbody"]}"#))),
        case("broken JSON is refused", turned_away(json("/json", r#"{"name":["value""#))),
        case("a multipart form passes", passes(multipart("/upload", "a text", "a.bin", &[0, 1, 2, 255, 13, 10]))),
        case(
            "an attack in a multipart field is refused",
            refused(multipart("/upload", "attack-body", "a.bin", b"abc")),
        ),
        case("an attack in a file name is refused", refused(multipart("/upload", "text", "attack-file.bin", b"abc"))),
        case(
            "bytes of no media type pass",
            passes(post("/bytes", "application/octet-stream", [0, 255, 10, 13, 0, 128])),
        ),
        case("an empty body passes", passes(form("/form", ""))),
        case("a chunked body passes", passes(form("/form", "name=value&text=chunks").chunked(7))),
        case("an attack across chunks is refused", refused(form("/form", "text=attack-body").chunked(3))),
        case("a body in pieces passes", passes(form("/form", "name=value&text=pieces").in_pieces(5))),
        case("an attack across pieces is refused", refused(form("/form", "text=attack-body").in_pieces(4))),
        case(
            "an attack across chunks in pieces is refused",
            refused(form("/form", "text=attack-body").chunked(2).in_pieces(9)),
        ),
        case("a coded body passes as it came", passes(coded(b"text=benign"))),
        case("an attack in a coded body is refused", refused(coded(b"text=attack-body"))),
        case("a coded body that is none is refused", turned_away(coded(b"").body_is(b"not gzip at all".to_vec()))),
        case("a body that the rules do not read passes", passes(unread())),
        case(
            "a body that the rules do not read passes while it comes",
            [
                Send(begun()),
                More(b"text=att".to_vec()),
                Origin(Arrival::Begun),
                More(b"ack-body".to_vec()),
                fine(),
                Origin(Same),
            ],
        )
        .without(
            Ability::StreamedRequests,
            [
                Send(begun()),
                More(b"text=att".to_vec()),
                Origin(Arrival::NotYet),
                More(b"ack-body".to_vec()),
                fine(),
                Origin(Same),
            ],
        ),
        case(
            "nothing of a request passes before the verdict on its body",
            [
                Send(held()),
                More(b"text=a+be".to_vec()),
                Origin(Arrival::NotYet),
                More(b"nign+one".to_vec()),
                fine(),
                Origin(Same),
            ],
        ),
    ]
}
