//! The states of a lazy DFA: a cache that speeds scans up but whose contents are never seen in fuel or answers.
//!
//! States and transitions stay from request to request. What a request pays is decided by *stamps*: a transition is paid
//! when this request takes it first, a state when this request visits it first, known or not. What one request may visit is
//! capped in cells of four bytes; the table is wiped only between requests, when it holds more than one such cap, so it never
//! holds more than two and never has to turn away a state that the request has paid for.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use super::look::Side;
use super::simulation::{NodeSet, Simulation};

/// The state from which nothing can match.
pub(super) const DEAD: u32 = 0;

/// Cells that a state takes beside its transitions and nodes.
const STATE_CELLS: usize = 24;

/// A transition: who paid for it last, what it costs, whether the pattern matches *before* the byte, and where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transition(u64);

impl Transition {
    const NEXT_BITS: u32 = 21;
    const COST_BITS: u32 = 20;
    const UNKNOWN: Transition = Transition((1 << Self::NEXT_BITS) - 1);
    /// The largest cost that fits; dearer transitions are charged as this, known or not.
    pub(super) const MAX_COST: u64 = (1 << Self::COST_BITS) - 1;
    /// The largest stamp that fits.
    const MAX_STAMP: u32 = (1 << 22) - 1;

    fn new(stamp: u32, matched: bool, cost: u64, next: u32) -> Transition {
        Transition(
            (u64::from(matched) << 63)
                | (u64::from(stamp) << (Self::NEXT_BITS + Self::COST_BITS))
                | (cost.min(Self::MAX_COST) << Self::NEXT_BITS)
                | u64::from(next),
        )
    }

    /// Where it leads.
    #[inline]
    pub(super) fn next(self) -> u32 {
        (self.0 & ((1 << Self::NEXT_BITS) - 1)) as u32
    }

    /// Nodes that its second half meets.
    pub(super) fn cost(self) -> u64 {
        (self.0 >> Self::NEXT_BITS) & Self::MAX_COST
    }

    /// Whether the pattern matches before the byte.
    #[inline]
    pub(super) fn matched(self) -> bool {
        self.0 >> 63 != 0
    }

    fn is_known(self) -> bool {
        self.next() != Self::UNKNOWN.next()
    }

    /// Whether the request with this stamp has paid for it.
    #[inline]
    pub(super) fn is_paid(self, stamp: u32) -> bool {
        (self.0 << 1) >> (Self::NEXT_BITS + Self::COST_BITS + 1) == u64::from(stamp)
    }
}

/// Hashes the code of a set, eight bytes at a time. The default hasher takes as long as the step that made the set; its
/// strength is not needed where a few thousand keys, each paid for, are sets of nodes that nobody chooses freely.
#[derive(Debug, Default)]
pub(super) struct CodeHasher(u64);

impl Hasher for CodeHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        let rest = rest.iter().fold(rest.len() as u64, |word, &byte| word << 8 | u64::from(byte));
        for word in words.iter().map(|&word| u64::from_le_bytes(word)).chain([rest]) {
            self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }

    fn finish(&self) -> u64 {
        // The low bits of a product are weak, and the table looks at those too.
        self.0 ^ self.0 >> 32
    }
}

#[derive(Debug, Clone)]
struct State {
    code: Arc<[u32]>,
    cost: u64,
    stamp: u32,
}

/// The states of one lazy DFA and the memory of its simulation.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    stamp: u32,
    /// Cells that one request may visit.
    cap: usize,
    /// Cells that this request has visited.
    visited: usize,
    /// Cells held.
    held: usize,
    stride: usize,
    states: Vec<State>,
    transitions: Vec<Transition>,
    index: HashMap<Arc<[u32]>, u32, BuildHasherDefault<CodeHasher>>,
    /// The start state for each kind of byte before the start, with the stamp of the request that paid for it.
    starts: [(u32, u32); 5],
    /// The memory of a step.
    pub(super) simulation: Simulation,
    /// The set in which the simulation stands, and a spare one.
    pub(super) set: NodeSet,
}

impl Table {
    /// Makes the table fit an automaton of `stride` transitions a state and `cap` cells a request.
    pub(super) fn fit(&mut self, stride: usize, cap: usize) {
        if self.stride != stride || self.cap != cap || self.states.is_empty() {
            self.stride = stride;
            self.cap = cap;
            self.wipe();
        }
    }

    /// Forgets everything, at the start of a request.
    pub(super) fn wipe(&mut self) {
        self.states.clear();
        self.transitions.clear();
        self.index.clear();
        self.starts = [(DEAD, 0); 5];
        self.stamp = self.stamp.max(1);
        self.visited = 0;
        self.held = 0;
        if self.stride == 0 {
            return;
        }
        let code: Arc<[u32]> = Arc::new([0]);
        self.states.push(State { code: Arc::clone(&code), cost: 0, stamp: u32::MAX });
        self.index.insert(code, DEAD);
        self.transitions.resize(self.stride, Transition::UNKNOWN);
    }

