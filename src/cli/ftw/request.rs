//! The exact bytes that go-ftw would send for a stage.

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::suite::Input;
use super::template;

const FORM: &str = "application/x-www-form-urlencoded";

/// Builds the request of a stage.
///
/// Besides what the test says, it does what go-ftw does without being told: headers go out in order of their names, data gets a
/// form's content type if it has none, form data is percent-encoded unless it looks encoded already, line feeds of multipart
/// bodies become CR LF, and `Connection: close` and `Content-Length` are added at the end.
///
/// # Errors
/// On base64 or a template that cannot be read, and on data beside an encoded request.
pub fn build(input: &Input) -> Result<Vec<u8>> {
    if let Some(encoded) = input.encoded_request.as_deref().filter(|encoded| !encoded.is_empty()) {
        if input.data.as_deref().is_some_and(|data| !data.is_empty()) {
            bail!("`data` and `encoded_request` exclude each other");
        }
        return decode_base64(encoded).context("`encoded_request` is not base64");
    }
    let completes = input.autocomplete_headers.or(input.stop_magic.map(|stop| !stop)).unwrap_or(true);
    let method = input.method.as_deref().unwrap_or("GET");
    let mut headers = Headers::of(input);
    let mut body = body(input)?;
    if completes && !body.is_empty() {
        headers.add_missing("Content-Type", || FORM.to_owned());
        if headers.values("Content-Type").any(|value| value.eq_ignore_ascii_case(FORM)) {
            body = encode_form(body);
        }
    }
    if headers.values("Content-Type").any(|value| value.to_ascii_lowercase().contains("multipart/form-data;")) {
        body = with_crlf(&body);
    }
    if completes {
        headers.add_missing("Connection", || "close".to_owned());
        if !body.is_empty() || may_have_body(method) {
            headers.add_missing("Content-Length", || body.len().to_string());
        }
    }
    let (uri, version) = (input.uri.as_deref().unwrap_or("/"), input.version.as_deref().unwrap_or("HTTP/1.1"));
    let mut request = format!("{method} {uri} {version}\r\n").into_bytes();
    for (name, value) in &headers.0 {
        request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(&body);
    Ok(request)
}

/// Header fields in the order in which they are sent.
struct Headers(Vec<(String, String)>);

impl Headers {
    fn of(input: &Input) -> Self {
        let ordered = input.ordered_headers.iter().map(|header| (header.name.clone(), header.value.clone()));
        let sorted = input.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        Headers(if input.ordered_headers.is_empty() { sorted.collect() } else { ordered.collect() })
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn add_missing(&mut self, name: &str, value: impl FnOnce() -> String) {
        if self.values(name).next().is_none() {
            self.0.push((name.to_owned(), value()));
        }
    }
}

fn body(input: &Input) -> Result<Vec<u8>> {
    match (&input.data, &input.encoded_data) {
        (Some(data), _) => Ok(template::expand(data)?.into_bytes()),
        (None, Some(encoded)) => decode_base64(encoded).context("`encoded_data` is not base64"),
        (None, None) => Ok(Vec::new()),
    }
}

/// Base64 as Go reads it: line ends do not count.
pub(super) fn decode_base64(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    BASE64_STANDARD.decode(text.replace(['\r', '\n'], ""))
}

/// Which methods get a `Content-Length` even without a body. go-ftw's pattern is `^POST|PUT|PATCH|DELETE$`, whose anchors belong
/// to the outer alternatives only.
fn may_have_body(method: &str) -> bool {
    method.starts_with("POST") || method.contains("PUT") || method.contains("PATCH") || method.ends_with("DELETE")
}

/// Percent-encodes names and values of a form, unless decoding it would change it: then it is encoded already.
fn encode_form(data: Vec<u8>) -> Vec<u8> {
    if data.iter().any(|byte| b"%+".contains(byte)) {
        return data;
    }
    // An `&` at the end has no pair behind it and is lost.
    let pairs = data.strip_suffix(b"&").unwrap_or(&data);
    let mut out = Vec::with_capacity(data.len() * 2);
    for (at, pair) in pairs.split(|&byte| byte == b'&').enumerate() {
        if at > 0 {
            out.push(b'&');
        }
        match pair.iter().position(|&byte| byte == b'=') {
            None => escape(pair, &mut out),
            Some(equals) => {
                escape(&pair[..equals], &mut out);
                out.push(b'=');
                escape(&pair[equals + 1..], &mut out);
            }
        }
    }
    out
}

/// Go's `url.QueryEscape`.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte),
            b' ' => out.push(b'+'),
            _ => out.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
}

fn with_crlf(body: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = body.split(|&byte| byte == b'\n').collect();
    lines.join(&b"\r\n"[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(yaml: &str) -> String {
        let input: Input = serde_saphyr::from_str(yaml).unwrap();
        String::from_utf8(build(&input).unwrap()).unwrap()
    }

    #[test]
    fn defaults() {
        assert_eq!(built("{}"), "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert_eq!(
            built("{method: POST, headers: {b: x, Host: h, Accept: y}}"),
            "POST / HTTP/1.1\r\nAccept: y\r\nHost: h\r\nb: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(built("{method: ' G', uri: '\\', version: '', autocomplete_headers: false}"), " G \\ \r\n\r\n");
    }

    #[test]
    fn data_becomes_an_encoded_form() {
        assert_eq!(
            built("{data: 'a=b c&d<&e=f=g&'}"),
            "GET / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nConnection: close\r\n\
             Content-Length: 18\r\n\r\na=b+c&d%3C&e=f%3Dg"
        );
    }

    #[test]
    fn encoded_or_other_data_stays() {
        for (content_type, data) in [
            ("application/x-www-form-urlencoded", "a=%3Cb&c=<"),
            ("application/x-www-form-urlencoded", "a+b=<"),
            ("application/x-www-form-urlencoded; charset=utf-8", "a=<"),
            ("application/json", "{}"),
        ] {
            let request = built(&format!("{{headers: {{content-type: '{content_type}'}}, data: '{data}'}}"));
            assert!(request.ends_with(&format!("\r\n\r\n{data}")), "{request}");
            assert_eq!(request.to_lowercase().matches("content-type").count(), 1, "{request}");
        }
        assert!(built("{data: 'a=<', autocomplete_headers: false}").ends_with("HTTP/1.1\r\n\r\na=<"));
    }

    #[test]
    fn given_headers_win_over_added_ones() {
        let request = built("{method: PUT, headers: {connection: keep-alive, Content-Length: 3}, data: abcdef}");
        assert!(request.starts_with("PUT / HTTP/1.1\r\nContent-Length: 3\r\nconnection: keep-alive\r\nContent-Type"));
        assert_eq!(request.matches("Content-Length").count(), 1);
        let ordered = built("{headers: {A: b}, ordered_headers: [{name: Z, value: '1'}, {name: Z, value: '2'}]}");
        assert!(ordered.starts_with("GET / HTTP/1.1\r\nZ: 1\r\nZ: 2\r\nConnection"));
    }

    #[test]
    fn multipart_bodies_get_crlf() {
        let request = built(
            "{headers: {Content-Type: 'multipart/form-data; boundary=x'}, data: \"--x\\nA: b\\n\\n1\\n--x--\\n\"}",
        );
        assert!(request.ends_with("Content-Length: 23\r\n\r\n--x\r\nA: b\r\n\r\n1\r\n--x--\r\n"), "{request}");
    }

    #[test]
    fn whole_requests_and_templates() {
        assert_eq!(built("{encoded_request: \"R0VU\\nIC8=\\n\", uri: /ignored}"), "GET /");
        assert!(built("{data: 'a={{ \"1\" | repeat 5 }}'}").ends_with("Content-Length: 7\r\n\r\na=11111"));
        assert!(built("{encoded_data: YWI=}").ends_with("Content-Length: 2\r\n\r\nab"));
        for bad in [
            "{encoded_request: '!'}",
            "{encoded_request: R0VUIC8=, data: x}",
            "{data: '{{ 7 * 7 }}'}",
            "{encoded_data: '!'}",
        ] {
            assert!(build(&serde_saphyr::from_str(bad).unwrap()).is_err(), "{bad}");
        }
    }
}
