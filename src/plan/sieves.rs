//! Sieves: which tests of a phase can be screened, and what a value must have for each of them.

use crate::byteset::{ByteSet, ones};
use crate::detect;
use crate::program::{
    ALPHABETS, Check, Conditions, LEVELS, Link, Look, Need, Node, NodeId, Program, RuleIx, Screen, SelectionId, Sieve,
    SieveNode, SieveVariable, Slot, SlotId, Source, Test, TestId, TextTest, Trigger, Which,
};
use crate::scan::Windows;
use crate::scan::require::{self, Window};
use crate::transform::Reach;
use std::collections::HashMap;

/// Gives every test that can be screened a slot; none without `prefilter`.
pub(super) fn set(program: &mut Program, prefilter: bool) {
    let all: Vec<Option<Screens>> = program.tests.iter().map(|test| screens(program, test)).collect();
    for phase in 0..program.schedule.len() {
        let Some(live) = program.schedule.get(phase).cloned() else { continue };
        let mut draft = Draft::new();
        for rule in live.iter().filter(|_| prefilter) {
            let Some(mut links) = program.rules.get_mut(rule.index()).map(|planned| std::mem::take(&mut planned.links))
            else {
                continue;
            };
            for Link { look, .. } in &mut links {
                let Some(look) = look else { continue };
                let screened = all.get(look.test.index()).and_then(Option::as_ref);
                look.sieve = screened.and_then(|screens| draft.slot(look, screens, program));
            }
            if let Some(planned) = program.rules.get_mut(rule.index()) {
                planned.links = links;
            }
        }
        let gate = |rule: &RuleIx| program.rules.get(rule.index())?.links.first()?.look?.sieve;
        let gates: Vec<_> = live.iter().map(gate).collect();
        let sieve = draft.finish(&gates, program);
        if let Some(place) = program.sieves.get_mut(phase) {
            *place = sieve;
        }
    }
}

/// A sieve in the making.
struct Draft {
    sieve: Sieve,
    targets: Vec<Source>,
    levels: [Open; LEVELS],
    slots: HashMap<(SelectionId, NodeId, TestId, bool), SlotId>,
    /// Windows that checks ask for if there is room for them.
    wanted: Vec<Wanted>,
}

/// Conditions in the making.
#[derive(Default)]
struct Open {
    /// Checks that are found by a byte of the set, or always.
    by_byte: Vec<(Option<ByteSet>, Check)>,
    /// Checks that are found by one of these literals.
    by_literal: Vec<(Vec<u32>, Check)>,
    sets: Vec<ByteSet>,
    needs: Vec<Need>,
    cuts: Vec<u128>,
}

/// Windows of which a value must have one.
struct Wanted {
    slot: SlotId,
    /// A guess at the share of values of which nothing else says that they cannot pass, more for a dear test.
    spared: f64,
    cut: Vec<Window>,
}

/// A price of a KiB above that of automata that look at each byte once, and what it makes of the windows of such a test.
const DEAR: u64 = 8192;
const DEAR_WEIGHT: f64 = 4.0;
/// Windows that spare less are not searched for.
const WORTH: f64 = 0.04;
/// A guess at the share of values that have the literals of a check.
const WITH_LITERALS: f64 = 0.3;

impl Draft {
    fn new() -> Draft {
        let sieve = Sieve { nodes: vec![pipeline(NodeId::ROOT, &[])], ..Sieve::default() };
        Draft { sieve, targets: Vec::new(), levels: Default::default(), slots: HashMap::new(), wanted: Vec::new() }
    }

