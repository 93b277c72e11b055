//! A fuel-checked loop over a dense DFA.

use memchr::{memchr, memchr2, memchr3, memrchr, memrchr2, memrchr3};
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::NFA;
use regex_automata::util::{primitives::StateID, start};
use regex_automata::{Anchored, MatchKind};

use super::cursor::{Place, Run, Step};
use super::fuel;
use super::stored::{StoredPattern, rows};
use super::thompson::Order;
use crate::limits::Limits;
use crate::meter::{Exhausted, Meter};
use crate::wire::{Damaged, Reader, Writer};

/// A skip of fewer bytes than this would have been faster byte by byte.
const WORTHWHILE_SKIP: usize = 16;
/// So many of them, and the rest of the block is read byte by byte: input made of needles must not pay for acceleration.
const MAX_SHORT_SKIPS: usize = 4;

/// Bytes that the library writes before its table. Were they others, tables would be stored less well, and nothing else.
const HEAD: usize = 320;
/// Cells of two bytes in a row of the library's largest table.
const MAX_STRIDE: usize = 1024;

/// A dense DFA: one to three fuel a byte, by the size of its table, whatever the input.
#[derive(Debug, Clone)]
pub(super) struct Dense {
    dfa: dense::DFA<Vec<u32>>,
    order: Order,
}

impl Dense {
    /// Determinises `nfa`; `None` when that exceeds the limits.
    pub(super) fn build(nfa: &NFA, order: Order, limits: &Limits) -> Option<Dense> {
        let (kind, start) = match order {
            Order::First | Order::Any => (MatchKind::LeftmostFirst, StartKind::Unanchored),
            Order::All => (MatchKind::All, StartKind::Anchored),
        };
        let config = dense::Config::new()
            .match_kind(kind)
            .start_kind(start)
            .accelerate(true)
            .dfa_size_limit(Some(limits.dense_dfa_bytes))
            .determinize_size_limit(Some(limits.determinize_bytes));
        let dfa = dense::Builder::new().configure(config).build_from_nfa(nfa).ok()?;
        // A copy: what the builder leaves has room for more states than there are.
        Some(Dense { dfa: dfa.to_owned(), order })
    }

    /// Writes it: what the library writes, with its table as rows.
    pub(super) fn store(&self, writer: &mut Writer) {
        let mut bytes = vec![0; self.dfa.write_to_len()];
        // The length is the library's own, so there is nothing that could fail.
        drop(self.dfa.write_to_little_endian(&mut bytes));
        let (head, rest) = bytes.split_at(HEAD.min(bytes.len()));
        let stride = 2 * self.dfa.stride();
        let (table, rest) = rest.split_at(rest.len() - rest.len() % (2 * stride));
        let cells: Vec<u16> = table.as_chunks().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect();
        writer.number(bytes.len());
        writer.number(stride);
        writer.raw(head);
        rows::store(&cells, stride, writer);
        writer.raw(rest);
    }

    /// Reads what [`Dense::store`] has written; the library checks it.
    pub(super) fn restore(reader: &mut Reader<'_>, order: Order, limits: &Limits) -> Result<Dense, Damaged> {
        const NO_DFA: Damaged = Damaged("this is no DFA of the automata library");
        let len = reader.number(StoredPattern::max_bytes(limits))?;
        let stride = reader.number(MAX_STRIDE)?.max(1);
        let head = reader.raw(HEAD.min(len))?;
        let cells = rows::restore(reader, stride, (len - head.len()) / (2 * stride), |_| true)?;
        let rest = reader.raw(len - head.len() - 2 * cells.len())?;
        // The library wants its tables aligned.
        let mut aligned = vec![0; len + align_of::<u32>()];
        let padding = aligned.as_ptr().align_offset(align_of::<u32>());
        let place = aligned.get_mut(padding..).and_then(|rest| rest.get_mut(..len)).ok_or(NO_DFA)?;
        let (first, last) = place.split_at_mut(head.len());
        first.copy_from_slice(head);
        let (table, last) = last.split_at_mut(2 * cells.len());
        table.as_chunks_mut().0.iter_mut().zip(&cells).for_each(|(pair, cell)| *pair = cell.to_le_bytes());
        last.copy_from_slice(rest);
        let (dfa, read) = dense::DFA::from_bytes(place).map_err(|_| NO_DFA)?;
        if read != len || dfa.memory_usage() > limits.dense_dfa_bytes {
            return Err(NO_DFA);
        }
        Ok(Dense { dfa: dfa.to_owned(), order })
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.dfa.memory_usage()
    }

