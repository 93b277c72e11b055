//! HTTP Archive 1.2: what the developer tools of browsers export.
//!
//! A browser does not tell its own address. It leaves out what it has not kept: bodies of other tabs, and cookies unless it is told
//! to export them.

use super::json::{Tree, elements};
use super::{Decided, Lacks, Recorded, Sink, announces_body, header, origin_form};
use crate::cli::requests::{NOBODY, Prepared, PreparedResponse};
use crate::rule::Field;
use base64::Engine;
use std::io::BufRead;

pub(super) fn read(input: impl BufRead, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    elements(input, &["log", "entries"], sink, &mut |line, entry, sink| match exchange(&entry) {
        Ok(mut recorded) => {
            recorded.request.id = sink.name(line);
            sink.add(recorded)
        }
        Err(reason) => {
            sink.unread(line, reason);
            Ok(())
        }
    })
}

fn exchange(entry: &Tree) -> Result<Recorded, String> {
    let said = entry.get("request").ok_or("no `request` in it")?;
    let (target, authority) = origin_form(said.needed("url")?);
    let mut headers = headers(said);
    let pseudo = |name: &str| header(&headers, name).map(<[u8]>::to_vec);
    let host = pseudo(":authority").or(authority.map(|authority| authority.as_bytes().to_vec()));
    headers.retain(|(name, _)| !name.starts_with(b":"));
    if let Some(host) = host.filter(|_| header(&headers, "host").is_none()) {
        headers.insert(0, (b"Host".to_vec(), host));
    }
    let mut lacks = Lacks::of([Field::Connection]);
    let body = posted(said)?;
    if body.is_none() && announces_body(&headers) {
        lacks.fields.insert(Field::RequestBody);
    }
    let response = entry.get("response").map_or(Ok(None), |said| response(said, &mut lacks))?;
    if response.is_none() {
        lacks.fields.extend([Field::ResponseHeaders, Field::ResponseBody]);
    }
    let decided = response.as_ref().map(|response| Decided { status: response.status, blocked: None, rules: None });
    let request = Prepared {
        id: String::new(),
        method: said.needed("method")?.as_bytes().to_vec(),
        uri: target.as_bytes().to_vec(),
        version: version(said.text_of("httpVersion").unwrap_or_default()),
        headers,
        body: body.unwrap_or_default(),
        client: NOBODY,
        response,
    };
    Ok(Recorded { request, lacks, decided })
}

/// As rules know versions: browsers write `h2`, `http/2.0` and worse.
fn version(said: &str) -> Vec<u8> {
    match &said.to_ascii_lowercase()[..] {
        "h2" | "http/2" | "http/2.0" => b"HTTP/2.0".to_vec(),
        "h3" | "http/3" | "http/3.0" => b"HTTP/3.0".to_vec(),
        "http/1.0" => b"HTTP/1.0".to_vec(),
        _ => b"HTTP/1.1".to_vec(),
    }
}

fn headers(said: &Tree) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = said.get("headers").map(Tree::elements).unwrap_or_default();
    let pair = |header: &Tree| Some((header.text_of("name")?.into(), header.text_of("value")?.into()));
    all.iter().filter_map(pair).collect()
}

/// The body; `None` if it was not kept.
fn posted(said: &Tree) -> Result<Option<Vec<u8>>, String> {
    let Some(data) = said.get("postData") else { return Ok(None) };
    if let Some(text) = content(data)? {
        return Ok(Some(text));
    }
    let params = data.get("params").map(Tree::elements).unwrap_or_default();
    let is_form = data.text_of("mimeType").is_some_and(|media| media.starts_with("application/x-www-form-urlencoded"));
    if params.is_empty() || !is_form {
        return Ok(None);
    }
    // Browsers list parameters as they were sent, encoded.
    let pair = |param: &Tree| {
        format!("{}={}", param.text_of("name").unwrap_or_default(), param.text_of("value").unwrap_or_default())
    };
    Ok(Some(params.iter().map(pair).collect::<Vec<_>>().join("&").into_bytes()))
}

fn content(data: &Tree) -> Result<Option<Vec<u8>>, String> {
    let Some(text) = data.text_of("text") else { return Ok(None) };
    if data.text_of("encoding") != Some("base64") {
        return Ok(Some(text.as_bytes().to_vec()));
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    decoded.map(Some).map_err(|error| format!("a body that is not Base64: {error}"))
}

/// The response; `None` if there was none.
fn response(said: &Tree, lacks: &mut Lacks) -> Result<Option<PreparedResponse>, String> {
    let status = said.text_of("status").and_then(|status| status.parse().ok()).unwrap_or(0);
    if status == 0 {
        return Ok(None);
    }
    let mut headers = headers(said);
    headers.retain(|(name, _)| !name.starts_with(b":"));
    let body = said.get("content").map_or(Ok(None), content)?;
    match &body {
        // It is written down without its coding.
        Some(_) => headers.retain(|(name, _)| !name.eq_ignore_ascii_case(b"content-encoding")),
        None => _ = lacks.fields.insert(Field::ResponseBody),
    }
    Ok(Some(PreparedResponse { status, headers, body: body.unwrap_or_default() }))
}
