//! Text taken from a file, with the place of every byte: joined lines and removed escapes do not blur the spans.

use crate::diag::{SourceId, Span};
use std::borrow::Cow;
use std::ops::Range;

/// Bytes and where they came from.
#[derive(Debug, Clone)]
pub(super) struct Text {
    bytes: Vec<u8>,
    /// Offset of the first byte, also when there is none.
    start: u32,
    /// Where the text does not go on as in the file: from index `.0` on, byte `i` stood at offset `.1 + (i - .0)`.
    pieces: Vec<(u32, u32)>,
    source: SourceId,
}

impl Text {
    /// No bytes, at `start`.
    pub fn new(source: SourceId, start: usize) -> Self {
        Text { bytes: Vec::new(), pieces: Vec::new(), source, start: start as u32 }
    }

    /// Adds bytes that stood at `at` in the file.
    pub fn extend(&mut self, bytes: &[u8], at: usize) {
        if bytes.is_empty() {
            return;
        }
        if self.bytes.is_empty() {
            self.start = at as u32;
        }
        let index = self.bytes.len() as u32;
        let (from, offset) = self.pieces.last().copied().unwrap_or((0, self.start));
        if offset + (index - from) != at as u32 {
            self.pieces.push((index, at as u32));
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// As text for messages.
    pub fn show(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }

    /// Equal without case.
    pub fn is(&self, word: &str) -> bool {
        self.bytes.eq_ignore_ascii_case(word.as_bytes())
    }

    /// Where the byte at `index` stood.
    pub fn offset(&self, index: usize) -> usize {
        let index = index as u32;
        let piece = self.pieces.partition_point(|&(from, _)| from <= index).checked_sub(1);
        let (from, offset) = piece.map_or((0, self.start), |piece| self.pieces[piece]);
        (offset + (index - from)) as usize
    }

    /// The place of all of it.
    pub fn span(&self) -> Span {
        self.span_of(0..self.bytes.len())
    }

    /// The place of a part.
    pub fn span_of(&self, range: Range<usize>) -> Span {
        let end = range.end.min(self.bytes.len());
        if range.start >= end {
            let at = match range.start.min(self.bytes.len()).checked_sub(1) {
                Some(before) => self.offset(before) + 1,
                None => self.start as usize,
            };
            return Span::new(self.source, at, at);
        }
        Span::new(self.source, self.offset(range.start), self.offset(end - 1) + 1)
    }

    /// A part, as a text of its own.
    pub fn slice(&self, range: Range<usize>) -> Text {
        let mut part = Text::new(self.source, self.span_of(range.clone()).start as usize);
        part.extend_from(self, range);
        part
    }

    /// Adds a part of another text.
    pub fn extend_from(&mut self, other: &Text, range: Range<usize>) {
        let mut index = range.start;
        let mut piece = other.pieces.partition_point(|&(from, _)| from as usize <= index);
        while index < range.end {
            let stop = other.pieces.get(piece).map_or(range.end, |&(from, _)| (from as usize).min(range.end));
            self.extend(&other.bytes[index..stop], other.offset(index));
            index = stop;
            piece += 1;
        }
    }

    /// Without blanks at both ends.
    pub fn trimmed(&self) -> Text {
        let start = self.bytes.iter().take_while(|byte| is_blank(**byte)).count();
        let end = self.bytes.len() - self.bytes[start..].iter().rev().take_while(|byte| is_blank(**byte)).count();
        self.slice(start..end)
    }

    /// Splits at the first byte of this value.
    pub fn split_once(&self, at: u8) -> Option<(Text, Text)> {
        let index = memchr::memchr(at, &self.bytes)?;
        Some((self.slice(0..index), self.slice(index + 1..self.len())))
    }

    /// The words between bytes that `separates` names; empty ones are left out.
    pub fn split(&self, separates: impl Fn(u8) -> bool) -> Vec<Text> {
        let mut words = Vec::new();
        let mut start = 0;
        for index in 0..=self.len() {
            if self.bytes.get(index).is_none_or(|&byte| separates(byte)) {
                if index > start {
                    words.push(self.slice(start..index));
                }
                start = index + 1;
            }
        }
        words
    }

    /// Without a pair of single quotes around it; inside, `\'` and `\\` stand for the second byte.
    pub fn unquoted(&self) -> Text {
        match self.bytes.as_slice() {
            [b'\'', inner @ .., b'\''] => self.unescaped(1..1 + inner.len(), b'\''),
            _ => self.clone(),
        }
    }

    /// A part in which `\` before `quote` or another `\` is removed.
    pub fn unescaped(&self, range: Range<usize>, quote: u8) -> Text {
        let mut out = Text::new(self.source, self.span_of(range.clone()).start as usize);
        let mut from = range.start;
        let mut index = range.start;
        while let Some(ahead) = memchr::memchr(b'\\', &self.bytes[index..range.end]) {
            let next = index + ahead + 1;
            index = next;
            if next < range.end && (self.bytes[next] == b'\\' || self.bytes[next] == quote) {
                out.extend_from(self, from..next - 1);
                from = next;
                index += 1;
            }
        }
        out.extend_from(self, from..range.end);
        out
    }
}

/// What separates words.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::SourceMap;

    #[test]
    fn keeps_the_place_of_every_byte() {
        let mut sources = SourceMap::new();
        let id = sources.add("a", b"ab\\\\\n  c\\'d".to_vec());
        let mut text = Text::new(id, 0);
        text.extend(b"ab\\\\", 0);
        text.extend(b"  c\\'d", 5);
        let plain = text.unescaped(0..text.len(), b'\'');
        assert_eq!(plain.bytes(), b"ab\\  c'd");
        let place = |index| sources.slice(plain.span_of(index..index + 1)).to_vec();
        assert_eq!((place(2), place(5), place(6), place(7)), (vec![b'\\'], vec![b'c'], vec![b'\''], vec![b'd']));
        assert_eq!(plain.trimmed().slice(1..3).span(), Span::new(id, 1, 4));
        assert_eq!(plain.span_of(8..8), Span::new(id, 11, 11));
    }
}
