//! What a reader of a structured body writes to: fields, findings, fuel; and the names of its leaves.

use super::{Bytes, Fields, Report};
use crate::meter::{Exhausted, Meter};

/// What a step of a reader writes to.
pub(super) struct Out<'a> {
    pub(super) fields: &'a mut Fields,
    pub(super) report: &'a mut Report,
    pub(super) meter: &'a mut Meter,
    /// What is read, for messages.
    pub(super) format: &'static str,
    /// Offset of what is being read.
    pub(super) at: usize,
    /// A limit was reached: the reading ends.
    pub(super) stop: bool,
    /// An XML declaration names a set in which each byte is a character.
    pub(super) single_bytes: bool,
}

impl<'a> Out<'a> {
    pub(super) fn new(
        format: &'static str,
        at: usize,
        fields: &'a mut Fields,
        report: &'a mut Report,
        meter: &'a mut Meter,
    ) -> Self {
        Out { fields, report, meter, format, at, stop: false, single_bytes: false }
    }

    pub(super) fn error(&mut self, what: &str) {
        self.report.fail_at(format_args!("{} parsing error: {what}", self.format), self.at);
    }
}

/// Fuel for one leaf; copying its name costs one fuel for each [`NAME_BYTES_PER_FUEL`] bytes more.
pub(super) const PER_LEAF: u64 = 14;
pub(super) const NAME_BYTES_PER_FUEL: usize = 4;
/// Names may have this many bytes for each byte read. Arrays of small numbers below a path of 30 bytes are what needs the most.
pub const NAMES_PER_BYTE: usize = 16;
/// Names may have this many bytes whatever the length of the body.
pub const NAMES_CONSTANT: usize = 64 << 10;

/// Fuel for all the leaves that one byte can be charged for, with the bytes of their names.
pub(super) const LEAF_PER_BYTE: u64 = PER_LEAF + 1 + (NAMES_PER_BYTE / NAME_BYTES_PER_FUEL) as u64;
/// Fuel for the leaves that no byte is charged for.
pub(super) const LEAF_PER_CALL: u64 = PER_LEAF + 1 + (NAMES_CONSTANT / NAME_BYTES_PER_FUEL) as u64;

/// Why no leaf can be named any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The request has as many arguments as it may.
    Arguments,
    /// The names are as long as they may be.
    Names,
}

/// Names the leaves of one body by their paths, which repeat in each name: without a budget that is quadratic.
#[derive(Debug)]
pub(super) struct Leaves {
    names: usize,
    /// Bytes of names that cost no byte of the body.
    constant: usize,
    limit: usize,
}

impl Leaves {
    /// At most `limit` arguments in the request; `constant` bytes of names beside those that the body pays for.
    pub(super) fn new(limit: usize, constant: usize) -> Self {
        Leaves { names: 0, constant, limit }
    }

    /// What would keep a leaf of that path from being named.
    pub(super) fn full(&self, path: &[u8], out: &Out<'_>) -> Option<Full> {
        if out.fields.arguments() >= self.limit {
            return Some(Full::Arguments);
        }
        let names = self.names.saturating_add(path.len());
        (names > out.at.saturating_mul(NAMES_PER_BYTE).saturating_add(self.constant)).then_some(Full::Names)
    }

    /// Ends the reading with an error.
    pub(super) fn refuse(&self, full: Full, out: &mut Out<'_>) {
        out.stop = true;
        match full {
            Full::Arguments => out.report.too_many_arguments(self.limit, out.at),
            Full::Names => {
                out.report.json_names_exceeded = true;
                out.error("the names of the values repeat too long a path");
            }
        }
    }

    /// Stores the path as the name of a leaf; `None` if the limits do not allow one more, and the reading ends.
    pub(super) fn name(&mut self, path: &[u8], out: &mut Out<'_>) -> Result<Option<Bytes>, Exhausted> {
        if let Some(full) = self.full(path, out) {
            self.refuse(full, out);
            return Ok(None);
        }
        self.names += path.len();
        out.meter.charge(PER_LEAF + path.len().div_ceil(NAME_BYTES_PER_FUEL) as u64)?;
        out.fields.store(path).map(Some)
    }
}
