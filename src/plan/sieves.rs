//! Sieves: which tests look at the same values, and what a value must have for each of them.

use crate::byteset::ByteSet;
use crate::detect;
use crate::program::{
    ALPHABETS, Conditions, LEVELS, Link, Look, Node, NodeId, Program, RuleIx, Screen, SelectionId, Sieve, SlotId, Test,
    TestId, TextTest, Trigger,
};
use crate::scan::require;
use std::collections::HashMap;

/// Gives every test that can be screened a slot.
pub(super) fn set(program: &mut Program) {
    let mut open: HashMap<(usize, SelectionId), u32> = HashMap::new();
    let mut sieves: Vec<Draft> = Vec::new();
    let all: Vec<Option<Screens>> = program.tests.iter().map(|test| screens(program, test)).collect();
    let fixed = |selection: SelectionId| program.selections.get(selection.index()).is_some_and(|found| !found.dynamic);
    for (phase, live) in program.schedule.iter().enumerate() {
        for rule in live {
            let Some(planned) = program.rules.get_mut(rule.index()) else { continue };
            for Link { look, .. } in &mut planned.links {
                let Some(Look { selection, node, test, negated: false, multi_match: false, sieve }) = look else {
                    continue;
                };
                let Some(Some(screens)) = all.get(test.index()) else { continue };
                if !fixed(*selection) {
                    continue;
                }
                let at = open.entry((phase, *selection)).or_insert_with(|| {
                    sieves.push(Draft::new(*selection));
                    sieves.len() as u32 - 1
                });
                let slot = (*test, *node);
                if sieves.get(*at as usize).is_some_and(|draft| draft.is_full() && !draft.slots.contains(&slot)) {
                    sieves.push(Draft::new(*selection));
                    *at = sieves.len() as u32 - 1;
                }
                if let Some(draft) = sieves.get_mut(*at as usize) {
                    let known = draft.slots.iter().position(|other| *other == slot);
                    let bit = known.unwrap_or_else(|| draft.add(slot, screens));
                    *sieve = Some(SlotId { sieve: *at, bit: bit as u8 });
                }
            }
        }
    }
    program.gates = program.schedule.each_ref().map(|live| {
        let first = |rule: &RuleIx| program.rules.get(rule.index())?.links.first()?.look?.sieve;
        live.iter().map(first).collect()
    });
    program.sieves = sieves.into_iter().map(|draft| draft.finish(&program.nodes)).collect();
}

/// A sieve in the making.
struct Draft {
    selection: SelectionId,
    slots: Vec<(TestId, NodeId)>,
    levels: [Open; LEVELS],
}

/// Conditions in the making.
#[derive(Default)]
struct Open {
    slots: u64,
    sets: HashMap<ByteSet, u64>,
    lengths: HashMap<usize, u64>,
}

impl Draft {
    fn new(selection: SelectionId) -> Draft {
        Draft { selection, slots: Vec::new(), levels: Default::default() }
    }

    fn is_full(&self) -> bool {
        self.slots.len() >= Sieve::SLOTS
    }

    /// Adds a test behind a pipeline; answers its slot.
    fn add(&mut self, slot: (TestId, NodeId), screens: &Screens) -> usize {
        self.slots.push(slot);
        let slot = self.slots.len() - 1;
        for (open, screen) in self.levels.iter_mut().zip(screens) {
            let Some(screen) = screen else { continue };
            open.slots |= 1 << slot;
            if screen.min_len > 0 {
                *open.lengths.entry(screen.min_len).or_default() |= 1 << slot;
            }
            for set in &screen.any_of {
                *open.sets.entry(*set).or_default() |= 1 << slot;
            }
        }
        slot
    }

    fn finish(self, all: &[Node]) -> Sieve {
        let mut nodes: Vec<(NodeId, u64)> = Vec::new();
        for (slot, (_, node)) in self.slots.iter().enumerate() {
            match nodes.iter_mut().find(|(other, _)| other == node) {
                Some((_, slots)) => *slots |= 1 << slot,
                None => nodes.push((*node, 1 << slot)),
            }
        }
        let found = nodes.iter().filter_map(|(node, _)| all.get(node.index()));
        let trigger = found.fold(Trigger::NEVER, |trigger, node| trigger.or(node.path_trigger));
        let tests = self.slots.iter().map(|(test, _)| *test).collect();
        let levels = self.levels.map(|open| {
            let mut lengths: Vec<_> = open.lengths.into_iter().collect();
            lengths.sort_unstable();
            let mut sets: Vec<_> = open.sets.into_iter().collect();
            // What says no most often, to most tests, first; the rest only so that the order is always the same.
            sets.sort_by_cached_key(|(set, slots)| {
                let no = (1.0 - require::share_of_values(set)) * f64::from(slots.count_ones());
                ((no * -1e6) as i64, *slots, set.iter().collect::<Vec<_>>())
            });
            Conditions { slots: open.slots, lengths, sets }
        });
        Sieve { selection: self.selection, tests, nodes, trigger, levels }
    }
}

/// What any value must have that a test matches, by level; `None` for a level of which it matches none.
type Screens = [Option<Screen>; LEVELS];

/// The screens of a test, if they say anything.
fn screens(program: &Program, test: &Test) -> Option<Screens> {
    let within = |needs: ByteSet| {
        let screen = |bytes| Screen { any_of: vec![bytes], ..Screen::OPEN };
        std::array::from_fn(|level| {
            let bytes = ALPHABETS.get(level).map_or(needs, |alphabet| needs.intersection(*alphabet));
            (!bytes.is_empty()).then(|| screen(bytes))
        })
    };
    let screens = match test {
        Test::Rx(id) | Test::RxGlobal(id) | Test::Verify(_, id) => program.patterns.get(id.index())?.screens.clone(),
        Test::Pm(id) => {
            words(&program.phrases.get(id.index())?.list.iter().map(|phrase| &**phrase).collect::<Vec<_>>())
        }
        Test::Text(TextTest::Within, _) => return None,
        Test::Text(_, text) => words(&[text.constant()?]),
        Test::DetectXss => within(detect::XSS_NEEDS),
        Test::DetectSqli => within(detect::SQLI_NEEDS),
        Test::ByteRange(allowed) => {
            let refused = (0..=255).zip(allowed.iter()).filter(|(_, allowed)| !**allowed);
            within(refused.fold(ByteSet::EMPTY, |set, (byte, _)| set.with(byte)))
        }
        Test::UrlEncoding => within(ByteSet::of(b"%")),
        Test::Utf8Encoding => within(ByteSet::range(0x80, 0xff)),
        _ => return None,
    };
    (!screens.iter().all(|screen| *screen == Some(Screen::OPEN))).then_some(screens)
}

/// What a value must have that contains one of some words.
fn words(words: &[&[u8]]) -> Screens {
    std::array::from_fn(|level| {
        let possible =
            |word: &&&[u8]| ALPHABETS.get(level).is_none_or(|alphabet| ByteSet::in_bytes(word).is_subset(alphabet));
        let words: Vec<_> = words.iter().filter(possible).copied().collect();
        let min_len = words.iter().map(|word| word.len()).min()?;
        let any_of = require::one_of_each(words);
        Some(Screen { min_len, any_of, ..Screen::OPEN })
    })
}
