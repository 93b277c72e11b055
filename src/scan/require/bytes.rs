//! The bytes that every match contains, and those that it can contain.

use std::collections::HashSet;

use regex_syntax::hir::{Class, Hir, HirKind};

use super::{Bounds, likelihood};
use crate::byteset::ByteSet;

/// A set that this share of ordinary values meets is not worth its place.
const TOO_LIKELY: f64 = 0.9;
/// Sets that are kept while they are combined, before the bounds are applied.
const KEPT: usize = 4;

/// Bytes of the shortest match; none if there is no match. (The library's own `minimum_len` takes a loop of no turns over
/// something impossible for impossible.)
pub(super) fn min_len(hir: &Hir) -> Option<usize> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(0),
        HirKind::Literal(literal) => Some(literal.0.len()),
        HirKind::Class(class) => class.minimum_len(),
        HirKind::Capture(capture) => min_len(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min == 0 => Some(0),
        HirKind::Repetition(repetition) => {
            let turns = usize::try_from(repetition.min).unwrap_or(usize::MAX);
            min_len(&repetition.sub).map(|len| len.saturating_mul(turns))
        }
        HirKind::Concat(parts) => {
            parts.iter().try_fold(0usize, |sum, part| min_len(part).map(|len| sum.saturating_add(len)))
        }
        HirKind::Alternation(parts) => parts.iter().filter_map(min_len).min(),
    }
}

/// Sets of which each match has a byte, the rarest first; none if there is no match.
pub(super) fn any_of(hir: &Hir, bounds: &Bounds) -> Option<Vec<ByteSet>> {
    sets(hir).map(|mut sets| {
        sets.truncate(bounds.byte_sets);
        sets
    })
}

/// The bytes that can be part of a match.
pub(super) fn alphabet(hir: &Hir) -> ByteSet {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => ByteSet::EMPTY,
        HirKind::Literal(literal) => ByteSet::in_bytes(&literal.0),
        HirKind::Class(class) => class_alphabet(class),
        kind => kind.subs().iter().fold(ByteSet::EMPTY, |all, sub| all.union(alphabet(sub))),
    }
}

fn sets(hir: &Hir) -> Option<Vec<ByteSet>> {
    Some(match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Vec::new(),
        HirKind::Literal(literal) => {
            rarest(ByteSet::in_bytes(&literal.0).iter().map(|byte| ByteSet::of(&[byte])).collect())
        }
        HirKind::Class(class) => {
            let first = first_bytes(class);
            if first.is_empty() {
                return None;
            }
            rarest(vec![first])
        }
        HirKind::Capture(capture) => return sets(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min == 0 => Vec::new(),
        HirKind::Repetition(repetition) => return sets(&repetition.sub),
        HirKind::Concat(parts) => rarest(parts.iter().map(sets).collect::<Option<Vec<_>>>()?.concat()),
        // A branch that cannot match asks for nothing.
        HirKind::Alternation(parts) => {
            return parts.iter().filter_map(sets).reduce(|all, branch| either(&all, &branch));
        }
    })
}

/// What holds if one of two lists holds: a set of the one or a set of the other.
fn either(one: &[ByteSet], other: &[ByteSet]) -> Vec<ByteSet> {
    if one == other {
        return one.to_vec();
    }
    rarest(one.iter().flat_map(|a| other.iter().map(|b| a.union(*b))).collect())
}

/// The rarest sets, without those that another one implies.
fn rarest(sets: Vec<ByteSet>) -> Vec<ByteSet> {
    let mut seen = HashSet::new();
    let distinct = sets.into_iter().filter(|set| seen.insert(*set));
    let mut rated: Vec<(f64, ByteSet)> = distinct.map(|set| (likelihood::of_set(&set), set)).collect();
    rated.retain(|(likelihood, _)| *likelihood < TOO_LIKELY);
    rated.sort_by(|(a, a_set), (b, b_set)| a.total_cmp(b).then_with(|| a_set.iter().cmp(b_set.iter())));
    let mut kept: Vec<ByteSet> = Vec::new();
    for (_, set) in rated {
        if kept.len() < KEPT && !kept.iter().any(|other| other.is_subset(&set)) {
            kept.push(set);
        }
    }
    kept
}

/// The bytes that a match of the class can begin with.
fn first_bytes(class: &Class) -> ByteSet {
    let ranges = |ranges: &mut dyn Iterator<Item = (u8, u8)>| {
        ranges.fold(ByteSet::EMPTY, |all, (first, last)| all.union(ByteSet::range(first, last)))
    };
    match class {
        Class::Bytes(bytes) => ranges(&mut bytes.iter().map(|range| (range.start(), range.end()))),
        // First bytes of UTF-8 sequences grow with the character.
        Class::Unicode(chars) => {
            ranges(&mut chars.iter().map(|range| (leading_byte(range.start()), leading_byte(range.end()))))
        }
    }
}

fn leading_byte(char: char) -> u8 {
    char.encode_utf8(&mut [0; 4]).bytes().next().unwrap_or_default()
}

/// The bytes that a match of the class can consist of.
pub(super) fn class_alphabet(class: &Class) -> ByteSet {
    match class {
        Class::Unicode(chars) if !chars.is_ascii() => first_bytes(class).union(ByteSet::range(0x80, 0xbf)),
        _ => first_bytes(class),
    }
}
