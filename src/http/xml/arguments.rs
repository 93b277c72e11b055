//! The text of elements as arguments (`SecParseXmlIntoArgs`): an element without children is an argument named by its path,
//! `xml.order.item.name`.
//!
//! ModSecurity leaves out text that stands beside child elements (`<a>text<b/></a>`). Here each run of it is an argument named by
//! the element that it stands in, unless it is white space: with `OnlyArgs` nobody else would look at it.
//!
//! As with JSON, names repeat the path at each leaf; [`names_budget`] bounds them.

use super::Out;
use crate::http::{Kind, ParseLimits};
use crate::meter::Exhausted;

/// Fuel for one argument; copying its name costs one fuel for each [`NAME_BYTES_PER_FUEL`] bytes more.
pub(super) const PER_ARGUMENT: u64 = 12;
pub(super) const NAME_BYTES_PER_FUEL: usize = 4;
/// Names may have this many bytes for each byte read.
pub(super) const NAMES_PER_BYTE: usize = 16;
/// Names may have this many bytes whatever the length of the body.
pub(super) const NAMES_CONSTANT: usize = 64 << 10;

/// How many bytes all names may have once `read` bytes of the body are read.
const fn names_budget(read: usize) -> usize {
    read.saturating_mul(NAMES_PER_BYTE).saturating_add(NAMES_CONSTANT)
}

/// An open element.
#[derive(Debug)]
struct Frame {
    /// Length of the path without it.
    base: usize,
    has_child: bool,
}

/// The path to where the reader is, and where the text that belongs to it begins.
#[derive(Debug)]
pub(super) struct Arguments {
    path: Vec<u8>,
    frames: Vec<Frame>,
    /// Where the run of text since the last tag begins.
    run: usize,
    /// Bytes of all names so far.
    names: usize,
    limit: usize,
}

impl Arguments {
    pub(super) fn new(limits: &ParseLimits) -> Self {
        Arguments { path: b"xml".to_vec(), frames: Vec::new(), run: 0, names: 0, limit: limits.arguments }
    }

    /// A start tag begins; `text` is all text so far.
    pub(super) fn begin(&mut self, text: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        self.take_run(false, text, out)?;
        if let Some(parent) = self.frames.last_mut() {
            parent.has_child = true;
        }
        self.frames.push(Frame { base: self.path.len(), has_child: false });
        self.path.push(b'.');
        Ok(())
    }

    /// A part of the name of the element that begins.
    pub(super) fn name(&mut self, bytes: &[u8]) {
        self.path.extend_from_slice(bytes);
    }

    /// The innermost element ends.
    pub(super) fn end(&mut self, text: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        let leaf = self.frames.last().is_some_and(|frame| !frame.has_child);
        self.take_run(leaf, text, out)?;
        if let Some(frame) = self.frames.pop() {
            self.path.truncate(frame.base);
        }
        Ok(())
    }

    /// The document ends: all that is open, too.
    pub(super) fn finish(&mut self, text: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        while !self.frames.is_empty() && !out.stop {
            self.end(text, out)?;
        }
        self.take_run(false, text, out)
    }

    /// Makes an argument of the text since the last tag, if there is any or `always`.
    fn take_run(&mut self, always: bool, text: &[u8], out: &mut Out<'_>) -> Result<(), Exhausted> {
        let value = text.get(self.run..).unwrap_or_default();
        self.run = text.len();
        if !always && value.trim_ascii().is_empty() {
            return Ok(());
        }
        if out.fields.arguments() >= self.limit {
            out.report.too_many_arguments(self.limit, out.at);
            out.stop = true;
            return Ok(());
        }
        self.names = self.names.saturating_add(self.path.len());
        if self.names > names_budget(out.at) {
            out.error("the names of the elements repeat too long a path");
            out.stop = true;
            return Ok(());
        }
        out.meter.charge(PER_ARGUMENT + self.path.len().div_ceil(NAME_BYTES_PER_FUEL) as u64)?;
        out.fields.push(Kind::ArgPost, &self.path, value)
    }
}
