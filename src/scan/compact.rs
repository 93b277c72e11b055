//! A dense DFA of our own, for what the library's determinisation finds too large: two bytes a transition instead of four,
//! rows without padding, and, where any match will do, states that are plain sets of nodes. A third of the patterns of the OWASP
//! Core Rule Set that exceed a megabyte as a library DFA fit in one here. It has no acceleration.

use regex_automata::nfa::thompson::NFA;

use super::cursor::{Place, Run, Step};
use super::determinize::{Caps, Determinized, MATCHED, determinize};
use super::fuel;
use super::look::Sides;
use super::stored::rows;
use super::table::DEAD;
use super::thompson::{Order, Thompson};
use crate::limits::Limits;
use crate::meter::{Exhausted, Meter};
use crate::wire::{Damaged, Reader, Writer};

const OUTSIDE: Damaged = Damaged("a table has an entry that leads out of it");

/// A dense DFA with two bytes a transition.
#[derive(Debug, Clone)]
pub(super) struct Compact {
    transitions: Vec<u16>,
    stride: usize,
    /// What the number of a state is multiplied with to find its row: the stride, or one where rows are named by where they begin.
    /// That saves a multiplication for each byte, and is done where the table has no more cells than there are names.
    scale: usize,
    classes: Box<[u8; 256]>,
    sides: Sides,
    /// The start state for each kind of byte before the start.
    starts: [u16; 5],
    order: Order,
}

impl Compact {
    /// Determinises `nfa`; `None` when that exceeds the limits.
    pub(super) fn build(nfa: &NFA, order: Order, limits: &Limits) -> Option<Compact> {
        let nfa = Thompson::new(nfa, order == Order::All, 0);
        let mut classes = Box::new([0; 256]);
        for (byte, place) in (0..=u8::MAX).zip(classes.iter_mut()) {
            *place = u8::try_from(nfa.class(byte)).ok()?;
        }
        // The column of the edge of the haystack is the last.
        let stride = nfa.class_count() + 1;
        let states = (limits.dense_dfa_bytes / (2 * stride)).min(usize::from(MATCHED));
        let Determinized { transitions, starts } =
            determinize(&nfa, order, Caps { states, bytes: limits.determinize_bytes })?;
        Some(Compact::of(Determinized { transitions, starts }, stride, classes, nfa.sides(), order))
    }

    /// The automaton of a table whose states are numbered.
    fn of(table: Determinized, stride: usize, classes: Box<[u8; 256]>, sides: Sides, order: Order) -> Compact {
        let Determinized { mut transitions, mut starts } = table;
        let named = transitions.len() <= usize::from(MATCHED);
        if named {
            let name = |state: u16| ((state & !MATCHED) * stride as u16) | (state & MATCHED);
            transitions.iter_mut().chain(&mut starts).for_each(|state| *state = name(*state));
        }
        Compact { transitions, stride, scale: if named { 1 } else { stride }, classes, sides, starts, order }
    }

    /// The number of the state that a transition or a start leads to, with its mark.
    fn number(&self, state: u16) -> u16 {
        let row = usize::from(state & !MATCHED) * self.scale;
        (row / self.stride) as u16 | (state & MATCHED)
    }

    /// Writes it.
    pub(super) fn store(&self, writer: &mut Writer) {
        writer.raw(&*self.classes);
        writer.byte(self.sides.bits());
        writer.number(self.stride);
        self.starts.iter().for_each(|&start| writer.number(usize::from(self.number(start))));
        writer.number(self.transitions.len() / self.stride);
        let numbered: Vec<u16> = self.transitions.iter().map(|&state| self.number(state)).collect();
        rows::store(&numbered, self.stride, writer);
    }

    /// Reads what [`Compact::store`] has written.
    pub(super) fn restore(reader: &mut Reader<'_>, order: Order, limits: &Limits) -> Result<Compact, Damaged> {
        let classes = Box::new(<[u8; 256]>::try_from(reader.raw(256)?).map_err(|_| OUTSIDE)?);
        let sides = Sides::from_bits(reader.byte()?).ok_or(Damaged("assertions of an unknown kind"))?;
        let stride = reader.number(257)?;
        // The last column is the edge of the haystack.
        if classes.iter().any(|&class| usize::from(class) + 1 >= stride) {
            return Err(OUTSIDE);
        }
        let mut starts = [0; 5];
        for start in &mut starts {
            *start = u16::try_from(reader.number(usize::from(!MATCHED))?).map_err(|_| OUTSIDE)?;
        }
        let states = reader.count(2, (limits.dense_dfa_bytes / (2 * stride)).min(usize::from(MATCHED)))?;
        let known = |transition: u16| usize::from(transition & !MATCHED) < states;
        let transitions = rows::restore(reader, stride, states, known)?;
        if !starts.into_iter().chain([DEAD as u16]).all(known) {
            return Err(OUTSIDE);
        }
        Ok(Compact::of(Determinized { transitions, starts }, stride, classes, sides, order))
    }

