//! Sieves: the screens of all tests of a phase, so that one look at a value answers for all of them.
//!
//! What a look costs does not grow with the number of tests that it leaves out. The bytes of the value and the literals found in
//! it lead to the few tests that it may pass; only those are looked at one by one.

use super::{Need, NodeId, SelectionId, SlotId, TestId, Trigger};
use crate::byteset::{ByteSet, ones};
use crate::meter::Price;
use crate::rule::Variable;
#[cfg(doc)]
use crate::scan::Windows;
use crate::scan::require::Window;
use crate::transform::Reach;

/// Bytes that ordinary values consist of, each set within the next: words and numbers; paths, dates, lists of them and plain prose;
/// header fields. Of three values in four no byte is outside the first. What a pattern can match within such a set is often
/// nothing, or much less.
pub const ALPHABETS: [ByteSet; LEVELS - 1] = {
    const WORDS: ByteSet = ByteSet::range(b'a', b'z')
        .union(ByteSet::range(b'A', b'Z'))
        .union(ByteSet::range(b'0', b'9'))
        .union(ByteSet::of(b"_.-"));
    const LISTS: ByteSet = WORDS.union(ByteSet::of(b"/ ,:+!?"));
    [WORDS, LISTS, LISTS.union(ByteSet::of(b";=()*&%@"))]
};

/// Levels of values: one for each of [`ALPHABETS`], and one for all others.
pub const LEVELS: usize = 4;

/// The level of a value that has these bytes: the first of [`ALPHABETS`] that has them all.
pub fn level(mask: &ByteSet) -> usize {
    ALPHABETS.iter().position(|alphabet| mask.is_subset(alphabet)).unwrap_or(LEVELS - 1)
}

/// The screens of the tests of one phase. Each test of a selection after its transformations has a slot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sieve {
    /// The slots.
    pub slots: Vec<Slot>,
    /// The variables that they look at, each once.
    pub variables: Vec<SieveVariable>,
    /// The pipelines of the slots, the untransformed value first; at most [`Sieve::NODES`]. Most values come out of all of them as
    /// they went in: one look is enough.
    pub nodes: Vec<SieveNode>,
    /// What some pipeline may change.
    pub trigger: Trigger,
    /// Windows of byte classes that checks ask for, at most [`Windows::MOST`].
    pub windows: Vec<Window>,
    /// What values of each level must have.
    pub levels: [Conditions; LEVELS],
    /// Positions of the phase's schedule whose rules run whatever the values are, as a bit set.
    pub ungated: Vec<u64>,
}

/// A test of some values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The values.
    pub selection: SelectionId,
    /// After which transformations.
    pub node: NodeId,
    /// For what.
    pub test: TestId,
    /// On every changed value along the pipeline.
    pub multi_match: bool,
    /// Bits of the targets that have all values of the selection.
    pub targets: u64,
    /// Positions of the phase's schedule whose rules cannot match unless this test does.
    pub gates: Vec<u32>,
}

/// A variable and what slots look at of it. Each of these targets has a bit; there are at most [`Sieve::TARGETS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SieveVariable {
    /// The variable.
    pub variable: Variable,
    /// Bits of the targets that have all its members, for all that is known before rules run.
    pub all: u64,
    /// Names, and the bits of the targets that have the members of this name.
    pub named: Vec<(Box<[u8]>, u64)>,
}

impl SieveVariable {
    /// Bits of the targets that a member of this name belongs to.
    pub fn targets_of(&self, name: &[u8]) -> u64 {
        let same = |own: &[u8]| if self.variable.folds_case() { own.eq_ignore_ascii_case(name) } else { *own == *name };
        self.named.iter().filter(|(own, _)| same(own)).fold(self.all, |bits, (_, bit)| bits | bit)
    }
}

/// A pipeline and the slots behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SieveNode {
    /// Its node.
    pub node: NodeId,
    /// The slots whose tests look at what comes out of it.
    pub slots: Vec<SlotId>,
    /// The targets of all of them.
    pub targets: u64,
    /// What the pipeline may change.
    pub trigger: Trigger,
    /// What may come out of it.
    pub reach: Reach,
    /// Values without these bytes change in letter case at most.
    pub shapes: ByteSet,
}

