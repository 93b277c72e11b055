//! Patterns with look-around on three-digit numbers.
//!
//! A text of three bytes has four places, so all that a piece of a pattern does to it is a relation between four places where it
//! may start and four where it may end: sixteen bits. Each node's relation is made once, from those of its parts; that is linear
//! in the pattern, whatever it contains. Which match a backtracking matcher would find does not matter here, only whether there
//! is one.

use super::ast::{Look, Node};
use super::escape::WORD;

/// The places before each byte and after the last.
const PLACES: usize = 4;

/// For each place where a match may start, the places where it may end, bit `n` for place `n`.
type Relation = [u8; PLACES];

/// Each place to itself: what the empty pattern does.
const SAME: Relation = [1, 2, 4, 8];

/// The numbers 100 to 999 in which the pattern is found.
pub(super) fn matching(tree: &Node) -> Vec<u16> {
    (100..=999u16)
        .filter(|code| {
            let text = Text([b'0' + (code / 100) as u8, b'0' + (code / 10 % 10) as u8, b'0' + (code % 10) as u8]);
            text.relation(tree) != [0; PLACES]
        })
        .collect()
}

struct Text([u8; 3]);

impl Text {
    fn relation(&self, node: &Node) -> Relation {
        match node {
            Node::Empty => SAME,
            Node::Byte(byte) => self.step(|here| here == *byte),
            Node::Set(set) => self.step(|here| set.contains(here)),
            Node::Look(look) => keep(|at| self.holds(*look, at)),
            Node::Capture { node, .. } => self.relation(node),
            Node::Around { behind, negative, node } => {
                let inner = self.relation(node);
                keep(|at| {
                    let found = if *behind { inner.iter().any(|ends| ends & 1 << at != 0) } else { inner[at] != 0 };
                    found != *negative
                })
            }
            Node::Repeat { node, min, max, .. } => {
                // Three bytes allow three turns that consume; any further one is empty and can be repeated at will. So four
                // turns say all that more of them could.
                let turn = self.relation(node);
                let least = (0..*min.min(&4)).fold(SAME, |done, _| then(&done, &turn));
                let optional = either(&SAME, &turn);
                (0..max.map_or(4, |max| (max - min).min(4))).fold(least, |done, _| then(&done, &optional))
            }
            Node::Concat(nodes) => nodes.iter().fold(SAME, |done, node| then(&done, &self.relation(node))),
            Node::Alternate(nodes) => nodes.iter().fold([0; PLACES], |all, node| either(&all, &self.relation(node))),
        }
    }

    /// One byte further, where the byte is accepted.
    fn step(&self, accept: impl Fn(u8) -> bool) -> Relation {
        std::array::from_fn(|at| if self.0.get(at).is_some_and(|&byte| accept(byte)) { 2 << at } else { 0 })
    }

    fn holds(&self, look: Look, at: usize) -> bool {
        let word = |at: Option<usize>| at.and_then(|at| self.0.get(at)).is_some_and(|&byte| WORD.contains(byte));
        let (before, after) = (word(at.checked_sub(1)), word(Some(at)));
        match look {
            // There is no newline among digits.
            Look::Start | Look::LineStart => at == 0,
            Look::End | Look::EndOrNewline | Look::LineEnd => at == self.0.len(),
            Look::Word => before != after,
            Look::NotWord => before == after,
            Look::WordStart => !before && after,
            Look::WordEnd => before && !after,
        }
    }
}

/// The places that satisfy a condition, each to itself.
fn keep(condition: impl Fn(usize) -> bool) -> Relation {
    std::array::from_fn(|at| if condition(at) { SAME[at] } else { 0 })
}

/// First the one, then the other.
fn then(first: &Relation, second: &Relation) -> Relation {
    first.map(|ends| (0..PLACES).filter(|at| ends & 1 << at != 0).fold(0, |all, at| all | second[at]))
}

/// The one or the other.
fn either(one: &Relation, other: &Relation) -> Relation {
    std::array::from_fn(|at| one[at] | other[at])
}
