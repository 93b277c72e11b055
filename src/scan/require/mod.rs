//! What a pattern requires of any value that it can match.
//!
//! Most pairs of a rule and a value can be told apart from a match without running the pattern: the value is too short, lacks a
//! byte or lacks a word. [`require`] derives such conditions from a pattern. They are necessary, never sufficient: a value that
//! does not meet them cannot match, wherever the match would start, and that is all they say. A match is a part of a value, so
//! a value that is longer than any match, or has other bytes, proves nothing; unless the pattern is anchored at both ends.
//!
//! The rooms: `literals` finds the words, `bytes` the byte sets, `need` combines words with and/or, `likelihood` guesses which
//! conditions ordinary values rarely meet, `windows` finds short runs of byte classes, `restrict` narrows a pattern to the bytes that a value has, `stored`
//! writes and reads requirements.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod bytes;
pub(super) mod likelihood;
mod literals;
mod need;
mod one_of_each;
mod restrict;
mod stored;
#[cfg(test)]
mod tests;
mod windows;

use regex_syntax::hir::{Hir, Look};

use crate::byteset::ByteSet;

pub(super) use likelihood::of_gram as share_of_gram;
pub use likelihood::of_set as share_of_values;
pub use need::Need;
pub use one_of_each::one_of_each;
pub use restrict::restrict;
pub use windows::{PLACES, Place, Window, share_of_windows};

/// How much of a requirement is kept. Dropping a condition is always sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// Bytes that a literal must have to be worth a search. Shorter ones are left to the byte sets.
    pub shortest_literal: usize,
    /// Bytes of the longest literal; longer ones are cut.
    pub longest_literal: usize,
    /// Literals of one pattern. A choice between more of them requires little and costs much.
    pub literals: usize,
    /// Conditions of one "all of", the rarest first.
    pub all: usize,
    /// Byte sets of one pattern, the rarest first.
    pub byte_sets: usize,
    /// Where a smaller share of ordinary values than this has the literals, they say enough, and windows are not looked for.
    pub rare_literals: f64,
    /// Windows of one cut.
    pub windows: usize,
    /// Cuts of one pattern, the rarest first.
    pub cuts: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            shortest_literal: 3,
            longest_literal: 24,
            literals: 256,
            all: 3,
            byte_sets: 3,
            rare_literals: 0.02,
            windows: 16,
            cuts: 2,
        }
    }
}

/// What every value must have for a pattern to match somewhere in it.
///
/// ```
/// use fusewall::Limits;
/// use fusewall::byteset::ByteSet;
/// use fusewall::scan::require::{Bounds, require};
///
/// let pattern = br"(?i)union\s+(?:all|distinct)?\s*select";
/// let hir = fusewall::lang::pcre::parse(pattern, false, &Limits::default()).unwrap().hir;
/// let requirement = require(&hir, &Bounds::default());
/// let holds = |value: &[u8]| {
///     let text = value.to_ascii_lowercase();
///     let contains = |literal: &[u8]| text.windows(literal.len()).any(|window| window == literal);
///     requirement.holds(value.len(), &ByteSet::in_bytes(value), &contains) && requirement.windows_stand_in(value)
/// };
/// assert!(holds(b"1 UNION SELECT 2"));
/// assert!(!holds(b"the union of all students"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Bytes of the shortest match.
    pub min_len: usize,
    /// The value must have a byte of each of these sets. The rarest first; bytes are as they stand in the value, letter case included.
    pub any_of: Vec<ByteSet>,
    /// Words that the value must contain, without regard to ASCII case.
    pub literals: Need,
    /// Short runs of byte classes: the value must have one of each of these, letter case aside. Only where words say little.
    pub windows: Vec<Vec<Window>>,
    /// The bytes that can be part of a match.
    pub alphabet: ByteSet,
    /// Whether every match is the whole value, from its first byte to its last. Then the value can have no byte outside the
    /// alphabet, and [`Requirement::max_len`] means something.
    pub whole: bool,
    /// Bytes of the longest match, if there is a longest. A match is a part of the value, so this says something about the
    /// value only if every match is the whole of it.
    pub max_len: Option<usize>,
}

impl Requirement {
    /// Whether a value meets the requirement: its length, the bytes that occur in it, and whether it contains a lower-case
    /// literal without regard to ASCII case. False means that the pattern cannot match.
    pub fn holds(&self, len: usize, present: &ByteSet, contains: &dyn Fn(&[u8]) -> bool) -> bool {
        let fits = !self.whole || self.max_len.is_none_or(|max| len <= max) && present.is_subset(&self.alphabet);
        len >= self.min_len
            && fits
            && self.any_of.iter().all(|set| set.intersects(present))
            && self.literals.holds(contains)
    }

    /// Whether a value has a window of each cut. False means that the pattern cannot match.
    pub fn windows_stand_in(&self, value: &[u8]) -> bool {
        let somewhere =
            |window: &Window| (0..value.len()).filter_map(|at| value.get(at..)).any(|rest| window.stands_at(rest));
        self.windows.iter().all(|cut| cut.iter().any(somewhere))
    }
}

/// Derives what a pattern requires.
///
/// Recursive in the pattern, whose depth the parser has bounded. Time is linear in the pattern but for the constant that the
/// bounds allow.
pub fn require(hir: &Hir, bounds: &Bounds) -> Requirement {
    let properties = hir.properties();
    let whole = properties.look_set_prefix().contains(Look::Start) && properties.look_set_suffix().contains(Look::End);
    let mut requirement = Requirement {
        min_len: 0,
        any_of: Vec::new(),
        literals: Need::Never,
        windows: Vec::new(),
        alphabet: bytes::alphabet(hir),
        whole,
        max_len: properties.maximum_len(),
    };
    if let (Some(min_len), Some(any_of)) = (bytes::min_len(hir), bytes::any_of(hir, bounds)) {
        let literals = literals::need(hir, bounds);
        let windows =
            if literals.likelihood() >= bounds.rare_literals { windows::cuts(hir, bounds) } else { Vec::new() };
        requirement = Requirement { min_len, any_of, literals, windows, ..requirement };
    }
    requirement
}