    /// Bytes of the same table as the library holds it: four a transition, rows padded to a power of two.
    pub(super) fn padded_bytes(&self) -> usize {
        4 * self.stride.next_power_of_two() * (self.transitions.len() / self.stride)
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        2 * self.transitions.len() + 256
    }

    /// What a byte costs.
    pub(super) fn byte(&self) -> u64 {
        fuel::table_byte(2 * self.transitions.len())
    }

    #[inline]
    fn transition(&self, row: usize, unit: Option<u8>) -> u16 {
        let class = match unit {
            Some(byte) => self.classes.get(usize::from(byte)).copied().map_or(0, usize::from),
            None => self.stride - 1,
        };
        self.transitions.get(row + class).copied().unwrap_or_default()
    }

    /// Goes on with `run`: to the right up to the end of `haystack`, or (`REVERSE`) to the left down to `floor`.
    pub(super) fn run<const REVERSE: bool>(
        &self,
        haystack: &[u8],
        floor: usize,
        run: &mut Run,
        quantum: u64,
        meter: &mut Meter,
    ) -> Result<Step, Exhausted> {
        let (begun, byte_price) = (meter.spent(), self.byte());
        let goal = if REVERSE { floor } else { haystack.len() };
        let mut state = match run.place {
            Place::State(state) => state,
            _ => {
                let before = if REVERSE { Some(run.at) } else { run.at.checked_sub(1) };
                let read = self.sides.side(before.and_then(|i| haystack.get(i)).copied());
                self.starts.get(read as usize).copied().map_or(DEAD, u32::from)
            }
        };
        while run.at != goal {
            if meter.spent() - begun >= quantum.max(1) {
                run.place = Place::State(state);
                return Ok(Step::Pending);
            }
            let next = if REVERSE { fuel::block_start(run.at, floor) } else { fuel::block_end(run.at, haystack.len()) };
            meter.charge_rule(byte_price * run.at.abs_diff(next) as u64)?;
            let low = run.at.min(next);
            let block = haystack.get(low..run.at.max(next)).unwrap_or_default();
            // A match lies before the byte that shows it: on its left, or on its right when reading backwards.
            let reached = if REVERSE {
                let bytes = block.iter().enumerate().rev().map(|(i, &byte)| (low + i + 1, byte));
                self.read(bytes, state, &mut run.last)
            } else {
                self.read(block.iter().enumerate().map(|(i, &byte)| (low + i, byte)), state, &mut run.last)
            };
            match reached {
                Some(reached) => state = reached,
                None => return Ok(Step::Done(run.last)),
            }
            run.at = next;
        }
        let unit = if REVERSE { run.at.checked_sub(1).and_then(|i| haystack.get(i)).copied() } else { None };
        if self.transition(state as usize * self.scale, unit) & MATCHED != 0 {
            run.last = Some(run.at);
        }
        Ok(Step::Done(run.last))
    }

    /// Reads a block of (position before the byte, byte); the state behind it, or `None` when the search has ended.
    #[inline]
    fn read(&self, bytes: impl Iterator<Item = (usize, u8)>, state: u32, last: &mut Option<usize>) -> Option<u32> {
        match self.scale {
            1 => self.read_scaled(bytes, state, last, |row| row),
            stride => self.read_scaled(bytes, state, last, |state| state * stride),
        }
    }

    #[inline]
    fn read_scaled(
        &self,
        bytes: impl Iterator<Item = (usize, u8)>,
        mut state: u32,
        last: &mut Option<usize>,
        row: impl Fn(usize) -> usize,
    ) -> Option<u32> {
        // Whether there is a match is as hard to foretell as the text: nothing branches on it that goes on.
        let mut seen = last.unwrap_or(usize::MAX);
        let mut ended = false;
        for (at, byte) in bytes {
            let transition = self.transition(row(state as usize), Some(byte));
            let matched = transition & MATCHED != 0;
            seen = std::hint::select_unpredictable(matched, at, seen);
            state = u32::from(transition & !MATCHED);
            ended = state == DEAD || matched && self.order == Order::Any;
            if ended {
                break;
            }
        }
        *last = (seen != usize::MAX).then_some(seen);
        (!ended).then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::thompson::{Shape, compile};

    fn build(source: &str, order: Order, bytes: usize) -> Option<Compact> {
        let hir = regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build().parse(source).unwrap();
        let nfa = compile(&hir, Shape::Forward, 1 << 20).unwrap();
        Compact::build(&nfa, order, &Limits { dense_dfa_bytes: bytes, ..Limits::default() })
    }

    #[test]
    fn it_keeps_its_limit_and_asks_only_for_what_it_needs() {
        let size = |order| build("(?:a.*b|b.*c|c.*a)d", order, 1 << 16).unwrap().memory();
        assert!(size(Order::Any) < size(Order::First), "sets without order are fewer");
        let exact = size(Order::Any) - 256;
        assert!(build("(?:a.*b|b.*c|c.*a)d", Order::Any, exact).is_some());
        assert!(build("(?:a.*b|b.*c|c.*a)d", Order::Any, exact - 1).is_none());
        assert!(build("a[^x]{40}b", Order::Any, 1 << 20).is_none(), "explodes");
    }
}
