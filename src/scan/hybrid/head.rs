//! The DFA for what ordinary bytes lead to: a table of bounded size, and ways out of it.
//!
//! A row stands for a set of states of the tail. The likeliest sets get a row, in an order that is a function of the pattern alone.
//! A transition to any other set is an exit: to the row of a part of the set, and to what is left of it, which goes on state by
//! state. That is exact, because where a set leads is the union of where its parts lead.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

use super::super::{fuel, require::likelihood};
use super::tail::{MATCHED as TAIL_MATCHED, Tail};

/// A transition that shows a match before the byte.
pub(in crate::scan) const MATCHED: u16 = u16::MAX;
/// The row of the empty set.
pub(in crate::scan) const DEAD: u16 = 0;
/// States that one construction may look at.
const MAX_STEPS: usize = 4_000_000;

/// A DFA in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scan) struct Head {
    /// A row for each set: a column for each of the tail's, and the last for the edge of the haystack. A row is named by where it
    /// begins, which saves a multiplication for each byte; numbers beyond the table are exits.
    pub(in crate::scan) transitions: Vec<u16>,
    /// The row of the start for each kind of byte before it.
    pub(in crate::scan) starts: [u16; 5],
    /// The row of each exit.
    pub(in crate::scan) exits: Vec<u16>,
    /// Where the states of each exit begin, and at last where they all end.
    pub(in crate::scan) bounds: Vec<u32>,
    /// States of the tail.
    pub(in crate::scan) states: Vec<u16>,
}

/// A set that may get a row.
#[derive(Debug, PartialEq)]
struct Waiting {
    likelihood: f64,
    set: u32,
}

impl Eq for Waiting {}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.likelihood.total_cmp(&other.likelihood).then(other.set.cmp(&self.set))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A list of states, those first that were met first.
type States = std::rc::Rc<[u16]>;

/// A set that was met.
struct Set {
    states: States,
    row: Option<u16>,
    /// The largest likelihood that it was met with.
    likelihood: f64,
}

/// The number of a set that stands for a match.
const MATCHED_SET: u32 = u32::MAX;

struct Work<'t> {
    tail: &'t Tail,
    steps: usize,
    sets: Vec<Set>,
    index: HashMap<States, u32>,
    /// When each state was met first.
    ranks: Vec<u32>,
    ranked: u32,
    /// The sets behind each row, column by column.
    behind: Vec<u32>,
    shares: Vec<f64>,
    queue: BinaryHeap<Waiting>,
}

impl Head {
    /// The likeliest rows of `tail`, at most so many.
    pub(super) fn build(tail: &Tail, rows: usize) -> Option<Head> {
        let mut work = Work::new(tail);
        let mut starts = [DEAD; 5];
        for (row, start) in starts.iter_mut().zip(tail.starts) {
            let set = work.set(&mut vec![start])?;
            *row = work.row(set, 1.0)?;
        }
        while let Some(Waiting { likelihood, set }) = work.queue.pop() {
            if work.behind.len() >= rows * (tail.width + 1) {
                break;
            }
            work.row(set, likelihood)?;
        }
        work.finish(starts)
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.transitions)
            + size_of_val(&*self.exits)
            + size_of_val(&*self.bounds)
            + size_of_val(&*self.states)
    }

    /// What a byte costs.
    pub(super) fn byte(&self) -> u64 {
        fuel::table_byte(size_of_val(&*self.transitions))
    }

    /// Where a row leads over a column: to a row, an exit, or [`MATCHED`].
    #[inline]
    pub(super) fn transition(&self, row: u16, column: usize) -> u16 {
        self.transitions.get(usize::from(row) + column).copied().unwrap_or(MATCHED)
    }

    /// Whether a transition is to a row, and not to the dead one. (In one comparison.)
    #[inline]
    pub(super) fn is_row(&self, next: u16) -> bool {
        usize::from(next.wrapping_sub(1)) + 1 < self.transitions.len()
    }

    /// The row and the states of an exit, or of a row.
    #[inline]
    pub(super) fn exit(&self, number: u16) -> (u16, &[u16]) {
        let Some(exit) = usize::from(number).checked_sub(self.transitions.len()) else { return (number, &[]) };
        let bounds = self.bounds.get(exit).zip(self.bounds.get(exit + 1));
        let states = bounds.and_then(|(&from, &to)| self.states.get(from as usize..to as usize)).unwrap_or_default();
        (self.exits.get(exit).copied().unwrap_or(DEAD), states)
    }

    /// The most states of an exit.
    pub(super) fn widest(&self) -> usize {
        self.bounds
            .windows(2)
            .filter_map(|pair| Some((pair.last()? - pair.first()?) as usize))
            .max()
            .unwrap_or_default()
    }
}

