//! Strings and bare words of JSON, read in pieces.

use super::super::out::Out;
use super::super::percent::hex;
use super::super::utf8::Utf8;
use super::PER_ESCAPE;
use super::path::Path;
use crate::http::{Bytes, Fields};
use crate::meter::Exhausted;

/// Where text goes.
pub(super) enum Sink<'a> {
    Key(&'a mut Path),
    Value(&'a mut Bytes),
}

/// Where the text of a key or a value goes.
pub(super) fn sink<'a>(is_key: bool, path: &'a mut Path, value: &'a mut Bytes) -> Sink<'a> {
    if is_key { Sink::Key(path) } else { Sink::Value(value) }
}

impl Sink<'_> {
    fn put(&mut self, bytes: &[u8], fields: &mut Fields) -> Result<(), Exhausted> {
        match self {
            Sink::Key(path) => {
                path.push_key(bytes);
                Ok(())
            }
            Sink::Value(value) => fields.append(value, bytes),
        }
    }

    /// Appends a character in UTF-8; answers whether `code` is one.
    fn put_char(&mut self, code: u32, fields: &mut Fields) -> Result<bool, Exhausted> {
        match char::from_u32(code) {
            Some(char) => self.put(char.encode_utf8(&mut [0; 4]).as_bytes(), fields).map(|()| true),
            None => Ok(false),
        }
    }
}

/// How much of an escape was seen.
#[derive(Debug, Clone, Copy, Default)]
enum Escape {
    #[default]
    None,
    Backslash,
    /// `\u` and so many digits.
    Unicode([u8; 4], usize),
}

/// A string after its opening quote.
#[derive(Debug, Default)]
pub(super) struct Quoted {
    escape: Escape,
    /// The digits of a high surrogate that waits for its low one.
    high: Option<[u8; 4]>,
    utf8: Utf8,
}

