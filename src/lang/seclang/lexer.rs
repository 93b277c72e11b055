//! From bytes to directives: physical lines are joined, joined lines are split into words.
//!
//! Lines and words follow Apache's configuration reader, which ModSecurity v2 inherits: a backslash at the very end joins the
//! next line, `#` starts a comment only at the start of a line, words are quoted with `"` or `'`, and inside quotes `\\` and an
//! escaped quote stand for the second byte. Two things are more generous: a comment may stand between joined lines, and
//! `NAME:'a b'` holds together without quotes around the whole word.
//!
//! One directive has a form of its own, which is Coraza's: the lines of a `SecDataset` stand between backticks.

use super::codes;
use super::text::{Text, is_blank};
use crate::diag::{Diagnostic, Diagnostics, SourceId, Span};

/// One directive.
#[derive(Debug, Clone)]
pub(super) struct Directive {
    /// Its name, as written.
    pub name: Text,
    /// What follows the name.
    pub arguments: Vec<Word>,
    /// From the name to the end of its last line.
    pub span: Span,
}

/// One argument.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// Its text, quotes and escapes removed.
    pub text: Text,
    /// Its place, quotes included.
    pub span: Span,
    /// Whether `\\` stood in it and was read as one backslash.
    pub halved_backslash: bool,
}

/// Splits a file into directives.
pub(super) fn directives(source: SourceId, bytes: &[u8], out: &mut Diagnostics) -> Vec<Directive> {
    let mut found = Vec::new();
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let place = Some(Span::new(source, 0, 2));
        let message = "this file is UTF-16, rules are read byte by byte";
        out.push(Diagnostic::error(codes::UNREADABLE, place, message).help("save it as UTF-8"));
        return found;
    }
    // Some editors mark UTF-8 at the start of a file.
    let at = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let mut lines = Lines { source, bytes, at };
    while let Some(line) = lines.next_joined(out) {
        found.extend(directive(&line, out));
    }
    found
}

struct Lines<'a> {
    source: SourceId,
    bytes: &'a [u8],
    at: usize,
}

/// One physical line.
struct Line<'a> {
    start: usize,
    /// Without the line end and without a joining backslash.
    text: &'a [u8],
    joins: bool,
}

impl Line<'_> {
    fn is_comment(&self) -> bool {
        self.text.iter().find(|byte| !is_blank(**byte)) == Some(&b'#')
    }
}

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Option<Line<'a>> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let start = self.at;
        let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.at += len + 1;
        let text = rest[..len].strip_suffix(b"\r").unwrap_or(&rest[..len]);
        let joined = text.strip_suffix(b"\\");
        Some(Line { start, text: joined.unwrap_or(text), joins: joined.is_some() })
    }

    /// The next line that is neither blank nor a comment, with all lines joined to it.
    fn next_joined(&mut self, out: &mut Diagnostics) -> Option<Text> {
        loop {
            let first = self.next_line()?;
            if first.is_comment() {
                self.skip_comment(first, out);
                continue;
            }
            let mut text = Text::new(self.source, first.start);
            text.extend(first.text, first.start);
            let mut joins = first.joins;
            while joins {
                let Some(line) = self.next_line() else { break };
                if !line.is_comment() {
                    text.extend(line.text, line.start);
                    joins = line.joins;
                }
            }
            let mut text = text.trimmed();
            if is_dataset(text.bytes()) && text.bytes().ends_with(b"`") {
                self.take_block(&mut text);
            }
            if !text.is_empty() {
                return Some(text);
            }
        }
    }

    /// Adds the lines up to and with the one that is a backtick.
    fn take_block(&mut self, text: &mut Text) {
        while let Some(line) = self.next_line() {
            let end = self.at.min(self.bytes.len());
            text.extend(b"\n", line.start);
            text.extend(self.bytes.get(line.start..end).unwrap_or_default(), line.start);
            if line.text.trim_ascii() == b"`" {
                return;
            }
        }
    }

    /// A backslash at the end of a comment makes the next line part of it.
    fn skip_comment(&mut self, first: Line<'a>, out: &mut Diagnostics) {
        let comment = Span::new(self.source, first.start, first.start + first.text.len());
        let mut joins = first.joins;
        while joins {
            let Some(line) = self.next_line() else { break };
            let blanks = line.text.iter().take_while(|byte| is_blank(**byte)).count();
            if line.text[blanks..].get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"sec")) {
                let span = Span::new(self.source, line.start + blanks, line.start + line.text.len());
                out.push(
                    Diagnostic::warning(codes::COMMENTED_OUT, span, "this line belongs to the comment above it")
                        .label("not read")
                        .related(comment, "this comment ends with a backslash, which joins the next line")
                        .help("remove the backslash at the end of the comment, or put `#` before this line too"),
                );
            }
            joins = line.joins;
        }
    }
}

fn directive(line: &Text, out: &mut Diagnostics) -> Option<Directive> {
    let end = line.bytes().iter().position(|byte| is_blank(*byte)).unwrap_or(line.len());
    let name = line.slice(0..end);
    let arguments = words(line, end, out)?;
    Some(Directive { name, arguments, span: line.span() })
}

