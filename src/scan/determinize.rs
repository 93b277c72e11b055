//! Determinising an NFA for a table of our own: the set of nodes behind each state and each class of bytes.
//!
//! The sets are those of the simulation, so that both find the same. What makes it quick: where a set leads is collected for all
//! classes in one walk over its nodes, and where a list of targets leads is computed once, however many states and classes
//! share it. What stops it is counted, not timed: states, bytes and steps, so the choice of an engine does not depend on the
//! machine.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::look::Side;
use super::simulation::{NodeSet, Simulation};
use super::table::{CodeHasher, DEAD};
use super::thompson::{Node, Order, Thompson};

/// Set in a transition when the pattern matches before the byte.
pub(super) const MATCHED: u16 = 1 << 15;

/// Nodes that one determinisation may look at, about a tenth of a second.
const MAX_STEPS: usize = 24_000_000;

/// Bytes that a stored list takes beside its elements.
const LIST_BYTES: usize = 48;

/// What determinising may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caps {
    /// States, the dead one included.
    pub(super) states: usize,
    /// Bytes of sets and lists while it runs.
    pub(super) bytes: usize,
}

/// The transitions of all states.
#[derive(Debug)]
pub(super) struct Determinized {
    /// A row for each state: a column for each class of bytes, and the last for the edge of the haystack.
    pub(super) transitions: Vec<u16>,
    /// The start state for each kind of byte before the start.
    pub(super) starts: [u16; 5],
}

/// Determinises `nfa`; `None` when that exceeds the caps.
pub(super) fn determinize(nfa: &Thompson, order: Order, caps: Caps) -> Option<Determinized> {
    let mut work = Work::new(nfa, order, caps);
    let mut starts = [0; 5];
    for read in [Side::Edge, Side::Lf, Side::Cr, Side::Word, Side::Other] {
        *starts.get_mut(read as usize)? = work.next(&[nfa.start()], read)?;
    }
    let stride = nfa.class_count() + 1;
    let mut transitions = vec![0; stride];
    let mut state = DEAD as usize + 1;
    while let Some(code) = work.codes.get(state).cloned() {
        work.row(&code, &mut transitions)?;
        state += 1;
    }
    transitions.shrink_to_fit();
    Some(Determinized { transitions, starts })
}

/// A list of nodes that is stored.
type Code = std::rc::Rc<[u32]>;
type Index = HashMap<Code, u16, BuildHasherDefault<CodeHasher>>;

/// A determinisation under way.
struct Work<'n> {
    nfa: &'n Thompson,
    order: Order,
    caps: Caps,
    steps: usize,
    bytes: usize,
    /// The set of each state, by its number.
    codes: Vec<Code>,
    states: Index,
    /// The state behind each list of targets; the first element is the kind of byte before them.
    behind: Index,
    /// The kind of each class, and what it leads to in the state being looked at.
    classes: Vec<(Side, Vec<u32>)>,
    key: Vec<u32>,
    simulation: Simulation,
    set: NodeSet,
}

impl<'n> Work<'n> {
    fn new(nfa: &'n Thompson, order: Order, caps: Caps) -> Self {
        let mut classes = vec![(Side::Other, Vec::new()); nfa.class_count()];
        for byte in 0..=u8::MAX {
            if let Some((side, _)) = classes.get_mut(nfa.class(byte)) {
                *side = nfa.side(Some(byte));
            }
        }
        let mut simulation = Simulation::default();
        simulation.grow(nfa);
        let dead: Code = [0].into();
        Work {
            nfa,
            order,
            caps,
            steps: 0,
            bytes: 0,
            codes: vec![dead.clone()],
            states: Index::from_iter([(dead, 0)]),
            behind: Index::default(),
            classes,
            key: Vec::new(),
            simulation,
            set: NodeSet::default(),
        }
    }

