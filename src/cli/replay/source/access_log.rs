//! Access logs of nginx and Apache: request lines, some headers, statuses.

use super::lines::{Line, Lines};
use super::log_format::{Form, LogFormat, Piece, Value};
use super::{Decided, Recorded, Sink};
use crate::cli::requests::{NOBODY, Prepared};
use std::io::BufRead;

/// Bytes of a line. nginx takes headers of 32 KB by default, and writes a byte as four characters at most.
const LINE_BYTES: usize = 1 << 20;

pub(super) fn read(input: impl BufRead, format: &LogFormat, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let mut lines = Lines::new(input, LINE_BYTES);
    while let Some(line) = lines.next()? {
        let found = match line {
            Line::Whole(line) if line.trim_ascii().is_empty() => continue,
            Line::Whole(line) => any_form(line.strip_suffix(b"\r").unwrap_or(line), format),
            Line::TooLong => Err(format!("a line of more than {LINE_BYTES} bytes")),
        };
        match found {
            Ok(mut recorded) => {
                recorded.request.id = sink.name(lines.number());
                sink.add(recorded)?;
            }
            Err(reason) => sink.unread(lines.number(), reason),
        }
    }
    Ok(())
}

/// In the first form that fits; what is wrong is said of the first.
fn any_form(line: &[u8], format: &LogFormat) -> Result<Recorded, String> {
    let mut first = None;
    for form in format.forms() {
        match one_form(line, form) {
            Ok(recorded) => return Ok(recorded),
            Err(reason) => first = first.or(Some(reason)),
        }
    }
    Err(first.unwrap_or_else(|| "no format".to_owned()))
}

fn one_form(line: &[u8], form: &Form) -> Result<Recorded, String> {
    let mut request = Prepared {
        id: String::new(),
        method: b"GET".to_vec(),
        uri: Vec::new(),
        version: b"HTTP/1.1".to_vec(),
        headers: Vec::new(),
        body: Vec::new(),
        client: NOBODY,
        response: None,
    };
    let (mut path, mut query, mut status) = (None, None, None);
    for (value, text) in values(line, form)? {
        let bytes = unescaped(text);
        let is_there = bytes != b"-";
        match value {
            Value::RequestLine => request_line(&bytes, &mut request)?,
            Value::Target => request.uri = bytes,
            Value::Method => request.method = bytes,
            Value::Version => request.version = bytes,
            Value::Path => path = Some(bytes),
            Value::Query if is_there => query = Some(bytes),
            Value::Status => status = Some(number(text)?),
            Value::Client => {
                let address = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                // A name, where the server looks names up, is no address; the request is judged all the same.
                request.client = address.unwrap_or(NOBODY);
            }
            Value::Header(name) if is_there => request.headers.push((name.clone().into_bytes(), bytes)),
            Value::Body if is_there => request.body = bytes,
            _ => {}
        }
    }
    if request.uri.is_empty() {
        request.uri = path.ok_or("no request target in it")?;
        if let Some(query) = query {
            request.uri.push(b'?');
            request.uri.extend(query);
        }
    }
    let decided = status.map(|status| Decided { status, blocked: None, rules: None });
    Ok(Recorded { request, lacks: form.lacks.clone(), decided })
}

/// The values of a line, as they stand there.
fn values<'l, 'f>(line: &'l [u8], form: &'f Form) -> Result<Vec<(&'f Value, &'l [u8])>, String> {
    let mut rest = line;
    let mut found = Vec::new();
    let mut pieces = form.pieces.iter().peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Text(text) => {
                rest = rest.strip_prefix(text.as_bytes()).ok_or_else(|| expected(text, rest, line))?;
            }
            Piece::Value(value) => {
                let end = match pieces.peek() {
                    Some(Piece::Text(text)) => end(rest, text.as_bytes()).ok_or_else(|| expected(text, rest, line))?,
                    _ => rest.len(),
                };
                found.push((value, &rest[..end]));
                rest = &rest[end..];
            }
        }
    }
    match rest.trim_ascii().is_empty() {
        true => Ok(found),
        false => Err(format!("the format ends, and the line goes on with `{}`", shown(rest))),
    }
}

/// Where a value ends: before the text behind it, and not at a quotation mark that is escaped.
fn end(rest: &[u8], text: &[u8]) -> Option<usize> {
    let mut finds = memchr::memmem::find_iter(rest, text);
    finds.find(|&at| {
        let backslashes = rest[..at].iter().rev().take_while(|&&byte| byte == b'\\').count();
        text.first() != Some(&b'"') || backslashes % 2 == 0
    })
}

fn expected(text: &str, rest: &[u8], line: &[u8]) -> String {
    format!("expected `{}` in column {} or later, found `{}`", text, line.len() - rest.len() + 1, shown(rest))
}

/// The beginning of it, for people.
fn shown(text: &[u8]) -> String {
    let text =
        text.get(..60).map_or_else(|| text.escape_ascii().to_string(), |cut| format!("{}...", cut.escape_ascii()));
    if text.is_empty() { "the end of the line".to_owned() } else { text }
}

