//! The search for words by grams: a filter that a few bytes pass at most places of a text without a hit.

use super::fuel;
use super::literals::{is_set, set};
use super::require::share_of_gram;
use crate::meter::{Exhausted, Meter};
use std::collections::HashMap;

/// Words that one place of a table may hold. Words that are more alike are a case for an automaton.
const DEEPEST: usize = 12;
/// Bytes of the shortest word.
const SHORTEST: usize = 3;
/// Filters have this many bits for each word, so that a gram of no word seldom passes.
const BITS_PER_WORD: usize = 16;
/// Words of the largest filter, as a power of two: what a processor's second cache holds.
const LARGEST: u32 = 15;
/// The bytes that count in grams of four bytes and of three.
const FOUR: u32 = u32::MAX;
const THREE: u32 = 0xff_ffff;
/// What makes letters of both cases alike, and a few other bytes with them.
const CASE: u32 = 0x2020_2020;
/// Multipliers of the hashes of three and of four bytes: odd, without a pattern.
const MIX: [u32; 2] = [0x85eb_ca6b, 0x9e37_79b1];

/// A word, and where its gram is.
#[derive(Debug, Clone)]
struct Entry {
    /// The gram.
    gram: u32,
    /// The bytes of it that count.
    mask: u32,
    /// Bytes of the word before the gram.
    before: u32,
    /// Where the word is in `text`.
    start: u32,
    len: u32,
    number: u32,
}

/// Words by their grams.
#[derive(Debug, Clone)]
pub(super) struct Grams {
    /// What grams of four bytes pass, and those of three.
    four: Filter,
    three: Filter,
    /// For each place of the table: where its entries begin; one more for the end.
    starts: Vec<u32>,
    /// Leaves of a hash what a place of the table counts.
    table_shift: u32,
    entries: Vec<Entry>,
    /// All words, in lower case.
    text: Vec<u8>,
    deepest: usize,
}

impl Grams {
    /// The table of `words`; `None` if one is too short, or too many are alike.
    pub(super) fn build(words: &[(&[u8], u32)]) -> Option<Grams> {
        if words.iter().any(|(word, _)| word.len() < SHORTEST) {
            return None;
        }
        let mut text = Vec::new();
        let mut entries = Vec::with_capacity(words.len());
        let mut taken: HashMap<(u32, u32), i32> = HashMap::new();
        // Those with the least choice first.
        let mut order: Vec<_> = words.iter().collect();
        order.sort_by_key(|(word, number)| (word.len(), *number));
        for (word, number) in order {
            let start = text.len() as u32;
            text.extend(word.iter().map(u8::to_ascii_lowercase));
            let word = text.get(start as usize..)?;
            let size = word.len().min(4);
            let mask = if size == 4 { FOUR } else { THREE };
            // All words of a gram are compared wherever it stands, and a table must not be too deep.
            let mut chosen: Option<(f64, u32, usize)> = None;
            for (at, bytes) in word.windows(size).enumerate() {
                let share = share_of_gram(bytes);
                // With other words it only becomes dearer.
                if chosen.is_some_and(|(best, ..)| share >= best) {
                    continue;
                }
                let gram = bytes.iter().rev().fold(0, |gram, byte| gram << 8 | u32::from(*byte)) | CASE & mask;
                let others = taken.get(&(gram, mask)).copied().unwrap_or_default();
                let share = share * 4_f64.powi(others.min(16));
                if chosen.is_none_or(|(best, ..)| share < best) {
                    chosen = Some((share, gram, at));
                }
            }
            let (_, gram, before) = chosen?;
            *taken.entry((gram, mask)).or_default() += 1;
            entries.push(Entry { gram, mask, before: before as u32, start, len: word.len() as u32, number: *number });
        }
        let table_shift = 32 - words.len().next_power_of_two().ilog2().clamp(6, LARGEST + 6);
        let place = |entry: &Entry| (entry.hash() >> table_shift) as usize;
        entries.sort_by_key(|entry| (place(entry), entry.start));
        let of_size = |mask: u32| entries.iter().filter(move |entry| entry.mask == mask).map(|entry| entry.gram);
        let (four, three) = (Filter::new::<FOUR>(of_size(FOUR)), Filter::new::<THREE>(of_size(THREE)));
        let mut starts = vec![0_u32; (1 << (32 - table_shift)) + 1];
        for entry in &entries {
            *starts.get_mut(place(entry) + 1)? += 1;
        }
        let deepest = starts.iter().copied().max().unwrap_or_default() as usize;
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let grams = Grams { four, three, starts, table_shift, entries, text, deepest };
        (deepest <= DEEPEST).then_some(grams)
    }

