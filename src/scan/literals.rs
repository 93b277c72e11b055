//! Which of many literals occur in a value: one pass, whatever their number.

use aho_corasick::dfa::DFA;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind, StartKind, automaton::Automaton};

use super::{BuildError, fuel};
use crate::meter::{Exhausted, Meter, Price};

/// Entries of output lists that an automaton may hold; nested literals (`a`, `aa`, `aaa`, ...) multiply them.
const MAX_OUTPUTS: usize = 64 << 20;

/// Bytes of the largest automaton that is held as a DFA.
const DENSE: usize = 4 << 20;

/// Many literals, compared without regard to ASCII case.
#[derive(Debug, Clone)]
pub struct Literals {
    /// `None` without any literal.
    automaton: Option<Words>,
    count: usize,
    /// The most literals that can end at one position.
    nesting: u64,
}

impl Literals {
    /// Builds the automaton. The index of a literal is its number in [`Literals::scan`]. An empty literal always occurs.
    ///
    /// # Errors
    /// [`BuildError`] when there are too many literals for one automaton.
    pub fn build(literals: &[Box<[u8]>]) -> Result<Literals, BuildError> {
        let compact = automaton(literals)?;
        let nesting = compact.as_ref().map_or(0, |automaton| {
            literals.iter().map(|literal| automaton.match_len(end_of(automaton, literal))).max().unwrap_or_default()
        });
        let automaton = compact.map(|compact| Words::of(literals, compact, DENSE)).transpose()?;
        Ok(Literals { automaton, count: literals.len(), nesting: nesting as u64 })
    }

    /// Number of literals: the bits that [`Literals::scan`] may set.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no literal at all.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The most that one scan of a haystack of `n` bytes can charge.
    pub fn price(&self) -> Price {
        let hits = fuel::LITERAL_HIT * self.nesting;
        Price::per_byte(fuel::CALL + hits, fuel::LITERAL_BYTE + hits)
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.automaton.as_ref().map_or(0, Words::memory)
    }

    /// Sets bit `i % 64` of `hits[i / 64]` for every literal `i` that occurs in `haystack`; bits beyond `hits` are lost. `hits`
    /// must be all zero, or what an earlier scan by the same `Literals` left.
    ///
    /// Linear even where literals nest: the literals that end at one position are all suffixes of the longest of them, so once
    /// the longest is set they all are, and the list is not walked again.
    ///
    /// # Errors
    /// [`Exhausted`] when the budget is spent; `hits` is incomplete then.
    pub fn scan(&self, haystack: &[u8], hits: &mut [u64], meter: &mut Meter) -> Result<(), Exhausted> {
        meter.charge(fuel::CALL)?;
        match &self.automaton {
            None => Ok(()),
            Some(Words::Dense(automaton)) => scan(automaton, haystack, hits, meter),
            Some(Words::Compact(automaton)) => scan(automaton, haystack, hits, meter),
        }
    }
}

/// An automaton for many words.
#[derive(Debug, Clone)]
pub(super) enum Words {
    /// A table of all transitions: quicker, and larger.
    Dense(DFA),
    Compact(NFA),
}

impl Words {
    /// The automaton of `words`, of which there are some: a DFA if it takes no more than `dense` bytes, otherwise `compact`.
    pub(super) fn of(words: &[Box<[u8]>], compact: NFA, dense: usize) -> Result<Words, BuildError> {
        // What is certainly too large is not tried: words seldom share more than three of four bytes.
        if words.iter().map(|word| word.len()).sum::<usize>() > dense / 32 {
            return Ok(Words::Compact(compact));
        }
        let mut builder = DFA::builder();
        builder.match_kind(MatchKind::Standard).start_kind(StartKind::Unanchored).prefilter(false);
        let built = builder.ascii_case_insensitive(true).build(words)?;
        Ok(if built.memory_usage() <= dense { Words::Dense(built) } else { Words::Compact(compact) })
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        match self {
            Words::Dense(automaton) => automaton.memory_usage(),
            Words::Compact(automaton) => automaton.memory_usage(),
        }
    }
}

fn scan(automaton: &impl Automaton, haystack: &[u8], hits: &mut [u64], meter: &mut Meter) -> Result<(), Exhausted> {
    let Ok(mut state) = automaton.start_state(Anchored::No) else { return Ok(()) };
    report(automaton, state, hits, meter)?;
    for block in haystack.chunks(fuel::BLOCK) {
        meter.charge(fuel::LITERAL_BYTE * block.len() as u64)?;
        for &byte in block {
            state = automaton.next_state(Anchored::No, state, byte);
            // A special state is a match, or dead: one comparison tells most bytes.
            if automaton.is_special(state) && automaton.is_match(state) {
                report(automaton, state, hits, meter)?;
            }
        }
    }
    Ok(())
}

