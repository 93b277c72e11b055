//! The request target (RFC 9112, section 3.2), split before anything is decoded.

use super::percent;

/// The pieces of a request target, all spans of it, none decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The target as received: REQUEST_URI_RAW.
    pub raw: &'a [u8],
    /// The target without fragment, and without scheme and authority when it is in absolute form: REQUEST_URI.
    pub uri: &'a [u8],
    /// What stands before the `?`.
    pub path: &'a [u8],
    /// What stands between `?` and fragment: QUERY_STRING.
    pub query: &'a [u8],
    /// What stands after the `#`.
    pub fragment: &'a [u8],
    /// Whether there is a `?`.
    pub has_query: bool,
}

/// Splits a request target. Never fails: what is no URI is read as a path, and whatever follows the first `?` is its query.
///
/// A fragment does not belong into a request target; it is cut off, as servers do, but stays in `raw` and `fragment`.
///
/// ```
/// use fusewall::http::uri::split;
/// let uri = split(b"http://example.org/a%3Fb?q=1#top");
/// assert_eq!((uri.uri, uri.path, uri.query), (&b"/a%3Fb?q=1"[..], &b"/a%3Fb"[..], &b"q=1"[..]));
/// ```
pub fn split(target: &[u8]) -> Uri<'_> {
    let (whole, fragment) = cut(target, b'#');
    let local = without_authority(whole);
    let (path, query) = cut(local, b'?');
    Uri {
        raw: target,
        uri: local,
        path,
        query: query.unwrap_or_default(),
        fragment: fragment.unwrap_or_default(),
        has_query: query.is_some(),
    }
}

/// Decodes the `%XX` of a path for REQUEST_FILENAME and REQUEST_BASENAME: `+` stays, and so does a `%` that is no escape.
pub fn decode_path(path: &[u8], out: &mut Vec<u8>) {
    percent::decode(path, out);
}

/// What follows the last `/` or `\` of a path (REQUEST_BASENAME).
///
/// ```
/// assert_eq!(fusewall::http::uri::basename(b"/a/b.php"), b"b.php");
/// ```
pub fn basename(path: &[u8]) -> &[u8] {
    match memchr::memrchr2(b'/', b'\\', path) {
        Some(at) => path.get(at + 1..).unwrap_or_default(),
        None => path,
    }
}

/// The target without `scheme://authority`; an authority alone leaves the rest empty.
fn without_authority(target: &[u8]) -> &[u8] {
    let scheme_end = match target.first() {
        Some(first) if first.is_ascii_alphabetic() => {
            target.iter().position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'-' | b'.'))
        }
        _ => None,
    };
    let after_scheme = scheme_end.and_then(|at| target.get(at..)).and_then(|rest| rest.strip_prefix(b"://"));
    match after_scheme {
        Some(rest) => {
            let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'\\')).unwrap_or(rest.len());
            rest.get(end..).unwrap_or_default()
        }
        None => target,
    }
}

/// What stands before and, if there is one, after the first `mark`.
fn cut(bytes: &[u8], mark: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(mark, bytes) {
        Some(at) => {
            let (before, after) = bytes.split_at(at);
            (before, after.get(1..))
        }
        None => (bytes, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_every_form_and_loses_no_argument() {
        // target, uri, path, query, fragment
        for (target, uri, path, query, fragment) in [
            ("/", "/", "/", "", ""),
            ("/a/b?x=1&y#f", "/a/b?x=1&y", "/a/b", "x=1&y", "f"),
            ("/a?b?c", "/a?b?c", "/a", "b?c", ""),
            ("/a%3fb%23c?d", "/a%3fb%23c?d", "/a%3fb%23c", "d", ""),
            ("http://h:1/p?q#f", "/p?q", "/p", "q", "f"),
            ("HTTPS://u:p@h?q", "?q", "", "q", ""),
            ("http://h", "", "", "", ""),
            ("//admin/x?y", "//admin/x?y", "//admin/x", "y", ""),
            ("*", "*", "*", "", ""),
            ("example.org:443", "example.org:443", "example.org:443", "", ""),
            ("/x?u=http://h/?a=b", "/x?u=http://h/?a=b", "/x", "u=http://h/?a=b", ""),
            ("http:///:::?a=<x>", "/:::?a=<x>", "/:::", "a=<x>", ""),
            (":bad://\\?a=1", ":bad://\\?a=1", ":bad://\\", "a=1", ""),
            ("/a#b?c=1", "/a", "/a", "", "b?c=1"),
            ("", "", "", "", ""),
        ] {
            let split = split(target.as_bytes());
            assert_eq!(split.raw, target.as_bytes());
            assert_eq!(
                [split.uri, split.path, split.query, split.fragment],
                [uri.as_bytes(), path.as_bytes(), query.as_bytes(), fragment.as_bytes()],
                "{target}"
            );
        }
        assert!(split(b"/?").has_query && !split(b"/").has_query);
    }

    #[test]
    fn paths_are_decoded_once_and_cut_at_either_slash() {
        let mut out = Vec::new();
        decode_path(b"/%2e%2e/a+b%2F%zz;x=%5c", &mut out);
        assert_eq!(out, b"/../a+b/%zz;x=\\");
        assert_eq!(basename(b"/a\\b"), b"b");
        assert_eq!(basename(b"/a/"), b"");
        assert_eq!(basename(b"x"), b"x");
    }
}
