//! One regex, verified: end, start and groups of its leftmost-first match.

use std::sync::atomic::{AtomicU64, Ordering};

use regex_automata::nfa::thompson::NFA;
use regex_syntax::hir::Hir;

use super::backtrack::{Backtrack, Exact, Tree};
use super::captures::Captures;
use super::compact::Compact;
use super::cursor::{Phase, Run, Step};
use super::dense::Dense;
use super::hybrid::Hybrid;
use super::lazy::Lazy;
use super::thompson::{Order, Shape, Thompson, compile};
use super::{BuildError, Cache, Cursor, Groups, Outcome, fuel};
use crate::limits::Limits;
use crate::meter::{Exhausted, Meter, Price};

/// A table of the library may take this share of what a dense DFA may. Larger ones take more time for missing the processor's
/// caches than skipping gains.
const LIBRARY_SHARE: usize = 4;

/// How a pattern is verified. The planner stores it in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// A dense DFA: about one fuel a byte, whatever the input.
    Dense,
    /// A hybrid automaton: about one fuel a byte for what ordinary bytes lead to, and beside that one for each state that is alive.
    Hybrid,
    /// A lazy DFA: one fuel a byte in known ground, an NFA step where the request first goes.
    Lazy,
    /// An NFA simulation: every byte pays for the nodes that are alive.
    Nfa,
}

/// What a rule wants to know of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Want {
    /// Whether it matches.
    Match,
    /// Where it matches: group 0.
    Span,
    /// Where it matches, with capture groups 1 to 9.
    Groups,
}

/// One direction of a pattern.
#[derive(Debug, Clone)]
pub(super) enum Machine {
    Dense(Box<Dense>),
    Compact(Box<Compact>),
    Hybrid(Box<Hybrid>),
    Lazy(Box<Lazy>),
}

/// The automata of one regex: immutable, shared between threads.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// Tells caches whose states they hold.
    pub(super) id: u64,
    pub(super) engine: Engine,
    pub(super) forward: Machine,
    pub(super) reverse: Option<Machine>,
    pub(super) captures: Option<Box<Captures>>,
    /// What verifies that a match of the automata is one of the pattern, if they find more than the pattern does.
    pub(super) exact: Option<Box<Backtrack>>,
}

