//! Automata as bytes and back.
//!
//! Stored is what takes long to make: tables and NFAs. Prices are worked out anew, and the program of a backtracking matcher, which
//! is small, is compiled from its pattern. That a pattern has no table is stored too: nobody tries again.
//!
//! What is read is checked until nothing in it can lead a search astray: every state and every class has its place in the table.
//! Whether a table is that of the pattern cannot be seen from it; only compiling the pattern again can tell.

mod hybrid;
mod nfa;
pub(super) mod rows;

use std::sync::atomic::Ordering as Atomic;

use super::backtrack::Tree;
use super::captures::Captures;
use super::compact::Compact;
use super::dense::Dense;
use super::hybrid::Hybrid;
use super::lazy::Lazy;
use super::pattern::{Machine, NEXT_ID};
use super::thompson::Order;
use super::{Backtrack, Engine, Pattern, Want};
use crate::limits::Limits;
use crate::meter::Meter;
use crate::wire::{Damaged, Reader, Writer};

/// Kinds of machines. A number is never used for another kind.
const LAZY: u8 = 0;
const COMPACT: u8 = 1;
const LIBRARY: u8 = 2;
const HYBRID: u8 = 3;

/// The stored part of a [`Pattern`].
#[derive(Debug)]
pub struct StoredPattern {
    want: Want,
    forward: Machine,
    reverse: Option<Machine>,
    captures: Option<Box<Captures>>,
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
        writer.byte(u8::from(self.exact.is_some()));
        self.forward.store(writer);
        writer.byte(u8::from(self.reverse.is_some()));
        if let Some(reverse) = &self.reverse {
            reverse.store(writer);
        }
        writer.byte(u8::from(self.captures.is_some()));
        if let Some(captures) = &self.captures {
            captures.store(writer);
        }
    }
}

impl StoredPattern {
    /// The most bytes that [`Pattern::store`] writes.
    pub fn max_bytes(limits: &Limits) -> usize {
        /// Start states, classes, accelerators.
        const HEADS: usize = 64 << 10;
        limits.dense_dfa_bytes.max(limits.nfa_bytes).saturating_add(HEADS).saturating_mul(3)
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
        let exact = reader.number(1)? == 1;
        // A backtracking matcher looks from the start of a match on.
        let inner = if exact { Want::Span } else { want };
        let order = if inner == Want::Match { Order::Any } else { Order::First };
        let forward = Machine::restore(reader, order, limits)?;
        let reverse = if reader.number(1)? == 1 { Some(Machine::restore(reader, Order::All, limits)?) } else { None };
        let captures = if reader.number(1)? == 1 { Some(Box::new(Captures::restore(reader, limits)?)) } else { None };
        let locates = inner == Want::Match || matches!(forward, Machine::Hybrid(_));
        if reverse.is_some() == locates || captures.is_some() && inner != Want::Groups {
            return Err(Damaged("the automata of a pattern do not fit together"));
        }
        Ok(StoredPattern { want, forward, reverse, captures, exact })
    }

    /// What it was built for.
    pub fn want(&self) -> Want {
        self.want
    }

    /// Whether it can only be completed with the pattern itself, which is not regular.
    pub fn needs_tree(&self) -> bool {
        self.exact
    }

    /// The automata; `tree` is the pattern itself, if it is not regular.
    ///
    /// # Errors
    /// A pattern that is not there, or that these automata cannot belong to.
    pub fn complete(self, tree: Option<&Tree>, limits: &Limits) -> Result<Pattern, Damaged> {
        const FOREIGN: Damaged = Damaged("these are not the automata of this pattern");
        let StoredPattern { want, forward, reverse, captures, exact } = self;
        let engine = match forward {
            Machine::Lazy(_) => Engine::Lazy,
            Machine::Hybrid(_) => Engine::Hybrid,
            Machine::Compact(_) | Machine::Dense(_) => Engine::Dense,
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
            Machine::Lazy(lazy) => {
                writer.byte(LAZY);
                lazy.store(writer);
            }
            Machine::Hybrid(hybrid) => {
                writer.byte(HYBRID);
                hybrid.store(writer);
            }
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

    fn restore(reader: &mut Reader<'_>, order: Order, limits: &Limits) -> Result<Machine, Damaged> {
        Ok(match reader.byte()? {
            LAZY => Machine::Lazy(Box::new(Lazy::restore(reader, order, limits)?)),
            COMPACT => Machine::Compact(Box::new(Compact::restore(reader, order, limits)?)),
            LIBRARY => Machine::Dense(Box::new(Dense::restore(reader, order, limits)?)),
            HYBRID if order != Order::All => Machine::Hybrid(Box::new(Hybrid::restore(reader, order, limits)?)),
            _ => return Err(Damaged("an automaton of an unknown kind")),
        })
    }
}
