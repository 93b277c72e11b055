//! Bodies: how one arrives makes no difference, reading it costs no more than its price, and what is read is what a second reader
//! reads.

use super::blocks;
use super::second::{self, Pair};
use fusewall::http::body::price;
use fusewall::http::{BodyParser, Fields, Kind, ParseLimits, Processor, Progress, Report};
use fusewall::meter::Meter;

/// A field: what it is, its name and its value.
pub(super) type Field = (Kind, Vec<u8>, Vec<u8>);

/// What a reader makes of a body.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    pub(super) fields: Vec<Field>,
    pub(super) report: Report,
    fuel: u64,
}

impl Read {
    /// The fields of one kind, without it.
    fn of(&self, kind: Kind) -> Vec<Pair> {
        let fields = self.fields.iter().filter(|field| field.0 == kind);
        fields.map(|(_, name, value)| (name.clone(), value.clone())).collect()
    }

    /// A limit ended the reading: what a reader without limits makes of the body is something else.
    pub(super) fn is_cut(&self) -> bool {
        let report = &self.report;
        report.arguments_exceeded
            || report.json_depth_exceeded
            || report.json_names_exceeded
            || report.xml_depth_exceeded
            || report.depth_exceeded
    }
}

/// The fields that were found, with their kinds.
pub(super) fn named(fields: &Fields) -> Vec<Field> {
    let bytes = |span| fields.bytes(span).to_vec();
    fields.items().iter().map(|field| (field.kind, bytes(field.name), bytes(field.value))).collect()
}

/// Reads a body that comes in pieces of so many bytes.
pub(super) fn read(processor: Processor, content_type: &[u8], body: &[u8], piece: usize) -> Read {
    let (mut fields, mut report, mut meter) = (Fields::with_limit(64 << 20), Report::default(), Meter::unlimited());
    let mut parser = BodyParser::new(processor, content_type, &ParseLimits::default());
    let mut end: usize = 0;
    loop {
        end = end.saturating_add(piece).min(body.len());
        let progress = parser
            .step(&body[..end], end == body.len(), 4096, &mut fields, &mut report, &mut meter)
            .expect("no budget");
        if progress == Progress::Done {
            return Read { fields: named(&fields), report, fuel: meter.spent() };
        }
    }
}

/// Reads a body at once, in pieces of so many bytes, and with a block that ends where the first of them does.
pub(super) fn arrives(processor: Processor, content_type: &[u8], body: &[u8], piece: usize) -> Read {
    let whole = read(processor, content_type, body, usize::MAX);
    assert!(whole.fuel <= price(processor).of(body.len()), "{} fuel for {} bytes", whole.fuel, body.len());
    assert_eq!(whole, read(processor, content_type, body, piece));
    blocks::end_anywhere(processor, content_type, body, piece, &whole);
    whole
}

/// The bytes of a piece, as the first byte of an input says, and the body, which is the rest.
fn pieces_and_body(data: &[u8]) -> Option<(usize, Vec<u8>)> {
    let (&piece, body) = data.split_first()?;
    let piece = usize::from(piece & 0x7f) * 37 + 1;
    // Long bodies are cut at block boundaries: a short input is repeated to reach them.
    let body = if body.len() > 1 && body[0] == 0xfe { body[1..].repeat(64) } else { body.to_vec() };
    Some((piece, body))
}

/// Whether the first bit of an input is set.
fn first_bit(data: &[u8]) -> bool {
    data.first().is_some_and(|piece| piece & 0x80 != 0)
}

/// A multipart body; the first bit says what its boundary is.
pub fn multipart(data: &[u8]) {
    let Some((piece, body)) = pieces_and_body(data) else { return };
    let content_type: &[u8] =
        if first_bit(data) { b"multipart/form-data; boundary=\"a b\"" } else { b"multipart/form-data; boundary=B" };
    arrives(Processor::Multipart, content_type, &body, piece);
}