pub(super) static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Pattern {
    /// Builds the automata of `hir` (bytes, not UTF-8). Tries a dense DFA within `limits.dense_dfa_bytes`, else a lazy DFA
    /// whose states may take `limits.lazy_dfa_bytes` in one request. `force` picks the engine instead.
    ///
    /// # Errors
    /// [`BuildError`] when the NFA is larger than `limits.nfa_bytes`, or when a forced dense DFA is too large.
    pub fn build(hir: &Hir, want: Want, limits: &Limits, force: Option<Engine>) -> Result<Pattern, BuildError> {
        if let Some(engine) = force {
            return Pattern::build_with(hir, want, engine, limits);
        }
        let nfa = compile(hir, Shape::Forward, limits.nfa_bytes)?;
        let order = if want == Want::Match { Order::Any } else { Order::First };
        match Machine::dense(&nfa, order, limits) {
            Some(dense) => Pattern::assemble(hir, want, Engine::Dense, dense, limits),
            None => match Machine::hybrid(&nfa, order, limits) {
                Some(hybrid) => Pattern::assemble(hir, want, Engine::Hybrid, hybrid, limits),
                None => {
                    let lazy = Machine::lazy(&nfa, order, Engine::Lazy, limits);
                    Pattern::assemble(hir, want, Engine::Lazy, lazy, limits)
                }
            },
        }
    }

    /// Builds with an engine that is known to fit, without trying another: for a planner that remembers an earlier choice.
    ///
    /// # Errors
    /// As [`Pattern::build`].
    pub fn build_with(hir: &Hir, want: Want, engine: Engine, limits: &Limits) -> Result<Pattern, BuildError> {
        let nfa = compile(hir, Shape::Forward, limits.nfa_bytes)?;
        let order = if want == Want::Match { Order::Any } else { Order::First };
        let forward = match engine {
            Engine::Dense => Machine::dense(&nfa, order, limits)
                .ok_or(BuildError::TooLarge { what: "DFA", limit: limits.dense_dfa_bytes })?,
            Engine::Hybrid => Machine::hybrid(&nfa, order, limits)
                .ok_or(BuildError::TooLarge { what: "hybrid automaton", limit: limits.hybrid_head_bytes })?,
            Engine::Lazy | Engine::Nfa => Machine::lazy(&nfa, order, engine, limits),
        };
        Pattern::assemble(hir, want, engine, forward, limits)
    }

    /// Adds what finds the start and the groups.
    fn assemble(
        hir: &Hir,
        want: Want,
        engine: Engine,
        forward: Machine,
        limits: &Limits,
    ) -> Result<Pattern, BuildError> {
        let reverse = if want == Want::Match || engine == Engine::Hybrid {
            None
        } else {
            let nfa = compile(hir, Shape::Reverse, limits.nfa_bytes)?;
            // A reverse DFA can be large where the forward one is small; the start is then found lazily.
            let dense = if engine == Engine::Dense { Machine::dense(&nfa, Order::All, limits) } else { None };
            Some(dense.unwrap_or_else(|| Machine::lazy(&nfa, Order::All, engine, limits)))
        };
        let captures = if want == Want::Groups && hir.properties().explicit_captures_len() > 0 {
            Some(Box::new(Captures::new(&compile(hir, Shape::Groups, limits.nfa_bytes)?)))
        } else {
            None
        };
        Ok(Pattern { id: NEXT_ID.fetch_add(1, Ordering::Relaxed), engine, forward, reverse, captures, exact: None })
    }

    /// Builds the automata of a pattern that is not regular: `relaxed` matches wherever `tree` does, and `tree` is searched for
    /// from the start of the leftmost relaxed match on. A haystack without a relaxed match costs no more than a regular pattern.
    ///
    /// # Errors
    /// As [`Pattern::build`].
    pub fn build_exact(
        relaxed: &Hir,
        tree: &Tree,
        want: Want,
        limits: &Limits,
        force: Option<Engine>,
    ) -> Result<Pattern, BuildError> {
        let mut unmetered = Meter::unlimited();
        let exact = Backtrack::build(tree, want, limits.nfa_bytes, limits, &mut unmetered);
        let exact = exact.unwrap_or_else(|exhausted| Err(BuildError::Automaton(exhausted.to_string())))?;
        let pattern = Pattern::build(relaxed, Want::Span, limits, force)?;
        Ok(Pattern { exact: Some(Box::new(exact)), ..pattern })
    }

    /// How it is made sure that a match is one of the pattern itself.
    pub fn exact(&self) -> Exact {
        self.exact.as_ref().map_or(Exact::Automaton, |exact| exact.exact())
    }

    /// How the end of a match is found.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The most that one scan of a haystack of `n` bytes can charge.
    pub fn price(&self) -> Price {
        let mut price = Price::new(fuel::CALL, 0).plus(self.forward.price());
        if let Some(reverse) = &self.reverse {
            price = price.plus(reverse.price());
        }
        if let Some(captures) = &self.captures {
            price = price.plus(captures.price());
        }
        if let Some(exact) = &self.exact {
            price = price.plus(exact.price());
        }
        price
    }

    /// Whether the pattern matches anywhere in a short text, such as a name: without a pause.
    ///
    /// # Errors
    /// [`Exhausted`] when a budget is spent.
    pub fn finds(&self, cache: &mut Cache, text: &[u8], meter: &mut Meter) -> Result<bool, Exhausted> {
        let (mut cursor, mut groups) = (Cursor::default(), Groups::default());
        loop {
            match self.scan(cache, text, &mut cursor, u64::MAX, &mut groups, meter)? {
                Outcome::Pending => {}
                outcome => return Ok(outcome == Outcome::Hit),
            }
        }
    }

    /// Bytes held by the automata; a [`Cache`] counts its own.
    pub fn memory(&self) -> usize {
        self.forward.memory()
            + self.reverse.as_ref().map_or(0, Machine::memory)
            + self.captures.as_ref().map_or(0, |captures| captures.memory())
            + self.exact.as_ref().map_or(0, |exact| exact.memory())
    }

    /// Goes on scanning `haystack` for about `quantum` fuel, charging the rule's account before each block.
    ///
    /// The search is unanchored, from the cursor's start to the end, with the bytes before the start as context. On
    /// [`Outcome::Hit`] `groups` holds what was asked for ([`Want::Match`]: nothing) of the leftmost-first match, the one that
    /// PCRE finds. The sum of what the calls charge depends on the pattern, the haystack and what *this request* (since
    /// [`Cache::clear`]) has scanned with this cache, never on the quantum.
    ///
    /// # Errors
    /// [`Exhausted`] when a budget is spent; the scan cannot be resumed then.
    pub fn scan(
        &self,
        cache: &mut Cache,
        haystack: &[u8],
        cursor: &mut Cursor,
        quantum: u64,
        groups: &mut Groups,
        meter: &mut Meter,
    ) -> Result<Outcome, Exhausted> {
        let begun = meter.spent();
        if cursor.phase == Phase::Idle || !cache.serves(self.id, cursor.serial) {
            meter.charge_rule(fuel::CALL)?;
            *groups = Groups::default();
            let start = cursor.start.min(haystack.len());
            *cursor = Cursor { start, phase: Phase::Forward, run: Run::new(start), serial: cache.begin(self.id) };
        }
        loop {
            let left = quantum.saturating_sub(meter.spent() - begun);
            let (start, run) = (cursor.start, &mut cursor.run);
            let step = match cursor.phase {
                Phase::Idle | Phase::Forward => self.forward.run::<false>(cache, haystack, start, run, left, meter)?,
                Phase::Locate => match &self.forward {
                    Machine::Hybrid(hybrid) => hybrid.locate(&mut cache.threads, haystack, run, left, meter)?,
                    _ => Step::Done(None),
                },
                Phase::Reverse { end } => match &self.reverse {
                    Some(reverse) => reverse.run::<true>(cache, haystack, start, run, left, meter)?,
                    None => Step::Done(Some(end)),
                },
                Phase::Groups { start, end } => match &self.captures {
                    Some(captures) => {
                        captures.run(&mut cache.captures, haystack, (start, end), run, groups, left, meter)?
                    }
                    None => Step::Done(Some(start)),
                },
                Phase::Exact => match &self.exact {
                    Some(exact) => exact.run(&mut cache.backtrack, haystack, run, groups, left, meter)?,
                    None => Step::Done(None),
                },
            };
            let found = match step {
                Step::Pending => return Ok(Outcome::Pending),
                Step::Done(found) => found,
            };
            (cursor.phase, cursor.run) = match (cursor.phase, found) {
                (Phase::Idle | Phase::Forward | Phase::Locate, None) => return Ok(cursor.finish(Outcome::Miss)),
                (Phase::Idle | Phase::Forward, Some(from)) if self.forward.locates() => (Phase::Locate, Run::new(from)),
                (Phase::Idle | Phase::Forward, Some(end)) if self.reverse.is_some() => {
                    (Phase::Reverse { end }, Run::new(end))
                }
                (Phase::Reverse { .. } | Phase::Locate, found) => {
                    // The reverse automaton accepts wherever the forward one does; without it the end alone is a match.
                    let end = match cursor.phase {
                        Phase::Reverse { end } => end,
                        _ => cursor.run.last.unwrap_or(cursor.start),
                    };
                    let start = found.unwrap_or(end);
                    if self.exact.is_some() {
                        (cursor.phase, cursor.run) = (Phase::Exact, Run::new(start));
                        continue;
                    }
                    groups.set(0, start, end);
                    if self.captures.is_none() {
                        return Ok(cursor.finish(Outcome::Hit));
                    }
                    (Phase::Groups { start, end }, Run::new(start))
                }
                (Phase::Exact, None) => return Ok(cursor.finish(Outcome::Miss)),
                (Phase::Idle | Phase::Forward | Phase::Groups { .. } | Phase::Exact, _) => {
                    return Ok(cursor.finish(Outcome::Hit));
                }
            };
        }
    }
}

