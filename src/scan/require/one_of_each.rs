//! What a value must have to contain any word of a list.

use super::likelihood::of_byte;
use crate::byteset::ByteSet;

/// Words that are looked at. Some byte of any longer list is in every value.
const MOST: usize = 10_000;

/// Sets of bytes of each of which every word, in whatever letter case, has one: a value without a byte of one of them contains no
/// word. Bytes that ordinary values seldom have are preferred. None if the list is too long, or has an empty word. Of each word
/// only its bytes are asked for.
///
/// ```
/// use fusewall::byteset::ByteSet;
/// use fusewall::scan::require::one_of_each;
/// let sets = one_of_each([ByteSet::of(b"/etc/passwd"), ByteSet::of(b"Boot.ini~")]);
/// assert!(sets.iter().any(|set| !set.intersects(&ByteSet::in_bytes(b"plain"))));
/// assert!(one_of_each([ByteSet::of(b"a"), ByteSet::EMPTY]).is_empty());
/// ```
pub fn one_of_each(words: impl IntoIterator<Item = ByteSet>) -> Vec<ByteSet> {
    let mut sets = Vec::new();
    for word in words {
        if sets.len() == MOST {
            return Vec::new();
        }
        // Letters in upper case stand beside those in lower case and need no place of their own.
        sets.push(word.either_case().intersection(FOLDED));
    }
    let holders = Holders::new(&sets);
    let mut common: Vec<u8> = FOLDED.iter().collect();
    common.sort_by(|a, b| of_byte(*b).total_cmp(&of_byte(*a)));
    let mut left = sets.iter().fold(ByteSet::EMPTY, |all, set| all.union(*set));
    let mut chosen = Vec::new();
    // The second time without the bytes of the first: most values that have one of those lack the others.
    while chosen.len() < 2 && !left.is_empty() && sets.iter().all(|set| set.intersects(&left)) {
        let mut set = left;
        // How many bytes of the set each word has: the last one stays.
        let mut counts: Vec<u32> = sets.iter().map(|own| own.intersection(left).len()).collect();
        for byte in common.iter().filter(|byte| left.contains(**byte)) {
            let own = holders.of(*byte);
            if own.iter().all(|word| counts.get(*word as usize).is_some_and(|count| *count > 1)) {
                for word in own {
                    counts.get_mut(*word as usize).into_iter().for_each(|count| *count -= 1);
                }
                set = set.without(*byte);
            }
        }
        left = left.intersection(set.complement());
        chosen.push(set.either_case());
    }
    chosen
}

/// All bytes but letters in upper case.
const FOLDED: ByteSet = ByteSet::range(b'A', b'Z').complement();

/// The words that have each byte.
struct Holders {
    /// Where those of each byte begin, and at last where they all end.
    starts: Vec<u32>,
    words: Vec<u32>,
}

impl Holders {
    fn new(sets: &[ByteSet]) -> Holders {
        let mut starts = vec![0; 257];
        for byte in sets.iter().flat_map(ByteSet::iter) {
            if let Some(count) = starts.get_mut(usize::from(byte) + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let (mut next, mut words) = (starts.clone(), vec![0; sum as usize]);
        for (word, set) in (0..).zip(sets) {
            for byte in set.iter() {
                let Some(at) = next.get_mut(usize::from(byte)) else { continue };
                if let Some(place) = words.get_mut(*at as usize) {
                    *place = word;
                }
                *at += 1;
            }
        }
        Holders { starts, words }
    }

    fn of(&self, byte: u8) -> &[u32] {
        let at = usize::from(byte);
        let bounds = self.starts.get(at).zip(self.starts.get(at + 1));
        bounds.and_then(|(from, to)| self.words.get(*from as usize..*to as usize)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_that_contains_a_word_has_a_byte_of_the_set(
            words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 0..6),
            which in any::<prop::sample::Index>(),
            upper in any::<bool>(),
        ) {
            let sets = one_of_each(words.iter().map(|word| ByteSet::in_bytes(word)));
            prop_assert_eq!(!sets.is_empty(), !words.is_empty() && words.iter().all(|word| !word.is_empty()));
            for set in sets {
                let word = &words[which.index(words.len())];
                let value = if upper { word.to_ascii_uppercase() } else { word.to_ascii_lowercase() };
                prop_assert!(set.intersects(&ByteSet::in_bytes(&value)));
                prop_assert!(set.intersects(&ByteSet::in_bytes(word)));
            }
        }
    }

    #[test]
    fn rare_bytes_are_preferred() {
        let sets = one_of_each([&b"union select"[..], b"@@version", b"xp_cmdshell"].map(ByteSet::of));
        assert!(sets.iter().any(|set| !set.intersects(&ByteSet::in_bytes(b"tea and toast"))), "{sets:?}");
    }
}
