//! Protobuf and gRPC bodies: what they give out, and what they flag.

use crate::Read;
use base64::Engine;
use fusewall::http::{Kind, ParseLimits, Processor};
use std::io::Write;

fn grpc(content_type: &str, body: impl AsRef<[u8]>) -> Read {
    crate::read(Processor::Grpc, content_type, body, ParseLimits::default())
}

fn frame(flags: u8, message: &[u8]) -> Vec<u8> {
    let mut frame = vec![flags];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_message_of_a_stream_is_read() {
    let body =
        [frame(0, b"\x0a\x02<b"), frame(1, &gzip(b"\x12\x02b>")), frame(0, b""), frame(0x80, b"a: b\r\n")].concat();
    let read = grpc("application/grpc+proto", &body);
    assert_eq!(read.values(Kind::ArgPost), [("grpc.0.1", "<b"), ("grpc.1.2", "b>"), ("grpc.3", "a: b\r\n")]);
    assert!(!read.report.error, "{}", read.message());
}

#[test]
fn the_text_form_is_base64_in_pieces() {
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let body = encode(&frame(0, b"\x0a\x02<b")) + &encode(&frame(0, b"\x0a\x03<bb"));
    let read = grpc("application/grpc-web-text+proto; charset=x", &body);
    assert_eq!(read.values(Kind::ArgPost), [("grpc.0.1", "<b"), ("grpc.1.1", "<bb")]);
    assert!(!read.report.error, "{}", read.message());
    let read = grpc("application/grpc-web-text", body + "<script>");
    assert!(read.values(Kind::ArgPost).contains(&("grpc", "<script>")));
    assert!(read.message().contains("not Base64"));
}

#[test]
fn what_is_no_stream_of_messages_is_an_error_and_read_all_the_same() {
    let mut bomb = frame(1, &gzip(&vec![b'a'; 5 << 20]));
    bomb.extend(frame(0, b"\x0a\x02<b"));
    for (body, value, message) in [
        (b"\0\0\0\0\x09\x0a\x02<b".to_vec(), "<b", "a frame breaks off"),
        (b"\0\0<b".to_vec(), "\0\0<b", "a frame breaks off"),
        (b"\x07\0\0\0\x02<b".to_vec(), "<b", "unknown flags"),
        (b"\x01\0\0\0\x02<b".to_vec(), "<b", "Content-Encoding"),
        (b"\0\0\0\0\x02<b".to_vec(), "<b", "no message"),
        (bomb, "", "expands too much"),
    ] {
        let read = grpc("application/grpc", &body);
        assert!(read.message().contains(message), "{body:?}: {}", read.message());
        assert!(read.fields.iter().any(|field| field.2.ends_with(value)), "{body:?}");
    }
}

#[test]
fn a_string_of_any_bytes_is_never_hidden() {
    // The leaves of a message are what stands in it; a field that is no message stands there whole.
    for text in
        [&b"<script>alert(1)</script>"[..], b"\x0a\x05<scri\x12\x03pt>", b"' or 1=1 --\0\xff", b"\x08\x96\x01' or 1"]
    {
        let body = [&[0x0A, text.len() as u8], text].concat();
        let read = crate::read(Processor::Protobuf, "", &body, ParseLimits::default());
        let is_there = |value: &str| read.fields.iter().any(|field| field.2.contains(value));
        assert!(is_there(&String::from_utf8_lossy(text)) || std::str::from_utf8(text).is_err(), "{:?}", read.fields);
    }
}
