//! The Thompson NFA in a compact form of our own, with the cost of each of its steps known before the step.

use regex_automata::nfa::thompson::{self, Compiler, State, WhichCaptures};
use regex_automata::util::{look::Look, primitives::StateID};
use regex_syntax::hir::Hir;

use super::look::{self, Side, Sides};
use super::{BuildError, sparse_set::SparseSet};

/// One node. All but `Byte`, `Ranges` and `Match` are passed without reading a byte.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    /// Reads a byte in `lo..=hi`.
    Byte { lo: u8, hi: u8, next: u32 },
    /// Reads a byte in one of the sorted ranges `from..to` of [`Thompson::range`].
    Ranges { from: u32, to: u32 },
    /// Goes on at the edges `from..to` at once, the first preferred.
    Split { from: u32, to: u32 },
    /// Goes on if the assertion holds.
    Look { look: Look, next: u32 },
    /// Stores the position in a capture slot.
    Save { slot: u32, next: u32 },
    /// The pattern has matched.
    Match,
    /// No way on.
    Fail,
}

/// What a node reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    One((u8, u8, u32)),
    Many { from: u32, to: u32 },
}

impl Node {
    /// What it reads: nothing unless it is `Byte` or `Ranges`.
    #[inline]
    pub(super) fn step(self) -> Step {
        match self {
            Node::Byte { lo, hi, next } => Step::One((lo, hi, next)),
            Node::Ranges { from, to } => Step::Many { from, to },
            _ => Step::Many { from: 0, to: 0 },
        }
    }
}

/// Which match an automaton is after; decides what a set of nodes has to remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Leftmost-first: nodes stay in order of preference, a match cuts off everything less preferred.
    First,
    /// Any match will do: the order is forgotten and a match ends the search.
    Any,
    /// All match positions, as the search for the leftmost start from right to left wants them: the order is forgotten.
    All,
}

/// In which direction and for what an NFA is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// From left to right, unanchored.
    Forward,
    /// From right to left, anchored at the end of the match.
    Reverse,
    /// From left to right, anchored at the start of the match, with capture groups.
    Groups,
}

/// Compiles `hir` to the NFA of the automata library.
pub(super) fn compile(hir: &Hir, shape: Shape, nfa_bytes: usize) -> Result<thompson::NFA, BuildError> {
    if hir.properties().look_set().iter().any(|assertion| {
        matches!(
            assertion,
            regex_syntax::hir::Look::WordUnicode
                | regex_syntax::hir::Look::WordUnicodeNegate
                | regex_syntax::hir::Look::WordStartUnicode
                | regex_syntax::hir::Look::WordEndUnicode
                | regex_syntax::hir::Look::WordStartHalfUnicode
                | regex_syntax::hir::Look::WordEndHalfUnicode
        )
    }) {
        return Err(BuildError::Assertion);
    }
    let captures = if shape == Shape::Groups { WhichCaptures::All } else { WhichCaptures::None };
    let config = thompson::Config::new()
        .utf8(false)
        .reverse(shape == Shape::Reverse)
        .which_captures(captures)
        .nfa_size_limit(Some(nfa_bytes));
    Compiler::new().configure(config).build_from_hir(hir).map_err(|error| match error.size_limit() {
        Some(limit) => BuildError::TooLarge { what: "NFA", limit },
        None => BuildError::Automaton(error.to_string()),
    })
}

/// Beyond this many nodes the weight of a node is not counted but taken as the whole NFA; keeps compilation linear.
const WEIGHT_CAP: u32 = 1024;

/// What nodes refer to.
#[derive(Default)]
struct Tables {
    ranges: Vec<(u8, u8, u32)>,
    edges: Vec<u32>,
}

