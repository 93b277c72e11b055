//! A pattern as an automaton, as simply as the automata library allows.

use regex_automata::hybrid::{dfa, regex};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_automata::util::captures::Captures;
use regex_automata::{Input, MatchKind};
use regex_syntax::hir::Hir;

/// A pattern ready to search with.
pub struct Matcher {
    lazy: regex::Regex,
    simulation: PikeVM,
}

impl Matcher {
    pub fn new(hir: &Hir) -> Self {
        let compile = |reverse, captures| {
            let config = Config::new().utf8(false).reverse(reverse).which_captures(captures);
            Compiler::new().configure(config).build_from_hir(hir).expect("an automaton")
        };
        let lazy = |nfa: NFA, kind| {
            let config = dfa::Config::new().match_kind(kind).skip_cache_capacity_check(true).cache_capacity(16 << 20);
            dfa::Builder::new().configure(config).build_from_nfa(nfa).expect("a lazy automaton")
        };
        Matcher {
            lazy: regex::Builder::new().build_from_dfas(
                lazy(compile(false, WhichCaptures::None), MatchKind::LeftmostFirst),
                lazy(compile(true, WhichCaptures::None), MatchKind::All),
            ),
            simulation: PikeVM::new_from_nfa(compile(false, WhichCaptures::All)).expect("a simulation"),
        }
    }

    /// The span of the first match, `0-3`, or `none`.
    pub fn span(&self, text: &[u8]) -> String {
        let found = self.lazy.find(&mut self.lazy.create_cache(), text);
        found.map_or("none".to_string(), |found| format!("{}-{}", found.start(), found.end()))
    }

    /// The spans of the first match and its groups.
    pub fn groups(&self, text: &[u8]) -> String {
        let mut captures: Captures = self.simulation.create_captures();
        self.simulation.captures(&mut self.simulation.create_cache(), Input::new(text), &mut captures);
        if !captures.is_match() {
            return "none".to_string();
        }
        let span =
            |span: Option<regex_automata::Span>| span.map_or("-".to_string(), |s| format!("{}-{}", s.start, s.end));
        captures.iter().map(span).collect::<Vec<_>>().join(" ")
    }
}
