//! Searching texts of the rules themselves, when a ruleset is loaded.

use super::Parsed;
use crate::limits::Limits;
use crate::meter::Meter;
use crate::scan::{BuildError, Cache, Cursor, Engine, Groups, Outcome, Pattern, Want};
use memchr::memmem;
use regex_syntax::hir::HirKind;
use std::cell::RefCell;

/// Finds a pattern in names, tags and messages. Its automaton is simulated: compiling it further would take longer than the few
/// short texts. Most patterns are plain words, which need none.
#[derive(Debug)]
pub struct Finder {
    pattern: Pattern,
    word: Option<memmem::Finder<'static>>,
    cache: RefCell<Cache>,
    fuel: u64,
}

impl Finder {
    /// Bytes of such an automaton.
    const BYTES: usize = 1 << 20;

    /// Builds the automaton.
    ///
    /// # Errors
    /// An automaton above a megabyte.
    pub fn new(parsed: &Parsed, limits: &Limits) -> Result<Finder, BuildError> {
        let small = Limits { nfa_bytes: Self::BYTES.min(limits.nfa_bytes), ..limits.clone() };
        let pattern = parsed.build(Want::Match, &small, Some(Engine::Nfa))?;
        let word = match parsed.hir.kind() {
            HirKind::Literal(word) if parsed.exact.is_none() => Some(memmem::Finder::new(&word.0).into_owned()),
            _ => None,
        };
        Ok(Finder { pattern, word, cache: RefCell::default(), fuel: limits.fuel_rule })
    }

    /// Whether the pattern is found in the text. One that cannot be searched for within the budget of a rule is not.
    pub fn finds(&self, text: &[u8]) -> bool {
        if let Some(word) = &self.word {
            return word.find(text).is_some();
        }
        let (mut cursor, mut groups, mut meter) = (Cursor::default(), Groups::default(), Meter::new(self.fuel));
        let cache = &mut *self.cache.borrow_mut();
        self.pattern.scan(cache, text, &mut cursor, u64::MAX, &mut groups, &mut meter) == Ok(Outcome::Hit)
    }
}