impl Tables {
    fn node_of(&mut self, state: &State, slots: usize) -> Node {
        match state {
            State::ByteRange { trans } => Node::Byte { lo: trans.start, hi: trans.end, next: trans.next.as_u32() },
            State::Sparse(sparse) => {
                self.ranges_of(sparse.transitions.iter().map(|t| (t.start, t.end, t.next.as_u32())))
            }
            State::Dense(dense) => {
                let all = (0..=u8::MAX).zip(dense.transitions.iter());
                self.ranges_of(all.filter(|(_, next)| **next != StateID::ZERO).map(|(b, next)| (b, b, next.as_u32())))
            }
            State::Look { look, next } if look::is_known(*look) => Node::Look { look: *look, next: next.as_u32() },
            State::Union { alternates } => self.split(alternates),
            State::BinaryUnion { alt1, alt2 } => self.split(&[*alt1, *alt2]),
            State::Capture { next, slot, .. } if slot.as_usize() < slots => {
                Node::Save { slot: slot.as_u32(), next: next.as_u32() }
            }
            State::Capture { next, .. } => self.split(&[*next]),
            State::Match { .. } => Node::Match,
            State::Look { .. } | State::Fail => Node::Fail,
        }
    }

    fn ranges_of(&mut self, transitions: impl Iterator<Item = (u8, u8, u32)>) -> Node {
        let from = self.ranges.len() as u32;
        self.ranges.extend(transitions);
        Node::Ranges { from, to: self.ranges.len() as u32 }
    }

    fn split(&mut self, alternates: &[StateID]) -> Node {
        let from = self.edges.len() as u32;
        self.edges.extend(alternates.iter().map(|id| id.as_u32()));
        Node::Split { from, to: self.edges.len() as u32 }
    }
}

/// A compiled NFA.
#[derive(Debug, Clone)]
pub(super) struct Thompson {
    pub(super) nodes: Vec<Node>,
    pub(super) ranges: Vec<(u8, u8, u32)>,
    pub(super) edges: Vec<u32>,
    /// How many nodes a walk from a node along empty transitions meets, at most.
    weights: Vec<u32>,
    pub(super) start: u32,
    total: u32,
    pub(super) classes: Box<[u8; 256]>,
    class_count: usize,
    /// The kinds of bytes that its assertions tell apart; bytes of one class must be of one kind.
    pub(super) sides: Sides,
    pub(super) reversed: bool,
    max_step: u64,
    max_set: u64,
}

impl Thompson {
    /// The compact form of `nfa`; capture slots of `slots` and above are left out.
    pub(super) fn new(nfa: &thompson::NFA, anchored: bool, slots: usize) -> Thompson {
        let mut classes = Box::new([0; 256]);
        for (byte, class) in (0..=u8::MAX).zip(classes.iter_mut()) {
            *class = nfa.byte_classes().get(byte);
        }
        let start = if anchored { nfa.start_anchored() } else { nfa.start_unanchored() };
        let mut tables = Tables::default();
        let nodes = nfa.states().iter().map(|state| tables.node_of(state, slots)).collect();
        let sides = Sides::of(nfa.look_set_any());
        Thompson::of(nodes, tables.ranges, tables.edges, start.as_u32(), classes, sides, nfa.is_reverse())
    }

    /// An NFA of these parts, with what its steps cost.
    pub(super) fn of(
        nodes: Vec<Node>,
        ranges: Vec<(u8, u8, u32)>,
        edges: Vec<u32>,
        start: u32,
        classes: Box<[u8; 256]>,
        sides: Sides,
        reversed: bool,
    ) -> Thompson {
        let total = u32::try_from(nodes.len() + edges.len()).unwrap_or(u32::MAX);
        let class_count = classes.iter().max().map_or(1, |&class| usize::from(class) + 1);
        let (weights, max_step, max_set) = (Vec::new(), 0, 0);
        let mut this = Thompson {
            nodes,
            ranges,
            edges,
            weights,
            start,
            total,
            classes,
            class_count,
            sides,
            reversed,
            max_step,
            max_set,
        };
        this.weigh();
        (this.max_step, this.max_set) = this.dearest_step();
        this
    }

