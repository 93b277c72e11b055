//! The short runs of bytes that every match contains, byte class by byte class.
//!
//! Many patterns have no word that each match must have, because anything may stand between the letters of their words or because
//! their words are short: `(?:^|[/;\\])\.{2,3}[/;\\]` is one of them. But each match leads through some place of the pattern that
//! cannot be gone around, and what can stand there and behind it is often rare: here a dot, then a dot, a slash, a semicolon or a
//! backslash. A set of places of which every match has one is a cut; [`cuts`] finds those that ordinary values seldom pass.

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::bytes::class_alphabet;
use super::{Bounds, likelihood};
use crate::byteset::ByteSet;

/// Places of a window.
pub const PLACES: usize = 4;
/// Cuts that are kept while they are combined, before the bounds are applied.
const KEPT: usize = 3;
/// Windows of a cut while it is combined; of more, those that are alike become one.
const MOST: usize = 48;
/// Parts of a pattern that are looked at to find what may follow others; behind that anything may.
const STEPS: usize = 200_000;
/// Two windows become one if that makes their cut likelier by no more than this share of it.
const ALIKE: f64 = 0.02;
/// A cut that this share of ordinary values passes is not worth its place.
const TOO_LIKELY: f64 = 0.9;

/// What may stand at one place of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// One of these bytes.
    pub bytes: ByteSet,
    /// The value may be over here.
    pub end: bool,
}

/// What stands at some places in a row, letter case aside. The first is a byte of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(pub [Place; PLACES]);

/// What follows a part of a pattern.
type Ahead = [Place; PLACES - 1];

/// Windows of which each match has one, and a guess at how many values do.
#[derive(Debug, Clone)]
struct Cut {
    /// Each with a guess of its own.
    windows: Vec<(f64, Window)>,
    likelihood: f64,
}

impl Place {
    /// Whatever there is, or nothing.
    pub const ANY: Place = Place { bytes: ByteSet::FULL, end: true };
    const END: Place = Place { bytes: ByteSet::EMPTY, end: true };

    fn or(self, other: Place) -> Place {
        Place { bytes: self.bytes.union(other.bytes), end: self.end || other.end }
    }
}

impl Window {
    fn or(&self, other: &Window) -> Window {
        let mut places = self.0;
        places.iter_mut().zip(&other.0).for_each(|(place, other)| *place = place.or(*other));
        Window(places)
    }

    /// Whether every place where `self` stands is one where `other` does.
    fn is_within(&self, other: &Window) -> bool {
        let within = |(own, other): (&Place, &Place)| own.bytes.is_subset(&other.bytes) && own.end <= other.end;
        self.0.iter().zip(&other.0).all(within)
    }

    /// Whether it stands at the beginning of `rest`.
    pub fn stands_at(&self, rest: &[u8]) -> bool {
        let stands = |(at, place): (usize, &Place)| rest.get(at).map_or(place.end, |byte| place.bytes.contains(*byte));
        self.0.iter().enumerate().all(stands)
    }
}

/// Sets of windows of each of which every match has one, the rarest first. Fewer than the bounds allow where ordinary values would
/// pass them all the same.
pub(super) fn cuts(hir: &Hir, bounds: &Bounds) -> Vec<Vec<Window>> {
    let mut search = Search { steps: STEPS };
    let mut cuts = search.cuts(hir, &[Place::ANY; PLACES - 1]);
    cuts.iter_mut().for_each(|cut| cut.merge(bounds.windows));
    cuts.retain(|cut| cut.windows.len() <= bounds.windows && cut.likelihood <= TOO_LIKELY);
    let windows = |cut: Cut| cut.windows.into_iter().map(|(_, window)| window).collect();
    rarest(cuts).into_iter().take(bounds.cuts).map(windows).collect()
}

/// The share of ordinary values in which one of these stands: a guess, from 0 to 1.
pub fn share_of_windows(cut: &[Window]) -> f64 {
    any(cut.iter().map(likelihood::of_window))
}

/// How likely one of several things is.
fn any(likelihoods: impl Iterator<Item = f64>) -> f64 {
    1.0 - likelihoods.map(|likelihood| 1.0 - likelihood).product::<f64>()
}

