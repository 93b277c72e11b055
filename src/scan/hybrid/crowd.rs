//! How many states of a tail can be alive at once, whatever the text.
//!
//! Whether some text leads to two states at once is decided for each pair of them. States of which no two can be alive together are a
//! group: as many states as there are groups can be alive, no more. Counted repeats come out as what they are: of the 255 states of
//! `.{1,255}` behind a word, those that lie closer together than that word can follow itself are one group.
//!
//! (The largest set of states of which any two can be alive together is a clique, which is hard to find; groups are a colouring, which
//! bounds it. They are filled first-fit: for repeats, whose states exclude each other by distance, that is near to the best.)

use super::tail::{MATCHED, NOWHERE, Tail};

/// States of a tail that is looked at, at most: a table of two megabytes.
const MAX_STATES: usize = 4096;
/// Pairs of ways and of states that are looked at, at most: about a fifth of a second.
const MAX_STEPS: usize = 40_000_000;

/// The most that one byte can meet in a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scan) struct Crowd {
    /// States that are alive.
    pub(in crate::scan) states: usize,
    /// States in the long lists to which those lead over one column, each as often as it is led to.
    pub(in crate::scan) listed: usize,
}

impl Crowd {
    /// That of all texts.
    pub(super) fn of(tail: &Tail) -> Crowd {
        let groups = match together(tail) {
            Some(pairs) => groups(tail, &pairs),
            // As if all states could be alive at once.
            None => (0..tail.len()).map(|state| vec![state as u16]).collect(),
        };
        // Of each group the state that leads to most.
        let longest = |states: &Vec<u16>, column| {
            let lists = states.iter().map(|&state| tail.list(tail.entry(state, column)).len());
            lists.filter(|len| *len > 2).max().unwrap_or_default()
        };
        let listed = |column| groups.iter().map(|states| longest(states, column)).sum();
        Crowd { states: groups.len(), listed: (0..=tail.width).map(listed).max().unwrap_or_default() }
    }
}

/// The columns over which a state leads to the same list, matched or not.
#[derive(Debug, Default)]
struct Way {
    columns: [u64; 4],
    entry: u16,
}

impl Way {
    fn shares_columns(&self, other: &Way) -> bool {
        self.columns.iter().zip(&other.columns).any(|(one, other)| one & other != 0)
    }
}

/// Where each state leads.
fn ways(tail: &Tail) -> Vec<Vec<Way>> {
    let of_state = |state| {
        let mut ways: Vec<Way> = Vec::new();
        for column in 0..tail.width {
            let entry = tail.entry(state, column);
            let at = ways.iter().position(|way| way.entry == entry).unwrap_or_else(|| {
                ways.push(Way { entry, ..Way::default() });
                ways.len() - 1
            });
            let word = ways.get_mut(at).and_then(|way| way.columns.get_mut(column / 64));
            word.into_iter().for_each(|word| *word |= 1 << (column % 64));
        }
        ways.retain(|way| way.entry != NOWHERE);
        ways
    };
    (0..tail.none()).map(of_state).collect()
}

/// For each state a row of bits, a bit for each state.
struct Pairs {
    words: usize,
    bits: Vec<u64>,
}

impl Pairs {
    fn new(states: usize) -> Pairs {
        let words = states.div_ceil(64);
        Pairs { words, bits: vec![0; states * words] }
    }

    fn row(&self, state: u16) -> &[u64] {
        let from = usize::from(state) * self.words;
        self.bits.get(from..from + self.words).unwrap_or_default()
    }

    fn has(&self, one: u16, other: u16) -> bool {
        let word = self.bits.get(usize::from(one) * self.words + usize::from(other) / 64);
        word.is_some_and(|word| word >> (other % 64) & 1 == 1)
    }

    /// Answers whether the pair is new.
    fn insert(&mut self, one: u16, other: u16) -> bool {
        let word = self.bits.get_mut(usize::from(one) * self.words + usize::from(other) / 64);
        word.is_some_and(|word| {
            let before = *word;
            *word |= 1 << (other % 64);
            *word != before
        })
    }
}

