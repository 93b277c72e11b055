//! A pattern as an automaton, as simply as the automata library allows; one that is not regular, as the engine runs it.

use fusewall::Limits;
use fusewall::lang::pcre::Parsed;
use fusewall::meter::Meter;
use fusewall::scan::{Cache, Cursor, Groups, Outcome, Pattern, Want};
use regex_automata::hybrid::{dfa, regex};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{Compiler, Config, NFA, WhichCaptures};
use regex_automata::util::captures::Captures;
use regex_automata::{Input, MatchKind};
use regex_syntax::hir::Hir;

/// A pattern ready to search with.
pub enum Matcher {
    Regular { lazy: Box<regex::Regex>, simulation: Box<PikeVM> },
    Exact(Pattern),
}

impl Matcher {
    /// How the engine would run it.
    pub fn of(parsed: &Parsed) -> Self {
        match &parsed.exact {
            None => Matcher::new(&parsed.hir),
            Some(_) => Matcher::Exact(parsed.build(Want::Groups, &Limits::default(), None).expect("automata")),
        }
    }

    pub fn new(hir: &Hir) -> Self {
        let compile = |reverse, captures| {
            let config = Config::new().utf8(false).reverse(reverse).which_captures(captures);
            Compiler::new().configure(config).build_from_hir(hir).expect("an automaton")
        };
        let lazy = |nfa: NFA, kind| {
            let config = dfa::Config::new().match_kind(kind).skip_cache_capacity_check(true).cache_capacity(16 << 20);
            dfa::Builder::new().configure(config).build_from_nfa(nfa).expect("a lazy automaton")
        };
        Matcher::Regular {
            lazy: Box::new(regex::Builder::new().build_from_dfas(
                lazy(compile(false, WhichCaptures::None), MatchKind::LeftmostFirst),
                lazy(compile(true, WhichCaptures::None), MatchKind::All),
            )),
            simulation: Box::new(PikeVM::new_from_nfa(compile(false, WhichCaptures::All)).expect("a simulation")),
        }
    }

    /// The span of the first match, `0-3`, or `none`.
    pub fn span(&self, text: &[u8]) -> String {
        match self {
            Matcher::Regular { lazy, .. } => {
                let found = lazy.find(&mut lazy.create_cache(), text);
                found.map_or("none".to_string(), |found| format!("{}-{}", found.start(), found.end()))
            }
            Matcher::Exact(_) => self.groups(text).split(' ').next().unwrap_or_default().to_string(),
        }
    }

    /// The spans of the first match and its groups.
    pub fn groups(&self, text: &[u8]) -> String {
        let show = |span: Option<(usize, usize)>| span.map_or("-".to_string(), |(start, end)| format!("{start}-{end}"));
        let simulation = match self {
            Matcher::Regular { simulation, .. } => simulation,
            Matcher::Exact(pattern) => {
                let (mut cursor, mut groups) = (Cursor::default(), Groups::default());
                let mut meter = Meter::unlimited();
                let found = pattern.scan(&mut Cache::default(), text, &mut cursor, u64::MAX, &mut groups, &mut meter);
                if found != Ok(Outcome::Hit) {
                    return "none".to_string();
                }
                return (0..10).map(|group| show(groups.get(group))).collect::<Vec<_>>().join(" ");
            }
        };
        let mut captures: Captures = simulation.create_captures();
        simulation.captures(&mut simulation.create_cache(), Input::new(text), &mut captures);
        if !captures.is_match() {
            return "none".to_string();
        }
        captures.iter().map(|span| show(span.map(|span| (span.start, span.end)))).collect::<Vec<_>>().join(" ")
    }
}