impl Cut {
    fn of(window: Window) -> Cut {
        let likelihood = likelihood::of_window(&window);
        Cut { windows: vec![(likelihood, window)], likelihood }
    }

    /// Windows of both.
    fn or(&self, other: &Cut) -> Cut {
        let mut windows = self.windows.clone();
        for rated in &other.windows {
            if !windows.iter().any(|(_, known)| rated.1.is_within(known)) {
                windows.retain(|(_, known)| !known.is_within(&rated.1));
                windows.push(*rated);
            }
        }
        let likelihood = any(windows.iter().map(|(likelihood, _)| *likelihood));
        Cut { windows, likelihood }
    }

    /// Puts windows together that are much alike, and less alike ones too as long as there are more than `most`.
    fn merge(&mut self, most: usize) {
        let mut tolerated = self.likelihood * ALIKE;
        loop {
            let mut merged: Vec<(f64, Window)> = Vec::with_capacity(self.windows.len());
            for (own, window) in &self.windows {
                let with = merged.iter().enumerate().map(|(at, (likelihood, other))| {
                    let both = window.or(other);
                    let together = likelihood::of_window(&both);
                    (together - likelihood - own, at, together, both)
                });
                match with.min_by(|a, b| a.0.total_cmp(&b.0)) {
                    Some((more, at, together, both)) if more <= tolerated => {
                        merged.get_mut(at).into_iter().for_each(|place| *place = (together, both));
                    }
                    _ => merged.push((*own, *window)),
                }
            }
            self.likelihood = any(merged.iter().map(|(likelihood, _)| *likelihood));
            self.windows = merged;
            if self.windows.len() <= most || self.likelihood > TOO_LIKELY {
                break;
            }
            tolerated *= 4.0;
        }
    }
}

/// A search for cuts, bounded.
struct Search {
    steps: usize,
}

impl Search {
    /// Cuts of a part that is followed by what `ahead` says, the rarest first; none if a match can go around all of it.
    fn cuts(&mut self, hir: &Hir, ahead: &Ahead) -> Vec<Cut> {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Vec::new(),
            HirKind::Literal(literal) => {
                let places: Vec<_> = literal.0.iter().map(|byte| one_of(ByteSet::of(&[*byte]))).collect();
                let cuts = (0..places.len()).filter_map(|at| Some(Cut::of(window(places.get(at..)?, ahead))));
                // The others say nearly the same.
                cuts.min_by(|a, b| a.likelihood.total_cmp(&b.likelihood)).into_iter().collect()
            }
            HirKind::Class(class) => match class_alphabet(class) {
                bytes if bytes.is_empty() => Vec::new(),
                bytes => vec![Cut::of(window(&[one_of(bytes)], &behind(class, ahead)))],
            },
            HirKind::Capture(capture) => self.cuts(&capture.sub, ahead),
            HirKind::Repetition(repetition) if repetition.min == 0 => Vec::new(),
            // Each match has a first turn.
            HirKind::Repetition(repetition) => {
                let max = repetition.max.map(|max| max.saturating_sub(1));
                let ahead = self.turns(&repetition.sub, repetition.min - 1, max, ahead);
                self.cuts(&repetition.sub, &ahead)
            }
            HirKind::Concat(parts) => {
                let mut ahead = *ahead;
                let mut cuts = Vec::new();
                for part in parts.iter().rev() {
                    cuts.append(&mut self.cuts(part, &ahead));
                    ahead = self.entry(part, &ahead);
                }
                rarest(cuts)
            }
            HirKind::Alternation(parts) => {
                let mut all: Option<Vec<Cut>> = None;
                for part in parts.iter().filter(|part| super::bytes::min_len(part).is_some()) {
                    let cuts = self.cuts(part, ahead);
                    let so_far = match all {
                        None => cuts,
                        Some(all) => either(&all, &cuts),
                    };
                    if so_far.is_empty() {
                        return so_far;
                    }
                    all = Some(so_far);
                }
                all.unwrap_or_default()
            }
        }
    }

    /// What stands at the beginning of a part that is followed by `ahead`, and behind it.
    fn entry(&mut self, hir: &Hir, ahead: &Ahead) -> Ahead {
        let Some(left) = self.steps.checked_sub(1) else { return [Place::ANY; PLACES - 1] };
        self.steps = left;
        match hir.kind() {
            HirKind::Look(Look::End) => [Place::END; PLACES - 1],
            HirKind::Empty | HirKind::Look(_) => *ahead,
            HirKind::Literal(literal) => {
                let start = literal.0.get(..PLACES - 1).unwrap_or(&literal.0);
                start.iter().rev().fold(*ahead, |ahead, byte| before(one_of(ByteSet::of(&[*byte])), &ahead))
            }
            HirKind::Class(class) => before(one_of(class_alphabet(class)), &behind(class, ahead)),
            HirKind::Capture(capture) => self.entry(&capture.sub, ahead),
            HirKind::Repetition(Repetition { min, max, sub, .. }) => self.turns(sub, *min, *max, ahead),
            HirKind::Concat(parts) => {
                let mut ahead = *ahead;
                for part in parts.iter().rev() {
                    ahead = self.entry(part, &ahead);
                }
                ahead
            }
            HirKind::Alternation(parts) => {
                let mut all: Option<Ahead> = None;
                for part in parts {
                    let entry = self.entry(part, ahead);
                    all = Some(all.map_or(entry, |all| both(&all, &entry)));
                }
                all.unwrap_or(*ahead)
            }
        }
    }

    /// What stands at the beginning of so many turns of a part.
    fn turns(&mut self, sub: &Hir, min: u32, max: Option<u32>, ahead: &Ahead) -> Ahead {
        // More turns than there are places look alike.
        let places = PLACES as u32;
        let more = max.map_or(places, |max| max.saturating_sub(min).min(places));
        let mut entry = *ahead;
        for _ in 0..more {
            entry = both(ahead, &self.entry(sub, &entry));
        }
        for _ in 0..min.min(places) {
            entry = self.entry(sub, &entry);
        }
        entry
    }
}

