//! Diagnostics for people: the code, the message, the place, the marked text, other places that belong to it, help.
//!
//! Rule files are hostile until proven otherwise: bytes that are not UTF-8 and control characters are shown as replacement
//! characters, and of a very long line only the part around the mark is shown.

use super::{Diagnostic, Diagnostics, Severity, SourceMap, Span};
use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use std::ops::Range;

/// Bytes of a line shown before a mark.
const BEFORE: usize = 60;
/// Bytes shown from the start of a mark.
const AFTER: usize = 100;

/// Renders all findings, one block each, and a last line that counts them.
///
/// ```
/// use fusewall::diag::{Diagnostic, Diagnostics, SourceMap, Span, text};
/// let mut sources = SourceMap::new();
/// let file = sources.add("a.conf", b"SecRull ARGS x".to_vec());
/// let mut found = Diagnostics::new(10);
/// found.push(Diagnostic::error("E0201", Span::new(file, 0, 7), "unknown directive").help("write `SecRule`"));
/// let shown = text::render(&found, &sources, false);
/// assert!(shown.contains("error[E0201]: unknown directive") && shown.contains("a.conf:1:1"));
/// ```
pub fn render(diagnostics: &Diagnostics, sources: &SourceMap, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for diagnostic in diagnostics.iter() {
        out.push_str(&block(diagnostic, sources, &renderer));
        out.push_str("\n\n");
    }
    if diagnostics.dropped() > 0 {
        out.push_str(&format!("... and {} more\n\n", diagnostics.dropped()));
    }
    out
}

fn block(diagnostic: &Diagnostic, sources: &SourceMap, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(printable(diagnostic.message.as_bytes())).id(diagnostic.code);
    let mut elements: Vec<Element<'_>> = Vec::new();
    if let Some(span) = diagnostic.span {
        place(&mut elements, sources, span, &diagnostic.label, AnnotationKind::Primary);
    }
    for (span, text) in &diagnostic.related {
        place(&mut elements, sources, *span, text, AnnotationKind::Context);
    }
    if let Some(help) = &diagnostic.help {
        elements.push(Level::HELP.message(printable(help.as_bytes())).into());
    }
    let group = if elements.is_empty() { Group::with_title(title) } else { title.elements(elements) };
    // The place stands in a line of its own, with the column of the file and not of the cut line; the renderer then marks each
    // snippet as one of an unnamed file, which says nothing.
    let rendered = renderer.render(&[group]);
    let lines: Vec<&str> = rendered.lines().filter(|line| without_color(line).trim() != ":::").collect();
    lines.join("\n")
}

/// A line without terminal sequences.
fn without_color(line: &str) -> String {
    let mut out = String::new();
    for (index, piece) in line.split('\x1b').enumerate() {
        out.push_str(if index == 0 { piece } else { piece.split_once('m').map_or("", |(_, text)| text) });
    }
    out
}

fn place<'a>(out: &mut Vec<Element<'a>>, sources: &SourceMap, span: Span, label: &str, kind: AnnotationKind) {
    let at = sources.locate(span);
    out.push(Origin::path(printable(at.file.as_bytes())).line(at.line as usize).char_column(at.column as usize).into());
    let (line, mark) = shown_line(sources, span, at.column as usize - 1);
    let mut annotation: Annotation<'a> = kind.span(mark);
    if !label.is_empty() {
        annotation = annotation.label(printable(label.as_bytes()));
    }
    out.push(Snippet::source(line).line_start(at.line as usize).annotation(annotation).into());
}

/// The line in which a span starts, cut around it, and where the mark stands in the shown text.
fn shown_line(sources: &SourceMap, span: Span, column: usize) -> (String, Range<usize>) {
    let text = sources.text(span.source);
    let start = (span.start as usize).min(text.len());
    let line_start = start - column.min(start);
    let line_end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |at| start + at);
    let end = (span.end as usize).clamp(start, line_end);
    let cut_start = if start - line_start > BEFORE { start - BEFORE } else { line_start };
    let cut_end = if line_end - start > AFTER { start + AFTER } else { line_end };
    let marked_end = end.min(cut_end);
    let mut line = String::new();
    if cut_start > line_start {
        line.push_str("...");
    }
    line.push_str(&printable(&text[cut_start..start]));
    let from = line.len();
    line.push_str(&printable(&text[start..marked_end]));
    let to = line.len();
    line.push_str(&printable(&text[marked_end..cut_end]));
    if cut_end < line_end {
        line.push_str("...");
    }
    (line, from..to)
}

fn printable(bytes: &[u8]) -> String {
    let shown = |c: char| {
        if c == '\t' {
            ' '
        } else if c.is_control() {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes)).chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_odd_bytes_and_cuts_long_lines() {
        let mut sources = SourceMap::new();
        let mut text = vec![b'a'; 1 << 20];
        text.extend(b"\xff\x1b[0m bad");
        text.extend(vec![b'b'; 1 << 20]);
        let file = sources.add("long.conf", text);
        let mut found = Diagnostics::new(1);
        let span = Span::new(file, (1 << 20) + 6, (1 << 20) + 9);
        found
            .push(Diagnostic::error("E0000", span, "odd").label("here").related(span, "first seen here").help("go on"));
        found.push(Diagnostic::error("E0000", None, "past the limit"));
        let shown = render(&found, &sources, false);
        assert!(shown.len() < 1500, "{shown}");
        assert!(shown.contains("long.conf:1:1048583") && shown.contains("here") && shown.contains("first seen here"));
        assert!(shown.contains("... and 1 more") && !shown.contains('\x1b'));
    }
}
