//! Patterns and phrase lists, compiled once and run on automata that share nothing with those of the engine; patterns that no
//! automaton does, on PCRE2.

use aho_corasick::AhoCorasick;
use fusewall::Limits;
use fusewall::lang::pcre;
use fusewall::rule::{Pattern, Phrases};
use pcre2::bytes::{Regex, RegexBuilder};
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, pikevm::PikeVM};
use regex_automata::{Anchored, Input};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// One compiled pattern.
enum Compiled {
    /// A lazy automaton for yes or no, a simulation for groups.
    Regular {
        dfa: Box<DFA>,
        vm: Box<PikeVM>,
        /// Names it in the caches of a thread.
        number: usize,
    },
    /// PCRE2 itself.
    Other(Regex),
}

/// All patterns that an interpreter has met.
#[derive(Default)]
pub struct Patterns {
    compiled: Mutex<HashMap<Pattern, Arc<Compiled>>>,
    phrases: Mutex<HashMap<Phrases, Arc<AhoCorasick>>>,
}

thread_local! {
    static CACHES: RefCell<HashMap<usize, Cache>> = RefCell::default();
}

impl Patterns {
    /// Whether this is a pattern at all.
    pub fn reads(&self, pattern: &Pattern) -> bool {
        pcre::parse(&pattern.text, pattern.fold_case, &Limits::default()).is_ok()
    }

    /// Whether the pattern matches anywhere.
    pub fn finds(&self, pattern: &Pattern, text: &[u8]) -> bool {
        let compiled = self.compiled(pattern);
        let (dfa, vm, number) = match &*compiled {
            Compiled::Regular { dfa, vm, number } => (dfa, vm, *number),
            Compiled::Other(regex) => return regex.is_match(text).expect("PCRE2 does not give up"),
        };
        let input = Input::new(text).earliest(true);
        let answer = CACHES.with_borrow_mut(|caches| {
            let cache = caches.entry(number).or_insert_with(|| dfa.create_cache());
            dfa.try_search_fwd(cache, &input)
        });
        match answer {
            Ok(found) => found.is_some(),
            Err(_) => vm.is_match(&mut vm.create_cache(), text),
        }
    }

    /// The groups of the leftmost-first match from `start` on, the whole match first.
    pub fn groups(&self, pattern: &Pattern, text: &[u8], start: usize) -> Option<Vec<Option<Range<usize>>>> {
        if start == 0 && !self.finds(pattern, text) {
            return None;
        }
        let compiled = self.compiled(pattern);
        let vm = match &*compiled {
            Compiled::Regular { vm, .. } => vm,
            Compiled::Other(regex) => {
                let mut found = regex.capture_locations();
                regex.captures_read_at(&mut found, text, start).expect("PCRE2 does not give up")?;
                let range = |group| found.get(group).map(|(start, end)| start..end);
                return Some((0..found.len()).map(range).collect());
            }
        };
        let mut captures = vm.create_captures();
        let input = Input::new(text).range(start..).anchored(Anchored::No);
        vm.search(&mut vm.create_cache(), &input, &mut captures);
        captures
            .is_match()
            .then(|| (0..captures.group_len()).map(|group| captures.get_group(group).map(Into::into)).collect())
    }

    /// The phrase that ends first in the text; of those that end there, the longest. As the rule spells it.
    pub fn phrase<'a>(&self, phrases: &'a Phrases, text: &[u8]) -> Option<&'a [u8]> {
        let mut known = self.phrases.lock().unwrap();
        let automaton = known.entry(phrases.clone()).or_insert_with(|| {
            let build = AhoCorasick::builder().ascii_case_insensitive(true).build(phrases.list.iter());
            Arc::new(build.expect("a phrase list that was loaded"))
        });
        let automaton = automaton.clone();
        drop(known);
        let mut found = automaton.find_overlapping_iter(text);
        let first = found.next()?;
        let same_end = found.take_while(|next| next.end() == first.end());
        let longest = [first].into_iter().chain(same_end).max_by_key(|next| next.len())?;
        phrases.list.get(longest.pattern().as_usize()).map(|phrase| &**phrase)
    }

    fn compiled(&self, pattern: &Pattern) -> Arc<Compiled> {
        static NUMBERS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let mut known = self.compiled.lock().unwrap();
        if let Some(compiled) = known.get(pattern) {
            return compiled.clone();
        }
        let parsed =
            pcre::parse(&pattern.text, pattern.fold_case, &Limits::default()).expect("a pattern that was loaded");
        let compiled = if parsed.exact.is_some() {
            let text = for_pcre2(&pattern.text);
            let regex = RegexBuilder::new().dotall(true).caseless(pattern.fold_case).build(&text);
            Compiled::Other(regex.expect("a pattern that was loaded"))
        } else {
            let config = thompson::Config::new().utf8(false);
            let nfa = thompson::Compiler::new()
                .configure(config)
                .build_from_hir(&parsed.hir)
                .expect("a pattern that was loaded");
            let config = DFA::config().cache_capacity(8 << 20).skip_cache_capacity_check(true);
            let dfa = DFA::builder().configure(config).build_from_nfa(nfa.clone()).expect("byte patterns have a DFA");
            let vm = PikeVM::new_from_nfa(nfa).expect("every NFA can be simulated");
            let number = NUMBERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Compiled::Regular { dfa: Box::new(dfa), vm: Box::new(vm), number }
        };
        let compiled = Arc::new(compiled);
        known.insert(pattern.clone(), compiled.clone());
        compiled
    }
}

/// The pattern as text, with `\z` for each `$`: PCRE2's option that `$` is the end alone is not at hand.
fn for_pcre2(pattern: &[u8]) -> String {
    let (mut out, mut escaped, mut in_class) = (String::new(), false, false);
    for &byte in pattern {
        match byte {
            _ if escaped => {}
            b'[' => in_class = true,
            b']' => in_class = false,
            b'$' if !in_class => {
                out.push_str("\\z");
                continue;
            }
            _ => {}
        }
        escaped = byte == b'\\' && !escaped;
        if byte.is_ascii() {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}
