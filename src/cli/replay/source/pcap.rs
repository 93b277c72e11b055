//! Packets as `tshark -T json` prints them: one object a frame, with its layers.
//!
//! Source: the tshark manual (`-T json`), and Wireshark's display filter reference for `http`. A body is text in releases before 4.2,
//! bytes in hexadecimal since then, and both with `-x`; objects repeat members unless `--no-duplicate-keys` makes arrays of them.

use super::json::{Tree, elements};
use super::{Decided, Lacks, Recorded, Sink, announces_body, header};
use crate::cli::requests::{NOBODY, Prepared, PreparedResponse};
use crate::rule::Field;
use std::collections::VecDeque;
use std::io::BufRead;

/// Requests that wait for their response; the oldest goes on without it.
const WAITING: usize = 1024;

pub(super) fn read(input: impl BufRead, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let mut waiting = VecDeque::new();
    elements(input, &[], sink, &mut |line, frame, sink| {
        let Some(layers) = frame.get("_source").and_then(|source| source.get("layers")) else {
            sink.unread(line, "no `_source.layers` in it: tshark -T json prints them");
            return Ok(());
        };
        if layers.get("http2").is_some() || layers.get("http3").is_some() {
            sink.unread(line, "a frame of HTTP/2 or HTTP/3: capture where requests are HTTP/1");
        }
        for http in layers.all("http").flat_map(one_or_many) {
            message(line, layers, http, &mut waiting, sink)?;
        }
        Ok(())
    })?;
    waiting.into_iter().try_for_each(|waits: Waiting| sink.add(waits.recorded))
}

/// A request whose response has not come yet.
struct Waiting {
    frame: String,
    stream: String,
    recorded: Recorded,
}

/// Members of one name are an array with `--no-duplicate-keys`.
fn one_or_many(tree: &Tree) -> &[Tree] {
    if let Tree::Array(elements) = tree { elements } else { std::slice::from_ref(tree) }
}

fn message(
    line: u64,
    layers: &Tree,
    http: &Tree,
    waiting: &mut VecDeque<Waiting>,
    sink: &mut Sink<'_>,
) -> anyhow::Result<()> {
    let of = |layer: &str, name: &str| {
        layers.get(layer).and_then(|layer| layer.text_of(name)).unwrap_or_default().to_owned()
    };
    let (frame, stream) = (of("frame", "frame.number"), of("tcp", "tcp.stream"));
    // The first line is an object whose name is the line itself.
    let first = |name: &str| http.members().iter().find_map(|(_, tree)| tree.text_of(name));
    if let Some(method) = first("http.request.method") {
        match request(method, first("http.request.version"), layers, http, first("http.request.uri")) {
            Ok(mut recorded) => {
                recorded.request.id = sink.name(line);
                waiting.push_back(Waiting { frame, stream, recorded });
                if waiting.len() > WAITING
                    && let Some(oldest) = waiting.pop_front()
                {
                    sink.add(oldest.recorded)?;
                }
            }
            Err(reason) => sink.unread(line, reason),
        }
        return Ok(());
    }
    let Some(code) = first("http.response.code") else { return Ok(()) };
    let status = match code.parse::<u16>() {
        // Others follow.
        Ok(100..=199) => return Ok(()),
        Ok(status) => status,
        Err(_) => {
            sink.unread(line, format_args!("no status: `{code}`"));
            return Ok(());
        }
    };
    let asked = http.text_of("http.request_in").unwrap_or_default();
    let at = waiting.iter().position(|waits| waits.frame == asked);
    let at = at.or_else(|| waiting.iter().position(|waits| asked.is_empty() && waits.stream == stream));
    // The request was sent before the capture began.
    let Some(mut waits) = at.and_then(|at| waiting.remove(at)) else { return Ok(()) };
    let recorded = &mut waits.recorded;
    let mut headers = headers(http, "http.response.line");
    let body = body(http, &mut headers);
    recorded.lacks.fields.remove(&Field::ResponseHeaders);
    if body.is_some() || !announces_body(&headers) {
        recorded.lacks.fields.remove(&Field::ResponseBody);
    }
    recorded.request.response = Some(PreparedResponse { status, headers, body: body.unwrap_or_default() });
    recorded.decided = Some(Decided { status, blocked: None, rules: None });
    sink.add(waits.recorded)
}

