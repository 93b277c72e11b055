//! multipart/form-data bodies (RFC 7578, RFC 2046): form fields, files, part headers.
//!
//! Recipients disagree about broken multipart bodies, which makes them the classic way around inspection. So every deviation
//! sets a flag (the `MULTIPART_*` variables of ModSecurity) or is an error, and reading goes on: a part without a usable name is
//! a form field without a name, every name and file name of a Content-Disposition is given out, a line that nearly is a boundary
//! is an error and content. What stands before the first and after the final boundary is flagged and not inspected; a body whose
//! boundary the Content-Type does not tell is an error and not read at all. What only some recipients do (decode a part, read a
//! multipart inside a part, take a file without a file name for a field) is flagged or read both ways.

mod boundary;
mod disposition;
mod part;

use super::{Bytes, Fields, ParseLimits, Report};
use crate::meter::{Exhausted, Meter, Price};
use boundary::Boundary;

/// Fuel for one byte.
pub(super) const PER_BYTE: u64 = 1;
/// Fuel for one line.
const PER_LINE: u64 = 12;
/// Fuel for one header line more: it is compared with those before it.
const PER_HEADER: u64 = 16;
/// Fuel for one part.
const PER_PART: u64 = 24;
/// Fuel for a second name and for each file name.
const PER_NAME: u64 = 12;
/// Headers of one part. RFC 7578 knows three.
const MAX_HEADERS: usize = 32;

/// A line takes a byte or more, a header line two, a part five (`--B`, LF, LF), a name six (`;name=`); each of them may be cut
/// short once, by the end of the body.
pub(super) const PRICE: Price = Price::per_byte(
    PER_LINE + PER_HEADER + PER_PART + PER_NAME,
    PER_BYTE + PER_LINE + PER_HEADER / 2 + PER_PART.div_ceil(5) + PER_NAME / 6,
);

/// Which lines come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Preamble,
    Headers,
    Content,
    Epilogue,
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Eol {
    /// At the end of the body.
    None,
    Lf,
    CrLf,
}

impl Eol {
    const fn len(self) -> usize {
        match self {
            Eol::None => 0,
            Eol::Lf => 1,
            Eol::CrLf => 2,
        }
    }
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Delimiter,
    Final,
    Other,
}

/// The part that is read.
#[derive(Debug, Default)]
struct Part {
    /// The header lines, unfolded.
    headers: Vec<Bytes>,
    header_bytes: usize,
    /// Whether its content is an uploaded file, and whether one of its file names is not empty.
    file: bool,
    file_named: bool,
    name: Bytes,
    content: Bytes,
    /// Bytes of the last line end in the content: they belong to it only if no boundary follows.
    pending: usize,
}

/// The machine.
#[derive(Debug)]
pub(super) struct Multipart {
    boundary: Boundary,
    limits: ParseLimits,
    stage: Stage,
    part: Part,
    parts: usize,
    files: usize,
    /// Where the current line begins, and how far it was searched for its end.
    line_start: usize,
    searched: usize,
    /// The beginning of the current line is content already.
    in_content_line: bool,
    seen_crlf: bool,
    /// A line looked like a boundary and was none.
    seen_unmatched: bool,
    started: bool,
}

/// What a step writes to.
struct Out<'a> {
    fields: &'a mut Fields,
    report: &'a mut Report,
    meter: &'a mut Meter,
    /// Offset of the line being read.
    at: usize,
    /// A limit was reached: the reading ends.
    stop: bool,
}

impl Out<'_> {
    fn error(&mut self, what: &str) {
        self.report.fail_multipart(what, self.at);
    }

    /// An error that makes a part unusable.
    fn invalid_part(&mut self, what: &str) {
        self.report.multipart.invalid_part = true;
        self.error(what);
    }
}

impl Multipart {
    pub(super) fn new(content_type: &[u8], limits: &ParseLimits) -> Self {
        Multipart {
            boundary: Boundary::of(content_type),
            limits: *limits,
            stage: Stage::Preamble,
            part: Part::default(),
            parts: 0,
            files: 0,
            line_start: 0,
            searched: 0,
            in_content_line: false,
            seen_crlf: false,
            seen_unmatched: false,
            started: false,
        }
    }

    /// Reads on in `seen`, the body so far; answers whether to go on.
    pub(super) fn feed(
        &mut self,
        seen: &[u8],
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        if !self.started {
            self.started = true;
            self.boundary.report(report);
            if !self.boundary.is_known() {
                return Ok(false);
            }
        }
        let mut out = Out { fields, report, meter, at: self.line_start, stop: false };
        while let Some(found) = memchr::memchr(b'\n', seen.get(self.searched..).unwrap_or_default()) {
            let end = self.searched + found;
            let line = seen.get(self.line_start..=end).unwrap_or_default();
            out.at = self.line_start;
            self.line(line, if line.ends_with(b"\r\n") { Eol::CrLf } else { Eol::Lf }, &mut out)?;
            if out.stop {
                return Ok(false);
            }
            self.line_start = end + 1;
            self.searched = self.line_start;
        }
        self.searched = seen.len();
        out.at = self.line_start;
        self.partial_line(seen, &mut out)?;
        Ok(!out.stop)
    }

