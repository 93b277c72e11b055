//! Bodies: how one arrives makes no difference, and reading it costs no more than its price.

use fusewall::http::body::price;
use fusewall::http::{BodyParser, Fields, ParseLimits, Processor, Progress, Report};
use fusewall::meter::Meter;

/// Reads a body at once, and in pieces as the first byte says.
fn arrives(processor: Processor, content_type: &[u8], data: &[u8]) {
    let Some((&piece, body)) = data.split_first() else { return };
    let piece = usize::from(piece & 0x7f) * 37 + 1;
    // Long bodies are cut at block boundaries: a short input is repeated to reach them.
    let body: Vec<u8> = if body.len() > 1 && body[0] == 0xfe { body[1..].repeat(64) } else { body.to_vec() };
    let read = |piece: usize| {
        let (mut fields, mut report, mut meter) = (Fields::with_limit(64 << 20), Report::default(), Meter::unlimited());
        let mut parser = BodyParser::new(processor, content_type, &ParseLimits::default());
        let mut end: usize = 0;
        loop {
            end = end.saturating_add(piece).min(body.len());
            let progress = parser
                .step(&body[..end], end == body.len(), 4096, &mut fields, &mut report, &mut meter)
                .expect("no budget");
            if progress == Progress::Done {
                let named = fields
                    .items()
                    .iter()
                    .map(|field| (field.kind, fields.bytes(field.name).to_vec(), fields.bytes(field.value).to_vec()));
                return (named.collect::<Vec<_>>(), report, meter.spent());
            }
        }
    };
    let whole = read(usize::MAX);
    assert!(whole.2 <= price(processor).of(body.len()), "{} fuel for {} bytes", whole.2, body.len());
    assert_eq!(whole, read(piece));
}

/// A multipart body; the first bit says what its boundary is.
pub fn multipart(data: &[u8]) {
    let plain = data.first().is_none_or(|piece| piece & 0x80 == 0);
    let content_type =
        if plain { &b"multipart/form-data; boundary=B"[..] } else { b"multipart/form-data; boundary=\"a b\"" };
    arrives(Processor::Multipart, content_type, data);
}

/// A form.
pub fn urlencoded(data: &[u8]) {
    arrives(Processor::UrlEncoded, b"application/x-www-form-urlencoded", data);
}

/// A JSON document, or a row of them.
pub fn json(data: &[u8]) {
    let row = data.first().is_some_and(|piece| piece & 0x80 != 0);
    arrives(if row { Processor::Ndjson } else { Processor::Json }, b"application/json", data);
}

/// An XML document; the first bit says whether its character set is told.
pub fn xml(data: &[u8]) {
    let told = data.first().is_some_and(|piece| piece & 0x80 != 0);
    arrives(Processor::Xml, if told { b"text/xml; charset=utf-16le" } else { b"text/xml" }, data);
}

/// A GraphQL document, or the JSON around one.
pub fn graphql(data: &[u8]) {
    let around = data.first().is_some_and(|piece| piece & 0x80 != 0);
    arrives(Processor::GraphQl, if around { b"application/json" } else { b"application/graphql" }, data);
}

/// A Protobuf message, or messages of gRPC.
pub fn protobuf(data: &[u8]) {
    let grpc = data.first().is_some_and(|piece| piece & 0x80 != 0);
    let (processor, content_type): (_, &[u8]) = match grpc {
        true => (Processor::Grpc, b"application/grpc-web"),
        false => (Processor::Protobuf, b"application/x-protobuf"),
    };
    arrives(processor, content_type, data);
}
