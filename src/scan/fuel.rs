//! What the steps of a scan cost, in fuel. `benches/scan.rs` prints nanoseconds per fuel for each of them.

/// Bytes that are charged together, at multiples of this offset. A check every 256 bytes costs nothing measurable.
pub(super) const BLOCK: usize = 256;
/// One call of a scanner, whatever the length.
pub(super) const CALL: u64 = 32;
/// One byte through the known part of a lazy DFA.
pub(super) const LAZY_BYTE: u64 = 2;
/// One NFA node that a simulation looks at.
pub(super) const NODE: u64 = 3;
/// One transition that a simulation computes, beside its nodes.
pub(super) const STEP: u64 = 16;
/// One state that a request visits first in a lazy DFA, beside its nodes: it may have to be hashed, stored and initialised.
pub(super) const STATE: u64 = 256;
/// One byte of a search for grams.
pub(super) const GRAM_BYTE: u64 = 2;
/// One gram that passes the filter: the words of its hash are looked up, which no processor foretells.
pub(super) const GRAM_HIT: u64 = 10;
/// One word that shares the hash of a gram: it may be compared.
pub(super) const GRAM_WORD: u64 = 4;
/// One byte through a hybrid automaton that is not in its head alone.
pub(super) const TAIL_STEP: u64 = 5;
/// One state of its tail that is alive then, or that an exit of the head or a long list brings.
pub(super) const TAIL_STATE: u64 = 4;
/// One byte through an Aho-Corasick automaton, failure links included.
pub(super) const LITERAL_BYTE: u64 = 6;
/// One literal reported by an Aho-Corasick automaton.
pub(super) const LITERAL_HIT: u64 = 4;
/// One step of a backtracking matcher.
pub(super) const BACKTRACK: u64 = 10;
/// Steps of a backtracking matcher that are charged together.
pub(super) const STEPS: u64 = 64;
/// Bytes of a backtracking matcher's table that are cleared for one fuel.
pub(super) const CLEARED_BYTES: u64 = 8;

/// One byte through a DFA with a table of so many bytes. A text by chance visits all of it, so every byte waits for the cache that
/// the table fits in: the nearest, the second (256 KiB are safe to assume), or the one that all cores share. The same for all
/// machines, so that fuel does not depend on them.
pub(super) fn table_byte(table: usize) -> u64 {
    match table {
        0..=0x8000 => 1,
        0x8001..=0x4_0000 => 2,
        _ => 3,
    }
}

/// One byte through a trie of so many states, failure links included: as with [`table_byte`], a text by chance visits all of it, and
/// waits for the cache that it fits in. A state takes 16 bytes, or a few less.
pub(super) fn trie_byte(states: usize) -> u64 {
    match states {
        0..=0x4000 => LITERAL_BYTE,
        _ => 8,
    }
}

/// The end of the block that `at` lies in, at most `len`.
pub(super) fn block_end(at: usize, len: usize) -> usize {
    (at / BLOCK).saturating_add(1).saturating_mul(BLOCK).min(len)
}

/// The start of the block that the byte before `at` lies in, at least `floor`.
pub(super) fn block_start(at: usize, floor: usize) -> usize {
    (at.saturating_sub(1) / BLOCK * BLOCK).max(floor)
}
