//! The two word lists, turned into static tables by the compiler: SQL's words with their kinds, and the fingerprints of known
//! injections.
//!
//! `data/generate.py` says where the lists come from.

// Everything that indexes here is evaluated by the compiler: an index out of bounds is a compile error.
#![allow(clippy::indexing_slicing, clippy::panic)]

use super::tokens::Kind;

static WORD_LIST: &[u8] = include_bytes!("../data/keywords.txt");
static FINGERPRINT_LIST: &[u8] = include_bytes!("../data/fingerprints.txt");

/// A word of the list, as a place in its text.
#[derive(Clone, Copy)]
struct Word {
    start: u16,
    len: u8,
    kind: Kind,
}

/// Slots of the hash table: four times the words, so that an unknown word is mostly refused by its first slot.
const SLOTS: usize = 4096;

static WORDS: [Word; count_lines(WORD_LIST)] = words();
/// For each slot the number of a word plus one, or 0.
static INDEX: [u16; SLOTS] = index();
static FINGERPRINTS: [[u8; 5]; count_fingerprints()] = fingerprints();

/// A word's hash, computed byte by byte in any case of letters, so that a prefix costs nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(u32);

impl Hash {
    /// Of no byte.
    pub(super) const EMPTY: Hash = Hash(0x811c_9dc5);

    /// With one byte more (FNV-1a).
    #[must_use]
    #[inline]
    pub(super) const fn with(self, byte: u8) -> Hash {
        Hash((self.0 ^ byte.to_ascii_uppercase() as u32).wrapping_mul(0x0100_0193))
    }

    const fn slot(self) -> usize {
        (self.0 ^ (self.0 >> 15)) as usize % SLOTS
    }
}

/// The kind of a word, in any case of letters.
pub(super) fn lookup(word: &[u8]) -> Option<Kind> {
    lookup_hashed(hash(Hash::EMPTY, word), word)
}

/// The kind of a word whose hash is known.
#[inline]
pub(super) fn lookup_hashed(hash: Hash, word: &[u8]) -> Option<Kind> {
    find(hash, |entry| entry.eq_ignore_ascii_case(word)).map(|(kind, _)| kind)
}

/// The kind and the entry of two words with a blank between them, such as `GROUP BY`.
pub(super) fn lookup_pair(first: &[u8], second: &[u8]) -> Option<(Kind, &'static [u8])> {
    find(hash(hash(Hash::EMPTY, first).with(b' '), second), |entry| {
        entry.split_at_checked(first.len()).is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(first)
                && rest.split_first().is_some_and(|(&blank, end)| blank == b' ' && end.eq_ignore_ascii_case(second))
        })
    })
}

fn hash(start: Hash, bytes: &[u8]) -> Hash {
    bytes.iter().fold(start, |hash, &byte| hash.with(byte))
}

/// The entry that `is_it` among those that a hash leads to.
#[inline]
fn find(hash: Hash, is_it: impl Fn(&[u8]) -> bool) -> Option<(Kind, &'static [u8])> {
    let (before, after) = INDEX.split_at_checked(hash.slot())?;
    for &number in after.iter().chain(before) {
        let word = WORDS.get(usize::from(number.checked_sub(1)?))?;
        let start = usize::from(word.start);
        let entry = WORD_LIST.get(start..start + usize::from(word.len))?;
        if is_it(entry) {
            return Some((word.kind, entry));
        }
    }
    None
}

/// Whether a fingerprint, letters in upper case and padded with NUL, is one of a known injection.
pub(super) fn is_injection(fingerprint: &[u8; 5]) -> bool {
    FINGERPRINTS.binary_search(fingerprint).is_ok()
}

/// Where the line that starts at `at` ends.
const fn line_end(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && text[at] != b'\n' {
        at += 1;
    }
    at
}

const fn is_comment(text: &[u8], at: usize) -> bool {
    text[at] == b'#' && text[at + 1] == b' '
}

const fn count_lines(text: &[u8]) -> usize {
    let mut count = 0;
    let mut at = 0;
    while at < text.len() {
        if !is_comment(text, at) {
            count += 1;
        }
        at = line_end(text, at) + 1;
    }
    count
}