impl SieveNode {
    /// What may come out of the pipeline: at most so many bytes, and no others; and whether nothing but letter case changes, which
    /// literals do not depend on.
    #[inline]
    pub fn image(&self, facts: Facts) -> (Facts, bool) {
        let mask = self.reach.image(facts.mask);
        if facts.len == 0 || mask == ByteSet::FULL {
            return (Facts { len: usize::MAX, mask: ByteSet::FULL }, false);
        }
        // What can lengthen a value can make anything of it.
        (Facts { len: facts.len, mask }, !facts.mask.either_case().intersects(&self.shapes))
    }
}

/// What the values of one level must have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    /// What each test wants that can match such values at all: first those that are found by a byte.
    pub checks: Vec<Check>,
    /// How many are found by a byte, or always looked at.
    pub open: usize,
    /// A bit set of those that are always looked at, and one for each byte of those that it leads to: 257 rows of
    /// `open.div_ceil(64)` words.
    pub by_byte: Vec<u64>,
    /// For each target, as a bit set like those rows, the checks among them that look at it: [`Sieve::TARGETS`] rows.
    pub by_target: Vec<u64>,
    /// For each literal, where its checks begin in `literal_checks`; one more for the end. Empty without any.
    pub by_literal: Vec<u32>,
    /// The checks that literals lead to.
    pub literal_checks: Vec<u32>,
    /// The targets of all of them.
    pub literal_targets: u64,
    /// For each of [`Sieve::nodes`], where its checks begin in `node_checks`; one more for the end.
    pub by_node: Vec<u32>,
    /// The checks of values that come out of a pipeline.
    pub node_checks: Vec<u32>,
    /// Sets of which a value must have a byte.
    pub sets: Vec<ByteSet>,
    /// Literals that a value must have.
    pub needs: Vec<Need>,
    /// Bits of [`Sieve::windows`] of which one must stand in the value.
    pub cuts: Vec<u128>,
}

/// What a value must have to pass the test of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The slot.
    pub slot: SlotId,
    /// The slot's targets.
    pub targets: u64,
    /// Behind which pipeline: a position in [`Sieve::nodes`].
    pub node: u8,
    /// Bytes, at least.
    pub min_len: u32,
    /// A byte of each of these of [`Conditions::sets`], the rarest first.
    pub sets: (u32, u32),
    /// This of [`Conditions::needs`].
    pub need: Option<u32>,
    /// A window of each of these of [`Conditions::cuts`].
    pub cuts: (u32, u32),
}

/// A value, as far as checks want to know.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Bytes.
    pub len: usize,
    /// Which.
    pub mask: ByteSet,
}

impl Sieve {
    /// The most targets of one sieve.
    pub const TARGETS: usize = 64;
    /// The most pipelines of one sieve.
    pub const NODES: usize = 256;

    /// Fuel of all looks at any value, after each of its transformations.
    pub fn most(&self) -> u64 {
        let looks = 1 + self.nodes.len() as u64;
        looks * self.look(&[]).all
    }

    /// What one look at a value costs at most. `together`: the literals that can end at one place of a value, all such sets.
    pub fn look(&self, together: &[Vec<u32>]) -> LookPrice {
        let levels = self.levels.iter().map(|level| level.price(together));
        let none = LookPrice { all: 0, by_bytes: Price::default() };
        levels.fold(none, |most, level| LookPrice {
            all: most.all.max(level.all),
            by_bytes: Price::new(
                most.by_bytes.per_call.max(level.by_bytes.per_call),
                most.by_bytes.per_kib.max(level.by_bytes.per_kib),
            ),
        })
    }
}

/// What a look at a value costs, beside the search for words and windows: never more than either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookPrice {
    /// If it comes upon all checks.
    pub all: u64,
    /// If each of its bytes leads to as many checks as a byte can, and ends as many words.
    pub by_bytes: Price,
}

impl Conditions {
    /// Fuel of looking at a value, beside its bytes.
    pub const LOOK: u64 = 16;
    /// Fuel of looking at one check.
    pub const CHECK: u64 = 3;
    /// Checks of some pipelines that are gone through one by one; more are found by bytes and literals.
    pub const FEW: usize = 24;

