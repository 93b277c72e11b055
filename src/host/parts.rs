//! Heads that an HTTP library has read, as the engine wants them.

use super::exchange::RequestHead;
use http::Version;
use http::header::{COOKIE, HOST};
use http::request::Parts;

/// A request's head as HTTP/1 would say it. Of HTTP/2: `:authority` as `Host` in the first place, the crumbs of `Cookie` joined
/// (RFC 9113, section 8.2.3). The second value says what two servers could read in two ways, if anything: such a request is
/// refused with 400.
pub fn head(parts: &Parts) -> (RequestHead, Option<&'static str>) {
    let http2 = parts.version >= Version::HTTP_2;
    let authority = parts.uri.authority().filter(|_| http2).map(|authority| authority.as_str().as_bytes());
    let target = match parts.uri.path_and_query() {
        Some(target) if http2 => target.as_str().to_owned(),
        _ => parts.uri.to_string(),
    };
    let mut headers = Vec::with_capacity(parts.headers.len() + 1);
    let mut objection = None;
    if let Some(authority) = authority {
        headers.push((HOST.as_str().as_bytes().to_vec(), authority.to_vec()));
    }
    let mut cookies: Option<usize> = None;
    let mut hosts = usize::from(authority.is_some());
    for (name, value) in &parts.headers {
        let value = value.as_bytes();
        // HTTP/1 would take the blanks off on the next hop, and rules that are anchored would have read another value.
        if http2 && value.trim_ascii() != value {
            objection = Some("A header value begins or ends with a blank.");
        }
        if name == HOST && http2 {
            if let Some(authority) = authority {
                if !value.eq_ignore_ascii_case(authority) {
                    objection = Some("The :authority and Host name different hosts.");
                }
                continue;
            }
            hosts += 1;
        }
        if name == COOKIE && http2 {
            if let Some((_, whole)) = cookies.and_then(|at| headers.get_mut(at)) {
                whole.extend_from_slice(b"; ");
                whole.extend_from_slice(value);
                continue;
            }
            cookies = Some(headers.len());
        }
        headers.push((name.as_str().as_bytes().to_vec(), value.to_vec()));
    }
    if hosts > 1 {
        objection = Some("There is more than one Host.");
    }
    let method = parts.method.as_str().as_bytes().to_vec();
    let version = version(parts.version).to_vec();
    (RequestHead { method, target: target.into_bytes(), version, headers }, objection)
}

/// A version as a request or status line says it.
pub fn version(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_09 => b"HTTP/0.9",
        Version::HTTP_10 => b"HTTP/1.0",
        Version::HTTP_2 => b"HTTP/2.0",
        Version::HTTP_3 => b"HTTP/3.0",
        _ => b"HTTP/1.1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn lines(request: Request<()>) -> (Vec<String>, bool) {
        let (head, objection) = head(&request.into_parts().0);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut lines = vec![format!("{} {} {}", text(&head.method), text(&head.target), text(&head.version))];
        lines.extend(head.headers.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))));
        (lines, objection.is_none())
    }

    #[test]
    fn http_2_reads_like_http_1() {
        let request = Request::builder()
            .version(Version::HTTP_2)
            .uri("https://a:1/p?q")
            .header("cookie", "a=1")
            .header("x", "y")
            .header("cookie", "b=2")
            .header("host", "A:1");
        let expected = ["GET /p?q HTTP/2.0", "host: a:1", "cookie: a=1; b=2", "x: y"].map(String::from).to_vec();
        assert_eq!(lines(request.body(()).unwrap()), (expected, true));
        let request = Request::builder().version(Version::HTTP_2).uri("https://a/").header("host", "b");
        assert!(!lines(request.body(()).unwrap()).1);
        let relative = || Request::builder().version(Version::HTTP_2).uri("/");
        assert!(lines(relative().header("host", "a").body(()).unwrap()).1);
        assert!(!lines(relative().header("host", "a").header("host", "a").body(()).unwrap()).1);
        assert!(!lines(relative().header("host", "a").header("x", "y\t").body(()).unwrap()).1);
    }

    #[test]
    fn http_1_keeps_its_cookies_apart_and_its_target_whole() {
        let request = Request::builder().uri("http://a/p").header("cookie", "a=1").header("cookie", "b=2");
        let expected = ["GET http://a/p HTTP/1.1", "cookie: a=1", "cookie: b=2"].map(String::from).to_vec();
        assert_eq!(lines(request.body(()).unwrap()), (expected, true));
    }
}