fn request(
    method: &str,
    version: Option<&str>,
    layers: &Tree,
    http: &Tree,
    target: Option<&str>,
) -> Result<Recorded, String> {
    let mut headers = headers(http, "http.request.line");
    let mut lacks = Lacks::of([Field::ResponseHeaders, Field::ResponseBody]);
    let body = body(http, &mut headers);
    if body.is_none() && announces_body(&headers) {
        lacks.fields.insert(Field::RequestBody);
    }
    let address = |layer: &str, name: &str| layers.get(layer)?.text_of(name)?.parse().ok();
    let client = address("ip", "ip.src").or_else(|| address("ipv6", "ipv6.src"));
    if client.is_none() {
        lacks.fields.insert(Field::Connection);
    }
    let request = Prepared {
        id: String::new(),
        method: method.as_bytes().to_vec(),
        uri: target.ok_or("no `http.request.uri` in it")?.as_bytes().to_vec(),
        version: version.unwrap_or("HTTP/1.1").as_bytes().to_vec(),
        headers,
        body: body.unwrap_or_default(),
        client: client.unwrap_or(NOBODY),
        response: None,
    };
    Ok(Recorded { request, lacks, decided: None })
}

/// The lines of the header, each with its end.
fn headers(http: &Tree, name: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let lines = http.all(name).flat_map(one_or_many).filter_map(Tree::text);
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let value = value.trim_end_matches("\\r\\n").trim_end_matches("\\xd\\xa");
        Some((name.as_bytes().to_vec(), value.trim().as_bytes().to_vec()))
    };
    lines.filter_map(pair).collect()
}

/// The body, reassembled and without its codings, if it was captured.
fn body(http: &Tree, headers: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Option<Vec<u8>> {
    let announced = header(headers, "content-length")
        .and_then(|length| std::str::from_utf8(length).ok()?.trim().parse::<usize>().ok());
    let raw = http.get("http.file_data_raw").and_then(|raw| raw.elements().first().or(Some(raw)));
    let body = match raw.and_then(Tree::text).and_then(|text| hex(text, "")) {
        Some(body) => body,
        None => {
            let text = http.text_of("http.file_data")?;
            let as_hex = hex(text, ":").filter(|body| announced.is_none_or(|length| length == body.len()));
            as_hex.unwrap_or_else(|| text.as_bytes().to_vec())
        }
    };
    if announced.is_some_and(|length| length != body.len()) || header(headers, "transfer-encoding").is_some() {
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case(b"content-encoding"));
    }
    Some(body)
}

/// Bytes in hexadecimal, with something between them.
fn hex(text: &str, between: &str) -> Option<Vec<u8>> {
    let (step, text) = (2 + between.len(), text.as_bytes());
    if text.is_empty() || !(text.len() + between.len()).is_multiple_of(step) {
        return None;
    }
    let byte = |pair: &[u8]| {
        let (digits, rest) = pair.split_at(2);
        let digits = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_hexdigit))?;
        u8::from_str_radix(digits, 16).ok().filter(|_| rest.is_empty() || rest == between.as_bytes())
    };
    text.chunks(step).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_bytes_are_told_from_text() {
        assert_eq!(hex("7b:22:7d", ":"), Some(b"{\"}".to_vec()));
        assert_eq!(hex("7b227d", ""), Some(b"{\"}".to_vec()));
        assert_eq!((hex("a=b", ":"), hex("7b:2", ":"), hex("7b-22", ":"), hex("", ":")), (None, None, None, None));
    }
}