fn one_of(bytes: ByteSet) -> Place {
    // Letter case aside: the same windows then stand for values before and after `t:lowercase`.
    Place { bytes: bytes.either_case(), end: false }
}

/// What stands behind the first byte of a character.
fn behind(class: &Class, ahead: &Ahead) -> Ahead {
    if class.maximum_len() == Some(1) { *ahead } else { [Place::ANY; PLACES - 1] }
}

fn before(first: Place, behind: &Ahead) -> Ahead {
    let mut ahead = [first; PLACES - 1];
    ahead.iter_mut().skip(1).zip(behind).for_each(|(place, behind)| *place = *behind);
    ahead
}

fn both(one: &Ahead, other: &Ahead) -> Ahead {
    let mut ahead = *one;
    ahead.iter_mut().zip(other).for_each(|(place, other)| *place = place.or(*other));
    ahead
}

/// The window that begins with some places; `ahead` says what follows them.
fn window(start: &[Place], ahead: &Ahead) -> Window {
    let mut places = [Place::ANY; PLACES];
    places.iter_mut().zip(start.iter().chain(ahead)).for_each(|(place, known)| *place = *known);
    Window(places)
}

/// Cuts of a choice: one of each branch.
fn either(one: &[Cut], other: &[Cut]) -> Vec<Cut> {
    let mut cuts: Vec<_> = one.iter().flat_map(|a| other.iter().map(|b| a.or(b))).collect();
    // More branches make it no rarer.
    cuts.retain(|cut| cut.likelihood <= TOO_LIKELY);
    cuts.iter_mut().filter(|cut| cut.windows.len() > MOST).for_each(|cut| cut.merge(MOST / 2));
    cuts.retain(|cut| cut.windows.len() <= MOST);
    rarest(cuts)
}

/// The rarest that do not say nearly the same.
fn rarest(mut cuts: Vec<Cut>) -> Vec<Cut> {
    cuts.sort_by(|a, b| a.likelihood.total_cmp(&b.likelihood));
    let mut kept: Vec<Cut> = Vec::new();
    for cut in cuts {
        let shared = |other: &Cut| cut.windows.iter().filter(|window| other.windows.contains(window)).count();
        if kept.len() < KEPT && !kept.iter().any(|other| 2 * shared(other) > cut.windows.len()) {
            kept.push(cut);
        }
    }
    kept
}
