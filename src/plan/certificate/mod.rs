//! The certificate: what a request of a given size can cost at most, whatever is in it.
//!
//! Every step that a request can make is counted as often as it can be made, at its price. Bytes are in the request line, in the header
//! fields or in a body of one kind, and so are the values that they make: where they cost most is what counts. Nothing is taken for
//! shared that need not be: buffers may have to be made again. Rules run as often as if none was switched off or removed.
//! Not counted: phases 3 and 4, which have what the answer earns. A body with content codings has the bytes that came and those that came
//! out of them.

mod amount;
mod endings;
mod extent;

use super::price::test_price;
use crate::limits::Limits;
use crate::meter::Price;
use crate::program::{Link, Loaded, Look, LookPrice, PlannedRule, Selection, Step, Test, TextPart, Which};
use crate::rule::{Phase, RuleId};
use crate::transform::Transformation;
use amount::{Amount, Origin};
use extent::{Extent, Size};
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

/// Bounds the fuel of requests of `bytes` bytes, phases 1, 2 and 5. Who asks for many sizes asks [`bounds`].
pub fn bound(loaded: &Loaded, bytes: usize) -> Bound {
    bounds(loaded)(bytes)
}

/// [`bound`] for any number of sizes: what does not depend on them is worked out once.
pub fn bounds(loaded: &Loaded) -> impl Fn(usize) -> Bound {
    let looks = looks(loaded);
    move |bytes| bound_with(loaded, &looks, bytes)
}

/// What a look at a value costs for the sieve of each phase.
fn looks(loaded: &Loaded) -> Vec<LookPrice> {
    let together = endings::of(loaded.program());
    loaded.program().sieves.iter().map(|sieve| sieve.look(&together)).collect()
}

