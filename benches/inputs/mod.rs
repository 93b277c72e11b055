//! Inputs that several benches share: ordinary ones, and beside each the worst that is known for the same step.
#![allow(dead_code)]

use fusewall::http::{BodyParser, Fields, ParseLimits, Processor, Report};
use fusewall::meter::Meter;

/// Text without anything that a rule should match.
pub fn prose(bytes: usize) -> Vec<u8> {
    let text = "The committee met on Tuesday and agreed to move the picnic to the 14th; Anna will bring bread, cheese and two \
                tables. Please reply by Friday if you can help us carry things, thanks! ";
    text.bytes().cycle().take(bytes).collect()
}

/// `pump` again and again.
pub fn repeat(pump: &str, bytes: usize) -> Vec<u8> {
    pump.bytes().cycle().take(bytes).collect()
}

/// What every usual transformation changes, in pieces that are torn here and there.
pub fn escapes(bytes: usize) -> Vec<u8> {
    repeat("%41%u0041%zz \\x41\\u0041\\41 &lt;&#x41;&#65 /*x*/..%2f../ 'a' || CHAR(65)\0 0x4142 YWJj ", bytes)
}

/// A body and what a parser makes of it.
pub struct Body {
    /// What it is.
    pub name: &'static str,
    /// `benign` or `hostile`.
    pub kind: &'static str,
    /// Who reads it.
    pub processor: Processor,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether it is what its type says.
    pub sound: bool,
}

/// Bodies of about `size` bytes for every parser.
pub fn bodies(size: usize) -> Vec<Body> {
    let text = String::from_utf8(prose(60)).expect("text");
    let list = |piece: &str| piece.repeat((size / piece.len()).max(1));
    let part = format!("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{text}\r\n");
    let body = |name, kind, processor, bytes: String, sound| Body { name, kind, processor, bytes: bytes.into(), sound };
    let benign = |name, processor, bytes| body(name, "benign", processor, bytes, true);
    let hostile = |name, processor, bytes| body(name, "hostile", processor, bytes, false);
    vec![
        benign("form", Processor::UrlEncoded, list("name=Anna+B%C3%A4r&city=Oslo&")),
        hostile("form, empty names and torn escapes", Processor::UrlEncoded, list("=%&")),
        benign("json", Processor::Json, format!("[{}0]", list("{\"id\":17,\"note\":\"ring twice\",\"tags\":[1,2]},"))),
        hostile("json, open brackets", Processor::Json, list("[{\"\":")),
        benign("ndjson", Processor::Ndjson, list("{\"id\":17,\"note\":\"ring twice\"}\n")),
        hostile("ndjson, one digit a line", Processor::Ndjson, list("1,\n")),
        benign("multipart", Processor::Multipart, list(&part) + "--b--\r\n"),
        hostile("multipart, near boundaries", Processor::Multipart, format!("--b\n\n{}", list("--\n"))),
        benign("xml", Processor::Xml, format!("<a>{}</a>", list("<b c=\"d\">ring twice</b>"))),
        hostile("xml, less-thans", Processor::Xml, list("<")),
        benign("graphql", Processor::GraphQl, format!("{{{}}}", list("user(id: 17) { name city } "))),
        hostile("graphql, lists", Processor::GraphQl, format!("{{a(b:{}", list("[1"))),
        benign("protobuf", Processor::Protobuf, list("\x0a\x0aring twice\x10\x11")),
        hostile("protobuf, open groups", Processor::Protobuf, list("\x0b")),
    ]
}

/// Parses a body as the engine does, limits of counts aside; answers the fields, and whether the body is sound.
pub fn read(body: &Body, meter: &mut Meter, fields: &mut Fields) -> bool {
    let limits = ParseLimits {
        arguments: usize::MAX,
        json_depth: usize::MAX,
        graphql_depth: usize::MAX,
        protobuf_depth: usize::MAX,
        xml_depth: usize::MAX,
        multipart_parts: usize::MAX,
        ..ParseLimits::default()
    };
    let mut report = Report::default();
    fields.clear();
    let mut parser = BodyParser::new(body.processor, b"multipart/form-data; boundary=b", &limits);
    parser.step(&body.bytes, true, usize::MAX, fields, &mut report, meter).expect("unlimited");
    !report.error && !report.urlencoded_error
}
