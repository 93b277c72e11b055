//! Patterns: the one place where the PCRE reader is called.

use super::codes;
use super::reader::Reader;
use super::text::Text;
use crate::lang::pcre;
use crate::rule::Pattern;
use regex_automata::nfa::thompson::{
    self,
    pikevm::{Cache, PikeVM},
};
use regex_syntax::hir::Hir;
use std::cell::RefCell;

/// Statuses 100-999 that a pattern finds: the one place where look-around is taken.
pub(super) fn status_set(text: &Text, reader: &mut Reader<'_>) -> Option<Vec<u16>> {
    pcre::status_set(text.bytes()).map_err(|refusal| refuse(text, refusal, reader)).ok()
}

/// A pattern that was accepted.
pub(super) fn pattern(text: &Text, fold_case: bool, reader: &mut Reader<'_>) -> Option<Pattern> {
    checked(text, fold_case, reader)?;
    Some(Pattern { text: text.bytes().into(), fold_case })
}

/// A pattern to be used at load: `SecRuleRemoveByTag` and its like.
pub(super) fn finder(text: &Text, reader: &mut Reader<'_>) -> Option<Finder> {
    let hir = checked(text, false, reader)?;
    let finder = Finder::new(&hir);
    if finder.is_none() {
        reader.error(codes::PATTERN, text.span(), "the pattern is too large", "write a simpler one");
    }
    finder
}

fn checked(text: &Text, fold_case: bool, reader: &mut Reader<'_>) -> Option<Hir> {
    if text.len() > reader.limits.pattern_bytes {
        let message = format!("the pattern has {} bytes, at most {} are read", text.len(), reader.limits.pattern_bytes);
        reader.error(codes::TOO_LONG, text.span(), message, "split the rule, or raise `pattern_bytes`");
        return None;
    }
    pcre::parse(text.bytes(), fold_case, reader.limits).map_err(|refusal| refuse(text, refusal, reader)).ok()
}

fn refuse(text: &Text, refusal: pcre::Error, reader: &mut Reader<'_>) {
    let span = text.span_of(refusal.offset..refusal.offset + refusal.len);
    reader.error(codes::PATTERN, span, refusal.message, refusal.help.unwrap_or_default());
}

/// Finds a pattern in texts of the ruleset itself, in linear time.
pub(super) struct Finder {
    vm: PikeVM,
    cache: RefCell<Cache>,
}

/// Bytes of the automaton of such a pattern: they name tags and messages, and are small.
const FINDER_BYTES: usize = 1 << 20;

impl Finder {
    fn new(hir: &Hir) -> Option<Finder> {
        let config = thompson::Config::new().utf8(false).nfa_size_limit(Some(FINDER_BYTES));
        let nfa = thompson::Compiler::new().configure(config).build_from_hir(hir).ok()?;
        let vm = PikeVM::new_from_nfa(nfa).ok()?;
        let cache = RefCell::new(vm.create_cache());
        Some(Finder { vm, cache })
    }

    pub fn finds(&self, text: &[u8]) -> bool {
        self.vm.is_match(&mut self.cache.borrow_mut(), text)
    }
}
