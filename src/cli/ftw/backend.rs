//! The backend that CRS tests are written against, played in process: an empty 200 for everything, and `POST /reflect`, which
//! answers with the response that the JSON in its body describes.

use serde_json::{Map, Value};

use super::content_type;
use super::request::decode_base64;
use crate::host::http1::Head;

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// Its header fields, in order.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

impl Response {
    /// A response whose body has the type that a Go server would see in it.
    pub(super) fn new(status: u16, mut headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        let has = |name: &str| headers.iter().any(|(have, _)| have.eq_ignore_ascii_case(name));
        let (typed, counted) = (has("content-type"), has("content-length"));
        if !typed && !body.is_empty() {
            headers.push(("Content-Type".to_owned(), content_type::sniff(&body).to_owned()));
        }
        if !counted {
            headers.push(("Content-Length".to_owned(), body.len().to_string()));
        }
        Response { status, headers, body }
    }

    /// The response as a client reads it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {}\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// The backend's answer to a request.
pub fn answer(head: &Head, body: &[u8]) -> Response {
    let path = head.target.split(|&byte| byte == b'?').next().unwrap_or_default();
    let reflects = head.method == b"POST" && (path == b"/reflect" || path.starts_with(b"/reflect/"));
    let mut response = if reflects {
        reflect(body).unwrap_or_else(|problem| Response::new(400, Vec::new(), problem.into_bytes()))
    } else {
        Response::new(200, Vec::new(), Vec::new())
    };
    if head.method == b"HEAD" {
        response.body.clear();
    }
    response
}

/// The response that a specification asks for: `status` (200), `headers`, `body` or `encodedBody` (base64).
fn reflect(specification: &[u8]) -> Result<Response, String> {
    let text = String::from_utf8_lossy(specification);
    let specification: Map<String, Value> = serde_json::from_str(&text).map_err(|_| "Invalid JSON in request body")?;
    // Go reads field names in any case.
    let key =
        |name: &str| specification.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let text = |name: &str| match key(name) {
        None | Some(Value::Null) => Ok(""),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err("Invalid JSON in request body"),
    };
    let status = match key("status") {
        None | Some(Value::Null) => 200,
        Some(value) => match value.as_i64().ok_or("Invalid JSON in request body")? {
            0 => 200,
            status @ 100..600 => status.unsigned_abs() as u16,
            status => return Err(format!("Invalid status code: {status}")),
        },
    };
    let headers = match key("headers") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(headers)) => headers
            .iter()
            .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect::<Option<_>>()
            .ok_or("Invalid JSON in request body")?,
        Some(_) => return Err("Invalid JSON in request body".to_owned()),
    };
    let body = match text("body")? {
        "" => decode_base64(text("encodedBody")?).map_err(|_| "invalid base64 encoding of response body")?,
        body => body.as_bytes().to_vec(),
    };
    Ok(Response::new(status, headers, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, target: &str, body: &str) -> Response {
        let head = Head { method: method.into(), target: target.into(), ..Head::default() };
        answer(&head, body.as_bytes())
    }

    fn content_type(response: &Response) -> Option<&str> {
        response.headers.iter().find(|(name, _)| name == "Content-Type").map(|(_, value)| value.as_str())
    }

    #[test]
    fn everything_else_is_an_empty_200() {
        for (method, target) in [("GET", "/reflect"), ("POST", "/"), ("POST", "/reflection"), ("CONNECT", "a:80")] {
            let response = asked(method, target, r#"{"status":500}"#);
            assert_eq!((response.status, response.body.len(), content_type(&response)), (200, 0, None));
        }
    }

    #[test]
    fn reflect_answers_as_asked() {
        let response = asked("POST", "/reflect?x", r#"{"status":503,"headers":{"A":"b"},"body":"<?php"}"#);
        assert_eq!(
            response.to_bytes(),
            b"HTTP/1.1 503\r\nA: b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\n<?php"
        );
        let html = asked("POST", "/reflect/a", r#"{"Body":"\n <HTML>"}"#);
        assert_eq!(content_type(&html), Some("text/html; charset=utf-8"));
        let typed = asked("POST", "/reflect", r#"{"headers":{"content-type":"a/b"},"encodedBody":"PGh0bWw+"}"#);
        assert_eq!((typed.headers[0].1.as_str(), typed.body.as_slice()), ("a/b", &b"<html>"[..]));
    }

    #[test]
    fn bad_specifications_are_400() {
        for bad in [
            "",
            "[]",
            "{",
            r#"{"status":99}"#,
            r#"{"status":"200"}"#,
            r#"{"body":1}"#,
            r#"{"encodedBody":"!"}"#,
            r#"{"headers":{"a":1}}"#,
        ] {
            assert_eq!(asked("POST", "/reflect", bad).status, 400, "{bad}");
        }
    }
}