    /// The most that one byte can cost.
    pub(super) fn dearest(&self) -> u64 {
        let place = fuel::GRAM_HIT + fuel::GRAM_WORD * self.deepest as u64;
        fuel::GRAM_BYTE + place * if self.three.is_empty() { 1 } else { 2 }
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        (self.four.words.len() + self.three.words.len()) * size_of::<u64>()
            + self.starts.len() * size_of::<u32>()
            + self.entries.len() * size_of::<Entry>()
            + self.text.len()
    }

    /// Sets the bits of the words that occur.
    pub(super) fn scan(&self, haystack: &[u8], hits: &mut [u64], meter: &mut Meter) -> Result<(), Exhausted> {
        if self.three.is_empty() {
            self.pass::<false>(haystack, hits, meter)
        } else {
            self.pass::<true>(haystack, hits, meter)
        }
    }

    fn pass<const SHORT: bool>(&self, haystack: &[u8], hits: &mut [u64], meter: &mut Meter) -> Result<(), Exhausted> {
        let mut at = 0;
        let mut rest = haystack;
        while !rest.is_empty() {
            meter.charge(fuel::GRAM_BYTE * rest.len().min(fuel::BLOCK) as u64)?;
            // The grams that begin in this block end in the next.
            let block = rest.get(..fuel::BLOCK + 3).unwrap_or(rest);
            for bytes in block.array_windows() {
                let gram = u32::from_le_bytes(*bytes) | CASE;
                if self.four.passes(hash::<FOUR>(gram)) {
                    self.compare(hash::<FOUR>(gram), gram, haystack, at, hits, meter)?;
                }
                if SHORT && self.three.passes(hash::<THREE>(gram)) {
                    self.compare(hash::<THREE>(gram), gram, haystack, at, hits, meter)?;
                }
                at += 1;
            }
            rest = rest.get(fuel::BLOCK..).unwrap_or_default();
        }
        if let (true, Some([a, b, c])) = (SHORT, haystack.last_chunk()) {
            let gram = u32::from_le_bytes([*a, *b, *c, 0]) | CASE;
            if self.three.passes(hash::<THREE>(gram)) {
                self.compare(hash::<THREE>(gram), gram, haystack, haystack.len() - 3, hits, meter)?;
            }
        }
        Ok(())
    }

    /// Compares the words whose gram may be the one that begins at `at`.
    #[inline(never)]
    fn compare(
        &self,
        hash: u32,
        gram: u32,
        haystack: &[u8],
        at: usize,
        hits: &mut [u64],
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let place = (hash >> self.table_shift) as usize;
        let ends = self.starts.get(place).zip(self.starts.get(place + 1));
        let entries =
            ends.and_then(|(&first, &last)| self.entries.get(first as usize..last as usize)).unwrap_or_default();
        meter.charge(fuel::GRAM_HIT + fuel::GRAM_WORD * entries.len() as u64)?;
        for entry in entries {
            if gram & entry.mask != entry.gram || is_set(hits, entry.number) {
                continue;
            }
            let Some(start) = at.checked_sub(entry.before as usize) else { continue };
            let found = haystack.get(start..start + entry.len as usize);
            let word = self.text.get(entry.start as usize..(entry.start + entry.len) as usize);
            if let (Some(found), Some(word)) = (found, word)
                && found.eq_ignore_ascii_case(word)
            {
                set(hits, entry.number);
            }
        }
        Ok(())
    }
}

/// Grams of one size: two bits of one word for each.
#[derive(Debug, Clone)]
struct Filter {
    words: Vec<u64>,
    /// Leaves of a hash what a word counts.
    shift: u32,
}

impl Filter {
    fn new<const MASK: u32>(grams: impl Iterator<Item = u32> + Clone) -> Filter {
        let bits = grams.clone().count() * BITS_PER_WORD;
        let words = bits.div_ceil(64).next_power_of_two().ilog2().clamp(1, LARGEST);
        let mut filter = Filter { words: vec![0; 1 << words], shift: 32 - words };
        for hash in grams.map(hash::<MASK>) {
            if let Some(word) = filter.words.get_mut((hash >> filter.shift) as usize) {
                *word |= Self::bits(hash);
            }
        }
        filter
    }

    /// Bits of the hash that do not choose the word, but for a very large filter.
    #[inline]
    fn bits(hash: u32) -> u64 {
        1 << (hash >> 11 & 63) | 1 << (hash >> 5 & 63)
    }

    #[inline]
    fn passes(&self, hash: u32) -> bool {
        let bits = Self::bits(hash);
        self.words.get((hash >> self.shift) as usize).is_some_and(|word| word & bits == bits)
    }

    fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }
}

impl Entry {
    fn hash(&self) -> u32 {
        if self.mask == FOUR { hash::<FOUR>(self.gram) } else { hash::<THREE>(self.gram) }
    }
}

/// The hash of the bytes of a gram that count: its upper bits depend on all of them.
#[inline]
fn hash<const MASK: u32>(gram: u32) -> u32 {
    let [three, four] = MIX;
    (gram & MASK).wrapping_mul(if MASK == FOUR { four } else { three })
}
