//! Which of many literals occur in a value: one pass, whatever their number.
//!
//! Each word is found by one of its *grams*: four bytes in a row (three in words of three), the ones that ordinary text has
//! least. A pass looks for grams in a small filter; only where the filter says so are the words of that gram compared. Words
//! that share their grams too much for that are left to an Aho-Corasick automaton.

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

use super::grams::Grams;
use super::{BuildError, fuel};
use crate::meter::{Exhausted, Meter, Price};

/// Entries of output lists that an automaton may hold; nested literals (`a`, `aa`, `aaa`, ...) multiply them.
const MAX_OUTPUTS: usize = 64 << 20;

/// Many words, compared without regard to ASCII case. Several may have the same number: then they are not told apart.
#[derive(Debug, Clone)]
pub struct Literals {
    search: Search,
    count: usize,
    /// Numbers of empty words, which occur in every haystack.
    always: Vec<u32>,
}

#[derive(Debug, Clone)]
enum Search {
    /// There is nothing to find.
    Nothing,
    Grams(Box<Grams>),
    Automaton(Box<Words>),
}

/// An automaton of all words.
#[derive(Debug, Clone)]
struct Words {
    automaton: NFA,
    /// The number of each word.
    numbers: Vec<u32>,
    /// The most words that can end at one position.
    nesting: u64,
}

impl Literals {
    /// Prepares the search for `words`, each with its number below `count`.
    ///
    /// # Errors
    /// [`BuildError`] when there are too many words for one automaton.
    pub fn build(words: &[(&[u8], u32)], count: usize) -> Result<Literals, BuildError> {
        let always = words.iter().filter(|(word, _)| word.is_empty()).map(|(_, number)| *number).collect();
        let words: Vec<_> = words.iter().filter(|(word, _)| !word.is_empty()).copied().collect();
        let search = match Grams::build(&words) {
            _ if words.is_empty() => Search::Nothing,
            Some(grams) => Search::Grams(Box::new(grams)),
            None => Search::Automaton(Box::new(Words::build(&words)?)),
        };
        Ok(Literals { search, count, always })
    }

    /// How many numbers there are: the bits that [`Literals::scan`] may set.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no number at all.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The most that one scan of a haystack of `n` bytes can charge.
    pub fn price(&self) -> Price {
        match &self.search {
            Search::Nothing => Price::new(fuel::CALL, 0),
            Search::Grams(grams) => Price::per_byte(fuel::CALL, grams.dearest()),
            Search::Automaton(words) => {
                Price::per_byte(fuel::CALL, fuel::LITERAL_BYTE + fuel::LITERAL_HIT * words.nesting)
            }
        }
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        match &self.search {
            Search::Nothing => 0,
            Search::Grams(grams) => grams.memory(),
            Search::Automaton(words) => words.automaton.memory_usage() + words.numbers.len() * size_of::<u32>(),
        }
    }

    /// Sets bit `i % 64` of `hits[i / 64]` for every number `i` of which a word occurs in `haystack`; bits beyond `hits` are
    /// lost.
    ///
    /// # Errors
    /// [`Exhausted`] when the budget is spent; `hits` is incomplete then.
    pub fn scan(&self, haystack: &[u8], hits: &mut [u64], meter: &mut Meter) -> Result<(), Exhausted> {
        meter.charge(fuel::CALL)?;
        self.always.iter().for_each(|number| set(hits, *number));
        match &self.search {
            Search::Nothing => Ok(()),
            Search::Grams(grams) => grams.scan(haystack, hits, meter),
            Search::Automaton(words) => words.scan(haystack, hits, meter),
        }
    }
}

/// Sets the bit of a number.
#[inline]
pub(super) fn set(hits: &mut [u64], number: u32) {
    if let Some(word) = hits.get_mut(number as usize / 64) {
        *word |= 1 << (number % 64);
    }
}

/// Whether the bit of a number is set.
#[inline]
pub(super) fn is_set(hits: &[u64], number: u32) -> bool {
    hits.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
}

impl Words {
    fn build(words: &[(&[u8], u32)]) -> Result<Words, BuildError> {
        let list: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let automaton = automaton(&list)?;
        let nesting = list.iter().map(|word| automaton.match_len(end_of(&automaton, word))).max().unwrap_or_default();
        let numbers = words.iter().map(|(_, number)| *number).collect();
        Ok(Words { automaton, numbers, nesting: nesting as u64 })
    }

    fn scan(&self, haystack: &[u8], hits: &mut [u64], meter: &mut Meter) -> Result<(), Exhausted> {
        let Ok(mut state) = self.automaton.start_state(Anchored::No) else { return Ok(()) };
        for block in haystack.chunks(fuel::BLOCK) {
            meter.charge(fuel::LITERAL_BYTE * block.len() as u64)?;
            for &byte in block {
                state = self.automaton.next_state(Anchored::No, state, byte);
                // A special state is a match, or dead: one comparison tells most bytes.
                if !self.automaton.is_special(state) || !self.automaton.is_match(state) {
                    continue;
                }
                let ending = self.automaton.match_len(state);
                meter.charge(fuel::LITERAL_HIT * ending as u64)?;
                for i in 0..ending {
                    let word = self.automaton.match_pattern(state, i).as_usize();
                    self.numbers.get(word).into_iter().for_each(|number| set(hits, *number));
                }
            }
        }
        Ok(())
    }
}