    /// Fuel of finding the checks that bytes and targets lead to.
    pub fn by_bytes(&self, mask: &ByteSet, targets: u64) -> u64 {
        Self::LOOK + u64::from(mask.len() + targets.count_ones()) * self.open.div_ceil(64) as u64 / 2
    }

    fn price(&self, together: &[Vec<u32>]) -> LookPrice {
        // Going through the checks of a pipeline, and the bit sets.
        let width = self.open.div_ceil(64);
        let base = 2 + Self::CHECK * Self::FEW as u64 + self.by_bytes(&ByteSet::EMPTY, u64::MAX);
        let rows = self.by_byte.chunks(width.max(1)).map(|row| ones(row).count() as u64);
        let (always, by_byte) = (rows.clone().next().unwrap_or_default(), rows.skip(1).max().unwrap_or_default());
        // Of each literal, once: that it was found, and its checks.
        let of_literal = |at: usize| match (self.by_literal.get(at), self.by_literal.get(at + 1)) {
            (Some(start), Some(end)) => Self::CHECK * (1 + 2 * u64::from(end - start)),
            _ => 0,
        };
        let all_literals: u64 = (0..self.by_literal.len()).map(of_literal).sum();
        let ending = together.iter().map(|set| set.iter().map(|&at| of_literal(at as usize)).sum::<u64>()).max();
        LookPrice {
            all: base + 128 * width as u64 + Self::CHECK * self.checks.len() as u64 + all_literals,
            by_bytes: Price::per_byte(
                base + Self::CHECK * always,
                width as u64 / 2 + 1 + Self::CHECK * by_byte + ending.unwrap_or_default(),
            ),
        }
    }

    /// Puts the checks that bytes, targets and literals lead to into a bit set; answers how many there may be.
    pub fn find(&self, facts: &Facts, targets: u64, hits: &[u64], found: &mut Vec<u64>) -> u64 {
        let width = self.open.div_ceil(64);
        found.clear();
        found.extend_from_slice(self.by_byte.get(..width).unwrap_or_default());
        for byte in facts.mask.iter() {
            let start = (usize::from(byte) + 1) * width;
            let row = self.by_byte.get(start..start + width).unwrap_or_default();
            for (found, row) in found.iter_mut().zip(row) {
                *found |= row;
            }
        }
        for (at, found) in found.iter_mut().enumerate().filter(|(_, found)| **found != 0) {
            let row = |target: usize| self.by_target.get(target * width + at).copied().unwrap_or_default();
            *found &= ones(&[targets]).fold(0, |all, target| all | row(target));
        }
        let mut looked = 0;
        if !hits.is_empty() && !self.by_literal.is_empty() {
            found.resize(self.checks.len().div_ceil(64), 0);
            for literal in ones(hits) {
                let (start, end) = (self.by_literal.get(literal), self.by_literal.get(literal + 1));
                let (Some(&start), Some(&end)) = (start, end) else { continue };
                let checks = self.literal_checks.get(start as usize..end as usize).unwrap_or_default();
                looked += 1 + checks.len() as u64;
                for check in checks {
                    if let Some(word) = found.get_mut(*check as usize / 64) {
                        *word |= 1 << (check % 64);
                    }
                }
            }
        }
        looked + found.iter().map(|word| u64::from(word.count_ones())).sum::<u64>()
    }

    /// The checks of values that come out of a pipeline, by its position in [`Sieve::nodes`].
    pub fn of_node(&self, node: u8) -> &[u32] {
        let at = usize::from(node);
        let (Some(&start), Some(&end)) = (self.by_node.get(at), self.by_node.get(at + 1)) else { return &[] };
        self.node_checks.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Whether a value has the length and the bytes for a check.
    pub fn fits(&self, check: &Check, facts: &Facts) -> bool {
        let sets = self.sets.get(check.sets.0 as usize..check.sets.1 as usize).unwrap_or_default();
        facts.len >= check.min_len as usize && sets.iter().all(|set| set.intersects(&facts.mask))
    }

    /// The windows of which a value must have one each for a check.
    pub fn cuts(&self, check: &Check) -> &[u128] {
        self.cuts.get(check.cuts.0 as usize..check.cuts.1 as usize).unwrap_or_default()
    }

    /// The literals that a value must have for a check, if any.
    pub fn need(&self, check: &Check) -> Option<&Need> {
        self.needs.get(check.need? as usize)
    }
}
