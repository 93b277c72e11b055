//! One request to the admin API over its unix socket.

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Bytes of an answer: all rules of a large ruleset with their costs have a few megabytes.
const MOST: u64 = 64 << 20;
/// Header fields of an answer.
const FIELDS: usize = 32;

/// What is sent.
#[derive(Debug, Default)]
pub(super) struct Request<'r> {
    pub(super) method: &'static str,
    pub(super) target: String,
    /// Further header fields.
    pub(super) fields: Vec<(&'static str, String)>,
    pub(super) body: &'r [u8],
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).context("the answer is no JSON: is this the admin socket of fusewall?")
    }
}

/// Asks, and waits for the answer.
///
/// # Errors
/// Nobody listens there, or something else than the admin API.
pub(super) fn ask(socket: &Path, request: &Request<'_>) -> anyhow::Result<Reply> {
    let shown = socket.display();
    let mut stream = UnixStream::connect(socket).with_context(|| {
        format!("cannot connect to {shown}: expected what `admin.socket` says in the configuration of a running `fusewall serve`")
    })?;
    let Request { method, target, fields, body } = request;
    let mut head = format!("{method} {target} HTTP/1.1\r\nHost: fusewall\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in fields {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    // A refusal can come before everything is sent: what was read counts.
    let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let read = stream.take(MOST).read_to_end(&mut answer);
    if answer.is_empty() {
        sent.and(read.map(|_| ())).with_context(|| format!("no answer from {shown}"))?;
        bail!("no answer from {shown}: it has closed the connection");
    }
    parse(answer).with_context(|| format!("what answers at {shown} is not the admin API"))
}

fn parse(mut answer: Vec<u8>) -> anyhow::Result<Reply> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(length) = head.parse(&answer)? else { bail!("the head of the answer is cut short") };
    let status = head.code.unwrap_or_default();
    let announced = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let announced: Option<usize> = announced.and_then(|field| std::str::from_utf8(field.value).ok()?.parse().ok());
    let body = answer.split_off(length);
    ensure!(announced == Some(body.len()), "the answer is cut short");
    Ok(Reply { status, body })
}

/// A segment of a path, percent-encoded (RFC 3986, section 2.3).
pub(super) fn segment(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_one_segment() {
        assert_eq!(segment("OWASP_CRS/é ~"), "OWASP_CRS%2F%C3%A9%20~");
    }

    #[test]
    fn an_answer_is_whole_or_none() {
        let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab".to_vec();
        assert_eq!(parse(whole.clone()).unwrap().body, b"ab");
        for cut in 0..whole.len() {
            assert!(parse(whole[..cut].to_vec()).is_err(), "{cut}");
        }
        assert!(parse(b"SSH-2.0-x\r\n".to_vec()).is_err());
    }
}
