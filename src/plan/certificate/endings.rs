//! Which of the literals that sieves look for can end at the same place of a value: those of which one ends as the other.

use crate::program::Program;
use std::collections::{BTreeSet, HashMap};

/// For each word a set of literals, phrase lists behind them: those that end where the word does. Sets within others are left out where
/// that is seen at once.
pub(super) fn of(program: &Program) -> Vec<Vec<u32>> {
    let literals = program.literals.iter().map(std::slice::from_ref);
    let lists = program.phrases.iter().map(|plan| &*plan.phrases.list);
    let words = literals.chain(lists).zip(0..).flat_map(|(words, at)| words.iter().map(move |word| (word, at)));
    let mut owners: HashMap<Vec<u8>, BTreeSet<u32>> = HashMap::new();
    for (word, at) in words {
        owners.entry(word.to_ascii_lowercase()).or_default().insert(at);
    }
    let ends = |word: &[u8]| -> BTreeSet<u32> {
        let tails = (0..word.len()).filter_map(|from| owners.get(word.get(from..)?));
        tails.flatten().copied().collect()
    };
    let sets: BTreeSet<BTreeSet<u32>> = owners.keys().map(|word| ends(word)).collect();
    sets.into_iter().map(|set| set.into_iter().collect()).collect()
}
