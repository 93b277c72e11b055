//! Phrase lists: each joins the scan for literals, where it has one number for all its phrases.

use super::sieves::words;
use crate::parallel::{in_parallel, threads};
use crate::program::{LEVELS, PhrasesPlan, Screen};
use crate::rule::Phrases;

/// Shorter phrases are too common to be worth a place in the shared scan.
const MIN_PHRASE: usize = 3;

/// Gives each list its screens. The first has the number `first` among the literals.
pub(super) fn plan(lists: Vec<Phrases>, first: usize, prefilter: bool) -> Vec<PhrasesPlan> {
    const OPEN: [Option<Screen>; LEVELS] = [const { Some(Screen::OPEN) }; LEVELS];
    let numbered: Vec<(usize, &Phrases)> = (first..).zip(&lists).collect();
    let screens = in_parallel(&numbered, threads(), |(number, phrases), _| {
        let list: Vec<&[u8]> = phrases.list.iter().map(|phrase| &**phrase).collect();
        let shared = list.iter().all(|phrase| phrase.len() >= MIN_PHRASE);
        let number = u32::try_from(*number).ok().filter(|_| shared);
        if prefilter { words(&list, number) } else { OPEN }
    });
    let plan = |(phrases, screens): (_, Option<_>)| PhrasesPlan { phrases, screens: screens.unwrap_or(OPEN) };
    lists.into_iter().zip(screens).map(plan).collect()
}
