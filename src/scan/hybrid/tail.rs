//! An NFA without empty transitions: what they reach is worked out when it is made, column by column.
//!
//! A state stands for a node of the Thompson NFA to which a byte leads, with all that empty transitions reach from there; the kind
//! of that byte belongs to the state where assertions ask for it. Where a state leads over a column of bytes is a list of states in
//! order of preference, and whether the pattern matches before the byte, less preferred than all of the list.

use std::collections::HashMap;

use super::super::look::Side;
use super::super::simulation::{NodeSet, Simulation};
use super::super::thompson::{Node, Order, Thompson};

/// Set in an entry when the pattern matches before the byte.
pub(in crate::scan) const MATCHED: u16 = 1 << 15;
/// The entry that leads nowhere.
pub(super) const NOWHERE: u16 = 0;
/// The second state of a list that has more than two.
pub(super) const MORE: u16 = u16::MAX;
/// Nodes that one construction may look at, about a fiftieth of a second.
const MAX_STEPS: usize = 4_000_000;

/// An NFA without empty transitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scan) struct Tail {
    /// The column of each byte.
    pub(in crate::scan) columns: Box<[u8; 256]>,
    /// Columns of bytes; the edge of the haystack is one more.
    pub(in crate::scan) width: usize,
    /// The start state for each kind of byte before the start.
    pub(in crate::scan) starts: [u16; 5],
    /// States below this one begin a match anew.
    pub(in crate::scan) fresh: u16,
    /// A row for each state: an entry for each column, and the last for the edge of the haystack. An entry is [`NOWHERE`], or one more
    /// than a state, or the number of a list, which follow the states; and [`MATCHED`].
    pub(in crate::scan) entries: Vec<u16>,
    /// Where each list begins, and at last where they all end.
    pub(in crate::scan) bounds: Vec<u32>,
    /// The states of the lists.
    pub(in crate::scan) lists: Vec<u16>,
    /// All states: each is a list of one.
    alone: Vec<u16>,
    /// The states of each entry, if it has no more than two, [`Tail::none`] for each that it has less.
    pairs: Vec<[u16; 2]>,
    /// The state of a `.*` at the end of the pattern: it leads to itself alone, and the pattern matches before every byte and at the
    /// edge. [`Tail::none`] if there is no such state.
    pub(super) sink: u16,
}

/// Where the states of a tail lead.
pub(super) struct Ways<'t> {
    entries: &'t [u16],
    pairs: &'t [[u16; 2]],
    stride: usize,
    none: u16,
}

impl Ways<'_> {
    /// The entry of a state in a column and its states in order of preference, [`Tail::none`] where it has less than two; [`MORE`] as
    /// the second says that it has more.
    #[inline(always)]
    pub(super) fn from(&self, state: u16, column: usize) -> (u16, u16, u16) {
        let entry = self.entries.get(usize::from(state) * self.stride + column).copied().unwrap_or(NOWHERE);
        let [first, second] = self.pairs.get(usize::from(entry & !MATCHED)).copied().unwrap_or([self.none; 2]);
        (entry, first, second)
    }
}

/// A state under construction: a node, and the kind of byte before it if assertions ask for that.
type Place = (u32, Side);

/// The states of a list as [`Tail::pair`] answers them.
fn pair(list: &[u16], none: u16) -> [u16; 2] {
    match *list {
        [] => [none; 2],
        [state] => [state, none],
        [first, second] => [first, second],
        [first, ..] => [first, MORE],
    }
}

struct Work<'n> {
    nfa: &'n Thompson,
    steps: usize,
    places: Vec<Place>,
    index: HashMap<Place, u16>,
    /// Whether assertions are met between a node and the next byte; unknown at first.
    waits: Vec<Option<bool>>,
    /// Where each list begins, and at last where they all end. The first is empty.
    bounds: Vec<u32>,
    members: Vec<u16>,
    known: HashMap<Box<[u16]>, u16>,
    /// The kind of each class of bytes, and what it leads to in the state being looked at.
    classes: Vec<(Side, Vec<u32>)>,
    simulation: Simulation,
    set: NodeSet,
}

impl Tail {
    /// The same automaton as `nfa`, read from left to right; `None` if it is too large. `restarts` says that the start node of
    /// `nfa` is where a search goes on that has found nothing yet.
    pub(super) fn build(nfa: &Thompson, restarts: bool) -> Option<Tail> {
        let mut work = Work::new(nfa);
        let mut starts = [0; 5];
        for read in Side::ALL {
            *starts.get_mut(read as usize)? = work.state(nfa.start(), read)?;
        }
        let fresh = if restarts { u16::try_from(work.places.len()).ok()? } else { 0 };
        let stride = nfa.class_count() + 1;
        let mut rows = Vec::new();
        while let Some(&place) = work.places.get(rows.len() / stride) {
            work.row(place, &mut rows)?;
        }
        let (columns, kept) = merge(nfa, &rows, stride)?;
        let (numbers, bounds, lists) = work.lists()?;
        let mut entries = Vec::with_capacity(work.places.len() * kept.len());
        for row in rows.chunks_exact(stride) {
            for &class in &kept {
                let entry = row.get(class).copied()?;
                entries.push(numbers.get(usize::from(entry & !MATCHED))? | entry & MATCHED);
            }
        }
        Tail::of(columns, kept.len() - 1, starts, fresh, entries, bounds, lists)
    }

