//! Scanners and verifiers: the automata that the planner builds and the engine runs. All metered; all linear
//! but for patterns with back-references.
//!
//! | type | question | automaton |
//! |---|---|---|
//! | [`Pattern`] | does one regex match, where, with which groups? | dense DFA, hybrid automaton, bounded lazy DFA or NFA simulation |
//! | [`Backtrack`] | the same, for patterns that are not regular | none: backtracking that remembers |
//! | [`Literals`] | which of many literals occur? | grams of four bytes, or Aho-Corasick |
//! | [`Windows`] | which of a few runs of byte classes occur? | bits of each place |
//! | [`Phrases`] | which phrase of a `@pm` list comes first? | Aho-Corasick, first end |
//!
//! Every loop charges a block of input *before* it reads it, at absolute offsets, so that what a scan costs is a function of
//! the automaton and the haystack. It never depends on the quantum in which the scan is paid out, nor on what an earlier
//! request left in a [`Cache`]. An automaton that gives up (a lazy DFA over its cap) changes the cost, never the answer.
//!
//! ```
//! use fusewall::{Limits, meter::Meter, scan::{Cache, Cursor, Groups, Outcome, Pattern, Want}};
//! let hir = regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build().parse(r"(?i)union\s+select").unwrap();
//! let pattern = Pattern::build(&hir, Want::Span, &Limits::default(), None).unwrap();
//! let (mut cache, mut cursor, mut groups) = (Cache::default(), Cursor::default(), Groups::default());
//! let mut meter = Meter::new(pattern.price().of(64));
//! let outcome = pattern.scan(&mut cache, b"1 UNION  SELECT 2", &mut cursor, u64::MAX, &mut groups, &mut meter).unwrap();
//! assert_eq!((outcome, groups.get(0)), (Outcome::Hit, Some((2, 15))));
//! ```
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod backtrack;
mod cache;
mod captures;
mod compact;
mod cursor;
mod dense;
mod determinize;
mod error;
mod fuel;
mod grams;
mod hybrid;
mod lazy;
mod literals;
mod look;
mod pattern;
mod phrase_trie;
mod phrases;
mod plain;
pub mod require;
mod simulation;
mod sparse_set;
mod stored;
mod table;
mod thompson;
mod windows;

pub use backtrack::{Backtrack, Exact};
pub use cache::Cache;
pub use cursor::{Cursor, Groups, Outcome};
pub use error::BuildError;
pub use hybrid::Walk;
pub use literals::Literals;
pub use pattern::{Engine, Pattern, Want};
pub use phrases::Phrases;
pub use plain::Plain;
pub use stored::StoredPattern;
pub use windows::Windows;