    /// The slot of a look, if it can have one.
    fn slot(&mut self, look: &Look, screens: &Screens, program: &Program) -> Option<SlotId> {
        let key = (look.selection, look.node, look.test, look.multi_match);
        if let Some(known) = self.slots.get(&key) {
            return (!look.negated).then_some(*known);
        }
        let selection = program.selections.get(look.selection.index())?;
        // A number of members is no value that lasts, nor is what rules write.
        if look.negated || selection.dynamic || selection.targets.iter().any(|target| target.count) {
            return None;
        }
        let mut targets = selection.targets.iter().map(|target| self.target(target));
        let targets = targets.try_fold(0, |all, target| Some(all | 1_u64 << target?))?;
        let path = &program.nodes.get(look.node.index())?.path;
        let behind = if look.multi_match { path.as_slice() } else { std::slice::from_ref(&look.node) };
        let root = look.multi_match.then_some(&NodeId::ROOT);
        let nodes: Vec<_> =
            root.into_iter().chain(behind).map(|node| self.node(*node, &program.nodes)).collect::<Option<_>>()?;
        let slot = SlotId::new(self.sieve.slots.len());
        self.slots.insert(key, slot);
        let Look { selection, node, test, multi_match, .. } = *look;
        self.sieve.slots.push(Slot { selection, node, test, multi_match, targets, gates: Vec::new() });
        self.want(slot, test, screens, program);
        for (open, screen) in self.levels.iter_mut().zip(screens) {
            let Some(screen) = screen else { continue };
            for node in &nodes {
                let check = Check { slot, targets, node: *node, min_len: 0, sets: (0, 0), need: None, cuts: (0, 0) };
                open.add(check, screen);
            }
        }
        for node in nodes {
            if let Some(node) = self.sieve.nodes.get_mut(usize::from(node)) {
                node.slots.push(slot);
                node.targets |= targets;
            }
        }
        Some(slot)
    }

    /// The bit of a target, if there is room for it: else that of all members of its variable.
    fn target(&mut self, target: &Source) -> Option<usize> {
        let known = |targets: &[Source], wanted: &Source| targets.iter().position(|other| other == wanted);
        // What there is no room for is looked at with all members of the variable.
        let all = Source { which: Which::All, ..target.clone() };
        let wanted = if self.targets.len() < Sieve::TARGETS { target } else { &all };
        if let Some(at) = known(&self.targets, target).or_else(|| known(&self.targets, wanted)) {
            return Some(at);
        }
        let room = self.targets.len() < Sieve::TARGETS;
        if room {
            self.targets.push(wanted.clone());
        }
        room.then(|| self.targets.len() - 1)
    }

    /// The variables of all targets.
    fn variables(&self) -> Vec<SieveVariable> {
        let mut variables: Vec<SieveVariable> = Vec::new();
        for (at, target) in self.targets.iter().enumerate() {
            let known = variables.iter().position(|known| known.variable == target.variable).unwrap_or_else(|| {
                variables.push(SieveVariable { variable: target.variable, all: 0, named: Vec::new() });
                variables.len() - 1
            });
            match &target.which {
                Which::Key(key) => variables[known].named.push((key.clone(), 1 << at)),
                // Whether a pattern finds the name is asked when the rule comes up.
                Which::All | Which::Tx(_) | Which::Regex(_) => variables[known].all |= 1 << at,
            }
        }
        variables
    }

    /// The place of a pipeline, if there is room for it.
    fn node(&mut self, node: NodeId, all: &[Node]) -> Option<u8> {
        let nodes = &mut self.sieve.nodes;
        let at = nodes.iter().position(|other| other.node == node);
        if at.is_none() && nodes.len() < Sieve::NODES {
            nodes.push(pipeline(node, all));
        }
        let at = at.unwrap_or(nodes.len() - 1);
        nodes.get(at).filter(|found| found.node == node).and_then(|_| u8::try_from(at).ok())
    }

    /// Notes the windows of a test that spare something.
    fn want(&mut self, slot: SlotId, test: TestId, screens: &Screens, program: &Program) {
        let dear = match program.tests.get(test.index()) {
            Some(Test::Rx(id)) => program.patterns.get(id.index()).is_some_and(|plan| plan.price.per_kib > DEAR),
            _ => false,
        };
        let weight = if dear { DEAR_WEIGHT } else { 1.0 };
        let Some(screen) = screens.last().and_then(Option::as_ref) else { return };
        let rarest = screen.any_of.iter().map(require::share_of_values).fold(1.0, f64::min);
        let known = if screen.need == Need::Always { rarest } else { rarest * WITH_LITERALS };
        for cut in &screen.windows {
            let spared = weight * (known - known.min(require::share_of_windows(cut)));
            if spared >= WORTH {
                self.wanted.push(Wanted { slot, spared, cut: cut.clone() });
            }
        }
    }

