//! `@pm`: which phrase of a list comes first.

use super::phrase_trie::{PhraseTrie, START};
use super::{BuildError, fuel};
use crate::meter::{Exhausted, Meter, Price};

/// The phrases of an `@pm` or `@pmFromFile` list, compared without regard to ASCII case.
///
/// ```
/// use fusewall::{meter::Meter, scan::Phrases};
/// let phrases = Phrases::build(&[b"sqlmap".as_slice().into(), b"map".as_slice().into()]).unwrap();
/// let mut meter = Meter::new(phrases.price().of(20));
/// assert_eq!(phrases.find(b"agent: SQLMap/1.7", &mut meter), Ok(Some((0, 7, 13))));
/// ```
#[derive(Debug, Clone)]
pub struct Phrases {
    /// `None` without any phrase.
    automaton: Option<PhraseTrie>,
    /// Fuel for one byte of a haystack.
    per_byte: u64,
}

impl Phrases {
    /// Builds the automaton.
    ///
    /// # Errors
    /// [`BuildError`] when there are too many phrases for one automaton.
    pub fn build(phrases: &[Box<[u8]>]) -> Result<Phrases, BuildError> {
        let automaton = if phrases.is_empty() { None } else { Some(PhraseTrie::build(phrases)?) };
        Ok(Phrases { automaton, per_byte: per_byte(phrases) })
    }

    /// The most that one search of a haystack of `n` bytes can charge: more for a long list, which the nearer caches do not hold.
    pub fn price_of(phrases: &[Box<[u8]>]) -> Price {
        Price::per_byte(fuel::CALL, per_byte(phrases))
    }

    /// [`Phrases::price_of`] these phrases.
    pub fn price(&self) -> Price {
        Price::per_byte(fuel::CALL, self.per_byte)
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.automaton.as_ref().map_or(0, PhraseTrie::memory)
    }

    /// The phrase that *ends* first, as `(index, start, end)`; of several that end together the longest, of equal ones the
    /// first in the list. This is what ModSecurity's own matcher reports; a phrase that begins earlier but ends later is not seen.
    ///
    /// # Errors
    /// [`Exhausted`] when a budget is spent.
    pub fn find(&self, haystack: &[u8], meter: &mut Meter) -> Result<Option<(usize, usize, usize)>, Exhausted> {
        meter.charge_rule(fuel::CALL)?;
        match &self.automaton {
            None => Ok(None),
            Some(automaton) => first(automaton, self.per_byte, haystack, meter),
        }
    }
}

/// What a byte costs: a byte of a phrase is a state at most.
fn per_byte(phrases: &[Box<[u8]>]) -> u64 {
    fuel::trie_byte(phrases.iter().map(|phrase| phrase.len()).sum())
}

/// The phrase that ends first.
fn first(
    automaton: &PhraseTrie,
    per_byte: u64,
    haystack: &[u8],
    meter: &mut Meter,
) -> Result<Option<(usize, usize, usize)>, Exhausted> {
    let found = |phrase, end: usize| Some((phrase as usize, end.saturating_sub(automaton.length(phrase)), end));
    let mut state = START;
    if let Some(phrase) = automaton.phrase(state) {
        return Ok(found(phrase, 0));
    }
    let mut at = 0;
    for block in haystack.chunks(fuel::BLOCK) {
        meter.charge_rule(per_byte * block.len() as u64)?;
        for (i, &byte) in block.iter().enumerate() {
            state = automaton.next(state, byte);
            if let Some(phrase) = automaton.phrase(state) {
                return Ok(found(phrase, at + i + 1));
            }
        }
        at += block.len();
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn find(list: &[&str], haystack: &str) -> Option<(usize, usize, usize)> {
        let list: Vec<Box<[u8]>> = list.iter().map(|phrase| phrase.as_bytes().into()).collect();
        let phrases = Phrases::build(&list).unwrap();
        let mut meter = Meter::new(phrases.price().of(haystack.len()));
        phrases.find(haystack.as_bytes(), &mut meter).unwrap()
    }

    #[test]
    fn the_first_end_wins_then_the_longest() {
        assert_eq!(find(&["abcd", "bc"], "xABCD"), Some((1, 2, 4)));
        assert_eq!(find(&["bc", "abc", "ABC"], "xabcd"), Some((1, 1, 4)));
        assert_eq!(find(&["zz"], "abc"), None);
        assert_eq!(find(&[], "abc"), None);
        assert_eq!(find(&["\u{e9}"], "caf\u{e9}"), Some((0, 3, 5)));
    }

    proptest! {
        #[test]
        fn agrees_with_a_naive_search(list in prop::collection::vec("[abc]{1,4}", 1..20), haystack in "[abcd]{0,600}") {
            let list: Vec<&str> = list.iter().map(String::as_str).collect();
            let naive = (0..=haystack.len()).find_map(|end| {
                let ending = list.iter().enumerate().filter(|(_, phrase)| haystack[..end].ends_with(**phrase));
                ending.max_by_key(|(i, phrase)| (phrase.len(), std::cmp::Reverse(*i))).map(|(i, p)| (i, end - p.len(), end))
            });
            prop_assert_eq!(find(&list, &haystack), naive);
        }
    }
}