impl Cursor {
    /// Back to the start, with the scan's outcome.
    pub(super) fn finish(&mut self, outcome: Outcome) -> Outcome {
        *self = Cursor::from(self.start);
        outcome
    }
}

impl Machine {
    /// A DFA, if one fits. The compact one comes first: it is made several times faster and takes a fraction of the memory, so
    /// where it does not fit the library's does not either. That one can skip over bytes, which is worth its size where the
    /// table is small and the haystack long: not in the search for the start of a match, which has few bytes to read.
    fn dense(nfa: &NFA, order: Order, limits: &Limits) -> Option<Machine> {
        let compact = Compact::build(nfa, order, limits)?;
        let small = order != Order::All && compact.padded_bytes() <= limits.dense_dfa_bytes / LIBRARY_SHARE;
        let library = if small { Dense::build(nfa, order, limits) } else { None };
        Some(match library {
            Some(dense) => Machine::Dense(Box::new(dense)),
            None => Machine::Compact(Box::new(compact)),
        })
    }

    fn lazy(nfa: &NFA, order: Order, engine: Engine, limits: &Limits) -> Machine {
        let bytes = if engine == Engine::Nfa { 0 } else { limits.lazy_dfa_bytes };
        Machine::Lazy(Box::new(Lazy::new(nfa, order, bytes)))
    }

