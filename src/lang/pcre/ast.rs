//! The syntax tree of a pattern. Flags are already worked into it: it holds byte sets and assertions, not letters and modes.

use crate::byteset::ByteSet;

/// A piece of a pattern. Groups that only group have no node of their own.
#[derive(Debug)]
pub(super) enum Node {
    /// Matches the empty text.
    Empty,
    /// One byte.
    Byte(u8),
    /// One byte of a set; no byte at all if the set is empty.
    Set(ByteSet),
    /// A condition on the place.
    Look(Look),
    /// A capturing group.
    Capture { index: u32, node: Box<Node> },
    /// Look-ahead or look-behind.
    Around { behind: bool, negative: bool, node: Box<Node> },
    /// A quantifier. `max` is none for "any number".
    Repeat { node: Box<Node>, min: u32, max: Option<u32>, greedy: bool },
    /// One after the other.
    Concat(Vec<Node>),
    /// The first that leads to a match.
    Alternate(Vec<Node>),
}

/// A condition on a place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// `^`, `\A`
    Start,
    /// `$`, `\z`
    End,
    /// `\Z`: the end, or before a newline that ends the text.
    EndOrNewline,
    /// `(?m)^`
    LineStart,
    /// `(?m)$`
    LineEnd,
    /// `\b`
    Word,
    /// `\B`
    NotWord,
    /// `[[:<:]]`
    WordStart,
    /// `[[:>:]]`
    WordEnd,
}

impl Node {
    /// A sequence, without a list around a single piece.
    pub(super) fn concat(mut nodes: Vec<Node>) -> Node {
        match nodes.len() {
            0 => Node::Empty,
            1 => nodes.swap_remove(0),
            _ => Node::Concat(nodes),
        }
    }

    /// A choice. Single bytes beside each other become one set.
    pub(super) fn alternate(mut nodes: Vec<Node>) -> Node {
        if nodes.len() == 1 {
            return nodes.swap_remove(0);
        }
        let union = nodes.iter().try_fold(ByteSet::EMPTY, |union, node| match node {
            Node::Byte(byte) => Some(union.with(*byte)),
            Node::Set(set) => Some(union.union(*set)),
            _ => None,
        });
        union.map_or(Node::Alternate(nodes), Node::Set)
    }
}