const fn words() -> [Word; count_lines(WORD_LIST)] {
    let mut words = [Word { start: 0, len: 0, kind: Kind::Bareword }; _];
    let mut count = 0;
    let mut at = 0;
    while at < WORD_LIST.len() {
        let end = line_end(WORD_LIST, at);
        if !is_comment(WORD_LIST, at) {
            let Some(kind) = Kind::of_word(WORD_LIST[at]) else { panic!("a word of unknown kind") };
            assert!(end < u16::MAX as usize);
            words[count] = Word { start: at as u16 + 2, len: (end - at - 2) as u8, kind };
            count += 1;
        }
        at = end + 1;
    }
    words
}

const fn index() -> [u16; SLOTS] {
    let mut index = [0; SLOTS];
    let mut number = 0;
    while number < WORDS.len() {
        let word = WORDS[number];
        let mut hash = Hash::EMPTY;
        let mut at = 0;
        while at < word.len as usize {
            hash = hash.with(WORD_LIST[word.start as usize + at]);
            at += 1;
        }
        let mut slot = hash.slot();
        while index[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        number += 1;
        index[slot] = number as u16;
    }
    index
}

const fn count_fingerprints() -> usize {
    let mut count = 0;
    let mut at = 0;
    while at < FINGERPRINT_LIST.len() {
        let end = line_end(FINGERPRINT_LIST, at);
        if !is_comment(FINGERPRINT_LIST, at) {
            count += 1;
            while at < end {
                count += (FINGERPRINT_LIST[at] == b' ') as usize;
                at += 1;
            }
        }
        at = end + 1;
    }
    count
}

const fn fingerprints() -> [[u8; 5]; count_fingerprints()] {
    let mut all = [[0; 5]; _];
    let mut count = 0;
    let mut at = 0;
    while at < FINGERPRINT_LIST.len() {
        let end = line_end(FINGERPRINT_LIST, at);
        if !is_comment(FINGERPRINT_LIST, at) {
            let mut letter = 0;
            while at <= end {
                match FINGERPRINT_LIST[at] {
                    b' ' | b'\n' => {
                        count += 1;
                        letter = 0;
                    }
                    byte => {
                        all[count][letter] = byte;
                        letter += 1;
                    }
                }
                at += 1;
            }
        }
        at = end + 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_list_is_found_in_any_case() {
        let mut found = 0;
        for line in std::str::from_utf8(WORD_LIST).unwrap().lines().filter(|line| !line.starts_with("# ")) {
            let (kind, word) = line.split_once(' ').unwrap();
            assert_eq!(lookup(word.as_bytes()), Kind::of_word(kind.as_bytes()[0]), "{line}");
            assert_eq!(lookup(word.to_ascii_lowercase().as_bytes()), lookup(word.as_bytes()));
            assert!(word.len() <= super::super::tokens::TEXT_MAX);
            found += 1;
        }
        assert_eq!(found, 985);
        assert_eq!(lookup(b"fusewall"), None);
        assert_eq!(lookup(b""), None);
    }

    #[test]
    fn two_words_are_found_as_one_entry() {
        assert_eq!(lookup_pair(b"group", b"By"), Some((Kind::Group, b"GROUP BY".as_slice())));
        assert_eq!(lookup_pair(b"groupb", b"y"), None);
        assert_eq!(lookup_pair(b"", b"GROUP"), None);
    }

    #[test]
    fn the_fingerprints_are_sorted_and_distinct() {
        assert_eq!(FINGERPRINTS.len(), 8367);
        assert!(FINGERPRINTS.is_sorted_by(|a, b| a < b));
        assert!(is_injection(b"1UE1\0"));
        assert!(!is_injection(b"NNNNN"));
    }

    /// The longest run of occupied slots bounds what a look-up costs, whatever word an attacker chooses.
    #[test]
    fn a_lookup_probes_few_slots() {
        let longest = INDEX.split(|&slot| slot == 0).map(<[u16]>::len).max();
        assert!(longest <= Some(8), "{longest:?}");
    }
}