    fn hybrid(nfa: &NFA, order: Order, limits: &Limits) -> Option<Machine> {
        let restarts = nfa.start_anchored() != nfa.start_unanchored();
        let hybrid = Hybrid::build(&Thompson::new(nfa, false, 0), restarts, order, limits)?;
        Some(Machine::Hybrid(Box::new(hybrid)))
    }

    /// Whether start and end of a match are found by the machine itself, once it is known that there is one.
    fn locates(&self) -> bool {
        matches!(self, Machine::Hybrid(hybrid) if hybrid.order == Order::First)
    }

    fn price(&self) -> Price {
        match self {
            Machine::Hybrid(hybrid) => hybrid.price(),
            Machine::Dense(dense) => Price::per_byte(0, dense.byte()),
            Machine::Compact(compact) => Price::per_byte(0, compact.byte()),
            Machine::Lazy(lazy) => lazy.price(),
        }
    }

    fn memory(&self) -> usize {
        match self {
            Machine::Dense(dense) => dense.memory(),
            Machine::Compact(compact) => compact.memory(),
            Machine::Hybrid(hybrid) => hybrid.memory(),
            Machine::Lazy(lazy) => lazy.memory(),
        }
    }

    fn run<const REVERSE: bool>(
        &self,
        cache: &mut Cache,
        haystack: &[u8],
        floor: usize,
        run: &mut Run,
        quantum: u64,
        meter: &mut Meter,
    ) -> Result<Step, Exhausted> {
        match self {
            Machine::Dense(dense) => dense.run::<REVERSE>(haystack, floor, run, quantum, meter),
            Machine::Compact(compact) => compact.run::<REVERSE>(haystack, floor, run, quantum, meter),
            Machine::Hybrid(hybrid) => hybrid.detect(&mut cache.threads, haystack, run, quantum, meter),
            Machine::Lazy(lazy) => lazy.run::<REVERSE>(cache.table::<REVERSE>(), haystack, floor, run, quantum, meter),
        }
    }
}