impl<'t> Work<'t> {
    fn new(tail: &'t Tail) -> Work<'t> {
        let mut shares = vec![0.0; tail.width];
        let all: f64 = (0..=u8::MAX).map(likelihood::of_byte).sum();
        for byte in 0..=u8::MAX {
            if let Some(share) = shares.get_mut(tail.column(byte)) {
                *share += likelihood::of_byte(byte) / all;
            }
        }
        let empty = Set { states: States::from([]), row: Some(DEAD), likelihood: 0.0 };
        Work {
            tail,
            steps: 0,
            index: HashMap::from([(empty.states.clone(), 0)]),
            sets: vec![empty],
            ranks: vec![u32::MAX; tail.len()],
            ranked: 0,
            behind: vec![0; tail.width + 1],
            shares,
            queue: BinaryHeap::new(),
        }
    }

    /// The number of a set.
    fn set(&mut self, states: &mut Vec<u16>) -> Option<u32> {
        for &state in states.iter() {
            let rank = self.ranks.get_mut(usize::from(state))?;
            if *rank == u32::MAX {
                *rank = self.ranked;
                self.ranked += 1;
            }
        }
        let ranks = &self.ranks;
        states.sort_unstable_by_key(|&state| ranks.get(usize::from(state)));
        states.dedup();
        if let Some(&set) = self.index.get(states.as_slice()) {
            return Some(set);
        }
        let set = u32::try_from(self.sets.len()).ok()?;
        let states = States::from(states.as_slice());
        self.sets.push(Set { states: states.clone(), row: None, likelihood: 0.0 });
        self.index.insert(states, set);
        Some(set)
    }

    /// The row of a set, which gets one if it has none.
    fn row(&mut self, set: u32, likelihood: f64) -> Option<u16> {
        let known = self.sets.get_mut(set as usize)?;
        if let Some(row) = known.row {
            return Some(row);
        }
        let row = u16::try_from(self.behind.len()).ok()?;
        known.row = Some(row);
        let states = known.states.clone();
        let mut behind = Vec::new();
        for column in 0..=self.tail.width {
            behind.clear();
            let mut matched = false;
            for &state in states.iter() {
                let entry = self.tail.entry(state, column);
                matched |= entry & TAIL_MATCHED != 0;
                behind.extend_from_slice(self.tail.list(entry));
            }
            self.steps += states.len() + behind.len();
            let next = if matched { MATCHED_SET } else { self.set(&mut behind)? };
            self.behind.push(next);
            let Some(share) = self.shares.get(column) else { continue };
            let reached = likelihood * share;
            if let Some(next_set) = self.sets.get_mut(next as usize).filter(|set| set.row.is_none())
                && reached > next_set.likelihood
            {
                next_set.likelihood = reached;
                self.queue.push(Waiting { likelihood: reached, set: next });
            }
        }
        (self.steps <= MAX_STEPS).then_some(row)
    }

    /// The table: what has no row becomes an exit.
    fn finish(mut self, starts: [u16; 5]) -> Option<Head> {
        let (mut exits, mut bounds, mut states) = (Vec::new(), vec![0], Vec::new());
        let mut numbers: HashMap<u32, u16> = HashMap::from([(MATCHED_SET, MATCHED)]);
        let cells = self.behind.len();
        let mut transitions = Vec::with_capacity(cells);
        for set in std::mem::take(&mut self.behind) {
            if let Some(&number) = numbers.get(&set) {
                transitions.push(number);
                continue;
            }
            let Set { states: all, row, .. } = self.sets.get(set as usize)?;
            let number = match row {
                Some(row) => *row,
                None => {
                    // The largest part that has a row: states met early are in many rows, so it is a beginning of the list.
                    let known = (1..all.len()).rev().find_map(|len| {
                        let set = self.index.get(all.get(..len)?)?;
                        Some((len, self.sets.get(*set as usize)?.row?))
                    });
                    let (len, row) = known.unwrap_or((0, DEAD));
                    let number = cells + exits.len();
                    exits.push(row);
                    states.extend_from_slice(all.get(len..)?);
                    bounds.push(u32::try_from(states.len()).ok()?);
                    u16::try_from(number).ok().filter(|number| *number != MATCHED)?
                }
            };
            numbers.insert(set, number);
            transitions.push(number);
        }
        Some(Head { transitions, starts, exits, bounds, states })
    }
}
