//! The PCRE dialect of rule authors, read into `regex_syntax::hir::Hir`.
//!
//! Rules are written for PCRE and run here on automata. Handing such a pattern unchanged to another parser compiles most of
//! them and quietly changes what some mean (`\v`, `\<`, `[a&&b]`, `a{,3}`, `\x{b4}`), so the dialect has its own parser. It
//! reads a pattern as ModSecurity v2 compiles it:
//!
//! - Bytes, never characters: `\xb4` and `\x{b4}` are the byte B4, `.` is any byte. `(?i)` folds ASCII letters only, and
//!   `\d \w \s` and the POSIX classes are those of the C locale.
//! - DOTALL: `.` takes the newline (`(?-s)` undoes it). `$` is the end of the text only. `^` and `$` are not multi-line.
//! - Syntax is that of PCRE2 without extra options. Where PCRE2 and the older PCRE1 disagree, and PCRE2 refuses (an unknown
//!   letter after a backslash, a quantifier after a quantifier or after `^`), so do we; with one exception that rule
//!   files need: a hyphen beside `\w` or `[:alpha:]` in a class stands for itself, as PCRE1 and Perl read it.
//! - Look-around, atomic groups, possessive quantifiers and back-references are read, too. No automaton does these: a pattern
//!   that has any is run on an automaton that finds more ([`Parsed::hir`]) and, where that finds something, by a metered
//!   backtracking matcher ([`Parsed::exact`], [`crate::scan::backtrack`]). What changes groups or steers the matcher (recursion,
//!   conditions, branch reset, verbs, `\K`, `\G`) is an [`Error`] at its character, with a line that says how to rewrite.
//!
//! The backtracking matcher finds what PCRE2 finds. Where an automaton decides alone, two readings are wider, because it has no
//! look-ahead: `(?m)^` also matches behind a newline that ends the text, and `\R` may give back the line feed of a CR LF pair. In
//! two cases the match is found at the same place and may have another end: the span of a match that ends in `\Z` includes the
//! final newline (`\Z` anywhere but at the end of the pattern is an error), and a loop over something that can be empty, such as
//! `(?:\s*|x)+`, goes on where PCRE leaves it.
//!
//! The rooms: `parser` reads groups and quantifiers, `group` what an opening parenthesis begins, `escape` what follows a
//! backslash, `class` what stands in brackets; `lower` turns the tree into the `Hir`, `finder` searches texts of
//! the rules themselves.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod class;
mod escape;
mod finder;
mod group;
mod lower;
mod parser;
#[cfg(test)]
mod tests;

pub use finder::Finder;

use regex_syntax::hir::Hir;

use crate::limits::Limits;
use crate::meter::Meter;
use crate::scan::backtrack::Tree;
use crate::scan::{self, Backtrack, BuildError, Cache, Cursor, Groups, Outcome, Want};

/// Why a pattern is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Where the construct begins, in bytes from the start of the pattern.
    pub offset: usize,
    /// Bytes of the construct; 0 at the end of the pattern.
    pub len: usize,
    /// What is wrong, one sentence.
    pub message: String,
    /// How to write it instead, where there is a way.
    pub help: Option<String>,
}

