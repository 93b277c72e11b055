//! The instructions that a backtracking matcher runs, as plain data.

use super::tree::Look;
use crate::byteset::ByteSet;

/// Place of an instruction in [`Program::ops`].
pub(super) type Pc = u32;

/// One instruction. Each names those that may follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    /// Reads one byte.
    Byte { byte: u8, next: Pc },
    /// Reads one byte of [`Program::sets`].
    Set { set: u32, next: Pc },
    /// Holds at this place.
    Look { look: Look, next: Pc },
    /// Tries the first; if that fails, the second.
    Split { first: Pc, second: Pc },
    /// A kept group begins.
    Open { group: u32, next: Pc },
    /// A kept group ends, and only now captures.
    Close { group: u32, next: Pc },
    /// Reads what a kept group has captured. Goes on at `same` if that is nothing.
    Reference { group: u32, fold: bool, same: Pc, moved: Pc },
    /// Goes back so many bytes.
    Back { by: u32, next: Pc },
    /// Enters one of [`Program::bodies`].
    Enter { body: u32 },
    /// Leaves the body that was entered last: it has matched.
    Leave,
    /// The whole pattern has matched.
    Match,
    /// Matches nothing.
    Fail,
}

/// What encloses instructions that are tried on their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `(?>...)`: goes on where it ends.
    Atomic,
    /// `(?=...)`, `(?<=...)`: goes on where it began.
    Positive,
    /// `(?!...)`, `(?<!...)`: goes on where it began, if it fails.
    Negative,
}

/// A look-around or an atomic group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) kind: Kind,
    /// Its first instruction.
    pub(super) entry: Pc,
    /// What follows if the place is that where it was entered.
    pub(super) same: Pc,
    /// What follows an atomic group that has read something.
    pub(super) moved: Pc,
    /// Whether kept groups are captured inside.
    pub(super) captures: bool,
}

/// What is remembered of an instruction at a place. Only instructions that several lead to need it: what follows another
/// has been tried exactly when that other has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// Nothing.
    None,
    /// That it was tried, in bit `bit`: outside of bodies whatever was tried and comes up again has failed.
    Tried { bit: u32 },
    /// That it has failed. What has succeeded is tried again, because it captures.
    Failed { bit: u32 },
    /// That it was tried, and in the next bit, that the look-around holds from here.
    Holds { bit: u32 },
    /// That it was tried, and where the atomic group ends from here: number `end`.
    Ends { bit: u32, end: u32 },
}

/// A compiled pattern.
#[derive(Debug, Clone, Default)]
pub(super) struct Program {
    pub(super) ops: Vec<Op>,
    /// What is remembered of each instruction.
    pub(super) notes: Vec<Note>,
    pub(super) sets: Vec<ByteSet>,
    pub(super) bodies: Vec<Body>,
    /// Where an attempt begins.
    pub(super) entry: Pc,
    /// The numbers of the kept groups, in order.
    pub(super) groups: Vec<u32>,
    /// Bits that are remembered of one place.
    pub(super) bits: usize,
    /// Ends that are remembered of one place.
    pub(super) ends: usize,
    /// Steps that one place can cost, all of them tried once: the instructions, and the ways that lead to them.
    pub(super) steps: u64,
    /// How far look-behind reaches.
    pub(super) reach: usize,
    /// It matches at the start of the text alone.
    pub(super) anchored: bool,
    /// It has a back-reference.
    pub(super) references: bool,
}

impl Program {
    /// The instruction at `pc`; one that is not there matches nothing.
    #[inline]
    pub(super) fn op(&self, pc: Pc) -> Op {
        self.ops.get(pc as usize).copied().unwrap_or(Op::Fail)
    }

    /// What is remembered of the instruction at `pc`.
    #[inline]
    pub(super) fn note(&self, pc: Pc) -> Note {
        self.notes.get(pc as usize).copied().unwrap_or(Note::None)
    }

    /// The body of that number.
    pub(super) fn body(&self, body: u32) -> Option<Body> {
        self.bodies.get(body as usize).copied()
    }

    /// Whether a set of [`Program::sets`] contains the byte.
    #[inline]
    pub(super) fn contains(&self, set: u32, byte: u8) -> bool {
        self.sets.get(set as usize).is_some_and(|set| set.contains(byte))
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.ops.len() * (size_of::<Op>() + size_of::<Note>())
            + self.sets.len() * size_of::<ByteSet>()
            + self.bodies.len() * size_of::<Body>()
    }
}
