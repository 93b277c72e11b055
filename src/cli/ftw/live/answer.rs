//! The first answer on a connection, whatever the server makes of the request.

use crate::cli::ftw::backend::Response;
use std::io::{ErrorKind, Read};

/// Bytes of an answer that are looked at.
const MOST: usize = 4 << 20;
/// Header fields of an answer.
const FIELDS: usize = 256;

/// Reads an answer: to its end as far as it says where that is, else as far as something comes.
pub fn read(stream: &mut impl Read, to_head: bool) -> Vec<u8> {
    let mut answer = Vec::new();
    let mut piece = [0; 16 << 10];
    while answer.len() < MOST && !is_complete(&answer, to_head) {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(piece.get(..read).unwrap_or_default()),
            Err(problem) if problem.kind() == ErrorKind::Interrupted => {}
            // Broken off, or silent for too long: what is there is what the client got.
            Err(_) => break,
        }
    }
    answer
}

/// An answer with a head; none if it has none.
pub fn parse(answer: &[u8]) -> Option<Response> {
    let (status, headers, start) = head(answer)?;
    Some(Response { status, headers, body: answer.get(start..).unwrap_or_default().to_vec() })
}

/// Only where the length is told: a connection that stays open afterwards would be waited for in vain. All else ends with it.
fn is_complete(answer: &[u8], to_head: bool) -> bool {
    let Some((status, headers, start)) = head(answer) else { return false };
    if to_head || matches!(status, 204 | 304) {
        return true;
    }
    let value = |name: &str| headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    if value("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return answer.ends_with(b"0\r\n\r\n");
    }
    let length = value("content-length").and_then(|length| length.parse::<usize>().ok());
    length.is_some_and(|length| answer.len().saturating_sub(start) >= length)
}

type Fields = Vec<(String, String)>;

/// Status, header fields and where the body begins, of the first answer that is final (RFC 9110, section 15.2).
fn head(answer: &[u8]) -> Option<(u16, Fields, usize)> {
    let mut start = 0;
    loop {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let rest = answer.get(start..)?;
        let httparse::Status::Complete(length) = response.parse(rest).ok()? else { return None };
        start += length;
        let status = response.code?;
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = response.headers.iter().map(|field| (field.name.to_owned(), text(field.value))).collect();
        return Some((status, headers, start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_end_where_they_say() {
        for (answer, to_head, complete) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", false, false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true, true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false, true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok", false, false),
            ("HTTP/1.1 204 No Content\r\n\r\n", false, true),
            ("HTTP/1.1 100 Continue\r\n\r\n", false, false),
            ("HTTP/1.1 200 OK\r\n\r\nto the end", false, false),
            ("<html>", false, false),
        ] {
            assert_eq!(is_complete(answer.as_bytes(), to_head), complete, "{answer}");
        }
    }

    #[test]
    fn the_final_answer_counts() {
        let answer = parse(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\nA: b\r\n\r\nno").unwrap();
        assert_eq!((answer.status, answer.headers.len(), answer.body.as_slice()), (403, 1, &b"no"[..]));
        assert_eq!(parse(b"<html>without a head</html>"), None);
    }

    #[test]
    fn a_server_that_breaks_off() {
        assert_eq!(read(&mut &b"HTTP/1.1 200 OK\r\n"[..], false), b"HTTP/1.1 200 OK\r\n");
    }
}
