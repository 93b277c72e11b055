//! An NFA simulation that follows capture groups inside a span that is known to match. It ends where the groups are settled: what
//! stands behind the last group is often most of the span.

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

/// Slots of group 0, which is known before.
const WHOLE: usize = 2;

/// The capture groups of a pattern.
#[derive(Debug, Clone)]
pub(super) struct Captures {
    nfa: Thompson,
    /// Slots of groups 0 to 9, two each.
    slots: usize,
    /// Fuel for one node: every node may copy its slots.
    node: u64,
    /// Whether a group can still begin or end behind a node.
    open: Vec<bool>,
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
        let open = opens(&nfa, slots);
        Captures { nfa, slots, node: fuel::NODE + slots as u64, open }
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
        self.nfa.memory() + self.open.len()
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
        while !threads.now.leaves.is_empty() && !self.settle(threads) {
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

    /// Whether all threads have the same groups, none of which can change. (One of them is what matches, as the span is known to.)
    fn settle(&self, threads: &mut CaptureThreads) -> bool {
        let Threads { leaves, rows } = &threads.now;
        if leaves.iter().any(|&leaf| self.open.get(leaf as usize) != Some(&false)) {
            return false;
        }
        let mut groups = rows.chunks_exact(self.slots.max(1)).map(|row| row.get(WHOLE..));
        let Some(first) = groups.next() else { return false };
        if !groups.all(|row| row == first) || !threads.found.is_empty() && threads.found.get(WHOLE..) != first {
            return false;
        }
        let row = rows.get(..self.slots).unwrap_or_default();
        threads.found.clear();
        threads.found.extend_from_slice(row);
        true
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

/// For each node whether a slot below `slots` of another group than 0 can be stored at it or behind it.
fn opens(nfa: &Thompson, slots: usize) -> Vec<bool> {
    let mut before = vec![Vec::new(); nfa.len()];
    let mut open = vec![false; nfa.len()];
    let mut waiting = Vec::new();
    for (id, node) in (0u32..).zip(&nfa.nodes) {
        let mut leads = |to: u32| before.get_mut(to as usize).into_iter().for_each(|from: &mut Vec<u32>| from.push(id));
        match *node {
            Node::Byte { .. } | Node::Ranges { .. } => {
                nfa.steps(&node.step()).iter().for_each(|&(_, _, next)| leads(next));
            }
            Node::Look { next, .. } => leads(next),
            Node::Save { slot, next } => {
                leads(next);
                if (WHOLE..slots).contains(&(slot as usize)) {
                    waiting.push(id);
                }
            }
            Node::Split { from, to } => nfa.edges(from, to).iter().for_each(|&next| leads(next)),
            Node::Match | Node::Fail => {}
        }
    }
    while let Some(id) = waiting.pop() {
        if let Some(place) = open.get_mut(id as usize).filter(|place| !**place) {
            *place = true;
            waiting.extend(before.get(id as usize).into_iter().flatten());
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use crate::scan::{Cache, Cursor, Groups, Outcome, Pattern, Want};
    use crate::{Limits, meter::Meter};

    fn groups(source: &str, text: &[u8]) -> (Groups, u64) {
        let hir = regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build().parse(source).unwrap();
        let pattern = Pattern::build(&hir, Want::Groups, &Limits::default(), None).unwrap();
        let (mut cursor, mut groups, mut meter) = (Cursor::default(), Groups::default(), Meter::unlimited());
        let outcome = pattern.scan(&mut Cache::default(), text, &mut cursor, u64::MAX, &mut groups, &mut meter);
        assert_eq!(outcome, Ok(Outcome::Hit));
        (groups, meter.spent())
    }

    #[test]
    fn what_stands_behind_the_last_group_is_not_followed() {
        let text = [b"x[a].", "ab".repeat(10_000).as_bytes(), b"`"].concat();
        let (found, spent) = groups(r"(?s)(\[[^\]]*\][^.]*\.).*b.*`", &text);
        assert_eq!((found.get(0), found.get(1)), (Some((1, text.len())), Some((1, 5))));
        assert!(spent < 3 * text.len() as u64, "{spent} for {} bytes", text.len());
    }

    #[test]
    fn groups_that_are_not_settled_are_followed_to_the_end() {
        for (source, text, group) in [
            // Two threads with different groups until the last byte decides.
            (r"(?:(a)|(?:aa?))b*c", "abbbc", Some((0, 1))),
            (r"(?:(ab)x*y|a(b)x*z)", "abxxxz", None),
            // A match is kept while a preferred thread lives on with other groups.
            (r"(a+)(?:b*c)?", "aabbb", Some((0, 2))),
            (r"(?:(a)b*c|ab)", "abbb", None),
            // A group that is entered again.
            (r"(?:(a)b*)+c", "abbabbabc", Some((6, 7))),
        ] {
            assert_eq!(groups(source, text.as_bytes()).0.get(1), group, "{source}");
        }
    }
}
