//! The words that every match contains.
//!
//! For each part of a pattern we know either all strings that it can match, letter case folded, or a [`Need`] that each match
//! satisfies. Sets of strings are joined along a sequence as long as they stay small; where they would not, the set so far
//! becomes a need and a new one begins. So `(?:un|in)ion\s+select` requires "union" or "inion", and "select", wherever the words
//! stand: this finds inner literals, not only prefixes and suffixes.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind};

use super::{Bounds, Need};

/// Bytes of a class that is still spelled out.
const CLASS: usize = 8;
/// Strings of a set that came about by joining two sets.
const JOINED: usize = 128;
/// Strings of any set.
const STRINGS: usize = 256;
/// Strings of an optional part that are spelled out.
const OPTIONAL: usize = 4;
/// Turns of a counted repeat that are spelled out.
const TURNS: u32 = 8;

/// Needs of a sequence before the rarest are picked.
const NEEDS: usize = 32;

type Strings = BTreeSet<Vec<u8>>;

/// What is known about a part.
#[derive(Clone)]
enum Known {
    /// It matches one of these, in some letter case, and nothing else.
    Exact(Strings),
    /// A match of it satisfies this.
    Need(Need),
}

/// What the literals of a pattern require.
pub(super) fn need(hir: &Hir, bounds: &Bounds) -> Need {
    into_need(known(hir, bounds), bounds)
}

fn known(hir: &Hir, bounds: &Bounds) -> Known {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::Exact(Strings::from([Vec::new()])),
        HirKind::Literal(literal) => Known::Exact(Strings::from([literal.0.to_ascii_lowercase()])),
        HirKind::Class(class) => known_class(class),
        HirKind::Capture(capture) => known(&capture.sub, bounds),
        HirKind::Repetition(repetition) => {
            let part = known(&repetition.sub, bounds);
            if repetition.min == 0 {
                return match part {
                    Known::Exact(mut strings) if repetition.max == Some(1) && strings.len() <= OPTIONAL => {
                        strings.insert(Vec::new());
                        Known::Exact(strings)
                    }
                    _ => Known::Need(Need::Always),
                };
            }
            let mut sequence = Sequence::new(bounds);
            for _ in 0..repetition.min.min(TURNS) {
                sequence.push(&part);
            }
            if repetition.min > TURNS || repetition.max != Some(repetition.min) {
                sequence.push(&Known::Need(Need::Always));
            }
            sequence.finish()
        }
        HirKind::Concat(parts) => {
            let mut sequence = Sequence::new(bounds);
            for part in parts {
                sequence.push(&known(part, bounds));
            }
            sequence.finish()
        }
        HirKind::Alternation(parts) => {
            let parts: Vec<Known> = parts.iter().map(|part| known(part, bounds)).collect();
            let all: Option<usize> = parts
                .iter()
                .map(|part| if let Known::Exact(strings) = part { Some(strings.len()) } else { None })
                .sum();
            if all.is_some_and(|all| all <= STRINGS) {
                let sets =
                    parts.into_iter().filter_map(|part| if let Known::Exact(set) = part { Some(set) } else { None });
                return Known::Exact(sets.flatten().collect());
            }
            Known::Need(Need::any(parts.into_iter().map(|part| into_need(part, bounds)).collect(), bounds))
        }
    }
}

/// A class of few bytes is a set of strings; two cases of a letter are one.
fn known_class(class: &Class) -> Known {
    let bytes = match class {
        Class::Bytes(bytes) => Some(bytes.clone()),
        Class::Unicode(chars) => chars.to_byte_class(),
    };
    let Some(bytes) = bytes else { return Known::Need(Need::Always) };
    let folded: BTreeSet<u8> =
        bytes.iter().flat_map(|range| (range.start()..=range.end()).map(|byte| byte.to_ascii_lowercase())).collect();
    if folded.len() > CLASS {
        return Known::Need(Need::Always);
    }
    Known::Exact(folded.into_iter().map(|byte| vec![byte]).collect())
}

fn into_need(known: Known, bounds: &Bounds) -> Need {
    let strings = match known {
        Known::Need(need) => return need,
        Known::Exact(strings) => strings,
    };
    if strings.iter().any(|string| string.len() < bounds.shortest_literal) {
        return Need::Always;
    }
    let cut = |mut string: Vec<u8>| {
        string.truncate(bounds.longest_literal);
        Need::Literal(string.into())
    };
    Need::any(strings.into_iter().map(cut).collect(), bounds)
}

/// Parts one after the other.
struct Sequence<'b> {
    bounds: &'b Bounds,
    /// What the parts since the last cut can match together.
    strings: Strings,
    /// Whether that is all there is.
    whole: bool,
    needs: Vec<Need>,
}

impl<'b> Sequence<'b> {
    fn new(bounds: &'b Bounds) -> Self {
        Sequence { bounds, strings: Strings::from([Vec::new()]), whole: true, needs: Vec::new() }
    }

    fn push(&mut self, part: &Known) {
        match part {
            Known::Need(need) => {
                self.cut();
                self.needs.push(need.clone());
            }
            Known::Exact(strings) => {
                if !self.joins(strings) {
                    self.cut();
                    self.strings = strings.clone();
                } else if strings.len() != 1 || strings.first().is_some_and(|string| !string.is_empty()) {
                    self.strings = join(&self.strings, strings);
                }
                if self.strings.iter().any(|string| string.len() > self.bounds.longest_literal) {
                    self.cut();
                }
            }
        }
    }

    /// Whether joining more strings to those so far keeps the set small.
    fn joins(&self, more: &Strings) -> bool {
        match (self.strings.len(), more.len()) {
            (_, 0 | 1) | (0 | 1, _) => true,
            (so_far, count) => so_far * count <= JOINED,
        }
    }

    /// Turns the strings so far into a need.
    fn cut(&mut self) {
        self.whole = false;
        let strings = std::mem::replace(&mut self.strings, Strings::from([Vec::new()]));
        self.needs.push(into_need(Known::Exact(strings), self.bounds));
        // Only the rarest will be kept, so a long sequence need not gather them all.
        if self.needs.len() > NEEDS {
            let needs = std::mem::take(&mut self.needs);
            self.needs.push(Need::all(needs, self.bounds));
        }
    }

    fn finish(mut self) -> Known {
        if self.whole {
            return Known::Exact(self.strings);
        }
        self.cut();
        Known::Need(Need::all(self.needs, self.bounds))
    }
}

/// Each string of the first followed by each of the second.
fn join(first: &Strings, second: &Strings) -> Strings {
    first.iter().flat_map(|start| second.iter().map(move |end| [start.as_slice(), end.as_slice()].concat())).collect()
}