    /// What a byte costs.
    pub(super) fn byte(&self) -> u64 {
        fuel::table_byte(self.memory())
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
            Place::Dense(state) => state,
            _ => {
                let before = if REVERSE { Some(run.at) } else { run.at.checked_sub(1) };
                let anchored = if REVERSE { Anchored::Yes } else { Anchored::No };
                let look_behind = before.and_then(|i| haystack.get(i)).copied();
                let config = start::Config::new().anchored(anchored).look_behind(look_behind);
                let Ok(state) = self.dfa.start_state(&config) else { return Ok(Step::Done(None)) };
                state
            }
        };
        while run.at != goal {
            if meter.spent() - begun >= quantum.max(1) {
                run.place = Place::Dense(state);
                return Ok(Step::Pending);
            }
            let next = if REVERSE { fuel::block_start(run.at, floor) } else { fuel::block_end(run.at, haystack.len()) };
            meter.charge_rule(byte_price * run.at.abs_diff(next) as u64)?;
            let block = haystack.get(run.at.min(next)..run.at.max(next)).unwrap_or_default();
            let (reached, ended) =
                if REVERSE { self.block_reverse(block, state, run) } else { self.block_forward(block, state, run) };
            if ended {
                return Ok(Step::Done(run.last));
            }
            state = reached;
            run.at = next;
        }
        let last = if REVERSE { run.at.checked_sub(1).and_then(|i| haystack.get(i)) } else { None };
        let state = match last {
            Some(&byte) => self.dfa.next_state(state, byte),
            None => self.dfa.next_eoi_state(state),
        };
        if self.dfa.is_match_state(state) {
            run.last = Some(run.at);
        }
        Ok(Step::Done(run.last))
    }

    /// Reads a block from left to right: the state behind it, and whether the search has ended inside.
    fn block_forward(&self, block: &[u8], mut state: StateID, run: &mut Run) -> (StateID, bool) {
        let mut at = 0;
        let mut short_skips = 0;
        while let Some(&byte) = block.get(at).filter(|_| short_skips < MAX_SHORT_SKIPS) {
            state = self.dfa.next_state(state, byte);
            if self.dfa.is_special_state(state) {
                if self.dfa.is_match_state(state) {
                    run.last = Some(run.at + at);
                    if self.order == Order::Any {
                        return (state, true);
                    }
                } else if self.dfa.is_dead_state(state) {
                    return (state, true);
                } else if self.dfa.is_accel_state(state) {
                    let rest = block.get(at + 1..).unwrap_or_default();
                    let skipped = find(self.dfa.accelerator(state), rest).unwrap_or(rest.len());
                    short_skips += usize::from(skipped < WORTHWHILE_SKIP);
                    at += skipped;
                }
            }
            at += 1;
        }
        let rest = block.get(at..).unwrap_or_default();
        self.byte_by_byte((run.at + at..).zip(rest), state, run)
    }

    /// Reads bytes without skipping any, each with its position before a match that it shows. Which states are accelerated is as hard
    /// to foretell as the text, so nothing here branches on it, nor on whether a state is a match unless that ends the search.
    fn byte_by_byte<'b>(
        &self,
        bytes: impl Iterator<Item = (usize, &'b u8)>,
        mut state: StateID,
        run: &mut Run,
    ) -> (StateID, bool) {
        if self.order == Order::Any {
            for (at, &byte) in bytes {
                state = self.dfa.next_state(state, byte);
                let matches = self.dfa.is_match_state(state);
                if matches | self.dfa.is_dead_state(state) {
                    run.last = if matches { Some(at) } else { run.last };
                    return (state, true);
                }
            }
            return (state, false);
        }
        let mut last = run.last.unwrap_or(usize::MAX);
        for (at, &byte) in bytes {
            state = self.dfa.next_state(state, byte);
            last = std::hint::select_unpredictable(self.dfa.is_match_state(state), at, last);
            if self.dfa.is_dead_state(state) {
                run.last = (last != usize::MAX).then_some(last);
                return (state, true);
            }
        }
        run.last = (last != usize::MAX).then_some(last);
        (state, false)
    }

    /// Reads a block from right to left.
    fn block_reverse(&self, block: &[u8], mut state: StateID, run: &mut Run) -> (StateID, bool) {
        let mut left = block;
        let mut short_skips = 0;
        while let Some((&byte, rest)) = left.split_last().filter(|_| short_skips < MAX_SHORT_SKIPS) {
            state = self.dfa.next_state(state, byte);
            let mut after = rest.len();
            if self.dfa.is_special_state(state) {
                if self.dfa.is_match_state(state) {
                    run.last = Some(run.at - block.len() + left.len());
                } else if self.dfa.is_dead_state(state) {
                    return (state, true);
                } else if self.dfa.is_accel_state(state) {
                    after = find_last(self.dfa.accelerator(state), rest).map_or(0, |place| place + 1);
                    short_skips += usize::from(rest.len() - after < WORTHWHILE_SKIP);
                }
            }
            left = rest.get(..after).unwrap_or_default();
        }
        let before = run.at - block.len();
        self.byte_by_byte(left.iter().enumerate().rev().map(|(at, byte)| (before + at + 1, byte)), state, run)
    }
}

/// The first of `needles` (one to three bytes that leave an accelerated state) in `haystack`.
#[inline]
fn find(needles: &[u8], haystack: &[u8]) -> Option<usize> {
    match *needles {
        [a] => memchr(a, haystack),
        [a, b] => memchr2(a, b, haystack),
        [a, b, c] => memchr3(a, b, c, haystack),
        _ => Some(0),
    }
}

/// The last of `needles` in `haystack`.
#[inline]
fn find_last(needles: &[u8], haystack: &[u8]) -> Option<usize> {
    match *needles {
        [a] => memrchr(a, haystack),
        [a, b] => memrchr2(a, b, haystack),
        [a, b, c] => memrchr3(a, b, c, haystack),
        _ => haystack.len().checked_sub(1),
    }
}
