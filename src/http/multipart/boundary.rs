//! The boundary: the parameter of the Content-Type header, and the lines that look like it.

use crate::http::Report;
use memchr::memmem::Finder;
use std::borrow::Cow;
use std::cell::OnceCell;

/// Longest Content-Type that is read, in bytes, as in ModSecurity. RFC 2046 allows boundaries of 70.
const MAX_LENGTH: usize = 1024;
/// Bytes after a boundary in its line before the line is content for certain.
const MAX_PADDING: usize = 256;

/// What the Content-Type header says about the boundary.
#[derive(Debug, Default)]
pub(super) struct Boundary {
    /// `--` and the boundary, as lines begin with it; empty if there is none to be had.
    dashed: Vec<u8>,
    quoted: bool,
    whitespace: bool,
    missing_semicolon: bool,
    error: Option<&'static str>,
    /// Searches for the boundary after a CR.
    after_cr: OnceCell<Finder<'static>>,
}

impl Boundary {
    /// Reads the header's value as ModSecurity does: strict in judgement, but a boundary that can be made out is used even then.
    pub(super) fn of(content_type: &[u8]) -> Self {
        let mut found = Boundary::default();
        if content_type.len() > MAX_LENGTH {
            found.fail("Invalid boundary in C-T (length)");
            return found;
        }
        let rest = match content_type.split_at_checked(b"multipart/form-data".len()) {
            Some((media_type, rest)) if media_type.eq_ignore_ascii_case(b"multipart/form-data") => rest,
            _ => {
                found.error = Some("Invalid MIME type in C-T");
                content_type
            }
        };
        let mut parameters = parameters(rest);
        let Some(first) = parameters.next() else {
            found.fail(if mentions_boundary(rest) {
                "Invalid boundary in C-T (parameter name)"
            } else {
                "Boundary not found in C-T"
            });
            return found;
        };
        let mut value = first.value;
        if let Some(second) = parameters.next() {
            found.fail("Multiple boundary parameters in C-T");
            // Even where a comma stands before the second, which a boundary may have in it, the first ends there.
            let end = second.before.len().saturating_sub(first.value_at);
            let before = value.get(..end).unwrap_or(value).trim_ascii_end();
            value = before.strip_suffix(b",").unwrap_or(before);
        }
        if first.before.contains(&b',') {
            found.fail("Invalid boundary in C-T (malformed)");
        }
        found.missing_semicolon = !first.before.trim_ascii_end().ends_with(b";");
        if first.name != b"boundary" {
            found.fail("Invalid boundary in C-T (case sensitivity)");
        }
        found.whitespace = first.space_before_equals || value.first().is_some_and(u8::is_ascii_whitespace);
        let value = value.trim_ascii_start();
        let value = match value.strip_prefix(b"\"") {
            Some(inner) => found.quoted_value(inner),
            None => found.plain_value(value),
        };
        if value.is_empty() {
            found.fail("Invalid boundary in C-T (empty)");
        } else {
            if !value.iter().all(is_boundary_character) || value.ends_with(b" ") {
                found.fail("Invalid boundary in C-T (characters)");
            }
            found.dashed = [b"--", value].concat();
        }
        found
    }

    fn quoted_value<'a>(&mut self, inner: &'a [u8]) -> &'a [u8] {
        match memchr::memchr(b'"', inner) {
            None => {
                self.fail("Invalid boundary in C-T (quote)");
                inner
            }
            Some(end) => {
                self.quoted = true;
                let (value, after) = inner.split_at(end);
                let after = after.get(1..).unwrap_or_default().trim_ascii_start();
                if !after.is_empty() && !after.starts_with(b";") {
                    self.fail("Invalid boundary in C-T (characters)");
                }
                value
            }
        }
    }

    fn plain_value<'a>(&mut self, value: &'a [u8]) -> &'a [u8] {
        let value = value.split(|&byte| byte == b';').next().unwrap_or_default();
        let trimmed = value.trim_ascii_end();
        self.whitespace |= trimmed.len() < value.len();
        if trimmed.contains(&b'"') {
            self.fail("Invalid boundary in C-T (quote)");
        }
        trimmed
    }

    fn fail(&mut self, what: &'static str) {
        self.error.get_or_insert(what);
    }

    /// Hands over what was found.
    pub(super) fn report(&self, report: &mut Report) {
        let flags = &mut report.multipart;
        flags.boundary_quoted = self.quoted;
        flags.boundary_whitespace = self.whitespace;
        flags.missing_semicolon = self.missing_semicolon;
        if let Some(what) = self.error {
            flags.processor_error = true;
            report.fail(Cow::Owned(format!("Multipart parsing error: {what}")));
        }
    }

    /// Whether there is a boundary to look for.
    pub(super) fn is_known(&self) -> bool {
        !self.dashed.is_empty()
    }

    /// What follows the boundary in a line that begins with it.
    pub(super) fn after<'a>(&self, line: &'a [u8]) -> Option<&'a [u8]> {
        if self.is_known() { line.strip_prefix(self.dashed.as_slice()) } else { None }
    }

    /// Whether a line that begins so may yet turn out to be a boundary, or nearly one.
    pub(super) fn may_begin(&self, start: &[u8]) -> bool {
        match start.first() {
            None => true,
            Some(b'-' | b' ' | b'\t') => start.len() <= self.dashed.len() + MAX_PADDING,
            Some(_) => false,
        }
    }

    /// Whether a boundary follows a CR without LF in a part's content. Some recipients take the CR for the end of a line.
    pub(super) fn follows_bare_cr(&self, content: &[u8]) -> bool {
        let finder = self.after_cr.get_or_init(|| Finder::new(&[b"\r", self.dashed.as_slice()].concat()).into_owned());
        self.is_known() && finder.find(content).is_some()
    }

    /// Why a line that is no boundary might be taken for one.
    pub(super) fn near_miss(&self, line: &[u8]) -> Option<&'static str> {
        let boundary = self.dashed.get(2..).filter(|boundary| !boundary.is_empty())?;
        // Recipients that end an unquoted boundary at a comma or blank.
        if let Some(cut) = self.dashed.iter().position(|byte| matches!(byte, b',' | b' ')).filter(|cut| *cut > 2)
            && let Some(rest) = self.dashed.get(..cut).and_then(|short| line.strip_prefix(short))
            && matches!(rest.trim_ascii(), b"" | b"--")
        {
            return Some("Invalid boundary (cut short)");
        }
        if let Some(inner) = line.strip_prefix(b"--\"") {
            return inner.starts_with(boundary).then_some("Invalid boundary (quotes)");
        }
        if line.split_at_checked(self.dashed.len()).is_some_and(|(start, _)| start.eq_ignore_ascii_case(&self.dashed)) {
            return Some("Invalid boundary (case sensitivity)");
        }
        let blank = matches!(line.first(), Some(b' ' | b'\t')) && line.trim_ascii_start().starts_with(&self.dashed);
        blank.then_some("Invalid boundary (whitespace)")
    }
}

