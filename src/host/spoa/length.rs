//! Whether a body came whole. HAProxy hands over what is in its buffer (`tune.bufsize`), and does not say that there is more.

use super::headers::Fields;

/// What came of a body, against what was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// All of it, or there is none.
    Whole,
    /// Its beginning.
    Cut,
    /// Nobody has said how long it is.
    Unmeasured,
}

impl Came {
    pub(super) const ALL: [Came; 3] = [Came::Whole, Came::Cut, Came::Unmeasured];

    /// A short name for metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Came::Whole => "whole",
            Came::Cut => "cut",
            Came::Unmeasured => "unmeasured",
        }
    }
}

/// Of a request. `frame` is the longest frame of HAProxy, which by default is as long as its buffer.
pub(super) fn of_request(method: &[u8], version: &[u8], headers: &Fields, body: &[u8], frame: u32) -> Came {
    match declared(headers) {
        Some(length) => measured(length, body),
        None if has(headers, b"transfer-encoding") || !body.is_empty() => unmeasured(headers, body, frame),
        // HTTP/2 and 3 announce no length, not even that there is a body.
        None if !version.starts_with(b"HTTP/1") && [&b"POST"[..], b"PUT", b"PATCH"].contains(&method) => {
            Came::Unmeasured
        }
        None => Came::Whole,
    }
}

/// Of a response to a request with this method.
pub(super) fn of_response(method: &[u8], status: u16, headers: &Fields, body: &[u8]) -> Came {
    // RFC 9110, section 6.4.1.
    let bodiless = method == b"HEAD" || status < 200 || status == 204 || status == 304;
    match declared(headers) {
        _ if bodiless => Came::Whole,
        Some(length) => measured(length, body),
        None => Came::Unmeasured,
    }
}

fn measured(length: u64, body: &[u8]) -> Came {
    if (body.len() as u64) < length { Came::Cut } else { Came::Whole }
}

/// A chunked body may be whole or not. With `option http-buffer-request` HAProxy waits for its end until the buffer is full, which half
/// of it is never: `tune.maxrewrite`, which is kept free, takes the other half at most.
fn unmeasured(headers: &Fields, body: &[u8], frame: u32) -> Came {
    let head: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let full = (head + body.len()) as u64 >= u64::from(frame) / 2;
    if full { Came::Cut } else { Came::Unmeasured }
}

/// `Content-Length`. HAProxy has refused a request in which it is no number or says two things.
fn declared(headers: &Fields) -> Option<u64> {
    let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"content-length"))?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn has(headers: &Fields, name: &[u8]) -> bool {
    headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: &str, field: Option<(&str, &str)>, body: usize) -> Came {
        let headers: Fields =
            field.iter().map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into())).collect();
        of_request(b"POST", version.as_bytes(), &headers, &vec![b'a'; body], 1000)
    }

    #[test]
    fn a_request_body_is_measured_by_what_was_announced() {
        let announced = Some(("Content-Length", "100"));
        assert_eq!(request("HTTP/1.1", announced, 100), Came::Whole);
        assert_eq!(request("HTTP/1.1", announced, 99), Came::Cut);
        assert_eq!(request("HTTP/2.0", announced, 0), Came::Cut);
        assert_eq!(request("HTTP/1.1", None, 0), Came::Whole);
    }

    #[test]
    fn one_without_a_length_is_cut_where_the_buffer_may_have_been_full() {
        let chunked = Some(("transfer-encoding", "chunked"));
        assert_eq!(request("HTTP/1.1", chunked, 100), Came::Unmeasured);
        assert_eq!(request("HTTP/1.1", chunked, 500), Came::Cut);
        assert_eq!((request("HTTP/2.0", None, 0), request("HTTP/2.0", None, 500)), (Came::Unmeasured, Came::Cut));
    }

    #[test]
    fn a_response_without_a_body_has_come_whole() {
        let headers: Fields = vec![(b"content-length".to_vec(), b"100".to_vec())];
        let of = |method: &str, status| of_response(method.as_bytes(), status, &headers, b"");
        assert_eq!(
            (of("GET", 200), of("HEAD", 200), of("GET", 304), of("GET", 101)),
            (Came::Cut, Came::Whole, Came::Whole, Came::Whole)
        );
        assert_eq!(of_response(b"GET", 200, &headers, &[0; 100]), Came::Whole);
        assert_eq!(of_response(b"GET", 200, &Vec::new(), b"a"), Came::Unmeasured);
    }
}