    /// Gives windows their bits, those that spare most first, and checks their cuts. What any value must have is asked of those of
    /// all levels.
    fn cuts(&mut self) {
        let mut wanted = std::mem::take(&mut self.wanted);
        wanted.sort_by(|a, b| b.spared.total_cmp(&a.spared));
        let mut known: HashMap<SlotId, Vec<u128>> = HashMap::new();
        for Wanted { slot, cut, .. } in wanted {
            let bits = bits(&cut, &mut self.sieve.windows);
            bits.into_iter().for_each(|bits| known.entry(slot).or_default().push(bits));
        }
        for open in &mut self.levels {
            let checks = open.by_byte.iter_mut().map(|(_, check)| check);
            for check in checks.chain(open.by_literal.iter_mut().map(|(_, check)| check)) {
                let first = open.cuts.len() as u32;
                open.cuts.extend(known.get(&check.slot).into_iter().flatten());
                check.cuts = (first, open.cuts.len() as u32);
            }
        }
    }

    fn finish(mut self, gates: &[Option<SlotId>], program: &Program) -> Sieve {
        self.sieve.trigger = self.sieve.nodes.iter().fold(Trigger::NEVER, |trigger, node| trigger.or(node.trigger));
        self.sieve.variables = self.variables();
        self.cuts();
        self.sieve.levels = self.levels.map(|open| open.finish(program.literal_words() * 64, self.sieve.nodes.len()));
        self.sieve.ungated = vec![0; gates.len().div_ceil(64)];
        for (position, gate) in gates.iter().enumerate() {
            match gate.and_then(|slot| self.sieve.slots.get_mut(slot.index())) {
                Some(slot) => slot.gates.push(position as u32),
                None => insert(&mut self.sieve.ungated, position),
            }
        }
        self.sieve
    }
}

impl Open {
    /// Adds a check of a screen.
    fn add(&mut self, mut check: Check, screen: &Screen) {
        check.min_len = u32::try_from(screen.min_len).unwrap_or(u32::MAX);
        let mut sets = screen.any_of.clone();
        sets.sort_by(|a, b| require::share_of_values(a).total_cmp(&require::share_of_values(b)));
        // Literals lead to the check, or else the set that values have least often a byte of.
        let leads = screen.need.rarest();
        let led = sets.first().copied();
        if leads.is_some() {
            self.needs.push(screen.need.clone());
            check.need = Some(self.needs.len() as u32 - 1);
        }
        let start = self.sets.len() as u32;
        self.sets.append(&mut sets);
        check.sets = (start, self.sets.len() as u32);
        match leads {
            Some(literals) => self.by_literal.push((literals, check)),
            None => self.by_byte.push((led, check)),
        }
    }

    fn finish(self, literals: usize, nodes: usize) -> Conditions {
        let open = self.by_byte.len();
        let width = open.div_ceil(64);
        let mut by_byte = vec![0; 257 * width];
        for (at, (set, _)) in self.by_byte.iter().enumerate() {
            match set {
                None => insert(&mut by_byte, at),
                Some(set) => {
                    set.iter().for_each(|byte| insert(&mut by_byte, (usize::from(byte) + 1) * width * 64 + at))
                }
            }
        }
        let mut by_target = vec![0; Sieve::TARGETS * width];
        for (at, (_, check)) in self.by_byte.iter().enumerate() {
            ones(&[check.targets]).for_each(|target| insert(&mut by_target, target * width * 64 + at));
        }
        let mut led: Vec<Vec<u32>> = vec![Vec::new(); if self.by_literal.is_empty() { 0 } else { literals }];
        for (at, (literals, _)) in self.by_literal.iter().enumerate() {
            for literal in literals {
                if let Some(checks) = led.get_mut(*literal as usize) {
                    checks.push((open + at) as u32);
                }
            }
        }
        let mut literal_checks = Vec::new();
        let mut by_literal = Vec::with_capacity(led.len() + 1);
        for checks in &mut led {
            by_literal.push(literal_checks.len() as u32);
            literal_checks.append(checks);
        }
        if !by_literal.is_empty() {
            by_literal.push(literal_checks.len() as u32);
        }
        let checks = self.by_byte.into_iter().map(|(_, check)| check);
        let checks: Vec<Check> = checks.chain(self.by_literal.into_iter().map(|(_, check)| check)).collect();
        let literal_targets = checks.iter().skip(open).fold(0, |targets, check| targets | check.targets);
        let mut node_checks = Vec::with_capacity(checks.len());
        let mut by_node = vec![0];
        for node in 0..nodes {
            let own = (0..).zip(&checks).filter(|(_, check)| usize::from(check.node) == node);
            node_checks.extend(own.map(|(at, _): (u32, _)| at));
            by_node.push(node_checks.len() as u32);
        }
        Conditions {
            checks,
            open,
            by_byte,
            by_target,
            by_literal,
            literal_checks,
            literal_targets,
            by_node,
            node_checks,
            sets: self.sets,
            needs: self.needs,
            cuts: self.cuts,
        }
    }
}

