//! How many states of a tail can be alive at once, whatever the text.
//!
//! Two states can be alive together if some text leads to both, which is decided for each pair. States of which no two can are one
//! group, of which one is alive at most: there are no more states alive than there are groups. Counted repeats come out as they are:
//! the states of `.{1,255}` behind a word are as many, but of those whose distance is less than that word needs to come again, one.

use super::tail::{MATCHED, NOWHERE, Tail};
use crate::byteset::ones;

/// A bit for each column of bytes; the edge of the haystack leads nowhere.
type Columns = [u64; 4];

/// Pairs that are looked at, at most.
const MAX_PAIRS: usize = 40_000_000;

/// Where a state leads: over each of these columns to the same list.
struct Way {
    columns: Columns,
    entry: u16,
}

/// The most of everything that one step can meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Most {
    /// States alive.
    pub(super) states: usize,
    /// States that lists of more than two lead to, each as often as it is led to.
    pub(super) listed: usize,
}

/// `until_matched`: a search ends with the first match, wherever it began.
pub(super) fn most(tail: &Tail, until_matched: bool) -> Option<Most> {
    let len = tail.len();
    let ways: Vec<Vec<Way>> = (0..len).map(|state| ways(tail, state as u16)).collect();
    let words = len.div_ceil(64);
    let mut together = vec![0_u64; len * words];
    let mut open: Vec<(u16, u16)> = Vec::new();
    let mut pairs = 0_usize;
    let mut meet = |one: u16, other: u16, open: &mut Vec<(u16, u16)>| {
        let (one, other) = (one.min(other), one.max(other));
        let word = &mut together[usize::from(one) * words + usize::from(other) / 64];
        if *word >> (other % 64) & 1 == 0 {
            *word |= 1 << (other % 64);
            together[usize::from(other) * words + usize::from(one) / 64] |= 1 << (one % 64);
            open.push((one, other));
        }
    };
    for start in tail.starts {
        meet(start, start, &mut open);
    }
    while let Some((one, other)) = open.pop() {
        pairs += 1;
        if pairs > MAX_PAIRS {
            return None;
        }
        for a in &ways[usize::from(one)] {
            for b in &ways[usize::from(other)] {
                if a.columns.iter().zip(b.columns).all(|(a, b)| a & b == 0) {
                    continue;
                }
                if until_matched && (a.entry | b.entry) & MATCHED != 0 {
                    continue;
                }
                for &x in tail.list(a.entry) {
                    for &y in tail.list(b.entry) {
                        meet(x, y, &mut open);
                    }
                }
            }
        }
    }
    let row = |state: usize| &together[state * words..(state + 1) * words];
    // Groups, in order.
    let mut groups: Vec<(Vec<u64>, Vec<u16>)> = Vec::new();
    for state in (0..len).filter(|&state| row(state)[state / 64] >> (state % 64) & 1 == 1) {
        let fits = groups.iter().position(|(group, _)| group.iter().zip(row(state)).all(|(a, b)| a & b == 0));
        let at = fits.unwrap_or_else(|| {
            groups.push((vec![0; words], Vec::new()));
            groups.len() - 1
        });
        groups[at].0[state / 64] |= 1 << (state % 64);
        groups[at].1.push(state as u16);
    }
    let listed = (0..tail.width).map(|column| {
        groups
            .iter()
            .map(|(_, states)| {
                states
                    .iter()
                    .map(|&state| tail.list(tail.entry(state, column)).len())
                    .filter(|&n| n > 2)
                    .max()
                    .unwrap_or(0)
            })
            .sum::<usize>()
    });
    let listed = listed.max().unwrap_or(0);
    let alive = groups.iter().map(|(group, _)| ones(group).count()).sum::<usize>();
    eprintln!("   states {len} reachable {alive} pairs {pairs} groups {} listed {listed}", groups.len());
    Some(Most { states: groups.len(), listed })
}

fn ways(tail: &Tail, state: u16) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for column in 0..tail.width {
        let entry = tail.entry(state, column);
        if entry & !MATCHED == NOWHERE {
            continue;
        }
        let at = ways.iter().position(|way| way.entry == entry).unwrap_or_else(|| {
            ways.push(Way { columns: [0; 4], entry });
            ways.len() - 1
        });
        ways[at].columns[column / 64] |= 1 << (column % 64);
    }
    ways
}
