//! Audit records as ModSecurity 2 writes them, one behind the other in one file: sections between boundaries.
//!
//! Source: the reference manual of ModSecurity 2, `SecAuditLogParts`, and the page "ModSecurity 2 Data Formats". libmodsecurity and
//! Fusewall write the same sections. A record of the concurrent form is a file of its own and reads as well.

use super::audit::rule_id;
use super::lines::{Line, Lines};
use super::{Decided, EXCHANGE_BYTES, Headers, Lacks, Recorded, Sink, announces_body, header};
use crate::cli::requests::{NOBODY, Prepared, PreparedResponse};
use crate::rule::Field;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

/// A record that is being read.
struct Record {
    /// The line of section A.
    line: u64,
    /// What its boundaries begin with.
    boundary: Vec<u8>,
    /// The section that lines belong to.
    section: u8,
    sections: BTreeMap<u8, Vec<u8>>,
    bytes: usize,
}

pub(super) fn read(input: impl BufRead, sink: &mut Sink<'_>) -> anyhow::Result<()> {
    let mut lines = Lines::new(input, EXCHANGE_BYTES);
    let mut open: Option<Record> = None;
    while let Some(line) = lines.next()? {
        let Line::Whole(line) = line else {
            sink.unread(lines.number(), format_args!("a line of more than {EXCHANGE_BYTES} bytes"));
            open = None;
            continue;
        };
        let begins = boundary(line).filter(|(_, section)| *section == b'A');
        let record = match (open.take(), begins) {
            (Some(record), Some(_)) => {
                sink.unread(record.line, "the record does not end: there is no section Z");
                None
            }
            (record, _) => record,
        };
        let Some(mut record) = record else {
            match begins.map(|(boundary, _)| boundary.to_vec()) {
                Some(boundary) => open = Some(Record::new(lines.number(), boundary)),
                None if line.trim_ascii().is_empty() => {}
                None => {
                    let number = lines.number();
                    if number == 1 {
                        sink.unread(number, "no audit log: neither JSON nor a boundary such as `--a1b2c3d4-A--`");
                    }
                }
            }
            continue;
        };
        match boundary(line).filter(|(boundary, _)| *boundary == record.boundary) {
            Some((_, b'Z')) => {
                match record.exchange() {
                    Ok(mut recorded) => {
                        if recorded.request.id.is_empty() {
                            recorded.request.id = sink.name(record.line);
                        }
                        sink.add(recorded)?;
                    }
                    Err(reason) => sink.unread(record.line, reason),
                }
                continue;
            }
            Some((_, section)) => record.begin(section),
            None if record.bytes + line.len() > EXCHANGE_BYTES => {
                sink.unread(record.line, format_args!("a record of more than {EXCHANGE_BYTES} bytes"));
                continue;
            }
            None => record.push(line),
        }
        open = Some(record);
    }
    if let Some(record) = open {
        sink.unread(record.line, "the record does not end: there is no section Z");
    }
    Ok(())
}

/// `--a1b2c3d4-B--` (`---a1b2c3d4---B--` of libmodsecurity): what stands before the letter, and the letter.
fn boundary(line: &[u8]) -> Option<(&[u8], u8)> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let (start, section) = line.strip_suffix(b"--")?.split_at_checked(line.len().checked_sub(3)?)?;
    let is_one = start.len() <= 64 && start.len() > 3 && start.starts_with(b"--") && start.ends_with(b"-");
    let &[section @ b'A'..=b'Z'] = section else { return None };
    is_one.then_some((start, section))
}

impl Record {
    fn new(line: u64, boundary: Vec<u8>) -> Record {
        Record { line, boundary, section: b'A', sections: BTreeMap::new(), bytes: 0 }
    }

    fn begin(&mut self, section: u8) {
        self.section = section;
        self.sections.entry(section).or_default();
    }

    fn push(&mut self, line: &[u8]) {
        let text = self.sections.entry(self.section).or_default();
        text.extend_from_slice(line);
        text.push(b'\n');
        self.bytes += line.len() + 1;
    }

    fn section(&self, section: u8) -> Option<&[u8]> {
        self.sections.get(&section).map(|text| &text[..])
    }

