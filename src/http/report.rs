//! What the parsers found wrong: flags that rules can see.

use std::borrow::Cow;
use std::fmt;

/// The findings about one request's query and body. Nothing in it stops inspection by itself: rules decide.
#[derive(Default, Clone, Debug, PartialEq)]
pub struct Report {
    /// The body (or the query) is not what it should be: REQBODY_ERROR.
    pub error: bool,
    /// The first thing that is wrong, and at which byte: REQBODY_ERROR_MSG.
    pub error_message: Cow<'static, str>,
    /// There are more arguments than [`ParseLimits::arguments`](super::ParseLimits::arguments); the rest was not parsed.
    pub arguments_exceeded: bool,
    /// A `%` in query or urlencoded body is not followed by two hexadecimal digits: URLENCODED_ERROR.
    pub urlencoded_error: bool,
    /// What is odd about a multipart body.
    pub multipart: MultipartFlags,
    /// Bytes of all uploaded files: FILES_COMBINED_SIZE.
    pub files_combined_size: u64,
    /// The content codings of the body could not be undone, or not to its end; see [`End`](super::coding::End).
    pub coding_error: bool,
    /// JSON nests deeper than [`ParseLimits::json_depth`](super::ParseLimits::json_depth); the rest was not parsed.
    pub json_depth_exceeded: bool,
    /// The names of the leaves of a body together outgrew their budget; the rest was not parsed.
    pub json_names_exceeded: bool,
    /// GraphQL or a Protobuf message nests deeper than its limit; the rest was not parsed.
    pub depth_exceeded: bool,
    /// A document inside a value was not parsed to its end, because a limit was reached. The value itself is there.
    pub nested_exceeded: bool,
    /// XML nests deeper than [`ParseLimits::xml_depth`](super::ParseLimits::xml_depth); the rest was not parsed.
    pub xml_depth_exceeded: bool,
    /// An XML document has a document type declaration. It is not read, no entity it declares is expanded.
    pub xml_doctype: bool,
    /// A part of a multipart body has a Content-Transfer-Encoding that some recipients decode.
    pub part_coded: bool,
    /// A part of a multipart body names a character set that may hide ASCII text.
    pub part_charset: bool,
}

impl Report {
    /// Notes an error; the first message stays.
    pub(crate) fn fail(&mut self, message: impl Into<Cow<'static, str>>) {
        if !self.error {
            self.error = true;
            self.error_message = message.into();
        }
    }

    /// Notes an error at a byte of the body; the first message stays.
    pub(super) fn fail_at(&mut self, what: impl fmt::Display, byte: usize) {
        if !self.error {
            self.fail(format!("{what} at byte {byte}"));
        }
    }

    /// Notes that the body could not be decoded to its end.
    pub fn fail_coding(&mut self, end: super::coding::End) {
        self.coding_error = true;
        self.fail(format!("Content-Encoding: {end}"));
    }

    /// Notes an error of a multipart body at a byte.
    pub(super) fn fail_multipart(&mut self, what: impl fmt::Display, byte: usize) {
        self.multipart.processor_error = true;
        self.fail_at(format_args!("Multipart parsing error: {what}"), byte);
    }

    /// Notes that an uploaded file could not be stored.
    pub(crate) fn fail_upload(&mut self, why: impl fmt::Display) {
        self.multipart.processor_error = true;
        self.fail(format!("Multipart: a file cannot be stored: {why}"));
    }

    /// Notes that the argument limit was reached.
    pub(super) fn too_many_arguments(&mut self, limit: usize, byte: usize) {
        self.arguments_exceeded = true;
        self.fail_at(format_args!("Skipping request argument, over limit ({limit})"), byte);
    }
}

/// What is odd about a multipart body, as ModSecurity's reference manual names it (`MULTIPART_*`).
#[derive(Default, Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultipartFlags {
    /// The body is broken: part of REQBODY_PROCESSOR_ERROR.
    pub processor_error: bool,
    /// The boundary parameter is a quoted string.
    pub boundary_quoted: bool,
    /// There is white space around the boundary parameter's name or value.
    pub boundary_whitespace: bool,
    /// Something stands before the first boundary.
    pub data_before: bool,
    /// Something stands after the final boundary.
    pub data_after: bool,
    /// A part header is folded.
    pub header_folding: bool,
    /// A boundary or header line ends in LF alone.
    pub lf_line: bool,
    /// Some such lines end in CRLF and some in LF: MULTIPART_CRLF_LF_LINES.
    pub crlf_lf_lines: bool,
    /// No semicolon before a parameter.
    pub missing_semicolon: bool,
    /// A value is quoted in a way that recipients read differently.
    pub invalid_quoting: bool,
    /// A part has no usable name or an unreadable header block.
    pub invalid_part: bool,
    /// A header is folded with something other than space and tab.
    pub invalid_header_folding: bool,
    /// More files than [`ParseLimits::upload_files`](super::ParseLimits::upload_files). All of them were read.
    pub file_limit_exceeded: bool,
    /// 0: every line that looks like a boundary is one. 1: the first or the final boundary is missing. 2: both are there, but
    /// other lines begin with `--` too.
    pub unmatched_boundary: u8,
}

impl MultipartFlags {
    /// MULTIPART_STRICT_ERROR: any flag but `crlf_lf_lines` (which implies `lf_line`) and `unmatched_boundary`.
    ///
    /// ```
    /// use fusewall::http::MultipartFlags;
    /// assert!(!MultipartFlags { unmatched_boundary: 2, ..Default::default() }.strict_error());
    /// assert!(MultipartFlags { data_before: true, ..Default::default() }.strict_error());
    /// ```
    pub fn strict_error(&self) -> bool {
        self.processor_error
            || self.boundary_quoted
            || self.boundary_whitespace
            || self.data_before
            || self.data_after
            || self.header_folding
            || self.lf_line
            || self.missing_semicolon
            || self.invalid_quoting
            || self.invalid_part
            || self.invalid_header_folding
            || self.file_limit_exceeded
    }
}
