//! What a client sees that is turned away: a status, one sentence, the incident id. Never a rule, a score or a reason.

use super::proxy::{Answer, AnswerBody};
use crate::host::exchange::Refusal;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue, StatusCode};

/// The answer to a request that is refused; `None` to drop the connection.
pub(super) fn refusal(refusal: &Refusal, incident_id: &str, accept: &[u8], head_only: bool) -> Option<Answer> {
    match refusal {
        Refusal::Drop => None,
        Refusal::Page(status) => Some(page(*status, incident_id, accept, head_only)),
        Refusal::Redirect { status, location } => {
            let mut answer = page(*status, incident_id, accept, head_only);
            match HeaderValue::from_bytes(location) {
                Ok(location) => {
                    answer.headers.insert(LOCATION, location);
                    Some(answer)
                }
                // A redirect whose macro expanded to something that is no header value still refuses.
                Err(_) => Some(page(403, incident_id, accept, head_only)),
            }
        }
    }
}

fn page(status: u16, incident_id: &str, accept: &[u8], head_only: bool) -> Answer {
    // A status below 200 announces an answer, it is none.
    let status =
        StatusCode::from_u16(status).ok().filter(|status| !status.is_informational()).unwrap_or(StatusCode::FORBIDDEN);
    let title = status.canonical_reason().unwrap_or("Refused");
    let html = memchr::memmem::find(accept, b"text/html").is_some();
    let body = match html {
        true => format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
             <body><h1>{title}</h1><p>The request was not answered. Incident id: <code>{}</code></p></body></html>\n",
            escape(incident_id)
        ),
        false => format!("{title}\nThe request was not answered. Incident id: {incident_id}\n"),
    };
    let mut headers = HeaderMap::new();
    let kind = if html { "text/html; charset=utf-8" } else { "text/plain; charset=utf-8" };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A rule may deny with a status that has no body.
    let bodiless = head_only || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    let body = match bodiless {
        true => AnswerBody::None { length: head_only.then_some(body.len() as u64) },
        false => AnswerBody::Page(Bytes::from(body)),
    };
    Answer { status, headers, body }
}

/// Text as it may stand in HTML.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