/// A form.
pub fn urlencoded(data: &[u8]) {
    let Some((piece, body)) = pieces_and_body(data) else { return };
    let read = arrives(Processor::UrlEncoded, b"application/x-www-form-urlencoded", &body, piece);
    let (mut pairs, broken) = second::form::pairs(&body);
    if read.report.arguments_exceeded {
        pairs.truncate(ParseLimits::default().arguments);
    } else {
        assert_eq!(read.report.urlencoded_error, broken);
        assert!(!read.report.error);
    }
    assert_eq!(read.of(Kind::ArgPost), pairs);
}

/// A JSON document, or a row of them.
pub fn json(data: &[u8]) {
    let Some((piece, body)) = pieces_and_body(data) else { return };
    let row = first_bit(data);
    let processor = if row { Processor::Ndjson } else { Processor::Json };
    let read = arrives(processor, b"application/json", &body, piece);
    if row || read.is_cut() {
        return;
    }
    match second::json::leaves(&body) {
        Ok(leaves) => {
            assert!(!read.report.error, "{}", read.report.error_message);
            let same = |((kind, name, value), (path, leaf)): (&Field, &(String, _))| {
                *kind == Kind::ArgPost && name == path.as_bytes() && second::json::is(leaf, value)
            };
            let all = read.fields.len() == leaves.len() && read.fields.iter().zip(&leaves).all(same);
            assert!(all, "{:?}\ninstead of {leaves:?}", read.fields);
        }
        // No body is none that is wrong; a number that no machine has is one all the same; serde_json nests less deeply.
        Err(_) if body.iter().all(|byte| b" \t\r\n".contains(byte)) => {}
        Err(error) if ["number out of range", "recursion limit"].iter().any(|why| error.to_string().contains(why)) => {}
        Err(error) => assert!(read.report.error, "{error}, and it was read without a word"),
    }
}

/// An XML document; the first bit says whether its character set is told.
pub fn xml(data: &[u8]) {
    let Some((piece, body)) = pieces_and_body(data) else { return };
    let told = first_bit(data);
    let content_type: &[u8] = if told { b"text/xml; charset=utf-16le" } else { b"text/xml" };
    let read = arrives(Processor::Xml, content_type, &body, piece);
    if read.is_cut() || read.report.error || read.report.xml_doctype || body.is_empty() {
        return;
    }
    // quick-xml takes for a document what is none, so the other direction says nothing.
    if let Some(document) = second::xml::document(&body) {
        assert_eq!(read.of(Kind::XmlAttribute), document.attributes);
        assert_eq!(read.of(Kind::XmlText), [(Vec::new(), document.text)]);
    }
}

/// A GraphQL document, or the JSON around one.
pub fn graphql(data: &[u8]) {
    let Some((piece, body)) = pieces_and_body(data) else { return };
    let content_type: &[u8] = if first_bit(data) { b"application/json" } else { b"application/graphql" };
    arrives(Processor::GraphQl, content_type, &body, piece);
}

/// A Protobuf message, or messages of gRPC.
pub fn protobuf(data: &[u8]) {
    /// Bytes of a body that comes to no limit but that of depth, and so deep only in what is never closed: what is in each other takes
    /// two bytes for each level.
    const SHORT: usize = 150;
    let Some((piece, body)) = pieces_and_body(data) else { return };
    let grpc = first_bit(data);
    let (processor, content_type): (_, &[u8]) = match grpc {
        true => (Processor::Grpc, b"application/grpc-web"),
        false => (Processor::Protobuf, b"application/x-protobuf"),
    };
    let read = arrives(processor, content_type, &body, piece);
    if !grpc && body.len() <= SHORT {
        if read.report.depth_exceeded {
            // Opening a group takes a byte.
            return assert!(body.len() >= ParseLimits::default().protobuf_depth, "{:?}", read.report);
        }
        let (leaves, complete) = second::protobuf::body(&body);
        assert_eq!(read.of(Kind::ArgPost), leaves);
        assert_eq!(read.report.error, !complete, "{}", read.report.error_message);
    }
}