/// Sets the bits of the literals that end in `state`, longest first, up to the first that is set already.
fn report(
    automaton: &impl Automaton,
    state: aho_corasick::automaton::StateID,
    hits: &mut [u64],
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    if !automaton.is_match(state) {
        return Ok(());
    }
    for i in 0..automaton.match_len(state) {
        let literal = automaton.match_pattern(state, i).as_usize();
        let Some(word) = hits.get_mut(literal / 64) else { continue };
        let bit = 1 << (literal % 64);
        if *word & bit != 0 {
            break;
        }
        meter.charge(fuel::LITERAL_HIT)?;
        *word |= bit;
    }
    Ok(())
}

/// The automaton of `literals`; `None` for none.
pub(super) fn automaton(literals: &[Box<[u8]>]) -> Result<Option<NFA>, BuildError> {
    if literals.is_empty() {
        return Ok(None);
    }
    if most_outputs(literals) > MAX_OUTPUTS {
        return Err(BuildError::TooLarge { what: "literal automaton", limit: MAX_OUTPUTS * size_of::<u32>() });
    }
    let mut builder = NFA::builder();
    builder.match_kind(MatchKind::Standard).ascii_case_insensitive(true).prefilter(false);
    Ok(Some(builder.build(literals)?))
}

/// An upper bound of the entries in all output lists: behind a prefix of `n` bytes at most one literal of each length up to `n`
/// can end.
fn most_outputs(literals: &[Box<[u8]>]) -> usize {
    let longest = literals.iter().map(|literal| literal.len()).max().unwrap_or_default();
    let mut by_length = vec![0; longest + 1];
    for literal in literals {
        if let Some(present) = by_length.get_mut(literal.len()) {
            *present = 1;
        }
    }
    // Twice a running sum: lengths up to `n`, then outputs along a literal of `n` bytes.
    for _ in 0..2 {
        let mut sum = 0;
        for place in &mut by_length {
            sum += *place;
            *place = sum;
        }
    }
    literals.iter().filter_map(|literal| by_length.get(literal.len())).sum()
}

/// The state behind `literal`.
pub(super) fn end_of(automaton: &NFA, literal: &[u8]) -> aho_corasick::automaton::StateID {
    let start = automaton.start_state(Anchored::No).unwrap_or_default();
    literal.iter().fold(start, |state, &byte| automaton.next_state(Anchored::No, state, byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn literals(list: &[&str]) -> Literals {
        let list: Vec<Box<[u8]>> = list.iter().map(|literal| literal.as_bytes().into()).collect();
        Literals::build(&list).unwrap()
    }

    #[test]
    fn nested_literals_cost_each_literal_once() {
        let list: Vec<Box<[u8]>> = (1..=200).map(|length| vec![b'a'; length].into()).collect();
        let nested = Literals::build(&list).unwrap();
        let haystack = vec![b'A'; 100_000];
        let mut hits = [0; 4];
        let mut meter = Meter::unlimited();
        nested.scan(&haystack, &mut hits, &mut meter).unwrap();
        assert_eq!(hits.iter().map(|word| word.count_ones()).sum::<u32>(), 200);
        assert_eq!(meter.spent(), fuel::CALL + 100_000 * fuel::LITERAL_BYTE + 200 * fuel::LITERAL_HIT);
    }

    #[test]
    fn an_empty_list_and_an_empty_literal() {
        let (mut hits, mut meter) = ([0], Meter::unlimited());
        literals(&[]).scan(b"abc", &mut hits, &mut meter).unwrap();
        assert_eq!(hits, [0]);
        literals(&["", "x"]).scan(b"", &mut hits, &mut meter).unwrap();
        assert_eq!(hits, [1]);
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
            list in prop::collection::vec("[abAB]{1,5}", 1..80),
            haystack in "[abAB]{0,700}",
        ) {
            let boxed: Vec<Box<[u8]>> = list.iter().map(|literal| literal.as_bytes().into()).collect();
            let built = Literals::build(&boxed).unwrap();
            let (mut hits, mut meter) = ([0; 2], Meter::unlimited());
            built.scan(haystack.as_bytes(), &mut hits, &mut meter).unwrap();
            let lower = haystack.to_lowercase();
            for (i, literal) in list.iter().enumerate() {
                prop_assert_eq!(hits[i / 64] >> (i % 64) & 1 == 1, lower.contains(&literal.to_lowercase()));
            }
            prop_assert!(meter.spent() <= built.price().of(haystack.len()));
            let before = hits;
            built.scan(haystack.as_bytes(), &mut hits, &mut meter).unwrap();
            prop_assert_eq!(before, hits);
        }
    }
}
