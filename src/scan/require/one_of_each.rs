//! What a value must have to contain any word of a list.

use super::likelihood::of_byte;
use crate::byteset::ByteSet;

/// Words that are looked at. Some byte of any longer list is in every value.
const MOST: usize = 10_000;

/// Sets of bytes of each of which every word, in whatever letter case, has one: a value without a byte of one of them contains no
/// word. Bytes that ordinary values seldom have are preferred. None if the list is too long, or has an empty word.
///
/// ```
/// use fusewall::byteset::ByteSet;
/// use fusewall::scan::require::one_of_each;
/// let sets = one_of_each([&b"/etc/passwd"[..], b"Boot.ini~"]);
/// assert!(sets.iter().any(|set| !set.intersects(&ByteSet::in_bytes(b"plain"))));
/// assert!(one_of_each([&b"a"[..], b""]).is_empty());
/// ```
pub fn one_of_each<'w>(words: impl IntoIterator<Item = &'w [u8]>) -> Vec<ByteSet> {
    let mut sets = Vec::new();
    for word in words {
        if sets.len() == MOST {
            return Vec::new();
        }
        sets.push(either_case(word));
    }
    let mut common: Vec<u8> = (0..=255).filter(|byte: &u8| !byte.is_ascii_uppercase()).collect();
    common.sort_by(|a, b| of_byte(*b).total_cmp(&of_byte(*a)));
    let mut left = sets.iter().fold(ByteSet::EMPTY, |all, set| all.union(*set));
    let mut chosen = Vec::new();
    // The second time without the bytes of the first: most values that have one of those lack the others.
    while chosen.len() < 2 && !left.is_empty() && sets.iter().all(|set| set.intersects(&left)) {
        let mut set = left;
        for byte in &common {
            let without = set.intersection(either_case(&[*byte]).complement());
            if sets.iter().all(|set| set.intersects(&without)) {
                set = without;
            }
        }
        left = left.intersection(set.complement());
        chosen.push(set);
    }
    chosen
}

/// The bytes of a word, its letters in both cases.
fn either_case(word: &[u8]) -> ByteSet {
    word.iter().fold(ByteSet::EMPTY, |set, byte| set.with(byte.to_ascii_lowercase()).with(byte.to_ascii_uppercase()))
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
            let sets = one_of_each(words.iter().map(Vec::as_slice));
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
        let sets = one_of_each([&b"union select"[..], b"@@version", b"xp_cmdshell"]);
        assert!(sets.iter().any(|set| !set.intersects(&ByteSet::in_bytes(b"tea and toast"))), "{sets:?}");
    }
}
