//! The texts that spans point into.

use std::sync::Arc;

/// The number of one file in a [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A range of bytes in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The bytes `start..end` of `source`.
    pub fn new(source: SourceId, start: usize, end: usize) -> Self {
        let cap = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { source, start: cap(start), end: cap(end.max(start)) }
    }

    /// From the start of `self` to the end of `other`.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span { end: other.end.max(self.end), ..self }
    }
}

/// Line and column of a span's start, both from 1; the column counts bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file's name as the reader knows it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in bytes, from 1.
    pub column: u32,
}

#[derive(Debug, Clone)]
struct Source {
    name: Arc<str>,
    text: Arc<[u8]>,
    /// Offset of each line's first byte.
    lines: Vec<u32>,
}

/// All files of one load. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    sources: Arc<Vec<Source>>,
}

impl SourceMap {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    pub fn add(&mut self, name: impl Into<Arc<str>>, text: impl Into<Arc<[u8]>>) -> SourceId {
        let text: Arc<[u8]> = text.into();
        let mut lines = vec![0];
        lines.extend(memchr::memchr_iter(b'\n', &text).map(|at| at as u32 + 1));
        Arc::make_mut(&mut self.sources).push(Source { name: name.into(), text, lines });
        SourceId((self.sources.len() - 1) as u32)
    }

    /// Covers a range with asterisks, for whoever is shown its line.
    pub fn hide(&mut self, span: Span) {
        let Some(source) = Arc::make_mut(&mut self.sources).get_mut(span.source.0 as usize) else { return };
        let mut text = source.text.to_vec();
        if let Some(range) = text.get_mut(span.start as usize..span.end as usize) {
            range.fill(b'*');
            source.text = text.into();
        }
    }

    /// The file's name.
    pub fn name(&self, id: SourceId) -> &str {
        &self.sources[id.0 as usize].name
    }

    /// The file's bytes.
    pub fn text(&self, id: SourceId) -> &Arc<[u8]> {
        &self.sources[id.0 as usize].text
    }

    /// The bytes that a span marks.
    pub fn slice(&self, span: Span) -> &[u8] {
        let text = &self.sources[span.source.0 as usize].text;
        let end = (span.end as usize).min(text.len());
        &text[(span.start as usize).min(end)..end]
    }

    /// Where a span starts.
    pub fn locate(&self, span: Span) -> Location {
        let source = &self.sources[span.source.0 as usize];
        let line = source.lines.partition_point(|&start| start <= span.start);
        let start = source.lines[line - 1];
        Location { file: source.name.clone(), line: line as u32, column: span.start - start + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locates_lines_and_columns() {
        let mut map = SourceMap::new();
        let id = map.add("a.conf", b"one\ntwo\n".to_vec());
        let at = |start| {
            let found = map.locate(Span::new(id, start, start + 1));
            (found.line, found.column)
        };
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(3), (1, 4));
        assert_eq!(at(4), (2, 1));
        assert_eq!(at(8), (3, 1));
        assert_eq!(map.slice(Span::new(id, 4, 7)), b"two");
    }
}
