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
//! - What no linear-time matcher can do (back-references, look-around) and what only makes sense for a backtracking one
//!   (atomic groups, possessive quantifiers, verbs) is an [`Error`] at its character, with a line that says how to rewrite.
//!
//! Two readings are wider than PCRE's, because an automaton has no look-ahead: `(?m)^` also matches behind a newline that
//! ends the text, and `\R` may give back the line feed of a CR LF pair. In two cases the match is found at the same place and may
//! have another end: the span of a match that ends in `\Z` includes the final newline (`\Z` anywhere but at the end of the
//! pattern is an error), and a loop over something that can be empty, such as `(?:\s*|x)+`, goes on where PCRE leaves it.
//!
//! The rooms: `ast` is the syntax tree, `parser` reads groups and quantifiers, `escape` what follows a backslash, `class` what
//! stands in brackets, `lower` turns the tree into the `Hir`, `status` evaluates it on three-digit numbers.

mod ast;
mod class;
mod escape;
mod group;
mod lower;
mod parser;
mod status;
#[cfg(test)]
mod tests;

use regex_syntax::hir::Hir;

use crate::limits::Limits;

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
/// assert!(parse(br"(?i)union[\s\v]+select", false, &limits).is_ok());
///
/// let error = parse(br"(a+)\1", false, &limits).unwrap_err();
/// assert_eq!((error.offset, error.len), (4, 2));
/// ```
pub fn parse(pattern: &[u8], fold_case: bool, limits: &Limits) -> Result<Hir, Error> {
    let options = parser::Options { fold_case, look_around: false, limits };
    parser::parse(pattern, &options).map(|tree| lower::lower(&tree))
}

/// The status codes, of 100 to 999, whose three digits a pattern finds: what `SecAuditLogRelevantStatus` means.
///
/// The stock configuration writes `^(?:5|4(?!04))`. A negative look-ahead is no regular construct of ours, but over nine hundred
/// short strings every answer can be had when the ruleset is loaded. So this is the one place that takes look-ahead and
/// look-behind, positive and negative.
///
/// ```
/// let codes = fusewall::lang::pcre::status_set(br"^(?:5|4(?!04))").unwrap();
/// assert!(codes.contains(&403) && codes.contains(&500) && !codes.contains(&404) && !codes.contains(&200));
/// ```
pub fn status_set(pattern: &[u8]) -> Result<Vec<u16>, Error> {
    let options = parser::Options { fold_case: false, look_around: true, limits: &Limits::default() };
    parser::parse(pattern, &options).map(|tree| status::matching(&tree))
}
