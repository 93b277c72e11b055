//! What a pattern says, as a tree: what is compiled for backtracking, and what readers of patterns make.

use crate::byteset::ByteSet;

/// A piece of a pattern. Groups that only group have no node of their own; modes are already worked into the nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// Matches the empty text.
    Empty,
    /// One byte.
    Byte(u8),
    /// One byte of a set; no byte at all if the set is empty.
    Set(ByteSet),
    /// A condition on the place.
    Look(Look),
    /// A capturing group.
    Capture {
        /// Its number, from 1.
        index: u32,
        /// What it captures.
        tree: Box<Tree>,
    },
    /// A quantifier.
    Repeat {
        /// What is repeated.
        tree: Box<Tree>,
        /// At least so often.
        min: u32,
        /// At most so often; none for "any number".
        max: Option<u32>,
        /// More turns first.
        greedy: bool,
        /// Whether one turn can match the empty text.
        nullable: bool,
    },
    /// One after the other.
    Concat(Vec<Tree>),
    /// The first that leads to a match.
    Alternate(Vec<Tree>),
    /// Look-ahead or look-behind: a condition on the text behind or before the place. What is looked for behind the place has
    /// a fixed length in each of its branches ([`Tree::is_of_fixed_length`]).
    Around {
        /// It looks at the text before the place.
        behind: bool,
        /// It holds if the text is not there.
        negative: bool,
        /// The text.
        tree: Box<Tree>,
    },
    /// What has matched once is not tried in another way: `(?>...)`, `X*+`.
    Atomic(Box<Tree>),
    /// The text that a group has captured last; nothing matches if it has captured none.
    Reference {
        /// Number of the group.
        group: u32,
        /// Without regard to ASCII case.
        fold: bool,
    },
}

/// A condition on a place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
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

impl Tree {
    /// A sequence, without a list around a single piece.
    pub fn concat(mut trees: Vec<Tree>) -> Tree {
        match (trees.pop(), trees.is_empty()) {
            (None, _) => Tree::Empty,
            (Some(only), true) => only,
            (Some(last), false) => {
                trees.push(last);
                Tree::Concat(trees)
            }
        }
    }

    /// A choice. Single bytes beside each other become one set.
    pub fn alternate(mut trees: Vec<Tree>) -> Tree {
        if trees.len() == 1 {
            return trees.pop().unwrap_or(Tree::Empty);
        }
        let union = trees.iter().try_fold(ByteSet::EMPTY, |union, tree| match tree {
            Tree::Byte(byte) => Some(union.with(*byte)),
            Tree::Set(set) => Some(union.union(*set)),
            _ => None,
        });
        union.map_or(Tree::Alternate(trees), Tree::Set)
    }

    /// A quantifier over `tree`.
    pub fn repeat(tree: Tree, min: u32, max: Option<u32>, greedy: bool) -> Tree {
        let nullable = tree.is_nullable();
        Tree::Repeat { tree: Box::new(tree), min, max, greedy, nullable }
    }

    /// Whether it can match the empty text; a reference always can.
    pub fn is_nullable(&self) -> bool {
        match self {
            Tree::Empty | Tree::Look(_) | Tree::Around { .. } | Tree::Reference { .. } => true,
            Tree::Byte(_) | Tree::Set(_) => false,
            Tree::Capture { tree, .. } | Tree::Atomic(tree) => tree.is_nullable(),
            Tree::Repeat { min, nullable, .. } => *min == 0 || *nullable,
            Tree::Concat(trees) => trees.iter().all(Tree::is_nullable),
            Tree::Alternate(trees) => trees.iter().any(Tree::is_nullable),
        }
    }

    /// Whether each of its branches has one length: only such text can be looked for behind a place.
    pub fn is_of_fixed_length(&self) -> bool {
        self.branches().iter().all(|branch| branch.fixed_length().is_some())
    }

    /// The branches of a choice; of anything else, itself.
    pub(super) fn branches(&self) -> &[Tree] {
        match self {
            Tree::Alternate(branches) => branches,
            other => std::slice::from_ref(other),
        }
    }

    /// The length of every text that it matches, if there is one such length.
    pub(super) fn fixed_length(&self) -> Option<u32> {
        match self {
            Tree::Empty | Tree::Look(_) | Tree::Around { .. } => Some(0),
            Tree::Byte(_) | Tree::Set(_) => Some(1),
            Tree::Reference { .. } => None,
            Tree::Capture { tree, .. } | Tree::Atomic(tree) => tree.fixed_length(),
            Tree::Repeat { tree, min, max, .. } => {
                let turn = tree.fixed_length()?;
                if turn == 0 || *max == Some(*min) { turn.checked_mul(*min) } else { None }
            }
            Tree::Concat(trees) => trees.iter().try_fold(0u32, |sum, tree| sum.checked_add(tree.fixed_length()?)),
            Tree::Alternate(trees) => {
                let mut lengths = trees.iter().map(Tree::fixed_length);
                let first = lengths.next()??;
                lengths.all(|len| len == Some(first)).then_some(first)
            }
        }
    }
}
