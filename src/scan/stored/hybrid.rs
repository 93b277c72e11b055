//! Hybrid automata as bytes and back.

use super::super::hybrid::Hybrid;
use super::super::hybrid::crowd::Crowd;
use super::super::hybrid::head::{Head, MATCHED};
use super::super::hybrid::tail::{self, Tail};
use super::super::look::Sides;
use super::super::thompson::Order;
use super::rows;
use crate::limits::Limits;
use crate::wire::{Damaged, Reader, Writer};

const OUTSIDE: Damaged = Damaged("a hybrid automaton has an entry that leads out of it");

impl Hybrid {
    /// Writes it.
    pub(in crate::scan) fn store(&self, writer: &mut Writer) {
        writer.byte(self.sides.bits());
        self.tail.store(writer);
        self.head.store(self.tail.width + 1, writer);
        writer.number(self.crowd.states);
        writer.number(self.crowd.listed);
    }

    /// Reads what [`Hybrid::store`] has written. How many states a search can meet cannot be checked in passing: whoever compares it
    /// with what compiling makes finds out; what a search spends is bounded by its budget all the same.
    pub(in crate::scan) fn restore(reader: &mut Reader<'_>, order: Order, limits: &Limits) -> Result<Hybrid, Damaged> {
        let sides = Sides::from_bits(reader.byte()?).ok_or(Damaged("assertions of an unknown kind"))?;
        let tail = Tail::restore(reader, limits)?;
        let head = Head::restore(reader, &tail, limits)?;
        let crowd = Crowd { states: reader.number(tail.len())?, listed: reader.number(tail.len() * tail.len())? };
        Ok(Hybrid::of(sides, head, tail, order, crowd))
    }
}

impl Tail {
    fn store(&self, writer: &mut Writer) {
        writer.raw(&*self.columns);
        writer.number(self.width);
        numbers(&self.starts, writer);
        writer.number(self.fresh.into());
        writer.number(self.len());
        rows::store(&self.entries, self.width + 1, writer);
        lists(&self.bounds, &self.lists, writer);
    }

    fn restore(reader: &mut Reader<'_>, limits: &Limits) -> Result<Tail, Damaged> {
        let columns = Box::new(<[u8; 256]>::try_from(reader.raw(256)?).map_err(|_| OUTSIDE)?);
        let width = reader.number(256)?;
        if columns.iter().any(|&column| usize::from(column) >= width) {
            return Err(OUTSIDE);
        }
        let starts = restore_starts(reader)?;
        let fresh = small(reader)?;
        let states = reader.count(2, usize::from(!tail::MATCHED))?;
        let entries = rows::restore(reader, width + 1, states, |_| true)?;
        let (bounds, lists) = restore_lists(reader, limits)?;
        // No state, a state, or one of the lists.
        let known = |entry: &u16| usize::from(entry & !tail::MATCHED) < states + bounds.len();
        let inside = |state: &u16| usize::from(*state) < states;
        if !entries.iter().all(known) || !lists.iter().chain(&starts).all(inside) {
            return Err(OUTSIDE);
        }
        Tail::of(columns, width, starts, fresh, entries, bounds, lists).ok_or(OUTSIDE)
    }
}

impl Head {
    fn store(&self, stride: usize, writer: &mut Writer) {
        writer.number(self.transitions.len());
        rows::store(&self.transitions, stride, writer);
        numbers(&self.starts, writer);
        writer.number(self.exits.len());
        numbers(&self.exits, writer);
        lists(&self.bounds, &self.states, writer);
    }

    fn restore(reader: &mut Reader<'_>, tail: &Tail, limits: &Limits) -> Result<Head, Damaged> {
        let stride = tail.width + 1;
        let most = (limits.hybrid_head_bytes / 2).max(HEAD_ROWS * stride).min(usize::from(MATCHED));
        let cells = reader.number(most)?;
        if cells == 0 || !cells.is_multiple_of(stride) {
            return Err(OUTSIDE);
        }
        let transitions = rows::restore(reader, stride, cells / stride, |_| true)?;
        let starts = restore_starts(reader)?;
        let exits = reader.count(2, usize::from(MATCHED) - cells)?;
        let exits = restore_numbers(reader, exits)?;
        let (bounds, states) = restore_lists(reader, limits)?;
        let known = |next: &u16| match usize::from(*next).checked_sub(cells) {
            _ if *next == MATCHED => true,
            None => usize::from(*next).is_multiple_of(stride),
            Some(exit) => exit < exits.len(),
        };
        let inside = |row: &u16| usize::from(*row) < cells && usize::from(*row).is_multiple_of(stride);
        if bounds.len() != exits.len() + 1
            || !transitions.iter().all(known)
            || !exits.iter().chain(&starts).all(inside)
            || states.iter().any(|&state| usize::from(state) >= tail.len())
        {
            return Err(OUTSIDE);
        }
        Ok(Head { transitions, starts, exits, bounds, states })
    }
}

/// Rows that a head may have beyond the limit: the dead one and the starts.
const HEAD_ROWS: usize = 6;

fn numbers(numbers: &[u16], writer: &mut Writer) {
    writer.place(size_of_val(numbers), |place| {
        let pairs = place.as_chunks_mut().0.iter_mut();
        pairs.zip(numbers).for_each(|(pair, number)| *pair = number.to_le_bytes());
    });
}

fn restore_numbers(reader: &mut Reader<'_>, count: usize) -> Result<Vec<u16>, Damaged> {
    let bytes = reader.raw(count.saturating_mul(2))?;
    Ok(bytes.as_chunks().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect())
}

fn restore_starts(reader: &mut Reader<'_>) -> Result<[u16; 5], Damaged> {
    restore_numbers(reader, 5)?.try_into().map_err(|_| OUTSIDE)
}

fn small(reader: &mut Reader<'_>) -> Result<u16, Damaged> {
    reader.number(u16::MAX.into()).map(|number| number as u16)
}

/// Lists that follow each other, by their bounds.
fn lists(bounds: &[u32], members: &[u16], writer: &mut Writer) {
    writer.number(bounds.len().saturating_sub(1));
    for pair in bounds.windows(2) {
        let length = pair.last().zip(pair.first()).map_or(0, |(to, from)| to - from);
        writer.number(length as usize);
    }
    numbers(members, writer);
}

fn restore_lists(reader: &mut Reader<'_>, limits: &Limits) -> Result<(Vec<u32>, Vec<u16>), Damaged> {
    let count = reader.count(1, usize::from(u16::MAX))?;
    let (mut bounds, mut members) = (Vec::with_capacity(count + 1), 0);
    bounds.push(0);
    for _ in 0..count {
        members += reader.number(limits.nfa_bytes)?;
        if members > limits.nfa_bytes {
            return Err(OUTSIDE);
        }
        bounds.push(u32::try_from(members).map_err(|_| OUTSIDE)?);
    }
    Ok((bounds, restore_numbers(reader, members)?))
}
