//! A part: its headers, its names, its content.

use super::disposition::{Disposition, Parameter};
use super::{Eol, MAX_HEADERS, Multipart, Out, PER_HEADER, PER_NAME, PER_PART, Part, Stage};
use crate::http::{Bytes, Kind, Report, content};
use crate::meter::Exhausted;

impl Multipart {
    pub(super) fn part_begin(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        if self.parts >= self.limits.multipart_parts {
            out.error("Too many parts");
            out.stop = true;
            return Ok(());
        }
        out.meter.charge(PER_PART)?;
        self.parts += 1;
        self.stage = Stage::Headers;
        let mut headers = std::mem::take(&mut self.part.headers);
        headers.clear();
        self.part = Part { headers, ..Part::default() };
        Ok(())
    }

    pub(super) fn header_line(
        &mut self,
        line: &[u8],
        whole: &[u8],
        eol: Eol,
        out: &mut Out<'_>,
    ) -> Result<(), Exhausted> {
        self.end_of_line(eol, out);
        if line.is_empty() {
            return self.headers_end(out);
        }
        self.part.header_bytes += line.len();
        if self.part.header_bytes > self.limits.multipart_header || self.part.headers.len() >= MAX_HEADERS {
            self.header_overflow(out)?;
            return self.content_line(whole, eol, out);
        }
        out.meter.charge(PER_HEADER)?;
        if line.iter().any(|byte| matches!(byte, 0 | b'\r')) {
            out.invalid_part("Invalid part header (contains invalid character)");
        }
        let folded = line.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0B).count();
        if folded > 0 {
            let flags = &mut out.report.multipart;
            flags.header_folding = true;
            let blank = line.get(..folded).unwrap_or_default();
            flags.invalid_header_folding |= blank.iter().any(|byte| !matches!(byte, b' ' | b'\t'));
            if let Some(header) = self.part.headers.last_mut() {
                return out.fields.append(header, line);
            }
            out.invalid_part("Invalid part header (folding error)");
        } else {
            match memchr::memchr(b':', line) {
                None => out.invalid_part("Invalid part header (colon missing)"),
                Some(0) => out.invalid_part("Invalid part header (header name missing)"),
                Some(colon) => {
                    let name = line.get(..colon).unwrap_or_default();
                    if !name.iter().all(u8::is_ascii_graphic) {
                        out.invalid_part("Invalid part header (contains invalid character)");
                    }
                    if self.part.headers.iter().any(|header| is_header(out.fields.bytes(*header), name)) {
                        out.error("Duplicate part header");
                    }
                }
            }
        }
        let mut header = Bytes::default();
        out.fields.append(&mut header, line)?;
        self.part.headers.push(header);
        Ok(())
    }

    /// The header block is too long: what is left of it is read as content, under whatever name was found.
    pub(super) fn header_overflow(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        out.invalid_part("Part header block is too long");
        self.headers_end(out)
    }

    /// Gives out the part's headers and names, and begins its content.
    pub(super) fn headers_end(&mut self, out: &mut Out<'_>) -> Result<(), Exhausted> {
        self.stage = Stage::Content;
        let value = self.part.headers.iter().find_map(|header| {
            let header = out.fields.bytes(*header);
            let value = header.splitn(2, |&byte| byte == b':').nth(1)?;
            is_header(header, b"content-disposition").then(|| value.to_vec())
        });
        let disposition = match value {
            Some(value) => Disposition::parse(&value),
            None => {
                out.invalid_part("Part missing Content-Disposition header");
                Disposition::default()
            }
        };
        disposition.report(out.report, out.at);
        let mut names = disposition.values(Parameter::Name);
        match names.next() {
            Some(name) => self.part.name = out.fields.store(name)?,
            None => out.invalid_part("Content-Disposition header missing name field"),
        }
        for &header in &self.part.headers {
            judge_header(out.fields.bytes(header), out.report, out.at);
            out.fields.push_stored(Kind::PartHeader, self.part.name, header);
        }
        for name in names {
            self.argument(name, out)?;
        }
        for file_name in disposition.values(Parameter::FileName) {
            out.meter.charge(PER_NAME)?;
            self.part.file = true;
            self.part.file_named |= !file_name.is_empty();
            let file_name = out.fields.store(file_name)?;
            out.fields.push_stored(Kind::File, self.part.name, file_name);
        }
        if self.part.file {
            self.files += 1;
            if self.files > self.limits.upload_files {
                // The file is read all the same: the flag alone tells, as in ModSecurity.
                out.report.multipart.file_limit_exceeded = true;
            }
        }
        Ok(())
    }

    /// A second name of a part: an argument without a value, so that it is inspected.
    fn argument(&mut self, name: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        out.meter.charge(PER_NAME)?;
        if self.may_add_argument(out) {
            out.fields.push(Kind::ArgPost, name, b"")?;
        }
        Ok(())
    }

    fn may_add_argument(&self, out: &mut Out<'_>) -> bool {
        let room = out.fields.arguments() < self.limits.arguments;
        if !room {
            out.report.multipart.processor_error = true;
            out.report.too_many_arguments(self.limits.arguments, out.at);
            out.stop = true;
        }
        room
    }

    pub(super) fn content_line(&mut self, whole: &[u8], eol: Eol, out: &mut Out<'_>) -> Result<(), Exhausted> {
        self.part.pending = eol.len();
        out.fields.append(&mut self.part.content, whole)
    }

    /// Gives out the part's content.
    pub(super) fn content_end(&mut self, out: &mut Out<'_>) {
        let part = &self.part;
        let content = part.content.without_last(part.pending);
        if self.boundary.follows_bare_cr(out.fields.bytes(content)) {
            out.report.fail_multipart("Invalid boundary (after a bare CR)", out.at);
        }
        if part.file {
            out.report.files_combined_size += content.len() as u64;
            out.fields.push_stored(Kind::FileContent, part.name, content);
        }
        // Go's reader takes a part with an empty file name for a form field.
        let field = !part.file || !part.file_named && !content.is_empty();
        if field && self.may_add_argument(out) {
            out.fields.push_stored(Kind::ArgPost, part.name, content);
        }
    }
}

/// Notes what a header of a part may make of its content.
fn judge_header(header: &[u8], report: &mut Report, at: usize) {
    let Some(value) = header.splitn(2, |&byte| byte == b':').nth(1) else { return };
    let value = value.trim_ascii();
    if is_header(header, b"content-type") {
        report.part_charset |= content::hides_text(value);
        // RFC 7578, section 4.3, deprecates parts in parts; what reads them sees fields where others see one file.
        let kind = value.get(..b"multipart/".len()).unwrap_or_default();
        if kind.eq_ignore_ascii_case(b"multipart/") {
            report.multipart.invalid_part = true;
            report.fail_multipart("Part is a multipart body itself", at);
        }
    } else if is_header(header, b"content-transfer-encoding") {
        let plain = [&b"7bit"[..], b"8bit", b"binary", b""].iter().any(|plain| value.eq_ignore_ascii_case(plain));
        report.part_coded |= !plain;
    }
}

/// Whether a header line has that name.
fn is_header(line: &[u8], name: &[u8]) -> bool {
    line.split_at_checked(name.len())
        .is_some_and(|(start, rest)| start.eq_ignore_ascii_case(name) && rest.trim_ascii_start().starts_with(b":"))
}