impl Error {
    fn new(offset: usize, len: usize, message: impl Into<String>) -> Self {
        Error { offset, len, message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A construct that no automaton does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Construct {
    /// Where it begins, in bytes from the start of the pattern.
    pub offset: usize,
    /// Bytes of it, or of its beginning.
    pub len: usize,
    /// What it is: one of `look-ahead`, `look-behind`, `atomic group`, `possessive quantifier` and [`BACK_REFERENCE`].
    pub what: &'static str,
}

/// The construct whose cost nothing but a budget bounds.
pub const BACK_REFERENCE: &str = "back-reference";

/// Where the first back-reference of a pattern stands, and bytes of it.
pub fn back_reference(constructs: &[Construct]) -> Option<(usize, usize)> {
    let found = constructs.iter().find(|construct| construct.what == BACK_REFERENCE)?;
    Some((found.offset, found.len))
}

/// A pattern that was read.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// What automata are built from. It matches wherever the pattern does; if the pattern is not regular, maybe elsewhere, too.
    pub hir: Hir,
    /// The pattern itself, if it is not regular.
    pub exact: Option<Tree>,
    /// What makes it so, in the order of the text.
    pub constructs: Vec<Construct>,
}

impl Parsed {
    /// Builds its automata, and if it is not regular what verifies their matches. `force` picks the engine of the automata.
    ///
    /// # Errors
    /// Automata or a program beyond their limits.
    pub fn build(&self, want: Want, limits: &Limits, force: Option<scan::Engine>) -> Result<scan::Pattern, BuildError> {
        match &self.exact {
            None => scan::Pattern::build(&self.hir, want, limits, force),
            Some(tree) => scan::Pattern::build_exact(&self.hir, tree, want, limits, force),
        }
    }
}

/// Reads a pattern.
///
/// `fold_case` starts the pattern as if `(?i)` stood before it. Groups are numbered as PCRE counts them: by their opening
/// parenthesis, from 1; names are checked and dropped, as rules reach groups through `TX:1` to `TX:9` only. The result is
/// meant for an automaton without UTF-8 mode. A pattern longer than [`Limits::pattern_bytes`] or with groups nested deeper
/// than [`Limits::pattern_depth`] is an error; how much counted repeats blow it up is left to the size limit of the automaton.
///
/// ```
/// use fusewall::Limits;
/// use fusewall::lang::pcre::parse;
///
/// let limits = Limits::default();
/// assert!(parse(br"(?i)union[\s\v]+select", false, &limits).unwrap().exact.is_none());
/// assert!(parse(br"<\?(?!xml)", false, &limits).unwrap().exact.is_some());
///
/// let error = parse(br"(a+)(?1)", false, &limits).unwrap_err();
/// assert_eq!((error.offset, error.len), (4, 3));
/// ```
pub fn parse(pattern: &[u8], fold_case: bool, limits: &Limits) -> Result<Parsed, Error> {
    let parser::Parsed { tree, constructs } = parser::parse(pattern, &parser::Options { fold_case, limits })?;
    // A build without automata shows what they are there for (drills D1, D21): everything is tried from every place.
    if cfg!(fusewall_without = "linear") {
        return Ok(Parsed { hir: Hir::empty(), exact: Some(tree), constructs });
    }
    let hir = lower::lower(&tree);
    Ok(Parsed { hir, exact: (!constructs.is_empty()).then_some(tree), constructs })
}

/// Reads a pattern into its tree alone: for who has no use for an automaton.
///
/// # Errors
/// As [`parse`].
pub fn parse_tree(pattern: &[u8], fold_case: bool, limits: &Limits) -> Result<Tree, Error> {
    parser::parse(pattern, &parser::Options { fold_case, limits }).map(|parsed| parsed.tree)
}

/// The status codes, of 100 to 999, whose three digits a pattern finds: what `SecAuditLogRelevantStatus` means. All of them are
/// tried when the ruleset is loaded.
///
/// ```
/// let codes = fusewall::lang::pcre::status_set(br"^(?:5|4(?!04))").unwrap();
/// assert!(codes.contains(&403) && codes.contains(&500) && !codes.contains(&404) && !codes.contains(&200));
/// ```
pub fn status_set(pattern: &[u8]) -> Result<Vec<u16>, Error> {
    /// Bytes of the program.
    const BYTES: usize = 1 << 20;
    /// Fuel for all of them: about a second.
    const FUEL: u64 = 1_000_000_000;
    let limits = Limits::default();
    let tree = parse_tree(pattern, false, &limits)?;
    let too_much = || Error::new(0, pattern.len(), "the pattern is too complex for three digits");
    let mut meter = Meter::new(FUEL);
    let built = Backtrack::build(&tree, Want::Match, BYTES, &limits, &mut meter);
    let matcher = built.ok().and_then(Result::ok).ok_or_else(too_much)?;
    let (mut cache, mut groups) = (Cache::default(), Groups::default());
    let mut found = Vec::new();
    for code in 100..=999u16 {
        let (text, mut cursor) = (code.to_string(), Cursor::default());
        let outcome = matcher.scan(&mut cache, text.as_bytes(), &mut cursor, u64::MAX, &mut groups, &mut meter);
        match outcome {
            Ok(Outcome::Hit) => found.push(code),
            Ok(_) => {}
            Err(_) => return Err(too_much()),
        }
    }
    Ok(found)
}