/// The bits of windows in the sieve's list, to which they are added; none if there is no room for all of them.
fn bits(cut: &[Window], windows: &mut Vec<Window>) -> Option<u128> {
    let new: Vec<_> = cut.iter().filter(|window| !windows.contains(window)).copied().collect();
    if windows.len() + new.len() > Windows::MOST {
        return None;
    }
    windows.extend(new);
    let numbers = (0..).zip(windows.iter()).filter(|(_, window)| cut.contains(window));
    Some(numbers.fold(0, |bits, (number, _): (u32, _)| bits | 1 << number))
}

/// A pipeline, no slots behind it yet.
fn pipeline(node: NodeId, all: &[Node]) -> SieveNode {
    let planned = all.get(node.index());
    let path = planned.map(|planned| planned.path.as_slice()).unwrap_or_default();
    let steps =
        path.iter().filter_map(|step| all.get(step.index())).filter_map(|step| Some((step.trigger, step.step?.1)));
    SieveNode {
        node,
        slots: Vec::new(),
        targets: 0,
        trigger: planned.map_or(Trigger::NEVER, |planned| planned.path_trigger),
        reach: steps.clone().fold(Reach::default(), |reach, (_, step)| reach.or(step.reach())),
        shapes: steps
            .filter(|(_, step)| !step.keeps_words())
            .fold(ByteSet::EMPTY, |all, (own, _)| all.union(own.bytes)),
    }
}

fn insert(set: &mut [u64], at: usize) {
    if let Some(word) = set.get_mut(at / 64) {
        *word |= 1 << (at % 64);
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
        Test::Text(TextTest::Within, _) => return None,
        Test::Text(_, text) => words(&[text.constant()?], None),
        Test::DetectXss => within(detect::XSS_NEEDS),
        Test::DetectSqli => within(detect::SQLI_NEEDS),
        Test::ByteRange(allowed) => {
            let refused = (0..=255).zip(allowed.iter()).filter(|(_, allowed)| !**allowed);
            within(refused.fold(ByteSet::EMPTY, |set, (byte, _)| set.with(byte)))
        }
        Test::UrlEncoding => within(ByteSet::of(b"%")),
        Test::Utf8Encoding => within(ByteSet::range(0x80, 0xff)),
        other => program.screens(other)?.clone(),
    };
    (!screens.iter().all(|screen| *screen == Some(Screen::OPEN))).then_some(screens)
}

/// What a value must have that contains one of some words: these bytes, and the literal that stands for all of them.
pub(super) fn words(words: &[&[u8]], literal: Option<u32>) -> Screens {
    let words: Vec<(usize, ByteSet)> = words.iter().map(|word| (word.len(), ByteSet::in_bytes(word))).collect();
    std::array::from_fn(|level| {
        let possible = |bytes: &ByteSet| ALPHABETS.get(level).is_none_or(|alphabet| bytes.is_subset(alphabet));
        let possible = words.iter().filter(|(_, bytes)| possible(bytes));
        let min_len = possible.clone().map(|(len, _)| *len).min()?;
        let need = literal.map_or(Need::Always, Need::Literal);
        let any_of = require::one_of_each(possible.map(|(_, bytes)| *bytes));
        Some(Screen { min_len, any_of, need, windows: Vec::new() })
    })
}