    fn exchange(&self) -> Result<Recorded, String> {
        let mut lacks = Lacks::default();
        let (first, headers) = head(self.section(b'B').ok_or("no section B: the request was not recorded")?);
        let mut words = first.splitn(2, |&byte| byte == b' ');
        let (method, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (target, version) = match memchr::memrchr(b' ', rest) {
            Some(at) if rest[at + 1..].starts_with(b"HTTP/") => (&rest[..at], &rest[at + 1..]),
            _ => (rest, &b""[..]),
        };
        if method.is_empty() || target.is_empty() {
            return Err(format!("no request line in section B: `{}`", first.escape_ascii()));
        }
        // Of a form with files, section I has the fields alone, in another coding.
        let is_multipart =
            header(&headers, "content-type").is_some_and(|media| media.starts_with(b"multipart/form-data"));
        let body = self.section(b'C').or_else(|| self.section(b'I').filter(|_| !is_multipart));
        if body.is_none() && announces_body(&headers) {
            lacks.fields.insert(Field::RequestBody);
        }
        let body = body.map(|text| content(text, &headers)).unwrap_or_default();
        let (id, client) = self.header();
        let response = self.response();
        match &response {
            None => lacks.fields.extend([Field::ResponseHeaders, Field::ResponseBody]),
            Some(_) if self.section(b'E').is_none() => _ = lacks.fields.insert(Field::ResponseBody),
            Some(_) => {}
        }
        if headers.is_empty() {
            lacks.headers_but = Some(Arc::default());
        }
        let decided = response.as_ref().map(|response| {
            let (blocked, rules) = self.trailer().unzip();
            Decided { status: response.status, blocked, rules }
        });
        let request = Prepared {
            id,
            method: method.to_vec(),
            uri: target.to_vec(),
            version: version.to_vec(),
            headers,
            body,
            client: client.unwrap_or(NOBODY),
            response,
        };
        Ok(Recorded { request, lacks, decided })
    }

    /// Section A, `[time] id client port server port`: the id, and the client's address.
    fn header(&self) -> (String, Option<std::net::IpAddr>) {
        let text = String::from_utf8_lossy(self.section(b'A').unwrap_or_default());
        let behind = text.split_once(']').map_or(&text[..], |(_, behind)| behind);
        let mut words = behind.split_whitespace();
        let id = words.next().unwrap_or_default().to_owned();
        (id, words.next().and_then(|address| address.parse().ok()))
    }

    /// Section F, with the body of section E.
    fn response(&self) -> Option<PreparedResponse> {
        let (first, headers) = head(self.section(b'F')?);
        let status = first.split(|&byte| byte == b' ').nth(1)?;
        let status = std::str::from_utf8(status).ok()?.parse().ok()?;
        let body = self.section(b'E').map(|text| content(text, &headers)).unwrap_or_default();
        Some(PreparedResponse { status, headers, body })
    }

    /// Section H: whether the engine has blocked the request, and the rules that it has logged.
    fn trailer(&self) -> Option<(bool, Vec<u64>)> {
        let text = String::from_utf8_lossy(self.section(b'H')?);
        let mut rules = Vec::new();
        let mut blocked = false;
        for line in text.lines() {
            blocked |= line.starts_with("Action: Intercepted");
            if line.starts_with("Message:") || line.starts_with("ModSecurity:") {
                blocked |= line.contains("Access denied");
                rules.extend(rule_id(line));
            }
        }
        Some((blocked, rules))
    }
}

/// The first line, and the headers behind it.
fn head(text: &[u8]) -> (&[u8], Headers) {
    let mut lines = text.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().unwrap_or_default();
    let pair = |line: &[u8]| {
        let (name, value) = line.split_at(memchr::memchr(b':', line)?);
        Some((name.to_vec(), value[1..].trim_ascii().to_vec()))
    };
    (first, lines.filter_map(pair).collect())
}

/// A body without the line ends that stand between sections.
fn content(text: &[u8], headers: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let length = header(headers, "content-length").and_then(|text| std::str::from_utf8(text).ok()?.trim().parse().ok());
    let behind = |length: &usize| text.get(*length..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'\n'));
    match length.filter(behind) {
        Some(length) => text[..length].to_vec(),
        None => text.strip_suffix(b"\n").unwrap_or(text).to_vec(),
    }
}
