//! Where a head ends: the first empty line, found without looking at any byte twice.
//!
//! Every line ends with CR LF. A recipient may take a lone LF for a line end (RFC 9112, section 2.2), which is one of the ways two
//! servers come to disagree about a request: it is refused here.

use super::head::HeadLimits;

/// Empty lines before the request line that are ignored. RFC 9112 asks for at least one; more is a client that is lost.
const EMPTY_LINES: usize = 4;

/// The state of a search over a buffer that grows at its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    /// Everything before this offset has been looked at.
    scanned: usize,
    /// Where the current line starts.
    line: usize,
    /// Empty lines before the request line.
    empty: usize,
    /// Where the request line starts.
    start: usize,
    /// Complete lines, request line counted.
    lines: usize,
}

/// What is known of the head so far.
pub(super) enum Found {
    /// It goes on.
    More,
    /// It is `start..end`, the empty line included, and has `headers` header lines.
    End { start: usize, end: usize, headers: usize },
    /// It cannot be one. `start..upto` is what was read.
    Refusal { status: u16, reason: &'static str, start: usize, upto: usize },
}

impl Search {
    /// Goes on with the search. The decision depends on the bytes alone, never on how they were cut into reads: each refusal
    /// hangs on one offset, and offsets are passed in order.
    pub(super) fn advance(&mut self, buffer: &[u8], limits: &HeadLimits) -> Found {
        let window = buffer.get(..limits.bytes).unwrap_or(buffer);
        loop {
            let found = window.get(self.scanned..).and_then(|rest| memchr::memchr(b'\n', rest));
            let lf = found.map_or(window.len(), |at| self.scanned + at);
            // The longest line with its CR, and then one byte that is not the LF.
            if self.lines == 0 && lf.saturating_sub(self.start) > limits.request_line.saturating_add(1) {
                let upto = self.start + limits.request_line;
                return self.refusal(414, "the request line is too long", upto);
            }
            if found.is_none() {
                break;
            }
            self.scanned = lf + 1;
            let line = window.get(self.line..lf).unwrap_or_default();
            self.line = lf + 1;
            match line.strip_suffix(b"\r") {
                None => return self.refusal(400, "a line ends without a carriage return", lf + 1),
                Some([]) if self.lines > 0 => {
                    return Found::End { start: self.start, end: lf + 1, headers: self.lines - 1 };
                }
                Some([]) => {
                    self.empty += 1;
                    self.start = lf + 1;
                    if self.empty > EMPTY_LINES {
                        return self.refusal(400, "empty lines instead of a request line", lf + 1);
                    }
                }
                Some(_) => {
                    self.lines += 1;
                    if self.lines > limits.headers.saturating_add(1) {
                        return self.refusal(431, "too many header lines", lf + 1);
                    }
                }
            }
        }
        self.scanned = window.len();
        if buffer.len() >= limits.bytes {
            return self.refusal(431, "the head is too long", limits.bytes);
        }
        Found::More
    }

    fn refusal(&self, status: u16, reason: &'static str, upto: usize) -> Found {
        Found::Refusal { status, reason, start: self.start, upto }
    }
}