    /// Counts for every node what a walk along empty transitions meets, assertions taken as true.
    fn weigh(&mut self) {
        let (mut seen, mut stack) = (SparseSet::default(), Vec::new());
        seen.grow(self.nodes.len());
        let mut weights = Vec::with_capacity(self.nodes.len());
        for root in 0..self.nodes.len() as u32 {
            seen.clear();
            stack.push(root);
            let mut weight = 0;
            while let Some(id) = stack.pop() {
                weight += 1;
                if weight > WEIGHT_CAP {
                    weight = self.total;
                    break;
                }
                if seen.insert(id) {
                    match self.node(id) {
                        Node::Look { next, .. } | Node::Save { next, .. } => stack.push(next),
                        Node::Split { from, to } => stack.extend_from_slice(self.edges(from, to)),
                        Node::Byte { .. } | Node::Ranges { .. } | Node::Match | Node::Fail => {}
                    }
                }
            }
            stack.clear();
            weights.push(weight.min(self.total));
        }
        self.weights = weights;
    }

    /// An upper bound, in nodes, of one step. Behind a byte only those nodes can be alive to which the byte leads from anywhere;
    /// so for each byte the whole set behind it is looked at, and then every transition over the dearest next byte is taken.
    /// Beside it an upper bound of the code of a set.
    fn dearest_step(&self) -> (u64, u64) {
        let (mut seen, mut stack) = (SparseSet::default(), Vec::new());
        seen.grow(self.nodes.len());
        let (mut dearest, mut largest) = self.step_behind(&[self.start], &mut seen, &mut stack);
        // Where each class of bytes leads from anywhere. Many classes lead to the same nodes.
        let mut behind = vec![Vec::new(); self.class_count];
        for &node in &self.nodes {
            for &(lo, hi, next) in self.steps(&node.step()) {
                let classes = behind.get_mut(self.class(lo)..=self.class(hi)).unwrap_or_default();
                classes.iter_mut().for_each(|targets| targets.push(next));
            }
        }
        behind.sort_unstable();
        behind.dedup();
        for targets in &mut behind {
            targets.sort_unstable();
            targets.dedup();
        }
        // What leads to fewer nodes costs no more, so only the largest lists count.
        behind.sort_by_key(|targets| std::cmp::Reverse(targets.len()));
        let mut kept: Vec<Vec<u32>> = Vec::new();
        for targets in behind {
            if kept.iter().any(|larger| is_subset(&targets, larger)) {
                continue;
            }
            let (step, set) = self.step_behind(&targets, &mut seen, &mut stack);
            (dearest, largest) = (dearest.max(step), largest.max(set));
            kept.push(targets);
        }
        (dearest, largest)
    }

