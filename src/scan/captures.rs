//! An NFA simulation that follows capture groups inside a span that is known to match.

use regex_automata::nfa::thompson::NFA;

use super::cursor::{Groups, Place, Run, Step};
use super::fuel;
use super::look::{self, Side};
use super::sparse_set::SparseSet;
use super::thompson::{Node, Thompson};
use crate::limits::Limits;
use crate::meter::{Exhausted, Meter, Price};
use crate::wire::{Damaged, Reader, Writer};

/// A position that was never stored.
const UNSET: usize = usize::MAX;

/// The capture groups of a pattern.
#[derive(Debug, Clone)]
pub(super) struct Captures {
    nfa: Thompson,
    /// Slots of groups 0 to 9, two each.
    slots: usize,
    /// Fuel for one node: every node may copy its slots.
    node: u64,
}

/// The threads of a simulation at one position: nodes in order of preference, a row of slots for each.
#[derive(Debug, Clone, Default)]
struct Threads {
    leaves: Vec<u32>,
    rows: Vec<usize>,
}

#[derive(Debug)]
enum Frame {
    Visit(u32),
    Restore { slot: usize, position: usize },
}

/// The memory of the simulation.
#[derive(Debug, Default)]
pub(super) struct CaptureThreads {
    now: Threads,
    next: Threads,
    seen: SparseSet,
    stack: Vec<Frame>,
    row: Vec<usize>,
    found: Vec<usize>,
}

impl CaptureThreads {
    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        let rows = self.now.rows.capacity() + self.next.rows.capacity() + self.row.capacity() + self.found.capacity();
        rows * size_of::<usize>()
            + (self.now.leaves.capacity() + self.next.leaves.capacity()) * size_of::<u32>()
            + self.stack.capacity() * size_of::<Frame>()
            + self.seen.memory()
    }
}

impl Captures {
    /// The simulation over `nfa`; groups from 10 on are not kept.
    pub(super) fn new(nfa: &NFA) -> Captures {
        let slots = nfa.group_info().slot_len().min(2 * Groups::COUNT);
        Captures::of(Thompson::new(nfa, true, slots), slots)
    }

    fn of(nfa: Thompson, slots: usize) -> Captures {
        Captures { nfa, slots, node: fuel::NODE + slots as u64 }
    }

    /// Writes it.
    pub(super) fn store(&self, writer: &mut Writer) {
        writer.number(self.slots);
        self.nfa.store(writer);
    }

    /// Reads what [`Captures::store`] has written.
    pub(super) fn restore(reader: &mut Reader<'_>, limits: &Limits) -> Result<Captures, Damaged> {
        let slots = reader.number(2 * Groups::COUNT)?;
        Ok(Captures::of(Thompson::restore(reader, limits)?, slots))
    }

    /// Bytes held by the automaton itself.
    pub(super) fn memory(&self) -> usize {
        self.nfa.memory()
    }

    /// The most that the groups of a span of `n` bytes can cost.
    pub(super) fn price(&self) -> Price {
        let step = fuel::STEP + self.node * self.nfa.max_step();
        Price::per_byte(step + self.node * self.nfa.weight(self.nfa.start()), step)
    }