/// `GET /path HTTP/1.1`. The target may have blanks where a client has sent some.
fn request_line(line: &[u8], request: &mut Prepared) -> Result<(), String> {
    let text = || format!("no request line: `{}`", shown(line));
    let method = line.iter().position(|&byte| byte == b' ').ok_or_else(text)?;
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if method == 0 || !line[..method].iter().all(is_token) {
        return Err(text());
    }
    let rest = &line[method + 1..];
    let (target, version) = match memchr::memrchr(b' ', rest) {
        Some(at) if rest[at + 1..].starts_with(b"HTTP/") => (&rest[..at], &rest[at + 1..]),
        _ => (rest, &b"HTTP/0.9"[..]),
    };
    if target.is_empty() {
        return Err(text());
    }
    (request.method, request.uri, request.version) = (line[..method].to_vec(), target.to_vec(), version.to_vec());
    Ok(())
}

fn number(text: &[u8]) -> Result<u16, String> {
    let status = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    status.filter(|status| (100..=999).contains(status)).ok_or_else(|| format!("no status: `{}`", shown(text)))
}

/// Without the escapes of nginx (`\xHH`, and with `escape=json` `\uHHHH` and those of JSON) and of Apache (`\"`, `\\`, `\n`, `\t`).
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some((&escape, behind)) = rest.split_first() else {
            out.push(b'\\');
            break;
        };
        let hex = |digits: usize| {
            let text = behind.get(..digits).filter(|text| text.iter().all(u8::is_ascii_hexdigit))?;
            u32::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
        };
        let (digits, code) = match escape {
            b'x' => (2, hex(2)),
            b'u' => (4, hex(4)),
            _ => (0, None),
        };
        rest = behind;
        match (escape, code.and_then(|code| u8::try_from(code).ok())) {
            (b'x' | b'u', Some(byte)) => {
                out.push(byte);
                rest = &behind[digits..];
            }
            (b'n', _) => out.push(b'\n'),
            (b't', _) => out.push(b'\t'),
            (b'r', _) => out.push(b'\r'),
            (b'"' | b'\\' | b'/', _) => out.push(escape),
            _ => out.extend([b'\\', escape]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::Account;
    use super::*;

    fn read_all(text: &str, format: &str) -> (Vec<Recorded>, Account) {
        let mut all = Vec::new();
        let mut take = |recorded| {
            all.push(recorded);
            Ok(())
        };
        let mut sink = Sink { take: &mut take, account: Account { name: "a.log".to_owned(), ..Account::default() } };
        read(text.as_bytes(), &format.parse().expect("a format"), &mut sink).expect("memory");
        let account = sink.account;
        (all, account)
    }

    #[test]
    fn combined_and_common_lines() {
        let text = concat!(
            r#"192.0.2.1 - - [10/Oct/2025:13:55:36 +0000] "GET /a?b=\x22c d HTTP/1.1" 200 12 "-" "curl \"7\"""#,
            "\n",
            r#"2001:db8::1 - bob [10/Oct/2025:13:55:36 +0000] "POST /form HTTP/1.0" 403 -"#,
            "\n"
        );
        let (all, account) = read_all(text, "combined");
        assert_eq!((all.len(), account.unread), (2, 0), "{account:?}");
        let request = &all[0].request;
        assert_eq!(
            (&request.id[..], &request.method[..], &request.version[..]),
            ("a.log:1", &b"GET"[..], &b"HTTP/1.1"[..])
        );
        assert_eq!(request.uri, b"/a?b=\"c d");
        assert_eq!(request.headers, [(b"user-agent".to_vec(), b"curl \"7\"".to_vec())]);
        assert_eq!(all[1].decided.as_ref().expect("a status").status, 403);
        assert_eq!(all[1].request.client.to_string(), "2001:db8::1");
        assert!(all[1].lacks.headers_but.as_ref().is_some_and(|known| known.is_empty()));
    }

    #[test]
    fn lines_that_are_none_are_counted_with_line_and_reason() {
        let text = concat!(
            r#"192.0.2.1 - - [x] "\x16\x03\x01" 400 150 "-" "-""#,
            "\n\nnonsense\n",
            r#"192.0.2.1 - - [x] "GET / HTTP/1.1" abc 150 "-" "-""#,
            "\n"
        );
        let (all, account) = read_all(text, "combined");
        assert_eq!((all.len(), account.unread), (0, 3));
        let first: Vec<_> = account.first_unread.iter().map(|unread| (unread.line, &unread.reason[..])).collect();
        assert_eq!(first[0], (1, r"no request line: `\x16\x03\x01`"));
        assert_eq!(first[1], (3, "expected ` - ` in column 1 or later, found `nonsense`"));
        assert_eq!(first[2], (4, "no status: `abc`"));
    }

    #[test]
    fn a_format_of_ones_own_brings_headers_and_bodies() {
        let format = r#"$host|$request_method $request_uri $server_protocol|$status|$http_cookie|$request_body"#;
        let (all, _) = read_all("www.example|POST /f?a=1 HTTP/2.0|200|s=1|x=\\x0Ay\n", format);
        let request = &all[0].request;
        assert_eq!(
            (&request.method[..], &request.uri[..], &request.body[..]),
            (&b"POST"[..], &b"/f?a=1"[..], &b"x=\ny"[..])
        );
        assert_eq!(
            request.headers,
            [(b"host".to_vec(), b"www.example".to_vec()), (b"cookie".to_vec(), b"s=1".to_vec())]
        );
    }
}