/// A `boundary` parameter.
struct Occurrence<'a> {
    /// What stands before it in the header.
    before: &'a [u8],
    name: &'a [u8],
    space_before_equals: bool,
    /// All that follows the `=`, and where it begins.
    value: &'a [u8],
    value_at: usize,
}

/// Every place that might be read as a boundary parameter: the word after a delimiter and before a `=`.
fn parameters(header: &[u8]) -> impl Iterator<Item = Occurrence<'_>> {
    mentions(header).filter_map(|at| {
        let (before, from) = header.split_at(at);
        let (name, after) = from.split_at_checked(b"boundary".len())?;
        let equals = after.trim_ascii_start();
        let delimited = before.last().is_none_or(|byte| matches!(byte, b';' | b',') || byte.is_ascii_whitespace());
        let value = equals.strip_prefix(b"=").filter(|_| delimited)?;
        Some(Occurrence {
            before,
            name,
            space_before_equals: equals.len() < after.len(),
            value,
            value_at: header.len() - value.len(),
        })
    })
}

fn mentions(header: &[u8]) -> impl Iterator<Item = usize> {
    header
        .windows(b"boundary".len())
        .enumerate()
        .filter_map(|(at, word)| word.eq_ignore_ascii_case(b"boundary").then_some(at))
}

fn mentions_boundary(header: &[u8]) -> bool {
    mentions(header).next().is_some()
}

/// The characters of RFC 2046, section 5.1.1.
fn is_boundary_character(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_judged_as_by_modsecurity() {
        // Content-Type without the media type; boundary; quoted, whitespace, missing semicolon; error
        for (header, boundary, flags, error) in [
            ("; boundary=0000", "0000", [false, false, false], ""),
            (";boundary=0000", "0000", [false, false, false], ""),
            ("; boundary=-----boundary", "-----boundary", [false, false, false], ""),
            ("; boundary=Zz '()+_,-./:=?", "Zz '()+_,-./:=?", [false, false, false], ""),
            ("; boundary=00; charset=UTF-8", "00", [false, false, false], ""),
            ("; charset=UTF-8; boundary=00", "00", [false, false, false], ""),
            ("; boundary=\"0000\"", "0000", [true, false, false], ""),
            ("; boundary=\" 00\"", " 00", [true, false, false], ""),
            ("; boundary= 0000", "0000", [false, true, false], ""),
            ("; boundary =0000", "0000", [false, true, false], ""),
            ("; boundary=0000 ", "0000", [false, true, false], ""),
            (" boundary=0000", "0000", [false, false, true], ""),
            (", boundary=0000", "0000", [false, false, true], "malformed"),
            ("; bOundAry=0000", "0000", [false, false, false], "case sensitivity"),
            ("; boundary123=0000", "", [false, false, false], "parameter name"),
            ("; boundary=\"0\"; boundary=1", "0", [true, false, false], "Multiple"),
            ("; boundary=0, boundary=1", "0", [false, false, false], "Multiple"),
            ("; boundary=0 ;boundary =1", "0", [false, true, false], "Multiple"),
            ("; boundary=00!11", "00!11", [false, false, false], "characters"),
            ("; boundary=\"00 \"", "00 ", [true, false, false], "characters"),
            ("; boundary=\"00\"00\"", "00", [true, false, false], "characters"),
            ("; boundary=\"00", "00", [false, false, false], "quote"),
            ("; boundary=00\"", "00\"", [false, false, false], "quote"),
            ("; boundary=", "", [false, false, false], "empty"),
            ("", "", [false, false, false], "not found"),
        ] {
            let found = Boundary::of(format!("multipart/form-data{header}").as_bytes());
            let dashed = if boundary.is_empty() { String::new() } else { format!("--{boundary}") };
            assert_eq!(found.dashed, dashed.as_bytes(), "{header}");
            assert_eq!([found.quoted, found.whitespace, found.missing_semicolon], flags, "{header}");
            assert_eq!(found.error.is_some(), !error.is_empty(), "{header}: {:?}", found.error);
            assert!(found.error.unwrap_or_default().contains(error), "{header}: {:?}", found.error);
        }
        assert!(Boundary::of(b"multipart/mixed; boundary=x").error.is_some());
        assert!(Boundary::of(&[&b"multipart/form-data; boundary="[..], &[b'x'; 1024]].concat()).error.is_some());
    }
}