/// The automaton of some words.
fn automaton<W: AsRef<[u8]>>(words: &[W]) -> Result<NFA, BuildError> {
    if most_outputs(words) > MAX_OUTPUTS {
        return Err(BuildError::TooLarge { what: "literal automaton", limit: MAX_OUTPUTS * size_of::<u32>() });
    }
    let mut builder = NFA::builder();
    builder.match_kind(MatchKind::Standard).ascii_case_insensitive(true).prefilter(false);
    Ok(builder.build(words)?)
}

/// An upper bound of the entries in all output lists: behind a prefix of `n` bytes at most one word of each length up to `n`
/// can end.
fn most_outputs<W: AsRef<[u8]>>(words: &[W]) -> usize {
    let longest = words.iter().map(|word| word.as_ref().len()).max().unwrap_or_default();
    let mut by_length = vec![0; longest + 1];
    for word in words {
        if let Some(present) = by_length.get_mut(word.as_ref().len()) {
            *present = 1;
        }
    }
    // Twice a running sum: lengths up to `n`, then outputs along a word of `n` bytes.
    for _ in 0..2 {
        let mut sum = 0;
        for place in &mut by_length {
            sum += *place;
            *place = sum;
        }
    }
    words.iter().filter_map(|word| by_length.get(word.as_ref().len())).sum()
}

/// The state behind `word`.
fn end_of(automaton: &NFA, word: &[u8]) -> aho_corasick::automaton::StateID {
    let start = automaton.start_state(Anchored::No).unwrap_or_default();
    word.iter().fold(start, |state, &byte| automaton.next_state(Anchored::No, state, byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn literals<W: AsRef<[u8]>>(list: &[W]) -> Literals {
        let words: Vec<_> = list.iter().map(AsRef::as_ref).zip(0..).collect();
        Literals::build(&words, list.len()).unwrap()
    }

    fn hits(literals: &Literals, haystack: &[u8]) -> Vec<u64> {
        let (mut hits, mut meter) = (vec![0; literals.len().div_ceil(64)], Meter::unlimited());
        literals.scan(haystack, &mut hits, &mut meter).unwrap();
        assert!(meter.spent() <= literals.price().of(haystack.len()));
        hits
    }

    #[test]
    fn nested_literals_are_all_found() {
        let list: Vec<Vec<u8>> = (1..=200).map(|length| vec![b'a'; length]).collect();
        let nested = literals(&list);
        assert!(matches!(nested.search, Search::Automaton(_)));
        let found = hits(&nested, &vec![b'A'; 1_000]);
        assert_eq!(found.iter().map(|word| word.count_ones()).sum::<u32>(), 200);
    }

    #[test]
    fn an_empty_list_and_an_empty_literal() {
        assert!(hits(&literals::<&str>(&[]), b"abc").is_empty());
        assert_eq!(hits(&literals(&["", "x"]), b""), [1]);
    }

    #[test]
    fn words_may_share_a_number() {
        let shared = Literals::build(&[(b"wget", 0), (b"curl", 0), (b"python", 1)], 2).unwrap();
        assert_eq!(hits(&shared, b"cURL it"), [1]);
        assert_eq!(hits(&shared, b"a Python"), [2]);
        assert_eq!(hits(&shared, b"a pytho"), [0]);
    }

    #[test]
    fn a_block_is_paid_before_it_is_read() {
        let (mut hits, mut meter) = ([0], Meter::new(fuel::CALL + 1));
        assert!(literals(&["abc"]).scan(b"abc", &mut hits, &mut meter).is_err());
        assert_eq!(hits, [0]);
    }

    proptest! {
        #[test]
        fn finds_what_a_naive_search_finds(
            list in prop::collection::vec("[abAB]{1,5}|[a-f\0]{3,6}|[ -~]{3,30}", 1..80),
            haystack in "[abAB]{0,700}|[a-fA-F\0]{0,700}",
            place in any::<prop::sample::Index>(),
            cut in 0_usize..4,
        ) {
            // One of the words is in the haystack, or nearly.
            let mut haystack = haystack;
            let word = &place.get(&list)[..];
            haystack.insert_str(place.index(haystack.len() + 1), &word[..word.len().saturating_sub(cut)]);
            let built = literals(&list);
            let found = hits(&built, haystack.as_bytes());
            let lower = haystack.to_lowercase();
            for (i, literal) in list.iter().enumerate() {
                prop_assert_eq!(found[i / 64] >> (i % 64) & 1 == 1, lower.contains(&literal.to_lowercase()), "{}", literal);
            }
        }
    }
}