    /// Starts a new request: nothing is paid any more.
    pub(super) fn next_request(&mut self) {
        self.visited = 0;
        if self.stamp >= Transition::MAX_STAMP {
            self.stamp = 0;
            self.held = usize::MAX;
        }
        self.stamp += 1;
        if self.held > self.cap {
            self.wipe();
        }
    }

    /// The stamp of this request.
    #[inline]
    pub(super) fn stamp(&self) -> u32 {
        self.stamp
    }

    /// The transition of `state` in column `class`.
    #[inline]
    pub(super) fn transition(&self, state: u32, class: usize) -> Transition {
        self.transitions.get(state as usize * self.stride + class).copied().unwrap_or(Transition::UNKNOWN)
    }

    /// The transition, if any request has computed it.
    pub(super) fn known(&self, state: u32, class: usize) -> Option<Transition> {
        Some(self.transition(state, class)).filter(|transition| transition.is_known())
    }

    /// Stores a transition that this request has paid for.
    pub(super) fn set_transition(&mut self, state: u32, class: usize, matched: bool, cost: u64, next: u32) {
        let transition = Transition::new(self.stamp, matched, cost, next);
        if let Some(place) = self.transitions.get_mut(state as usize * self.stride + class) {
            *place = transition;
        }
    }

    /// The code of a state and the cost of the first half of a step from it.
    pub(super) fn state(&self, state: u32) -> (&[u32], u64) {
        self.states.get(state as usize).map_or((&[], 0), |state| (&state.code, state.cost))
    }

    /// First half of a step from a stored state.
    pub(super) fn prepare(
        &mut self,
        nfa: &super::thompson::Thompson,
        order: super::thompson::Order,
        state: u32,
        next: Option<u8>,
    ) -> super::simulation::Prepared {
        let code: &[u32] = self.states.get(state as usize).map_or(&[], |state| &state.code);
        self.simulation.prepare(nfa, order, code, next)
    }

    /// Takes the set of a stored state into [`Table::set`].
    pub(super) fn load(&mut self, state: u32) {
        if let Some(state) = self.states.get(state as usize) {
            self.set.restore(&state.code, state.cost);
        }
    }

    /// The state of [`Table::set`], if it is in the table.
    pub(super) fn find(&self) -> Option<u32> {
        self.index.get(self.set.code()).copied()
    }

    /// Whether this request has visited `state`.
    pub(super) fn is_visited(&self, state: u32) -> bool {
        state == DEAD || self.states.get(state as usize).is_some_and(|state| state.stamp == self.stamp)
    }

    /// Whether this request may visit one more state, of so many nodes.
    pub(super) fn has_room(&self, nodes: usize) -> bool {
        self.visited.saturating_add(self.cells(nodes)) <= self.cap
    }

    fn cells(&self, nodes: usize) -> usize {
        STATE_CELLS + 2 * self.stride + nodes
    }

    /// Visits a state of the table, of so many nodes; the request has paid and there is room.
    pub(super) fn visit_again(&mut self, state: u32, nodes: usize) {
        self.visited += self.cells(nodes);
        if let Some(state) = self.states.get_mut(state as usize) {
            state.stamp = self.stamp;
        }
    }

    /// Visits the state of [`Table::set`], which is new; the request has paid and there is room.
    pub(super) fn visit(&mut self) -> u32 {
        let cells = self.cells(self.set.code().len());
        self.visited += cells;
        self.held += cells;
        let id = self.states.len() as u32;
        let code: Arc<[u32]> = Arc::from(self.set.code());
        self.index.insert(Arc::clone(&code), id);
        self.states.push(State { code, cost: self.set.cost(), stamp: self.stamp });
        self.transitions.resize(self.transitions.len() + self.stride, Transition::UNKNOWN);
        id
    }

    /// The start state behind a byte of this kind, if this request has paid for it.
    pub(super) fn start(&self, read: Side) -> Option<u32> {
        self.starts.get(read as usize).filter(|(_, stamp)| *stamp == self.stamp).map(|(state, _)| *state)
    }

    /// Stores a start state that this request has paid for.
    pub(super) fn set_start(&mut self, read: Side, state: u32) {
        let stamp = self.stamp;
        if let Some(place) = self.starts.get_mut(read as usize) {
            *place = (state, stamp);
        }
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.held.saturating_mul(4) + self.simulation.memory() + self.set.memory()
    }
}
