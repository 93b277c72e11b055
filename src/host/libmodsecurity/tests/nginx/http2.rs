//! As little of an HTTP/2 client as a test needs (RFC 9113): one stream, header fields that no table compresses (RFC 7541, section
//! 6.2.2).

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Sends a request over a socket; the status of the answer.
pub fn ask(socket: &Path, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> u16 {
    let mut stream = UnixStream::connect(socket).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("an option");
    let mut block = Vec::new();
    let pseudo = [(":method", method), (":scheme", "http"), (":authority", "www.example"), (":path", target)];
    let usual = [("user-agent", "a test"), ("accept", "*/*")];
    for (name, value) in pseudo.iter().chain(&usual).chain(headers) {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("a short text"));
            block.extend_from_slice(text.as_bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, b""));
    bytes.extend(frame(HEADERS, END_HEADERS | if body.is_empty() { END_STREAM } else { 0 }, 1, &block));
    if !body.is_empty() {
        bytes.extend(frame(DATA, END_STREAM, 1, body));
    }
    stream.write_all(&bytes).expect("it reads");
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).expect("a frame");
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).expect("a frame");
        assert!(!matches!(head[3], 3 | 7), "the stream was reset: {payload:?}");
        if head[3] == HEADERS {
            return status(&payload);
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags, 0, 0, 0, stream];
    [&head[..], payload].concat()
}

/// `:status`, which comes first: of the static table (RFC 7541, appendix A), or as three digits.
fn status(block: &[u8]) -> u16 {
    // A change of the table's size may stand before it.
    match block.iter().position(|byte| byte & 0xe0 != 0x20).map(|start| &block[start..]) {
        Some([first @ 0x88..=0x8e, ..]) => [200, 204, 206, 304, 400, 404, 500][usize::from(first - 0x88)],
        Some([_, 3, digits @ ..]) => str::from_utf8(&digits[..3]).expect("digits").parse().expect("a status"),
        other => panic!("{other:?}"),
    }
}
