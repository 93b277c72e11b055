//! The page that answers when there is no upstream: it shows the request as the upstream would get it.

use super::page::escape;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use std::fmt::Write as _;

/// Bytes of the body that the page shows.
const SHOWN_BODY: usize = 4096;

/// The page for a request whose body is `body`.
pub(super) fn respond<B>(request: &Request<B>, body: &[u8]) -> Response<Full<Bytes>> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut received = format!("{} {target}\n", request.method());
    for (name, value) in request.headers() {
        let _ = writeln!(received, "{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    if !body.is_empty() {
        let shown = body.get(..SHOWN_BODY).unwrap_or(body);
        let _ = write!(received, "\n{}", String::from_utf8_lossy(shown));
        if shown.len() < body.len() {
            let _ = write!(received, "\n... {} bytes in all", body.len());
        }
        received.push('\n');
    }
    let accept = request.headers().get(ACCEPT).map(HeaderValue::as_bytes).unwrap_or_default();
    let html = memchr::memmem::find(accept, b"text/html").is_some();
    let (kind, page) = match html {
        true => (
            "text/html; charset=utf-8",
            format!(
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Fusewall is up</title></head>\n\
                 <body><h1>Fusewall is up</h1><p>This request passed. No upstream is configured, so this page answers with what it received.</p>\n\
                 <pre>{}</pre></body></html>\n",
                escape(&received)
            ),
        ),
        false => (
            "text/plain; charset=utf-8",
            format!(
                "Fusewall is up. This request passed; no upstream is configured, so this page answers with what it received.\n\n{received}"
            ),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(page)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.insert("content-security-policy", HeaderValue::from_static("default-src 'none'"));
    response
}
