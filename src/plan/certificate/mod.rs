//! The certificate: what a request of a given size can cost at most, whatever is in it.
//!
//! Every step that a request can make is counted as often as it can be made, at its price. Bytes are either in the request line, in
//! the header fields or in the body, where they are seen most often is what counts; values are counted as if there were as many as
//! there can be of each kind at once. Nothing is taken for shared that need not be: buffers may have to be made again.
//! Not counted: phases 3 and 4, which have what the answer earns. A body with content codings has the bytes that came and those that came
//! out of them.

mod extent;

use super::price::test_price;
use crate::limits::Limits;
use crate::meter::Price;
use crate::program::{Link, Loaded, Look, PlannedRule, Selection, Step, Test, TextPart, Which};
use crate::rule::{Phase, RuleId};
use extent::{ByOrigin, Extent, Size};
use std::collections::BTreeSet;

/// What requests of one size can cost at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Bytes of request line, headers and body; of a coded body those that came and those that came out.
    pub bytes: usize,
    /// Fuel, without a budget.
    pub fuel: u64,
    /// Fuel of each phase, 1 to 5; none of 3 and 4.
    pub by_phase: [u64; 5],
    /// What each rule can cost, dearest first, without what all share.
    pub rules: Vec<(RuleId, u64)>,
}

/// Bounds the fuel of requests of `bytes` bytes, phases 1, 2 and 5.
pub fn bound(loaded: &Loaded, bytes: usize) -> Bound {
    let size = Size::new(loaded.program(), bytes);
    let mut bound = Bound { bytes, fuel: 0, by_phase: [0; 5], rules: Vec::new() };
    let mut total = Sum::default();
    for phase in [Phase::RequestHeaders, Phase::RequestBody, Phase::Logging] {
        let mut sum = prepared(&size, phase);
        sum.and(&sieved(&size, loaded, phase));
        sum.and(&selected(&size, phase));
        for rule in size.program.schedule.iter().skip(phase.index()).take(1).flatten() {
            let (Some(planned), Some(source)) = (size.program.rules.get(rule.index()), size.program.source(*rule))
            else {
                continue;
            };
            let of_rule = ruled(&size, planned);
            bound.rules.push((source.id, of_rule.most()));
            sum.and(&of_rule);
        }
        bound.by_phase[phase.index()] = sum.most();
        total.and(&sum);
    }
    bound.rules.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    bound.fuel = total.most();
    bound
}

/// The largest size, in bytes, of which no request can spend the budget that it earns under these limits; `None` if not even an empty
/// one is safe.
pub fn largest_proven(loaded: &Loaded, limits: &Limits) -> Option<usize> {
    let holds = |bytes: usize| bound(loaded, bytes).fuel <= limits.budget(bytes);
    // Sizes above one that is not proven may be, where the budget grows faster than the bound: they are not asked for.
    let (mut proven, mut open) = (0, 1);
    while open <= 64 << 20 && holds(open) {
        (proven, open) = (open, open * 2);
    }
    while open - proven > 1 {
        let middle = proven + (open - proven) / 2;
        if holds(middle) { proven = middle } else { open = middle }
    }
    (proven > 0 || holds(0)).then_some(proven)
}

/// Fuel: what does not depend on where bytes are, and what does.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    fixed: u128,
    bytes: ByOrigin,
}

impl Sum {
    fn and(&mut self, other: &Sum) {
        self.fixed = self.fixed.saturating_add(other.fixed);
        self.bytes.add(other.bytes, 1);
    }

    /// A step on each value of an extent, so many times.
    fn step(&mut self, price: Price, extent: &Extent, times: u128) {
        let per_kib = u128::from(price.per_kib);
        // Each value rounds up.
        let calls = extent.values * (u128::from(price.per_call) + 1) + (extent.fixed * per_kib).div_ceil(1024);
        self.fixed = self.fixed.saturating_add(calls.saturating_mul(times));
        let mut scaled = extent.bytes;
        scaled.0.iter_mut().for_each(|bytes| *bytes = bytes.saturating_mul(per_kib).div_ceil(1024));
        self.bytes.add(scaled, times);
    }

    fn most(&self) -> u64 {
        let dearest = self.bytes.0.into_iter().max().unwrap_or_default();
        u64::try_from(self.fixed.saturating_add(dearest)).unwrap_or(u64::MAX)
    }
}

/// Entering a rule, looking at a value for it, and finding that value after its transformations.
const ENTER: u128 = 8;
const VISIT: Price = Price::new(24, 0);
const LOOK_UP: Price = Price::new(4, 0);
/// Comparing a name, and making a value for one look.
const COMPARE: Price = Price::new(3, 0);
const MAKE: Price = Price::new(16, 128);
/// Reading the bytes of a value for what is in it.
const CLASSIFY: Price = Price::new(32, 512);
/// Storing the ten groups of a match.
const CAPTURE: Price = Price::new(100, 10 * 128);
/// A match record, without its texts.
const RECORD: u128 = 2_400;
/// Copying what a macro stands for and storing it.
const WRITE: Price = Price::new(64, 512);