    /// Appends the row of the state whose set is `code`.
    fn row(&mut self, code: &[u32], transitions: &mut Vec<u16>) -> Option<()> {
        let edge = transitions.len() + self.classes.len();
        if !NodeSet::waits(code) {
            let matched = self.collect(code.get(1..)?)?;
            for class in 0..self.classes.len() {
                self.transition(class, matched, transitions)?;
            }
            transitions.push(matched);
            return Some(());
        }
        transitions.resize(edge + 1, 0);
        // Assertions are resolved once for each kind of byte that may come.
        let row = transitions.len() - self.classes.len() - 1;
        for next in [Side::Edge, Side::Lf, Side::Cr, Side::Word, Side::Other] {
            let here = self.classes.iter().any(|(side, _)| *side == next);
            if !here && next != Side::Edge {
                continue;
            }
            let leaves = self.simulation.resolve(self.nfa, self.order, code, next).to_vec();
            let matched = self.collect(&leaves)?;
            if next == Side::Edge {
                *transitions.get_mut(edge)? = matched;
            }
            for class in 0..self.classes.len() {
                if self.classes.get(class)?.0 == next {
                    let mut one = Vec::new();
                    self.transition(class, matched, &mut one)?;
                    *transitions.get_mut(row + class)? = one.first().copied()?;
                }
            }
        }
        Some(())
    }

    /// Collects where `leaves` lead, class by class; answers whether the pattern matches before the byte.
    fn collect(&mut self, leaves: &[u32]) -> Option<u16> {
        self.classes.iter_mut().for_each(|(_, targets)| targets.clear());
        let mut matched = 0;
        for &leaf in leaves {
            let node = self.nfa.node(leaf);
            if matches!(node, Node::Match) {
                matched = MATCHED;
                match self.order {
                    Order::First => break,
                    Order::Any => {
                        self.classes.iter_mut().for_each(|(_, targets)| targets.clear());
                        break;
                    }
                    Order::All => continue,
                }
            }
            for &(lo, hi, next) in self.nfa.steps(&node.step()) {
                // Classes are intervals of bytes, in their order.
                let classes = self.classes.get_mut(self.nfa.class(lo)..=self.nfa.class(hi)).unwrap_or_default();
                self.steps += classes.len();
                classes.iter_mut().for_each(|(_, targets)| targets.push(next));
            }
        }
        self.steps += leaves.len();
        (self.steps <= MAX_STEPS).then_some(matched)
    }

    /// Appends the transition over `class`.
    fn transition(&mut self, class: usize, matched: u16, transitions: &mut Vec<u16>) -> Option<()> {
        let (side, targets) = self.classes.get_mut(class)?;
        let (side, targets) = (*side, std::mem::take(targets));
        let next = self.next(&targets, side);
        self.classes.get_mut(class)?.1 = targets;
        transitions.push(next? | matched);
        Some(())
    }

    /// The state behind a byte of the kind `read` that leads to `targets`.
    fn next(&mut self, targets: &[u32], read: Side) -> Option<u16> {
        if targets.is_empty() {
            return Some(0);
        }
        self.key.clear();
        self.key.push(read as u32);
        self.key.extend_from_slice(targets);
        if let Some(&state) = self.behind.get(self.key.as_slice()) {
            return Some(state);
        }
        self.steps += self.simulation.reach(self.nfa, self.order, targets, read, &mut self.set);
        let code = self.set.code();
        let state = match self.states.get(code) {
            Some(&state) => state,
            None => {
                let state = u16::try_from(self.codes.len()).ok().filter(|state| state & MATCHED == 0)?;
                self.bytes += size_of_val(code) + LIST_BYTES;
                let code: Code = code.into();
                self.codes.push(code.clone());
                self.states.insert(code, state);
                state
            }
        };
        self.bytes += size_of_val(self.key.as_slice()) + LIST_BYTES;
        self.behind.insert(self.key.as_slice().into(), state);
        (self.codes.len() <= self.caps.states && self.bytes <= self.caps.bytes).then_some(state)
    }
}
