//! The string operators: `@streq`, `@contains`, `@strmatch`, `@containsWord`, `@beginsWith`, `@endsWith`, `@within`.
//!
//! All compare bytes, letter case included, and all find the empty text everywhere.

use crate::meter::Price;
use memchr::memmem;

/// What each of [`contains`], [`within`] and [`contains_word`] costs for the bytes of value and text together.
pub const SEARCH_PRICE: Price = Price::per_byte(100, 2);

/// What each of [`equal`], [`begins_with`] and [`ends_with`] costs for the bytes of the shorter of both.
pub const COMPARE_PRICE: Price = Price::per_byte(10, 1);

/// `@streq`: both are the same.
pub fn equal(value: &[u8], text: &[u8]) -> bool {
    value == text
}

/// `@contains`, `@strmatch`: `text` stands somewhere in `value`. Linear.
pub fn contains(value: &[u8], text: &[u8]) -> bool {
    memmem::find(value, text).is_some()
}

/// `@within`: `value` stands somewhere in `list`. It is substring search, not a search among words: lists are written with
/// separators on both sides (`.GET. .POST.`) for that reason.
///
/// ```
/// use fusewall::ops::text::within;
/// assert!(within(b"GET", b"GET POST"));
/// assert!(within(b"ET PO", b"GET POST"));
/// ```
pub fn within(value: &[u8], list: &[u8]) -> bool {
    contains(list, value)
}

/// `@beginsWith`.
pub fn begins_with(value: &[u8], text: &[u8]) -> bool {
    value.starts_with(text)
}

/// `@endsWith`.
pub fn ends_with(value: &[u8], text: &[u8]) -> bool {
    value.ends_with(text)
}

/// `@containsWord`: `text` stands somewhere in `value` with no ASCII letter right before or after it.
///
/// The manual says "with word boundaries" and not what a word is. The published cases take a digit for a boundary
/// (`def` is a word of `0def ghi`), which is libmodsecurity's reading: words are made of letters.
///
/// ```
/// use fusewall::ops::text::contains_word;
/// assert!(contains_word(b"1 union select", b"union"));
/// assert!(!contains_word(b"reunion", b"union"));
/// ```
pub fn contains_word(value: &[u8], text: &[u8]) -> bool {
    // Most values do not hold the text at all, and the search for that needs no table.
    text.is_empty() || memmem::find(value, text).is_some_and(|first| word_from(value, text, first))
}

/// Whether an occurrence of `text` at `first` or later is a word. Occurrences may overlap (`a a` in `xa a a`), so this is the
/// search of Knuth, Morris and Pratt: linear even where every occurrence fails at its edges.
fn word_from(value: &[u8], text: &[u8], first: usize) -> bool {
    let borders = borders(text);
    let mut matched = 0usize;
    for (at, &byte) in value.iter().enumerate().skip(first) {
        matched = advance(text, &borders, matched, byte);
        if matched == text.len() {
            let letter = |at: Option<usize>| at.and_then(|at| value.get(at)).is_some_and(u8::is_ascii_alphabetic);
            if !letter((at + 1).checked_sub(text.len() + 1)) && !letter(at.checked_add(1)) {
                return true;
            }
        }
    }
    false
}

/// For each prefix of `text` the length of the longest shorter prefix that it ends with.
fn borders(text: &[u8]) -> Vec<usize> {
    let mut borders = Vec::with_capacity(text.len());
    let mut matched = 0;
    for (at, &byte) in text.iter().enumerate() {
        if at > 0 {
            matched = advance(text, &borders, matched, byte);
        }
        borders.push(matched);
    }
    borders
}

/// How much of `text` is matched after one byte more.
fn advance(text: &[u8], borders: &[usize], mut matched: usize, byte: u8) -> usize {
    loop {
        if text.get(matched) == Some(&byte) {
            return matched + 1;
        }
        match matched.checked_sub(1).and_then(|last| borders.get(last)) {
            Some(&border) => matched = border,
            None => return 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_may_overlap_and_touch_anything_but_letters() {
        assert!(contains_word(b"xa a a", b"a a"));
        assert!(contains_word(b"x_union2", b"union"));
        assert!(!contains_word(b"a", b"aa"));
        assert!(contains_word(b"", b""));
        // Quadratic in a naive search.
        assert!(!contains_word(&[b'a'; 1 << 18], &[b'a'; 1 << 16]));
    }

    proptest! {
        #[test]
        fn words_are_found_where_trying_every_place_finds_them(value in "[ab ]{0,24}", text in "[ab ]{1,4}") {
            let (value, text) = (value.as_bytes(), text.as_bytes());
            let edge = |byte: Option<&u8>| !byte.is_some_and(u8::is_ascii_alphabetic);
            let naive = (0..value.len()).any(|at| {
                value[at..].starts_with(text)
                    && edge(at.checked_sub(1).and_then(|before| value.get(before)))
                    && edge(value.get(at + text.len()))
            });
            prop_assert_eq!(contains_word(value, text), naive);
        }
    }
}