/// The words of a line from `at` on; `None` after an error.
fn words(line: &Text, mut at: usize, out: &mut Diagnostics) -> Option<Vec<Word>> {
    let bytes = line.bytes();
    let mut found = Vec::new();
    loop {
        at += bytes[at..].iter().take_while(|byte| is_blank(**byte)).count();
        let Some(&first) = bytes.get(at) else { return Some(found) };
        if first == b'`' && is_dataset(bytes) {
            let Some(close) = bytes.iter().rposition(|byte| *byte == b'`').filter(|close| *close > at) else {
                let message = "this ` is never closed: the dataset has no end";
                let help = "put a ` on a line of its own behind the last entry";
                let found = Diagnostic::error(codes::QUOTE, line.span_of(at..at + 1), message);
                out.push(found.label("opened here").help(help));
                return None;
            };
            let text = line.slice(at + 1..close);
            found.push(Word { text, span: line.span_of(at..close + 1), halved_backslash: false });
            return Some(found);
        }
        let (inner, next, quote) = if first == b'"' || first == b'\'' {
            match closing(bytes, at + 1, first) {
                Some(close) => (at + 1..close, close + 1, first),
                None if bytes.ends_with(b"\\") => {
                    out.push(cut_short(line, at, first));
                    return None;
                }
                None => {
                    out.push(unterminated(line, at, first));
                    (at + 1..bytes.len(), bytes.len(), first)
                }
            }
        } else {
            let end = unquoted_end(bytes, at);
            (at..end, end, b'\\')
        };
        let text = line.unescaped(inner.clone(), quote);
        let halved_backslash = memchr::memmem::find(&bytes[inner], b"\\\\").is_some();
        found.push(Word { text, span: line.span_of(at..next), halved_backslash });
        at = next;
    }
}

fn is_dataset(line: &[u8]) -> bool {
    line.get(..11).is_some_and(|start| start[..10].eq_ignore_ascii_case(b"SecDataset") && is_blank(start[10]))
}

/// The next `quote` that no backslash escapes.
pub(super) fn closing(bytes: &[u8], mut at: usize, quote: u8) -> Option<usize> {
    loop {
        at += memchr::memchr2(quote, b'\\', bytes.get(at..)?)?;
        if bytes[at] == quote {
            return Some(at);
        }
        // A backslash takes the next byte with it only if it escapes something.
        at += if matches!(bytes.get(at + 1), Some(&next) if next == quote || next == b'\\') { 2 } else { 1 };
    }
}

fn unquoted_end(bytes: &[u8], mut at: usize) -> usize {
    let mut no_more_quotes = false;
    while let Some(&byte) = bytes.get(at) {
        if is_blank(byte) {
            break;
        }
        at += 1;
        if byte == b':' && bytes.get(at) == Some(&b'\'') && !no_more_quotes {
            match closing(bytes, at + 1, b'\'') {
                Some(close) => at = close + 1,
                None => no_more_quotes = true,
            }
        }
    }
    at
}

/// A backslash with something invisible behind it: the rest of the directive stands on the next line, unread.
fn cut_short(line: &Text, at: usize, quote: u8) -> Diagnostic {
    let quote = char::from(quote);
    Diagnostic::error(codes::QUOTE, line.span_of(at..at + 1), format!("this {quote} is never closed"))
        .label("opened here")
        .help("a backslash joins lines only as the very last byte of a line: remove what follows it")
}

/// The argument reaches to the end of the line, as Apache reads it.
fn unterminated(line: &Text, at: usize, quote: u8) -> Diagnostic {
    let quote = char::from(quote);
    let message = format!("this {quote} is never closed: the argument ends with the line");
    let help = format!(
        "close it, or write \\{quote} if it belongs to the text; a rule over several lines needs `\\` at each line end"
    );
    Diagnostic::warning(codes::OPEN_QUOTE, line.span_of(at..at + 1), message).label("opened here").help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::SourceMap;

    fn read(text: &str) -> (Vec<(String, Vec<String>)>, Diagnostics) {
        let mut sources = SourceMap::new();
        let id = sources.add("a.conf", text.as_bytes().to_vec());
        let mut out = Diagnostics::new(10);
        let flat = |d: Directive| {
            (d.name.show().into_owned(), d.arguments.iter().map(|word| word.text.show().into_owned()).collect())
        };
        (directives(id, text.as_bytes(), &mut out).into_iter().map(flat).collect(), out)
    }

    #[test]
    fn joins_lines_over_comments_and_crlf() {
        let (found, out) = read("A x \\\r\n  # not \"this\n  y\n\n# c \\\n# d\nB\n");
        assert_eq!(found, [("A".into(), vec!["x".into(), "y".into()]), ("B".into(), vec![])]);
        assert!(out.is_empty());
    }

    #[test]
    fn the_mark_of_utf_8_is_no_word_and_utf_16_is_refused() {
        assert_eq!(read("\u{feff}A b").0, [("A".into(), vec!["b".into()])]);
        let (mut sources, mut out) = (SourceMap::new(), Diagnostics::new(10));
        let id = sources.add("a.conf", b"\xff\xfeA\0".to_vec());
        assert!(directives(id, b"\xff\xfeA\0", &mut out).is_empty());
        assert_eq!(out.iter().next().unwrap().code, codes::UNREADABLE);
    }

    #[test]
    fn a_comment_that_swallows_a_rule_is_reported() {
        let (found, out) = read("# path C:\\\n  SecRule ARGS x\nB");
        assert_eq!(found.len(), 1);
        assert_eq!(out.iter().next().unwrap().code, codes::COMMENTED_OUT);
    }

    #[test]
    fn quotes_as_apache_reads_them() {
        let (found, _) = read(r#"A "a \"b\" \\ \d" 'c \'d' e"f ARGS:'a b'|X "g""h""#);
        assert_eq!(found[0].1, [r#"a "b" \ \d"#, "c 'd", "e\"f", "ARGS:'a b'|X", "g", "h"]);
        let (found, out) = read("A \"b\nC");
        assert_eq!((found.len(), out.errors(), out.iter().next().unwrap().code), (2, 0, codes::OPEN_QUOTE));
        let (found, out) = read("A \"b \\ \n c\"\n");
        assert_eq!((found.len(), out.iter().next().unwrap().code), (1, codes::QUOTE));
    }
}