    /// Ends what is open when the body ends. An empty body is no error.
    pub(super) fn finish(
        &mut self,
        body: &[u8],
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        if body.is_empty() {
            return Ok(());
        }
        let mut out = Out { fields, report, meter, at: self.line_start, stop: false };
        let rest = body.get(self.line_start..).unwrap_or_default();
        if !rest.is_empty() {
            self.line(rest, Eol::None, &mut out)?;
        }
        if out.stop {
            return Ok(());
        }
        out.at = body.len();
        if self.stage == Stage::Headers {
            self.headers_end(&mut out)?;
        }
        if self.stage == Stage::Content {
            self.part.pending = 0;
            self.content_end(&mut out);
        }
        let complete = self.stage == Stage::Epilogue;
        if !complete {
            out.error(if self.parts == 0 { "No boundaries found in payload" } else { "Final boundary missing" });
        }
        out.report.multipart.unmatched_boundary = match (complete, self.seen_unmatched) {
            (false, _) => 1,
            (true, true) => 2,
            (true, false) => 0,
        };
        Ok(())
    }

    /// Reads a line with its end, the beginning of which may be content already.
    fn line(&mut self, whole: &[u8], eol: Eol, out: &mut Out<'_>) -> Result<(), Exhausted> {
        out.meter.charge(PER_LINE)?;
        if std::mem::take(&mut self.in_content_line) {
            return self.content_line(whole, eol, out);
        }
        let line = whole.get(..whole.len().saturating_sub(eol.len())).unwrap_or_default();
        if self.stage == Stage::Epilogue {
            out.report.multipart.data_after = true;
            return Ok(());
        }
        match self.classify(line, out) {
            Line::Other => match self.stage {
                Stage::Headers => self.header_line(line, whole, eol, out),
                Stage::Content => self.content_line(whole, eol, out),
                Stage::Preamble | Stage::Epilogue => {
                    out.report.multipart.data_before = true;
                    Ok(())
                }
            },
            delimiter => {
                self.end_of_line(eol, out);
                if self.stage == Stage::Headers {
                    out.invalid_part("Part header block is not closed");
                    self.headers_end(out)?;
                }
                if self.stage == Stage::Content && !out.stop {
                    self.content_end(out);
                }
                if delimiter == Line::Final {
                    self.stage = Stage::Epilogue;
                } else {
                    self.part_begin(out)?;
                }
                Ok(())
            }
        }
    }

    /// Takes what is certainly content off a line whose end is not here yet, so that long lines need no second pass.
    fn partial_line(&mut self, seen: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        let line = seen.get(self.line_start..).unwrap_or_default();
        match self.stage {
            Stage::Content if self.in_content_line || !self.boundary.may_begin(line) => {
                // A CR may belong to the end of the line.
                let content = line.strip_suffix(b"\r").unwrap_or(line);
                if !content.is_empty() {
                    if !self.in_content_line {
                        // A boundary this long is content, whatever it begins with.
                        self.classify(content, out);
                    }
                    out.fields.append(&mut self.part.content, content)?;
                    self.part.pending = 0;
                    self.in_content_line = true;
                    self.line_start += content.len();
                }
            }
            Stage::Headers if line.len() > self.limits.multipart_header => self.header_overflow(out)?,
            _ => {}
        }
        Ok(())
    }

    /// Tells boundaries from other lines and flags what nearly is one.
    fn classify(&mut self, line: &[u8], out: &mut Out<'_>) -> Line {
        match self.boundary.after(line) {
            Some(b"") => Line::Delimiter,
            Some(b"--") => Line::Final,
            Some(rest) => {
                out.error("Invalid boundary (characters after it)");
                match rest.strip_prefix(b"--") {
                    Some(_) => Line::Final,
                    None if rest.trim_ascii().is_empty() => Line::Delimiter,
                    None => {
                        self.seen_unmatched = true;
                        Line::Other
                    }
                }
            }
            None => {
                self.note_unmatched(line, out);
                Line::Other
            }
        }
    }

    fn note_unmatched(&mut self, line: &[u8], out: &mut Out<'_>) {
        if line.starts_with(b"--") {
            self.seen_unmatched = true;
        }
        if let Some(what) = self.boundary.near_miss(line) {
            self.seen_unmatched = true;
            out.error(what);
        }
    }

    /// Notes how a boundary or header line ends.
    fn end_of_line(&mut self, eol: Eol, out: &mut Out<'_>) {
        let flags = &mut out.report.multipart;
        flags.lf_line |= eol == Eol::Lf;
        self.seen_crlf |= eol == Eol::CrLf;
        flags.crlf_lf_lines = flags.lf_line && self.seen_crlf;
    }
}