impl Quoted {
    /// Reads up to the closing quote; answers what follows and whether the quote was there.
    pub(super) fn read<'b>(
        &mut self,
        block: &'b [u8],
        sink: &mut Sink<'_>,
        out: &mut Out<'_>,
    ) -> Result<(&'b [u8], bool), Exhausted> {
        let mut rest = block;
        while let Some((&byte, after)) = rest.split_first() {
            match self.escape {
                Escape::None => {
                    let special = |&byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1F);
                    let len = rest.iter().position(special).unwrap_or(rest.len());
                    let (run, next) = rest.split_at(len);
                    self.put_run(run, sink, out)?;
                    match next.split_first() {
                        Some((b'"', after)) => {
                            self.finish(sink, out)?;
                            return Ok((after, true));
                        }
                        Some((b'\\', after)) => {
                            out.meter.charge(PER_ESCAPE)?;
                            self.escape = Escape::Backslash;
                            rest = after;
                        }
                        Some((control, after)) => {
                            out.error("a string has a control character");
                            self.put_run(std::slice::from_ref(control), sink, out)?;
                            rest = after;
                        }
                        None => rest = next,
                    }
                }
                Escape::Backslash if byte == b'u' => {
                    self.escape = Escape::Unicode([0; 4], 0);
                    rest = after;
                }
                Escape::Backslash => {
                    self.escape = Escape::None;
                    let plain = match byte {
                        b'"' | b'\\' | b'/' => byte,
                        b'b' => 8,
                        b'f' => 12,
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        _ => {
                            out.error("a string has an unknown escape");
                            self.put_run(b"\\", sink, out)?;
                            // The byte is read again as plain text, unless it ends the string.
                            continue;
                        }
                    };
                    self.put_run(&[plain], sink, out)?;
                    rest = after;
                }
                Escape::Unicode(digits, count) if byte.is_ascii_hexdigit() => {
                    let mut digits = digits;
                    if let Some(digit) = digits.get_mut(count) {
                        *digit = byte;
                    }
                    rest = after;
                    self.escape = Escape::Unicode(digits, count + 1);
                    if count == 3 {
                        self.escape = Escape::None;
                        self.unit(digits, sink, out)?;
                    }
                }
                Escape::Unicode(digits, count) => {
                    self.escape = Escape::None;
                    self.broken_unicode(digits, count, sink, out)?;
                }
            }
        }
        Ok((rest, false))
    }

    /// Ends the string: whatever is incomplete is kept as it was written.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>, out: &mut Out<'_>) -> Result<(), Exhausted> {
        match std::mem::take(&mut self.escape) {
            Escape::None => self.lone_surrogate(sink, out)?,
            Escape::Backslash => self.put_run(b"\\", sink, out)?,
            Escape::Unicode(digits, count) => self.broken_unicode(digits, count, sink, out)?,
        }
        if !self.utf8.is_complete() {
            out.error("a string is not UTF-8");
        }
        Ok(())
    }

    /// Appends text that is no `\u` escape.
    fn put_run(&mut self, run: &[u8], sink: &mut Sink<'_>, out: &mut Out<'_>) -> Result<(), Exhausted> {
        if run.is_empty() {
            return Ok(());
        }
        self.lone_surrogate(sink, out)?;
        if !self.utf8.accepts(run) {
            out.error("a string is not UTF-8");
        }
        sink.put(run, out.fields)
    }

    /// Appends one UTF-16 code unit, given by its digits.
    fn unit(&mut self, digits: [u8; 4], sink: &mut Sink<'_>, out: &mut Out<'_>) -> Result<(), Exhausted> {
        if !self.utf8.is_complete() {
            self.utf8 = Utf8::default();
            out.error("a string is not UTF-8");
        }
        let code = number(digits);
        if let (Some(high), 0xDC00..=0xDFFF) = (self.high, code) {
            self.high = None;
            sink.put_char(0x1_0000 + ((number(high) - 0xD800) << 10) + (code - 0xDC00), out.fields)?;
            return Ok(());
        }
        self.lone_surrogate(sink, out)?;
        if (0xD800..=0xDFFF).contains(&code) {
            self.high = Some(digits);
            if code >= 0xDC00 {
                self.lone_surrogate(sink, out)?;
            }
            return Ok(());
        }
        sink.put_char(code, out.fields)?;
        Ok(())
    }

    /// Appends a surrogate that has no partner as it was written: there is no character for it.
    fn lone_surrogate(&mut self, sink: &mut Sink<'_>, out: &mut Out<'_>) -> Result<(), Exhausted> {
        if let Some(digits) = self.high.take() {
            out.error("a string has a lone surrogate");
            sink.put(b"\\u", out.fields)?;
            sink.put(&digits, out.fields)?;
        }
        Ok(())
    }

    fn broken_unicode(
        &mut self,
        digits: [u8; 4],
        count: usize,
        sink: &mut Sink<'_>,
        out: &mut Out<'_>,
    ) -> Result<(), Exhausted> {
        out.error("a \\u escape has fewer than four digits");
        self.put_run(b"\\u", sink, out)?;
        self.put_run(digits.get(..count).unwrap_or_default(), sink, out)
    }
}

/// Reads on in a bare word, up to a delimiter; answers what follows.
pub(super) fn read_word<'b>(block: &'b [u8], sink: &mut Sink<'_>, out: &mut Out<'_>) -> Result<&'b [u8], Exhausted> {
    let delimits =
        |&byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' | b'"' | b'[' | b']' | b'{' | b'}');
    let (word, next) = block.split_at(block.iter().position(delimits).unwrap_or(block.len()));
    sink.put(word, out.fields)?;
    Ok(next)
}

/// Whether a word is a number (RFC 8259, section 6).
pub(super) fn is_number(word: &[u8]) -> bool {
    let unsigned = word.strip_prefix(b"-").unwrap_or(word);
    let (whole, rest) = digits(unsigned);
    if whole.is_empty() || (whole.len() > 1 && whole.starts_with(b"0")) {
        return false;
    }
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => match digits(fraction) {
            ([], _) => return false,
            (_, rest) => rest,
        },
        None => rest,
    };
    match rest {
        [] => true,
        [b'e' | b'E', exponent @ ..] => {
            let unsigned = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
            !unsigned.is_empty() && digits(unsigned).1.is_empty()
        }
        _ => false,
    }
}

fn digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len()))
}

fn number(digits: [u8; 4]) -> u32 {
    digits.iter().fold(0, |number, &digit| number << 4 | u32::from(hex(digit).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_standard() {
        for number in ["0", "-0", "10", "1.5", "-0.25", "1e999", "1E+5", "2.5e-3"] {
            assert!(is_number(number.as_bytes()), "{number}");
        }
        for word in ["", "-", "01", "+1", ".5", "1.", "1e", "1e+", "0x1", "NaN", "1.5.2", "--1", "1e1.0"] {
            assert!(!is_number(word.as_bytes()), "{word}");
        }
    }
}