/// The pairs of states to which some text leads, both ways; `None` if it takes too long to find them.
fn together(tail: &Tail) -> Option<Pairs> {
    if tail.len() > MAX_STATES {
        return None;
    }
    let ways = ways(tail);
    // The state of more preference comes first: where the pattern has matched from there, the other one is given up. (A search that
    // ends with any match has no pairs but these.)
    let mut pairs = Pairs::new(tail.len());
    let mut open: Vec<(u16, u16)> = Vec::new();
    for &start in &tail.starts {
        if pairs.insert(start, start) {
            open.push((start, start));
        }
    }
    let mut steps = 0;
    while let Some((first, second)) = open.pop() {
        let mut meet = |one, other| {
            if pairs.insert(one, other) {
                open.push((one, other));
            }
        };
        let (before, behind) = (ways.get(usize::from(first))?, ways.get(usize::from(second))?);
        steps += before.len() * behind.len();
        for way in before {
            let left = tail.list(way.entry);
            if first == second {
                steps += left.len() * left.len();
                for (at, &one) in left.iter().enumerate() {
                    left.iter().skip(at).for_each(|&other| meet(one, other));
                }
                continue;
            }
            if way.entry & MATCHED != 0 {
                continue;
            }
            for right in behind.iter().filter(|right| way.shares_columns(right)) {
                let right = tail.list(right.entry);
                steps += left.len() * right.len();
                left.iter().for_each(|&one| right.iter().for_each(|&other| meet(one, other)));
            }
        }
        if steps > MAX_STEPS {
            return None;
        }
    }
    for one in 0..tail.none() {
        for other in 0..one {
            if pairs.has(one, other) || pairs.has(other, one) {
                pairs.insert(one, other);
                pairs.insert(other, one);
            }
        }
    }
    Some(pairs)
}

/// All states that are alive in some search, in groups of which one is at most.
fn groups(tail: &Tail, pairs: &Pairs) -> Vec<Vec<u16>> {
    let mut groups: Vec<(Vec<u64>, Vec<u16>)> = Vec::new();
    for state in (0..tail.none()).filter(|&state| pairs.has(state, state)) {
        let row = pairs.row(state);
        let fits = |members: &[u64]| members.iter().zip(row).all(|(members, row)| members & row == 0);
        let at = groups.iter().position(|(members, _)| fits(members)).unwrap_or_else(|| {
            groups.push((vec![0; pairs.words], Vec::new()));
            groups.len() - 1
        });
        if let Some((members, states)) = groups.get_mut(at) {
            members.get_mut(usize::from(state) / 64).into_iter().for_each(|word| *word |= 1 << (state % 64));
            states.push(state);
        }
    }
    groups.into_iter().map(|(_, states)| states).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::scan::pattern::{Machine, Pattern};
    use crate::scan::{Engine, Want};

    fn pattern(source: &str) -> Pattern {
        let hir = regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build().parse(source).unwrap();
        Pattern::build(&hir, Want::Span, &Limits::default(), Some(Engine::Hybrid)).unwrap()
    }

    fn crowd(pattern: &Pattern) -> Crowd {
        let Machine::Hybrid(hybrid) = &pattern.forward else { panic!("another engine") };
        assert_eq!(hybrid.crowd, Crowd::of(&hybrid.tail));
        hybrid.crowd
    }

    #[test]
    fn states_of_a_repeat_are_as_many_as_its_word_can_begin_it() {
        // `xab` can come again after three bytes: 60 states, of which a third can be alive. The start is always alive.
        let states = crowd(&pattern("xab.{60}c")).states;
        assert!((21..=25).contains(&states), "{states}");
        // `x` can stand at every place.
        let states = crowd(&pattern("x.{60}c")).states;
        assert!((60..=63).contains(&states), "{states}");
        // Behind the least that is matched nothing need be looked at.
        assert!(crowd(&pattern("x.{1,60}")).states < 10);
    }

    #[test]
    fn no_text_makes_more_states_alive() {
        let mut chance = 7_u64;
        for source in
            ["(?:a|ab){2,9}c", "x.{3,20}y.{2,9}z", r"(?i)c\$?[ab]*a\$?[ab]*t|w[ab]*h", r"\ba+b\b.{4}[xy]{3,}!"]
        {
            let pattern = pattern(source);
            let most = crowd(&pattern);
            let mut dearest = 0;
            let mut walk = pattern.walk().unwrap();
            for _ in 0..20_000 {
                chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let byte = b"abcxyztw$! h"[(chance >> 33) as usize % 12];
                walk = walk.read(byte).0;
                if walk.has_matched() {
                    walk = pattern.walk().unwrap();
                }
                dearest = dearest.max(walk.alive.len());
            }
            assert!(dearest <= most.states, "{source}: {dearest} of {most:?}");
            assert!(most.states <= 4 * dearest, "{source}: {dearest} of {most:?}");
        }
    }
}