/// Reading the request: the parsers, and the values that are made of what they find.
fn prepared(size: &Size<'_>, phase: Phase) -> Sum {
    let n = size.bytes;
    let mut sum = Sum { fixed: 4_000, bytes: ByOrigin::default() };
    let levels = size.program.ruleset.settings.nested_decoding as u128 + 1;
    let arguments = 60 * size.arguments();
    match phase {
        // Request line, arguments of the query, header fields, cookies, each copied and looked through.
        Phase::RequestHeaders => {
            sum.fixed += arguments;
            sum.bytes.0 = [24 * n, 64 * n, 0];
        }
        // The dearest reader (fields of Protobuf in gRPC, leaves of JSON in GraphQL), documents in arguments, and codings: a byte of
        // them that brings nothing is the dearest.
        Phase::RequestBody => {
            sum.fixed += arguments * levels + (64 << 10) * levels;
            sum.bytes.0 = [112 * n * levels, 0, (1_600 + 112 * levels) * n];
        }
        _ => sum.bytes.0 = [4 * n, 4 * n, 4 * n],
    }
    sum
}

/// One look at each value for all rules of a phase.
fn sieved(size: &Size<'_>, loaded: &Loaded, phase: Phase) -> Sum {
    let mut sum = Sum::default();
    let Some(sieve) = size.program.sieves.get(phase.index()) else { return sum };
    let looks = 1 + sieve.nodes.len() as u128;
    for shown in &sieve.variables {
        let extent = size.variable(shown.variable);
        // Nodes, and checks that are gone through one by one.
        sum.step(Price::new(sieve.most().saturating_add(14), 0), &extent, 1);
        sum.step(Price::new(64, 0), &extent, looks);
        sum.step(searched(loaded), &extent, looks);
        for node in &sieve.nodes {
            transformed(size, node.node.index(), &extent, &mut sum);
        }
    }
    sum
}

/// Finding the words and windows of a buffer.
fn searched(loaded: &Loaded) -> Price {
    let literals = loaded.literals(false).map_or(Price::default(), |literals| literals.price());
    literals.plus(crate::scan::Windows::PRICE)
}

/// Taking values through a pipeline; answers how many times longer they may become, in 1/1024.
fn transformed(size: &Size<'_>, node: usize, extent: &Extent, sum: &mut Sum) -> u128 {
    let mut growth = 1024_u128;
    let Some(planned) = size.program.nodes.get(node) else { return growth };
    for step in planned.path.iter().filter_map(|node| size.program.nodes.get(node.index())) {
        let Some((_, step)) = step.step else { continue };
        let price = step.price();
        sum.step(grown(price.plus(LOOK_UP), growth), extent, 1);
        const UNIT: usize = 4096;
        growth = growth * (step.max_output(UNIT).max(UNIT) as u128) / UNIT as u128;
        sum.step(grown(CLASSIFY, growth), extent, 1);
    }
    growth
}

/// The price on a value that has become longer.
fn grown(price: Price, growth: u128) -> Price {
    let per_kib = u64::try_from(u128::from(price.per_kib) * growth / 1024 + 1).unwrap_or(u64::MAX);
    Price::new(price.per_call, per_kib)
}

/// Finding out what the selections of a phase select, each once; those that actions change are counted where they are used.
fn selected(size: &Size<'_>, phase: Phase) -> Sum {
    let mut sum = Sum::default();
    let rules = size.program.schedule.iter().skip(phase.index()).take(1).flatten();
    let links = rules.filter_map(|rule| size.program.rules.get(rule.index())).flat_map(|rule| &rule.links);
    let used: BTreeSet<usize> = links.filter_map(|link| link.look).map(|look| look.selection.index()).collect();
    for selection in used.into_iter().filter_map(|at| size.program.selections.get(at)) {
        resolved(size, selection, &mut sum);
    }
    sum
}

fn resolved(size: &Size<'_>, selection: &Selection, sum: &mut Sum) {
    let members = size.selection(selection, true);
    sum.step(COMPARE.plus(MAKE), &members, 1);
    sum.step(COMPARE, &members, selection.exclusions.len() as u128);
    let sources = selection.targets.iter().chain(&selection.exclusions);
    for pattern in
        sources.filter_map(|source| if let Which::Regex(pattern) = source.which { Some(pattern) } else { None })
    {
        let price = size.program.patterns.get(pattern.index()).map_or(Price::default(), |plan| plan.price);
        // Names of arguments are as long as their values can be.
        sum.step(price.plus(Price::new(16, 1024)), &members, 1);
    }
    sum.fixed += 64 * selection.targets.len() as u128;
}