    /// The automaton of these parts; `None` if it has too many states.
    pub(in crate::scan) fn of(
        columns: Box<[u8; 256]>,
        width: usize,
        starts: [u16; 5],
        fresh: u16,
        entries: Vec<u16>,
        bounds: Vec<u32>,
        lists: Vec<u16>,
    ) -> Option<Tail> {
        let states = u16::try_from(entries.len() / (width + 1)).ok().filter(|states| states & MATCHED == 0)?;
        let alone: Vec<u16> = (0..states).collect();
        let mut tail =
            Tail { columns, width, starts, fresh, entries, bounds, lists, alone, pairs: Vec::new(), sink: states };
        let numbers = 0..u16::try_from(tail.len() + tail.bounds.len()).ok()?;
        tail.pairs = numbers.map(|number| pair(tail.list(number), states)).collect();
        tail.sink = (fresh..states).find(|&state| tail.is_sink(state)).unwrap_or(states);
        Some(tail)
    }

    fn is_sink(&self, state: u16) -> bool {
        let stays = |column| self.entry(state, column) == (state + 1) | MATCHED;
        (0..self.width).all(stays) && self.entry(state, self.width) & MATCHED != 0
    }

    /// The number beyond those of all states.
    #[inline]
    pub(in crate::scan) fn none(&self) -> u16 {
        self.alone.len() as u16
    }

    /// Where states lead, for the loops that ask it most.
    #[inline(always)]
    pub(super) fn ways(&self) -> Ways<'_> {
        Ways { entries: &self.entries, pairs: &self.pairs, stride: self.width + 1, none: self.none() }
    }

    /// Number of states.
    pub(in crate::scan) fn len(&self) -> usize {
        self.alone.len()
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.entries)
            + size_of_val(&*self.bounds)
            + size_of_val(&*self.lists)
            + size_of_val(&*self.alone)
            + size_of_val(&*self.pairs)
            + 256
    }

    /// The column of a byte.
    #[inline]
    pub(super) fn column(&self, byte: u8) -> usize {
        self.columns.get(usize::from(byte)).copied().map_or(0, usize::from)
    }

    /// Where a state leads over a column.
    #[inline]
    pub(super) fn entry(&self, state: u16, column: usize) -> u16 {
        self.entries.get(usize::from(state) * (self.width + 1) + column).copied().unwrap_or(NOWHERE)
    }

    /// The states of an entry, in order of preference.
    #[inline]
    pub(super) fn list(&self, entry: u16) -> &[u16] {
        let number = usize::from(entry & !MATCHED);
        let Some(list) = number.checked_sub(self.alone.len() + 1) else {
            return self.alone.get(number.wrapping_sub(1)..number).unwrap_or_default();
        };
        let bounds = self.bounds.get(list).zip(self.bounds.get(list + 1));
        bounds.and_then(|(&from, &to)| self.lists.get(from as usize..to as usize)).unwrap_or_default()
    }
}

