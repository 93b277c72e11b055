//! Phrase lists: each joins the scan for literals, where it has one number for all its phrases.

use super::sieves::words;
use crate::program::{LEVELS, PhrasesPlan, Screen};
use crate::rule::Phrases;

/// Shorter phrases are too common to be worth a place in the shared scan.
const MIN_PHRASE: usize = 3;

/// Gives each list its screens. The first has the number `first` among the literals.
pub(super) fn plan(lists: Vec<Phrases>, first: usize, prefilter: bool) -> Vec<PhrasesPlan> {
    let plan = |(at, phrases): (usize, Phrases)| {
        let list: Vec<&[u8]> = phrases.list.iter().map(|phrase| &**phrase).collect();
        let shared = list.iter().all(|phrase| phrase.len() >= MIN_PHRASE);
        let number = u32::try_from(first + at).ok().filter(|_| shared);
        let screens = if prefilter { words(&list, number) } else { [const { Some(Screen::OPEN) }; LEVELS] };
        PhrasesPlan { phrases, screens }
    };
    lists.into_iter().enumerate().map(plan).collect()
}