fn bound_with(loaded: &Loaded, looks: &[LookPrice], bytes: usize) -> Bound {
    let size = Size::new(loaded, bytes);
    let mut bound = Bound { bytes, fuel: 0, by_phase: [0; 5], rules: Vec::new() };
    let mut total = Sum::default();
    for phase in [Phase::RequestHeaders, Phase::RequestBody, Phase::Logging] {
        let mut sum = prepared(&size, phase);
        sum.and(&sieved(&size, loaded, looks, phase));
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
    let bound = bounds(loaded);
    let holds = |bytes: usize| bound(bytes).fuel <= limits.budget(bytes);
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

/// Fuel of steps that are added up.
#[derive(Debug, Clone, Copy, Default)]
struct Sum(Amount);

impl Sum {
    fn and(&mut self, other: &Sum) {
        self.0 = self.0.plus(other.0);
    }

    fn fixed(&mut self, fuel: u128) {
        self.0 = self.0.and(fuel);
    }

    /// A step on each value of an extent, so many times.
    fn step(&mut self, price: Price, extent: &Extent, times: u128) {
        // Each value rounds up.
        let calls = extent.values.times(u128::from(price.per_call) + 1);
        self.0 = self.0.plus(calls.plus(extent.bytes.share(price.per_kib.into())).times(times));
    }

    fn most(&self) -> u64 {
        u64::try_from(self.0.most()).unwrap_or(u64::MAX)
    }
}

/// Entering a rule, looking at a value for it, and finding that value after its transformations.
const ENTER: u128 = 8;
const VISIT: Price = Price::new(24, 0);
const LOOK_UP: Price = Price::new(4, 0);
/// Comparing a name, and making a value for one look.
const COMPARE: Price = Price::new(4, 0);
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
    let mut sum = Sum(Amount::fixed(5_000));
    let levels = size.program.ruleset.settings.nested_decoding as u128 + 1;
    let arguments = 60 * size.arguments();
    let mut at = |origins: &[Origin], fuel: u128| sum.0 = sum.0.plus(Amount::of(origins, fuel));
    match phase {
        // Request line, arguments of the query, header fields, cookies, each copied and looked through.
        Phase::RequestHeaders => {
            at(&[Origin::Line], 24 * n);
            at(&[Origin::Headers], 64 * n);
            sum.fixed(arguments);
        }
        // The dearest reader (fields of Protobuf in gRPC, leaves of JSON in GraphQL), documents in arguments, and codings: a byte of
        // them that brings nothing is the dearest.
        Phase::RequestBody => {
            at(&[Origin::Line], 112 * n * levels);
            at(&Origin::BODIES, (1_600 + 112 * levels) * n);
            sum.fixed(arguments * levels + (64 << 10) * levels);
        }
        _ => at(&Origin::ALL, 4 * n),
    }
    sum
}

/// One look at each value for all rules of a phase.
fn sieved(size: &Size<'_>, loaded: &Loaded, looks: &[LookPrice], phase: Phase) -> Sum {
    let mut sum = Sum::default();
    let (Some(sieve), Some(look)) = (size.program.sieves.get(phase.index()), looks.get(phase.index())) else {
        return sum;
    };
    let looks = 1 + sieve.nodes.len() as u128;
    for shown in &sieve.variables {
        let extent = size.variable(shown.variable);
        // Checks are found by the bytes and words of a value: no more than all of them, and no more than it has bytes for.
        let (mut by_bytes, mut all) = (Sum::default(), Sum::default());
        by_bytes.step(look.by_bytes, &extent, looks);
        all.step(Price::new(look.all, 0), &extent, looks);
        sum.and(if all.most() < by_bytes.most() { &all } else { &by_bytes });
        sum.step(Price::new(16, 0), &extent, 1);
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

/// Taking values through a pipeline; answers how many times longer they may be after each step, in 1/1024: first as they are.
fn transformed(size: &Size<'_>, node: usize, extent: &Extent, sum: &mut Sum) -> Vec<u128> {
    const UNIT: usize = 4096;
    let mut growths = vec![1024_u128];
    let nodes = size.program.nodes.get(node).map(|planned| planned.path.as_slice()).unwrap_or_default();
    let mut before = None;
    for (_, step) in nodes.iter().filter_map(|node| size.program.nodes.get(node.index())?.step) {
        let growth = growths.last().copied().unwrap_or(1024);
        sum.step(grown(step.price().plus(LOOK_UP), growth), extent, 1);
        let growth = match (before, step) {
            // `%uXXXX` for two bytes and more of UTF-8 becomes one byte again.
            (Some(Transformation::Utf8ToUnicode), Transformation::UrlDecodeUni) => {
                growths.iter().rev().nth(1).copied().unwrap_or(growth)
            }
            _ => growth * (step.max_output(UNIT).max(UNIT) as u128) / UNIT as u128,
        };
        sum.step(grown(CLASSIFY, growth), extent, 1);
        growths.push(growth);
        before = Some(step);
    }
    growths
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
    sum.fixed(64 * selection.targets.len() as u128);
}

fn ruled(size: &Size<'_>, planned: &PlannedRule) -> Sum {
    let mut sum = Sum(Amount::fixed(ENTER));
    for link in &planned.links {
        linked(size, link, &mut sum);
    }
    // One record: its texts, the name and the value that have matched.
    let texts = planned.msg.iter().chain(&planned.logdata).chain(&planned.tags).chain(&planned.redirect);
    let parts = texts.flat_map(|text| &text.parts);
    let written: u128 = parts.map(|part| written(size, part)).sum();
    sum.fixed(RECORD + size.longest_name() + written);
    sum
}

fn linked(size: &Size<'_>, link: &Link, sum: &mut Sum) {
    let Some(Look { selection, node, test, multi_match, .. }) = link.look else {
        let once = Extent { values: Amount::fixed(1), bytes: Amount::of(&Origin::ALL, size.bytes) };
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
    let growths = transformed(size, node.index(), &extent, sum);
    let price = test_price(size.program, test);
    for growth in growths.iter().skip(if multi_match { 0 } else { growths.len() - 1 }) {
        let extent = long_enough(size, test, *growth, extent);
        sum.step(grown(price, *growth), &extent, 1);
        if link.capture {
            sum.step(grown(CAPTURE, *growth), &extent, 1);
        }
        // Actions run at each match.
        link.actions.iter().for_each(|step| acted(size, step, &extent, sum));
    }
}

/// The values that are tested at all: shorter ones cannot match.
fn long_enough(size: &Size<'_>, test: &Test, growth: u128, extent: Extent) -> Extent {
    let screens = size.program.screens(test).into_iter().flatten().flatten();
    let shortest = screens.map(|screen| screen.min_len).min().unwrap_or(0) as u128;
    let fit = extent.bytes.share(growth).over(shortest);
    Extent { values: extent.values.min(fit), ..extent }
}

/// An action at each value of an extent.
fn acted(size: &Size<'_>, step: &Step, extent: &Extent, sum: &mut Sum) {
    let price = super::price::step_price(size.program, step);
    sum.step(Price::new(price.saturating_add(64), 0), extent, 1);
    for part in step.texts().into_iter().flat_map(|text| &text.parts) {
        match part {
            TextPart::Literal(text) => {
                sum.step(WRITE, &texts(extent, text.len() as u128), 1);
            }
            // The value that has matched: as many bytes as there are.
            TextPart::Variable(variable, _) if variable.name().starts_with("MATCHED_VAR") => sum.step(WRITE, extent, 1),
            TextPart::Tx(key) if key.index() < 10 => sum.step(WRITE, extent, 1),
            TextPart::Tx(key) => sum.step(WRITE, &texts(extent, size.entry(*key)), 1),
            _ => sum.0 = sum.0.plus(extent.values.times(expansion(size))),
        }
    }
}

/// As many texts of so many bytes.
fn texts(extent: &Extent, bytes: u128) -> Extent {
    Extent { values: extent.values, bytes: extent.values.times(bytes) }
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
