//! Patterns that are not regular: look-around, atomic groups and back-references, verified by backtracking.
//!
//! A [`Tree`] is compiled into a program, and a matcher tries it from one place after the other, as PCRE2 does and with the
//! same result: the leftmost match, of those the first in the order of preference. It keeps its choices on a stack of its
//! own, pays for steps before it takes them and can pause between any two.
//!
//! Backtracking is exponential where the same thing is tried again and again. Without back-references whatever an instruction
//! leads to follows from the place, so the matcher remembers it: each is tried once at each place, and the whole is linear in the
//! text, look-around and atomic groups included. Between a group and the back-reference to it, what an instruction leads to depends
//! on what the group holds: nothing is remembered there, and nothing but the budget of the rule bounds the search. Nor where groups
//! are wanted that stand in a look-around or an atomic group ([`Exact`] says which it is).
//!
//! | file | holds |
//! |---|---|
//! | `tree` | what a pattern says |
//! | `build` | from the tree to instructions |
//! | `program` | the instructions |
//! | `notes` | which of them are remembered |
//! | `memo` | what has been tried |
//! | `run` | the matcher |

mod build;
mod memo;
mod notes;
mod program;
mod run;
mod tree;

pub(super) use run::Thread;
pub use tree::{Look, Tree};

use super::cursor::{Groups, Phase, Place, Run, Step};
use super::{BuildError, Cache, Cursor, Outcome, Want, fuel};
use crate::limits::Limits;
use crate::meter::{Exhausted, Meter, Price};
use build::Stop;
use memo::Memo;
use program::Program;
use run::Matcher;
use std::sync::atomic::Ordering;

/// Bytes of table and of stack that are kept from search to search. Each pattern has a memory of its own: together they must not
/// keep what the longest values have needed.
const KEPT: usize = 64 << 10;

/// How it is made sure that a match is one of the pattern itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exact {
    /// The automaton finds the pattern itself: it is regular.
    Automaton,
    /// By backtracking that remembers what it has tried: linear in the value.
    Memoised,
    /// By backtracking that nothing but the budget of the rule bounds.
    Metered,
}

/// A pattern compiled for backtracking: immutable, shared between threads.
#[derive(Debug, Clone)]
pub struct Backtrack {
    /// Tells caches whose scan they hold.
    id: u64,
    program: Program,
    exact: Exact,
    want: Want,
    /// Bytes of the table, and bytes of the stack.
    bytes: usize,
    /// The budget of a rule.
    budget: u64,
}

impl Backtrack {
    /// The fuel of each charge that [`Backtrack::build`] makes.
    pub const BUILD_BLOCK: u64 = build::BLOCK;

    /// Compiles a tree into at most `bytes` of instructions. What compiling takes is charged as it goes.
    ///
    /// # Errors
    /// [`Exhausted`] when the budget is spent; the inner [`BuildError`] when there would be too many instructions.
    pub fn build(
        tree: &Tree,
        want: Want,
        bytes: usize,
        limits: &Limits,
        meter: &mut Meter,
    ) -> Result<Result<Backtrack, BuildError>, Exhausted> {
        let groups = if want == Want::Groups { Groups::COUNT as u32 - 1 } else { 0 };
        let most = bytes / (size_of::<program::Op>() + size_of::<program::Note>());
        let program = match build::build(tree, groups, most, meter) {
            Ok(program) => program,
            Err(Stop::Exhausted(exhausted)) => return Err(exhausted),
            Err(Stop::TooLarge) => return Ok(Err(BuildError::TooLarge { what: "program", limit: bytes })),
        };
        let linear = !program.references && !program.bodies.iter().any(|body| body.captures);
        let exact = if linear { Exact::Memoised } else { Exact::Metered };
        let id = super::pattern::NEXT_ID.fetch_add(1, Ordering::Relaxed);
        Ok(Ok(Backtrack { id, program, exact, want, bytes: limits.backtrack_bytes, budget: limits.fuel_rule }))
    }

    /// What bounds it.
    pub fn exact(&self) -> Exact {
        self.exact
    }

    /// The most that it can charge on `n` bytes.
    ///
    /// Linear where the table fits. Where it does not, the price is made to be above the rule's budget, which is what bounds the
    /// matcher then: so it is true for every length.
    pub fn price(&self) -> Price {
        let call = fuel::STEPS * fuel::BACKTRACK + 1;
        if self.exact == Exact::Metered {
            return Price::new(call.saturating_add(self.budget), 0);
        }
        let table = Memo::bytes(&self.program, 64).div_ceil(64) as u64;
        let steps = (self.program.steps + 1)
            .saturating_mul(fuel::BACKTRACK)
            .saturating_add(table.div_ceil(fuel::CLEARED_BYTES));
        let overflow = self.budget.saturating_mul(table).div_ceil(self.bytes.max(1) as u64);
        let byte = steps.max(overflow);
        Price::per_byte(call.saturating_add(byte), byte)
    }

    /// Bytes held; a [`Cache`] counts its own.
    pub fn memory(&self) -> usize {
        self.program.memory()
    }

    /// Searches `haystack` by itself, as [`Pattern::scan`](super::Pattern::scan) does with an automaton before it.
    ///
    /// # Errors
    /// [`Exhausted`] when a budget is spent, or the stack has reached [`Limits::backtrack_bytes`].
    pub fn scan(
        &self,
        cache: &mut Cache,
        haystack: &[u8],
        cursor: &mut Cursor,
        quantum: u64,
        groups: &mut Groups,
        meter: &mut Meter,
    ) -> Result<Outcome, Exhausted> {
        if cursor.phase == Phase::Idle || !cache.serves(self.id, cursor.serial) {
            meter.charge_rule(fuel::CALL)?;
            *groups = Groups::default();
            let start = cursor.start.min(haystack.len());
            let serial = cache.begin(self.id);
            *cursor = Cursor { start, phase: Phase::Exact, run: Run::new(start), serial };
        }
        let step = self.run(&mut cache.backtrack, haystack, &mut cursor.run, groups, quantum, meter)?;
        Ok(match step {
            Step::Pending => Outcome::Pending,
            Step::Done(None) => cursor.finish(Outcome::Miss),
            Step::Done(Some(_)) => cursor.finish(Outcome::Hit),
        })
    }

    /// Goes on with `run`, whose attempts begin at its place.
    pub(super) fn run(
        &self,
        thread: &mut Thread,
        haystack: &[u8],
        run: &mut Run,
        groups: &mut Groups,
        quantum: u64,
        meter: &mut Meter,
    ) -> Result<Step, Exhausted> {
        let mut matcher = Matcher::new(&self.program, thread, haystack, self.bytes);
        if run.place == Place::Fresh {
            matcher.begin(run.at, self.bytes, meter)?;
            run.place = Place::Simulated;
        }
        let step = matcher.run(groups, quantum, meter);
        if step != Ok(Step::Pending) {
            thread.shrink(KEPT);
        }
        let step = step?;
        if let (Step::Done(Some(_)), Some(whole)) = (step, groups.get(0)) {
            match self.want {
                Want::Match => *groups = Groups::default(),
                Want::Span => *groups = Groups::of(whole),
                Want::Groups => {}
            }
        }
        Ok(step)
    }
}