    /// Upper bounds, in nodes, of a step from the set that empty transitions reach from all of `targets`, and of its code.
    fn step_behind(&self, targets: &[u32], seen: &mut SparseSet, stack: &mut Vec<u32>) -> (u64, u64) {
        seen.clear();
        stack.clear();
        stack.extend_from_slice(targets);
        let (mut leaves, mut waits) = (0u64, false);
        // What each byte leads to, as differences to the byte before it: a range touches two of them.
        let mut rises = [0i64; 257];
        let mut add = |lo: u8, hi: u8, next: u32| {
            let weight = i64::try_from(self.weight(next)).unwrap_or(i64::MAX);
            if let Some(rise) = rises.get_mut(usize::from(lo)) {
                *rise += weight;
            }
            if let Some(fall) = rises.get_mut(usize::from(hi) + 1) {
                *fall -= weight;
            }
        };
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            match self.node(id) {
                node @ (Node::Byte { .. } | Node::Ranges { .. }) => {
                    leaves += 1;
                    for &(lo, hi, next) in self.steps(&node.step()) {
                        add(lo, hi, next);
                    }
                }
                Node::Match => leaves += 1,
                Node::Look { next, .. } => {
                    waits = true;
                    stack.push(next);
                }
                Node::Split { from, to } => stack.extend_from_slice(self.edges(from, to)),
                Node::Save { next, .. } => stack.push(next),
                Node::Fail => {}
            }
        }
        let walk = targets.iter().map(|&target| self.weight(target)).sum::<u64>().min(self.total());
        let first = if waits { leaves.max(targets.len() as u64 + walk) } else { leaves };
        let mut sum = 0;
        let by_byte = rises.into_iter().map(|rise| {
            sum += rise;
            sum
        });
        let second = by_byte.max().map_or(0, i64::unsigned_abs).min(self.total());
        (first + second, leaves.max(targets.len() as u64) + 1)
    }

    /// The node `id`; `Fail` for an id that is not there.
    #[inline]
    pub(super) fn node(&self, id: u32) -> Node {
        self.nodes.get(id as usize).copied().unwrap_or(Node::Fail)
    }

    /// The targets of a [`Node::Split`].
    #[inline]
    pub(super) fn edges(&self, from: u32, to: u32) -> &[u32] {
        self.edges.get(from as usize..to as usize).unwrap_or_default()
    }

    fn ranges(&self, from: u32, to: u32) -> &[(u8, u8, u32)] {
        self.ranges.get(from as usize..to as usize).unwrap_or_default()
    }

    /// The ranges of bytes that a node reads, and where each leads.
    #[inline]
    pub(super) fn steps<'a>(&'a self, step: &'a Step) -> &'a [(u8, u8, u32)] {
        match step {
            Step::One(range) => std::slice::from_ref(range),
            Step::Many { from, to } => self.ranges(*from, *to),
        }
    }

    /// Where the node leads on `byte`.
    #[inline]
    pub(super) fn target(&self, node: Node, byte: u8) -> Option<u32> {
        match node {
            Node::Byte { lo, hi, next } => (lo <= byte && byte <= hi).then_some(next),
            Node::Ranges { from, to } => {
                let ranges = self.ranges(from, to);
                let place = ranges.partition_point(|&(_, hi, _)| hi < byte);
                ranges.get(place).filter(|&&(lo, _, _)| lo <= byte).map(|&(_, _, next)| next)
            }
            _ => None,
        }
    }

    /// How many nodes a walk from `id` along empty transitions meets, at most.
    #[inline]
    pub(super) fn weight(&self, id: u32) -> u64 {
        self.weights.get(id as usize).copied().map_or(0, u64::from)
    }

    /// Where a search starts.
    pub(super) fn start(&self) -> u32 {
        self.start
    }

    /// Nodes and edges: no walk can cost more.
    pub(super) fn total(&self) -> u64 {
        u64::from(self.total)
    }

    /// Number of nodes.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The most nodes that one step can meet.
    pub(super) fn max_step(&self) -> u64 {
        self.max_step
    }

    /// The equivalence class of `byte`: bytes of one class are never told apart.
    #[inline]
    pub(super) fn class(&self, byte: u8) -> usize {
        self.classes.get(usize::from(byte)).copied().map_or(0, usize::from)
    }

    /// What the assertions of this NFA can tell about `byte`.
    #[inline]
    pub(super) fn side(&self, byte: Option<u8>) -> Side {
        self.sides.side(byte)
    }

    /// The kinds of bytes that its assertions tell apart.
    pub(super) fn sides(&self) -> Sides {
        self.sides
    }

    /// Number of classes of bytes.
    pub(super) fn class_count(&self) -> usize {
        self.class_count
    }

    /// The longest code that a set can have.
    pub(super) fn max_set(&self) -> u64 {
        self.max_set
    }

    /// Whether it reads from right to left.
    pub(super) fn reversed(&self) -> bool {
        self.reversed
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.nodes.len() * size_of::<Node>()
            + self.ranges.len() * size_of::<(u8, u8, u32)>()
            + (self.edges.len() + self.weights.len()) * size_of::<u32>()
            + 256
    }
}

/// Whether all of `some` are among `others`; both are sorted.
fn is_subset(some: &[u32], others: &[u32]) -> bool {
    let mut rest = others.iter();
    some.iter().all(|wanted| rest.find(|other| *other >= wanted) == Some(wanted))
}
