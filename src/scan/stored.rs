//! Automata as bytes and back.
//!
//! Stored is what takes long to make: tables. What is small is made anew from the pattern, together with its price: an NFA and
//! what stands behind it, capture groups, the program of a backtracking matcher. That an automaton was given up as too
//! large is stored too.
//!
//! What is read is checked until nothing in it can lead a search astray: every state and every class has its place in the table.
//! Whether a table is that of the pattern cannot be seen from it; only compiling the pattern again can tell.

use regex_syntax::hir::Hir;
use std::sync::atomic::Ordering as Atomic;

use super::backtrack::Tree;
use super::captures::Captures;
use super::compact::Compact;
use super::dense::Dense;
use super::pattern::{Machine, NEXT_ID};
use super::thompson::{Order, Shape, compile};
use super::{Backtrack, Engine, Pattern, Want};
use crate::limits::Limits;
use crate::meter::Meter;
use crate::wire::{Damaged, Reader, Writer};

/// Kinds of machines. A number is never used for another kind.
const LAZY: u8 = 0;
const COMPACT: u8 = 1;
const LIBRARY: u8 = 2;

/// What a stored machine is.
#[derive(Debug)]
enum StoredMachine {
    Ready(Machine),
    /// It had no DFA.
    Lazy,
}

/// The stored part of a [`Pattern`].
#[derive(Debug)]
pub struct StoredPattern {
    want: Want,
    forward: StoredMachine,
    reverse: Option<StoredMachine>,
    captures: bool,
    exact: bool,
}

impl Want {
    fn number(self) -> u8 {
        match self {
            Want::Match => 0,
            Want::Span => 1,
            Want::Groups => 2,
        }
    }
}

impl Pattern {
    /// Writes what takes long to make of it. `want` is what it was built for.
    pub fn store(&self, want: Want, writer: &mut Writer) {
        writer.byte(want.number());
        writer.byte(u8::from(self.captures.is_some()) | u8::from(self.exact.is_some()) << 1);
        self.forward.store(writer);
        writer.byte(u8::from(self.reverse.is_some()));
        if let Some(reverse) = &self.reverse {
            reverse.store(writer);
        }
    }
}

impl StoredPattern {
    /// The most bytes that [`Pattern::store`] writes.
    pub fn max_bytes(limits: &Limits) -> usize {
        const HEADS: usize = 64 << 10;
        limits.dense_dfa_bytes.saturating_add(HEADS).saturating_mul(2)
    }

    /// Reads what [`Pattern::store`] has written.
    ///
    /// # Errors
    /// Bytes that are no automata, or automata beyond the limits.
    pub fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<StoredPattern, Damaged> {
        let want = match reader.byte()? {
            0 => Want::Match,
            1 => Want::Span,
            2 => Want::Groups,
            _ => return Err(Damaged("a pattern is wanted for something unknown")),
        };
        let flags = reader.number(3)?;
        let (captures, exact) = (flags & 1 != 0, flags & 2 != 0);
        // A backtracking matcher looks from the start of a match on.
        let inner = if exact { Want::Span } else { want };
        let order = if inner == Want::Match { Order::Any } else { Order::First };
        let forward = StoredMachine::read(reader, order, limits)?;
        let reverse =
            if reader.number(1)? == 1 { Some(StoredMachine::read(reader, Order::All, limits)?) } else { None };
        let lazy = matches!(forward, StoredMachine::Lazy);
        if reverse.is_some() != (inner != Want::Match)
            || captures && (exact || want != Want::Groups)
            || lazy && matches!(reverse, Some(StoredMachine::Ready(_)))
        {
            return Err(Damaged("the automata of a pattern do not fit together"));
        }
        Ok(StoredPattern { want, forward, reverse, captures, exact })
    }

    /// What it was built for.
    pub fn want(&self) -> Want {
        self.want
    }

    /// Whether it can only be completed with the pattern itself.
    pub fn needs_pattern(&self) -> bool {
        let lazy = |machine: &StoredMachine| matches!(machine, StoredMachine::Lazy);
        self.captures || self.exact || lazy(&self.forward) || self.reverse.as_ref().is_some_and(lazy)
    }

    /// The automata, with what the pattern adds: what it was compiled to, and what it is if it is not regular.
    ///
    /// # Errors
    /// A pattern that is not there, or that these automata cannot belong to.
    pub fn complete(self, pattern: Option<(&Hir, Option<&Tree>)>, limits: &Limits) -> Result<Pattern, Damaged> {
        const FOREIGN: Damaged = Damaged("these are not the automata of this pattern");
        let StoredPattern { want, forward, reverse, captures, exact } = self;
        let hir = pattern.map(|(hir, _)| hir);
        let tree = pattern.and_then(|(_, tree)| tree);
        if pattern.is_some() && tree.is_some() != exact {
            return Err(FOREIGN);
        }
        let engine = match forward {
            StoredMachine::Ready(_) => Engine::Dense,
            StoredMachine::Lazy => Engine::Lazy,
        };
        let machine = |stored: StoredMachine, shape: Shape, order: Order| match stored {
            StoredMachine::Ready(machine) => Ok(machine),
            StoredMachine::Lazy => {
                let nfa = compile(hir.ok_or(FOREIGN)?, shape, limits.nfa_bytes).map_err(|_| FOREIGN)?;
                Ok(Machine::lazy(&nfa, order, engine, limits))
            }
        };
        let order = if reverse.is_none() { Order::Any } else { Order::First };
        let forward = machine(forward, Shape::Forward, order)?;
        let reverse = reverse.map(|reverse| machine(reverse, Shape::Reverse, Order::All)).transpose()?;
        let captures = if captures {
            let nfa = compile(hir.ok_or(FOREIGN)?, Shape::Groups, limits.nfa_bytes).map_err(|_| FOREIGN)?;
            Some(Captures::new(&nfa))
        } else {
            None
        };
        let exact = if exact {
            let mut unmetered = Meter::unlimited();
            let built = Backtrack::build(tree.ok_or(FOREIGN)?, want, limits.nfa_bytes, limits, &mut unmetered);
            Some(Box::new(built.ok().and_then(Result::ok).ok_or(FOREIGN)?))
        } else {
            None
        };
        Ok(Pattern { id: NEXT_ID.fetch_add(1, Atomic::Relaxed), engine, forward, reverse, captures, exact })
    }
}

impl Machine {
    fn store(&self, writer: &mut Writer) {
        match self {
            Machine::Lazy(_) => writer.byte(LAZY),
            Machine::Compact(compact) => {
                writer.byte(COMPACT);
                compact.store(writer);
            }
            Machine::Dense(dense) => {
                writer.byte(LIBRARY);
                dense.store(writer);
            }
        }
    }
}

impl StoredMachine {
    fn read(reader: &mut Reader<'_>, order: Order, limits: &Limits) -> Result<StoredMachine, Damaged> {
        Ok(match reader.byte()? {
            LAZY => StoredMachine::Lazy,
            COMPACT => StoredMachine::Ready(Machine::Compact(Box::new(Compact::restore(reader, order, limits)?))),
            LIBRARY => StoredMachine::Ready(Machine::Dense(Box::new(Dense::restore(reader, order, limits)?))),
            _ => return Err(Damaged("an automaton of an unknown kind")),
        })
    }
}
