//! One step of an NFA simulation: from a set of nodes over one byte to the next set.
//!
//! A set holds the nodes at which empty transitions end: those that read a byte, and `Match`. Where an assertion is on the way
//! it holds the nodes where the empty transitions begin instead, until the byte after the position is known; resolving them
//! later from the middle would lose the order of preference. So a match is reported one byte late, by the step that reads the
//! byte behind it.

use super::look::{self, Side};
use super::sparse_set::SparseSet;
use super::thompson::{Node, Order, Thompson};

/// A set of nodes and what its assertions need to know of the byte before it. Comparable as a slice: the first element
/// encodes the byte.
#[derive(Debug, Clone, Default)]
pub(super) struct NodeSet {
    code: Vec<u32>,
    /// Nodes that the first half of a step from here meets, at most.
    cost: u64,
}

/// Set in the first element of a code when the set waits for assertions.
const WAITS: u32 = 0x100;

impl NodeSet {
    /// The set as a key: equal keys behave alike.
    pub(super) fn code(&self) -> &[u32] {
        &self.code
    }

    /// Nodes that the first half of a step from here meets, at most.
    pub(super) fn cost(&self) -> u64 {
        self.cost
    }

    /// Takes over a set that was stored as code and cost.
    pub(super) fn restore(&mut self, code: &[u32], cost: u64) {
        self.code.clear();
        self.code.extend_from_slice(code);
        self.cost = cost;
    }

    /// Whether nothing can match any more.
    pub(super) fn is_dead(&self) -> bool {
        self.code.len() <= 1
    }

    /// Whether the set with this code waits for assertions.
    pub(super) fn waits(code: &[u32]) -> bool {
        code.first().is_some_and(|tag| tag & WAITS != 0)
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.code.capacity() * size_of::<u32>()
    }
}

fn side_of(tag: u32) -> Side {
    match tag & !WAITS {
        1 => Side::Lf,
        2 => Side::Cr,
        3 => Side::Word,
        4 => Side::Other,
        _ => Side::Edge,
    }
}

/// What the first half of a step found out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prepared {
    /// The pattern matches at the position before the byte.
    pub(super) matched: bool,
    /// Nodes that the second half meets, at most.
    pub(super) cost: u64,
}

/// The memory of a simulation step.
#[derive(Debug, Clone, Default)]
pub(super) struct Simulation {
    expanded: Vec<u32>,
    targets: Vec<u32>,
    stack: Vec<u32>,
    seen: SparseSet,
}

impl Simulation {
    /// Makes room for the nodes of `nfa`.
    pub(super) fn grow(&mut self, nfa: &Thompson) {
        self.seen.grow(nfa.len());
    }

    /// The set at the start of a search; costs the weight of the start node.
    pub(super) fn start(&mut self, nfa: &Thompson, order: Order, read: Side, set: &mut NodeSet) {
        self.targets.clear();
        self.targets.push(nfa.start());
        self.finish(nfa, order, read, set);
    }

    /// First half of a step: resolves assertions now that the byte after the position is known (`None`: the edge of the
    /// haystack) and collects where the set leads on it. Costs [`NodeSet::cost`].
    pub(super) fn prepare(&mut self, nfa: &Thompson, order: Order, code: &[u32], next: Option<u8>) -> Prepared {
        let mut prepared = Prepared { matched: false, cost: 0 };
        self.targets.clear();
        let Some((&tag, leaves)) = code.split_first() else { return prepared };
        let waits = tag & WAITS != 0;
        if waits {
            self.expand(nfa, order, leaves, side_of(tag), Side::of(next));
        }
        let leaves = if waits { self.expanded.as_slice() } else { leaves };
        for &leaf in leaves {
            let node = nfa.node(leaf);
            if matches!(node, Node::Match) {
                prepared.matched = true;
                match order {
                    Order::First => break,
                    Order::Any => {
                        self.targets.clear();
                        prepared.cost = 0;
                        return prepared;
                    }
                    Order::All => {}
                }
            } else if let Some(target) = next.and_then(|byte| nfa.target(node, byte)) {
                self.targets.push(target);
                prepared.cost += nfa.weight(target);
            }
        }
        prepared.cost = prepared.cost.min(nfa.total());
        prepared
    }

    /// The nodes of a set that waits for assertions, now that the kind of the byte after the position is known.
    pub(super) fn resolve(&mut self, nfa: &Thompson, order: Order, code: &[u32], next: Side) -> &[u32] {
        if let Some((&tag, leaves)) = code.split_first() {
            self.expand(nfa, order, leaves, side_of(tag), next);
        }
        &self.expanded
    }

    /// The set behind a byte of the kind `read` that leads to `targets`; answers how many nodes that took.
    pub(super) fn reach(
        &mut self,
        nfa: &Thompson,
        order: Order,
        targets: &[u32],
        read: Side,
        set: &mut NodeSet,
    ) -> usize {
        self.targets.clear();
        self.targets.extend_from_slice(targets);
        self.finish(nfa, order, read, set);
        self.seen.len()
    }

    /// Second half of a step: the set behind the byte. Costs [`Prepared::cost`].
    pub(super) fn finish(&mut self, nfa: &Thompson, order: Order, read: Side, set: &mut NodeSet) {
        let Simulation { targets, stack, seen, .. } = self;
        set.code.clear();
        set.code.push(0);
        seen.clear();
        stack.clear();
        stack.extend(targets.iter().rev());
        let mut waits = false;
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            match nfa.node(id) {
                Node::Byte { .. } | Node::Ranges { .. } => set.code.push(id),
                Node::Match => {
                    if order == Order::Any {
                        set.code.truncate(1);
                        waits = false;
                    }
                    if order != Order::All {
                        stack.clear();
                    }
                    set.code.push(id);
                }
                Node::Look { .. } => waits = true,
                Node::Split { from, to } => stack.extend(nfa.edges(from, to).iter().rev()),
                Node::Save { next, .. } => stack.push(next),
                Node::Fail => {}
            }
        }
        if waits {
            set.code.clear();
            set.code.push(WAITS | read as u32);
            seen.clear();
            set.code.extend(targets.iter().filter(|&&target| seen.insert(target)));
        }
        if let Some((_, nodes)) = set.code.split_first_mut() {
            if order != Order::First {
                nodes.sort_unstable();
            }
            let walk = if waits { nodes.iter().map(|&node| nfa.weight(node)).sum() } else { 0u64 };
            set.cost = nodes.len() as u64 + walk.min(nfa.total());
        }
    }

    /// Follows the empty transitions of the nodes that waited, assertions resolved.
    fn expand(&mut self, nfa: &Thompson, order: Order, waiting: &[u32], read: Side, next: Side) {
        let Simulation { expanded, stack, seen, .. } = self;
        expanded.clear();
        seen.clear();
        stack.clear();
        stack.extend(waiting.iter().rev());
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            match nfa.node(id) {
                Node::Byte { .. } | Node::Ranges { .. } => expanded.push(id),
                Node::Match => {
                    expanded.push(id);
                    if order != Order::All {
                        break;
                    }
                }
                Node::Look { look, next: behind } => {
                    if look::holds(look, read, next, nfa.reversed()) {
                        stack.push(behind);
                    }
                }
                Node::Split { from, to } => stack.extend(nfa.edges(from, to).iter().rev()),
                Node::Save { next: behind, .. } => stack.push(behind),
                Node::Fail => {}
            }
        }
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        (self.expanded.capacity() + self.targets.capacity() + self.stack.capacity()) * size_of::<u32>()
            + self.seen.memory()
    }
}