fn ruled(size: &Size<'_>, planned: &PlannedRule) -> Sum {
    let mut sum = Sum { fixed: ENTER, bytes: ByOrigin::default() };
    for link in &planned.links {
        linked(size, link, &mut sum);
    }
    // One record: its texts, the name and the value that have matched.
    let texts = planned.msg.iter().chain(&planned.logdata).chain(&planned.tags).chain(&planned.redirect);
    let parts = texts.flat_map(|text| &text.parts);
    let written: u128 = parts.map(|part| written(size, part)).sum();
    sum.fixed += RECORD + size.longest_name() + written;
    sum
}

fn linked(size: &Size<'_>, link: &Link, sum: &mut Sum) {
    let Some(Look { selection, node, test, multi_match, .. }) = link.look else {
        let once = Extent { values: 1, bytes: ByOrigin([size.bytes; 3]), fixed: 0 };
        link.actions.iter().for_each(|step| acted(size, step, &once, sum));
        return;
    };
    let (Some(selection), Some(test)) =
        (size.program.selections.get(selection.index()), size.program.tests.get(test.index()))
    else {
        return;
    };
    if selection.dynamic {
        resolved(size, selection, sum);
    }
    let extent = size.selection(selection, false);
    sum.step(VISIT.plus(LOOK_UP).plus(CLASSIFY), &extent, 1);
    let growth = transformed(size, node.index(), &extent, sum);
    let stages = if multi_match {
        1 + size.program.nodes.get(node.index()).map_or(0, |node| node.path.len() as u128)
    } else {
        1
    };
    let extent = long_enough(size, test, growth, extent);
    sum.step(grown(test_price(size.program, test), growth), &extent, stages);
    if link.capture {
        sum.step(grown(CAPTURE, growth), &extent, stages);
    }
    // Actions run at each match.
    let mut actions = Sum::default();
    link.actions.iter().for_each(|step| acted(size, step, &extent, &mut actions));
    for _ in 0..stages {
        sum.and(&actions);
    }
}

/// The values that are tested at all: shorter ones cannot match.
fn long_enough(size: &Size<'_>, test: &Test, growth: u128, extent: Extent) -> Extent {
    let screens = size.program.screens(test).into_iter().flatten().flatten();
    let shortest = screens.map(|screen| screen.min_len).min().unwrap_or(0) as u128;
    let bytes = extent.bytes.0.into_iter().max().unwrap_or_default().saturating_add(extent.fixed);
    let fit = (bytes.saturating_mul(growth) / 1024).checked_div(shortest).unwrap_or(extent.values);
    Extent { values: extent.values.min(fit), ..extent }
}

/// An action at each value of an extent.
fn acted(size: &Size<'_>, step: &Step, extent: &Extent, sum: &mut Sum) {
    let price = super::price::step_price(size.program, step);
    sum.step(Price::new(price.saturating_add(64), 0), extent, 1);
    for part in step.texts().into_iter().flat_map(|text| &text.parts) {
        match part {
            TextPart::Literal(text) => {
                sum.step(WRITE, &Extent { fixed: extent.values * text.len() as u128, ..bare(extent) }, 1);
            }
            // The value that has matched: as many bytes as there are.
            TextPart::Variable(variable, _) if variable.name().starts_with("MATCHED_VAR") => sum.step(WRITE, extent, 1),
            TextPart::Tx(key) if key.index() < 10 => sum.step(WRITE, extent, 1),
            TextPart::Tx(key) => {
                sum.step(WRITE, &Extent { fixed: extent.values * size.entry(*key), ..bare(extent) }, 1)
            }
            _ => sum.fixed += extent.values * expansion(size),
        }
    }
}

/// As many values without bytes.
fn bare(extent: &Extent) -> Extent {
    Extent { values: extent.values, ..Extent::default() }
}

/// Expanding a macro of any variable: finding it, and copying it as far as it fits.
fn expansion(size: &Size<'_>) -> u128 {
    let bytes = (size.bytes + size.longest_name()).min(size.program.limits.macro_bytes as u128);
    256 + 6 * size.arguments() + bytes / 2
}

/// A piece of a text in a record: found, copied, and made fit for a line.
fn written(size: &Size<'_>, part: &TextPart) -> u128 {
    let line = size.program.limits.log_line_bytes as u128 + 1;
    match part {
        TextPart::Literal(text) => 16 + 2 * text.len() as u128,
        TextPart::Tx(key) => 16 + 2 * size.entry(*key).min(line),
        TextPart::Variable(..) | TextPart::Matching(..) => {
            expansion(size) + (size.bytes + size.longest_name()).min(line)
        }
    }
}
