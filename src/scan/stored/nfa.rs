//! NFAs as bytes and back.
//!
//! Whoever walks along an NFA takes what leads nowhere for a node without a way on, so an NFA of any content is safe. What steps
//! cost is worked out anew.

use regex_automata::util::look::Look;

use super::super::look::{Sides, is_known};
use super::super::thompson::{Node, Thompson};
use crate::limits::Limits;
use crate::wire::{Damaged, Reader, Writer};

/// Kinds of nodes.
const BYTE: u8 = 0;
const RANGES: u8 = 1;
const SPLIT: u8 = 2;
const LOOK: u8 = 3;
const SAVE: u8 = 4;
const MATCH: u8 = 5;
const FAIL: u8 = 6;

const ID: usize = u32::MAX as usize;

impl Thompson {
    /// Writes it.
    pub(in crate::scan) fn store(&self, writer: &mut Writer) {
        writer.raw(&*self.classes);
        writer.byte(self.sides.bits());
        writer.byte(u8::from(self.reversed));
        let id = |id: u32, writer: &mut Writer| writer.number(id as usize);
        id(self.start, writer);
        writer.number(self.nodes.len());
        for node in &self.nodes {
            match *node {
                Node::Byte { lo, hi, next } => {
                    writer.raw(&[BYTE, lo, hi]);
                    id(next, writer);
                }
                Node::Ranges { from, to } => {
                    writer.byte(RANGES);
                    id(from, writer);
                    id(to, writer);
                }
                Node::Split { from, to } => {
                    writer.byte(SPLIT);
                    id(from, writer);
                    id(to, writer);
                }
                Node::Look { look, next } => {
                    writer.byte(LOOK);
                    id(look.as_repr(), writer);
                    id(next, writer);
                }
                Node::Save { slot, next } => {
                    writer.byte(SAVE);
                    id(slot, writer);
                    id(next, writer);
                }
                Node::Match => writer.byte(MATCH),
                Node::Fail => writer.byte(FAIL),
            }
        }
        writer.number(self.ranges.len());
        for &(lo, hi, next) in &self.ranges {
            writer.raw(&[lo, hi]);
            id(next, writer);
        }
        writer.number(self.edges.len());
        self.edges.iter().for_each(|&edge| id(edge, writer));
    }

    /// Reads what [`Thompson::store`] has written.
    pub(in crate::scan) fn restore(reader: &mut Reader<'_>, limits: &Limits) -> Result<Thompson, Damaged> {
        let most = limits.nfa_bytes / size_of::<u32>();
        let classes = <[u8; 256]>::try_from(reader.raw(256)?).map_err(|_| Damaged("classes are missing"))?;
        let sides = Sides::from_bits(reader.byte()?).ok_or(Damaged("assertions of an unknown kind"))?;
        let reversed = reader.number(1)? == 1;
        let id = |reader: &mut Reader<'_>| reader.number(ID).map(|id| id as u32);
        let start = id(reader)?;
        let count = reader.count(1, most)?;
        let mut nodes = Vec::with_capacity(count);
        for _ in 0..count {
            nodes.push(match reader.byte()? {
                BYTE => Node::Byte { lo: reader.byte()?, hi: reader.byte()?, next: id(reader)? },
                RANGES => Node::Ranges { from: id(reader)?, to: id(reader)? },
                SPLIT => Node::Split { from: id(reader)?, to: id(reader)? },
                LOOK => {
                    let look = Look::from_repr(id(reader)?).filter(|look| is_known(*look));
                    Node::Look { look: look.ok_or(Damaged("an unknown assertion"))?, next: id(reader)? }
                }
                SAVE => Node::Save { slot: id(reader)?, next: id(reader)? },
                MATCH => Node::Match,
                FAIL => Node::Fail,
                _ => return Err(Damaged("a node of an unknown kind")),
            });
        }
        let count = reader.count(3, most)?;
        let mut ranges = Vec::with_capacity(count);
        for _ in 0..count {
            ranges.push((reader.byte()?, reader.byte()?, id(reader)?));
        }
        let count = reader.count(1, most)?;
        let edges = (0..count).map(|_| id(reader)).collect::<Result<Vec<_>, _>>()?;
        Ok(Thompson::of(nodes, ranges, edges, start, Box::new(classes), sides, reversed))
    }
}
