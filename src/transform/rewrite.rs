//! The loop that most transformations share: copy what stands, put something shorter in place of what does not.

use super::Changed;
use memchr::{memchr, memchr2};

/// What becomes of the bytes at the front of the rest of the input.
pub(super) enum Step {
    /// So many bytes stand as they are (at least one).
    Keep(usize),
    /// `take` bytes (at least one) give way to one byte, or to none. They must not be that very byte: `Put` is a change.
    Put {
        /// Bytes taken from the input.
        take: usize,
        /// Byte put in their place.
        byte: Option<u8>,
    },
}

impl Step {
    /// `take` bytes give way to `byte`.
    pub(super) const fn put(take: usize, byte: u8) -> Step {
        Step::Put { take, byte: Some(byte) }
    }

    /// `take` bytes vanish.
    pub(super) const fn drop(take: usize) -> Step {
        Step::Put { take, byte: None }
    }
}

/// Rewrites `input` into `out`: `find` gives the offset of the next byte that may start something, `step` says what it is.
/// Nothing is written before the first real change. Linear as long as `find` and `step` look at no more than they skip or take.
pub(super) fn rewrite(
    input: &[u8],
    out: &mut Vec<u8>,
    find: impl Fn(&[u8]) -> Option<usize>,
    mut step: impl FnMut(&[u8]) -> Step,
) -> Changed {
    let mut changed = Changed::No;
    // `kept` is where the bytes start that stand but are not written yet; `rest` starts at the byte in question.
    let mut kept = input;
    let mut rest = input;
    while let Some(found) = find(rest) {
        rest = rest.get(found..).unwrap_or_default();
        match step(rest) {
            Step::Keep(width) => rest = rest.get(width..).unwrap_or_default(),
            Step::Put { take, byte } => {
                let standing = kept.len().saturating_sub(rest.len());
                out.extend_from_slice(kept.get(..standing).unwrap_or_default());
                out.extend(byte);
                rest = rest.get(take..).unwrap_or_default();
                kept = rest;
                changed = Changed::Yes;
            }
        }
    }
    if changed == Changed::Yes {
        out.extend_from_slice(kept);
    }
    changed
}

/// The offset of the next `byte`: a look at the first byte before the search, whose start-up would cost more than the rest where
/// every byte is a hit.
pub(super) fn find(byte: u8) -> impl Fn(&[u8]) -> Option<usize> {
    move |rest| if rest.first() == Some(&byte) { Some(0) } else { memchr(byte, rest) }
}

/// The offset of the next of two bytes, in the same way.
pub(super) fn find_either(one: u8, other: u8) -> impl Fn(&[u8]) -> Option<usize> {
    move |rest| match rest.first() {
        Some(&first) if first == one || first == other => Some(0),
        _ => memchr2(one, other, rest),
    }
}