impl<'n> Work<'n> {
    fn new(nfa: &'n Thompson) -> Work<'n> {
        let mut classes = vec![(Side::Other, Vec::new()); nfa.class_count()];
        for byte in 0..=u8::MAX {
            if let Some((side, _)) = classes.get_mut(nfa.class(byte)) {
                *side = nfa.side(Some(byte));
            }
        }
        let mut simulation = Simulation::default();
        simulation.grow(nfa);
        Work {
            nfa,
            steps: 0,
            places: Vec::new(),
            index: HashMap::new(),
            waits: vec![None; nfa.len()],
            bounds: vec![0, 0],
            members: Vec::new(),
            known: HashMap::from([(Box::default(), 0)]),
            classes,
            simulation,
            set: NodeSet::default(),
        }
    }

    /// The state of a node behind a byte of the kind `read`.
    fn state(&mut self, node: u32, read: Side) -> Option<u16> {
        let waits = match self.waits.get(node as usize).copied()? {
            Some(waits) => waits,
            None => {
                self.steps += self.simulation.reach(self.nfa, Order::First, &[node], read, &mut self.set);
                let waits = NodeSet::waits(self.set.code());
                *self.waits.get_mut(node as usize)? = Some(waits);
                waits
            }
        };
        let place = (node, if waits { read } else { Side::Edge });
        if let Some(&state) = self.index.get(&place) {
            return Some(state);
        }
        let state = u16::try_from(self.places.len()).ok().filter(|state| state & MATCHED == 0)?;
        self.places.push(place);
        self.index.insert(place, state);
        Some(state)
    }

    /// Appends the entries of a state, class by class, and that of the edge.
    fn row(&mut self, (node, read): Place, rows: &mut Vec<u16>) -> Option<()> {
        let from = rows.len();
        let edge = from + self.classes.len();
        rows.resize(edge + 1, NOWHERE);
        self.steps += self.simulation.reach(self.nfa, Order::First, &[node], read, &mut self.set);
        let code = self.set.code().to_vec();
        let waits = NodeSet::waits(&code);
        // Assertions are resolved once for each kind of byte that may come.
        for next in Side::ALL {
            let leaves = match waits {
                true => self.simulation.resolve(self.nfa, Order::First, &code, next),
                false => code.get(1..)?,
            };
            let matched = collect(self.nfa, leaves, &mut self.classes, &mut self.steps);
            if next == Side::Edge {
                *rows.get_mut(edge)? = matched;
            }
            for class in 0..self.classes.len() {
                let (side, targets) = self.classes.get_mut(class)?;
                if waits && *side != next {
                    continue;
                }
                let (side, targets) = (*side, std::mem::take(targets));
                let list = targets.iter().map(|&target| self.state(target, side)).collect::<Option<Vec<u16>>>()?;
                self.classes.get_mut(class)?.1 = targets;
                *rows.get_mut(from + class)? = self.list(&list)? | matched;
            }
            if !waits || self.steps > MAX_STEPS {
                break;
            }
        }
        (self.steps <= MAX_STEPS).then_some(())
    }

    /// The entries that stand for the lists, and the lists of more than one state.
    fn lists(&self) -> Option<(Vec<u16>, Vec<u32>, Vec<u16>)> {
        let (mut numbers, mut bounds, mut lists) = (Vec::new(), vec![0], Vec::new());
        for pair in self.bounds.windows(2) {
            let [from, to] = *pair else { return None };
            let number = match self.members.get(from as usize..to as usize)? {
                [] => usize::from(NOWHERE),
                [state] => usize::from(*state) + 1,
                list => {
                    lists.extend_from_slice(list);
                    bounds.push(u32::try_from(lists.len()).ok()?);
                    self.places.len() + bounds.len() - 1
                }
            };
            numbers.push(u16::try_from(number).ok().filter(|number| number & MATCHED == 0)?);
        }
        lists.shrink_to_fit();
        Some((numbers, bounds, lists))
    }

    /// The number of a list.
    fn list(&mut self, list: &[u16]) -> Option<u16> {
        if let Some(&number) = self.known.get(list) {
            return Some(number);
        }
        let number = u16::try_from(self.bounds.len() - 1).ok().filter(|number| number & MATCHED == 0)?;
        self.members.extend_from_slice(list);
        self.bounds.push(u32::try_from(self.members.len()).ok()?);
        self.known.insert(list.into(), number);
        Some(number)
    }
}

/// Collects where `leaves` lead, class by class, up to the first match; answers whether there is one.
fn collect(nfa: &Thompson, leaves: &[u32], classes: &mut [(Side, Vec<u32>)], steps: &mut usize) -> u16 {
    classes.iter_mut().for_each(|(_, targets)| targets.clear());
    for &leaf in leaves {
        let node = nfa.node(leaf);
        if matches!(node, Node::Match) {
            return MATCHED;
        }
        for &(lo, hi, next) in nfa.steps(&node.step()) {
            // Classes are intervals of bytes, in their order.
            for (_, targets) in classes.get_mut(nfa.class(lo)..=nfa.class(hi)).unwrap_or_default() {
                *steps += 1 + targets.len() / 8;
                if !targets.contains(&next) {
                    targets.push(next);
                }
            }
        }
    }
    *steps += leaves.len();
    0
}

/// Classes of bytes that no state tells apart become one column: the column of each byte, and a class of each column, the edge at
/// the end. (The library's classes are intervals, so that `a` and `A` are two.)
fn merge(nfa: &Thompson, rows: &[u16], stride: usize) -> Option<(Box<[u8; 256]>, Vec<usize>)> {
    let edge = stride - 1;
    let same = |one: usize, other: usize| rows.chunks_exact(stride).all(|row| row.get(one) == row.get(other));
    let (mut kept, mut column_of) = (Vec::new(), Vec::new());
    let mut sides = vec![Side::Other; stride];
    for byte in 0..=u8::MAX {
        *sides.get_mut(nfa.class(byte))? = nfa.side(Some(byte));
    }
    for class in 0..edge {
        let known = kept.iter().position(|&other| sides.get(other) == sides.get(class) && same(other, class));
        column_of.push(known.unwrap_or(kept.len()));
        if known.is_none() {
            kept.push(class);
        }
    }
    let mut columns = Box::new([0; 256]);
    for (byte, column) in (0..=u8::MAX).zip(columns.iter_mut()) {
        *column = u8::try_from(*column_of.get(nfa.class(byte))?).ok()?;
    }
    kept.push(edge);
    Some((columns, kept))
}