    /// Goes on with `run` in the span `start..end`, which the pattern is known to match.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn run(
        &self,
        threads: &mut CaptureThreads,
        haystack: &[u8],
        (start, end): (usize, usize),
        run: &mut Run,
        groups: &mut Groups,
        quantum: u64,
        meter: &mut Meter,
    ) -> Result<Step, Exhausted> {
        let begun = meter.spent();
        if run.place == Place::Fresh {
            meter.charge_rule(self.node * self.nfa.weight(self.nfa.start()))?;
            threads.seen.grow(self.nfa.len());
            threads.row.clear();
            threads.row.resize(self.slots, UNSET);
            threads.found.clear();
            threads.next.leaves.clear();
            threads.next.rows.clear();
            threads.seen.clear();
            self.walk(threads, haystack, start, self.nfa.start());
            std::mem::swap(&mut threads.now, &mut threads.next);
            run.place = Place::Simulated;
        }
        while !threads.now.leaves.is_empty() {
            if meter.spent() - begun >= quantum.max(1) {
                return Ok(Step::Pending);
            }
            meter.charge_rule(fuel::STEP + self.node * threads.now.leaves.len() as u64)?;
            let byte = if run.at < end { haystack.get(run.at).copied() } else { None };
            let targets = self.targets(&threads.now, byte).map(|(_, target)| self.nfa.weight(target)).sum::<u64>();
            meter.charge_rule(self.node * targets.min(self.nfa.total()))?;
            self.step(threads, haystack, run.at, byte);
            run.at += 1;
        }
        groups.set(0, start, end);
        for (i, pair) in threads.found.chunks_exact(2).enumerate().skip(1) {
            if let &[from, to] = pair
                && from != UNSET
                && to != UNSET
            {
                groups.set(i, from, to);
            }
        }
        Ok(Step::Done(Some(start)))
    }

    /// The threads above the first match that read `byte`, and where it leads them.
    fn targets<'a>(&'a self, now: &'a Threads, byte: Option<u8>) -> impl Iterator<Item = (usize, u32)> + 'a {
        now.leaves
            .iter()
            .map(|&leaf| self.nfa.node(leaf))
            .take_while(|node| !matches!(node, Node::Match))
            .enumerate()
            .filter_map(move |(i, node)| byte.and_then(|byte| self.nfa.target(node, byte)).map(|target| (i, target)))
    }

    /// One step at position `at` over `byte` (`None` at the end of the span).
    fn step(&self, threads: &mut CaptureThreads, haystack: &[u8], at: usize, byte: Option<u8>) {
        threads.next.leaves.clear();
        threads.next.rows.clear();
        threads.seen.clear();
        let now = std::mem::take(&mut threads.now);
        for (i, target) in self.targets(&now, byte) {
            threads.row.clear();
            threads.row.extend_from_slice(now.rows.get(i * self.slots..(i + 1) * self.slots).unwrap_or_default());
            self.walk(threads, haystack, at + 1, target);
        }
        let cut = now.leaves.iter().position(|&leaf| matches!(self.nfa.node(leaf), Node::Match));
        if let Some(row) = cut.and_then(|i| now.rows.get(i * self.slots..(i + 1) * self.slots)) {
            threads.found.clear();
            threads.found.extend_from_slice(row);
        }
        threads.now = now;
        std::mem::swap(&mut threads.now, &mut threads.next);
    }

    /// Adds the threads that empty transitions reach from `root` at position `at`, with the slots in `row`.
    fn walk(&self, threads: &mut CaptureThreads, haystack: &[u8], at: usize, root: u32) {
        let read = Side::of(at.checked_sub(1).and_then(|i| haystack.get(i)).copied());
        let next = Side::of(haystack.get(at).copied());
        let CaptureThreads { next: to, seen, stack, row, .. } = threads;
        stack.clear();
        stack.push(Frame::Visit(root));
        while let Some(frame) = stack.pop() {
            let id = match frame {
                Frame::Visit(id) => id,
                Frame::Restore { slot, position } => {
                    if let Some(place) = row.get_mut(slot) {
                        *place = position;
                    }
                    continue;
                }
            };
            if !seen.insert(id) {
                continue;
            }
            match self.nfa.node(id) {
                Node::Byte { .. } | Node::Ranges { .. } | Node::Match => {
                    to.leaves.push(id);
                    to.rows.extend_from_slice(row);
                }
                Node::Look { look, next: behind } => {
                    if look::holds(look, read, next, false) {
                        stack.push(Frame::Visit(behind));
                    }
                }
                Node::Save { slot, next: behind } => {
                    if let Some(place) = row.get_mut(slot as usize) {
                        stack.push(Frame::Restore { slot: slot as usize, position: *place });
                        *place = at;
                    }
                    stack.push(Frame::Visit(behind));
                }
                Node::Split { from, to: end } => {
                    stack.extend(self.nfa.edges(from, end).iter().rev().map(|&id| Frame::Visit(id)));
                }
                Node::Fail => {}
            }
        }
    }
}
