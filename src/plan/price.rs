//! Prices: the most that each rule and the whole ruleset may cost.

use crate::detect;
use crate::geo;
use crate::lang::pcre;
use crate::meter::Price;
use crate::ops;
use crate::program::{Link, PatternId, Program, SetStep, Step, Test, Text, TextPart, TextTest};
use crate::rule::RuleId;
use crate::scan::{Exact, Phrases};

/// What one match record may cost: expansion of msg, logdata and tags, capped by the limits.
const RECORD: u64 = 4_000;

/// What a rule costs at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleCost {
    /// The rule.
    pub id: RuleId,
    /// Per evaluated value.
    pub price: Price,
    /// At 64 KiB in one value.
    pub max_fuel: u64,
}

/// What a ruleset costs at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesetCost {
    /// Fuel of a request with 64 KiB in one value, capped by the request's budget.
    pub max_request_fuel: u64,
    /// Fuel for each KiB more in one value.
    pub fuel_per_kib: u64,
    /// Live rules, dearest first.
    pub rules: Vec<RuleCost>,
}

/// Sets the price of each rule.
pub(super) fn set(program: &mut Program) {
    let prices: Vec<_> = program
        .rules
        .iter()
        .map(|rule| {
            let links = rule.links.iter().fold(Price::default(), |sum, link| sum.plus(link_price(program, link)));
            let logs = rule.msg.is_some() || rule.logdata.is_some();
            // Texts with macros are as long as a line may be.
            let open = rule.msg.iter().chain(&rule.logdata).filter(|text| text.constant().is_none()).count() as u64;
            let lines = open.saturating_mul(program.limits.log_line_bytes as u64);
            links.plus(Price::new(if logs { RECORD.saturating_add(lines) } else { 0 }, 0))
        })
        .collect();
    for (rule, price) in program.rules.iter_mut().zip(prices) {
        rule.price = price;
    }
}

/// Adds up a program's certificate.
pub fn cost(program: &Program) -> RulesetCost {
    const SIZE: usize = 64 << 10;
    let mut rules: Vec<RuleCost> = Vec::new();
    for live in program.schedule.iter().flatten() {
        let (Some(rule), Some(planned)) = (program.source(*live), program.rules.get(live.index())) else { continue };
        rules.push(RuleCost { id: rule.id, price: planned.price, max_fuel: planned.price.of(SIZE) });
    }
    rules.sort_by(|a, b| b.max_fuel.cmp(&a.max_fuel).then(a.id.cmp(&b.id)));
    let shared = shared_price(program);
    let total = rules.iter().fold(shared, |sum, rule| sum.plus(rule.price));
    RulesetCost {
        max_request_fuel: total.of(SIZE).min(program.limits.budget(SIZE)),
        fuel_per_kib: total.per_kib,
        rules,
    }
}

/// Transformations and the literal scan, done once per value.
fn shared_price(program: &Program) -> Price {
    let nodes = program.nodes.iter().filter_map(|node| node.step).fold(Price::default(), |sum, (_, step)| {
        // Each node makes one more buffer, which is classified and may be searched for literals.
        sum.plus(step.price()).plus(Price::new(32, 1024)).plus(Price::new(32, 6 * 1024))
    });
    // The sieve of each phase looks at each value.
    let sieves = program.sieves.iter().fold(0, |sum, sieve| sum + 16 + 2 * sieve.nodes.len() as u64 + sieve.most());
    nodes.plus(Price::new(2500 + sieves, 16 * 1024))
}

fn link_price(program: &Program, link: &Link) -> Price {
    let actions: u64 = link.actions.iter().map(|step| step_price(program, step)).fold(0, u64::saturating_add);
    let Some(look) = link.look else { return Price::new(8 + actions, 0) };
    let test = program.tests.get(look.test.index()).map_or(Price::default(), |test| test_price(program, test));
    let times = if look.multi_match {
        1 + program.nodes.get(look.node.index()).map_or(0, |node| node.path.len() as u64)
    } else {
        1
    };
    let capture = if link.capture { Price::new(200, 1024) } else { Price::default() };
    let once = test.plus(capture).plus(Price::new(24 + actions, 0));
    Price::new(once.per_call.saturating_mul(times), once.per_kib.saturating_mul(times))
}

/// What an operator may charge on one value.
pub(crate) fn test_price(program: &Program, test: &Test) -> Price {
    let pattern =
        |id: &crate::program::PatternId| program.patterns.get(id.index()).map_or(Price::default(), |p| p.price);
    match test {
        Test::Rx(id) => pattern(id),
        Test::RxGlobal(id) | Test::Verify(_, id) => every_match_price(program, *id),
        Test::RxExpanded { text, .. } => text_price(text).plus(Price::new(program.limits.fuel_rule, 0)),
        Test::Pm(id) => {
            program.phrases.get(id.index()).map_or(Price::default(), |plan| Phrases::price_of(&plan.phrases.list))
        }
        Test::Text(TextTest::Equal | TextTest::BeginsWith | TextTest::EndsWith, text) => {
            ops::text::COMPARE_PRICE.plus(text_price(text))
        }
        Test::Text(_, text) => ops::text::SEARCH_PRICE.plus(text_price(text)),
        Test::Number(_, text) => ops::numeric::PRICE.plus(text_price(text)),
        Test::IpMatch(set) => set.price().plus(Price::new(100, 0)),
        Test::Rbl(_) => ops::block_list::PRICE,
        Test::GeoLookup => geo::PRICE.plus(Price::new(1, 0)),
        Test::DetectSqli => detect::SQLI_PRICE,
        Test::DetectXss => detect::XSS_PRICE,
        Test::ByteRange(_) => ops::validate::BYTE_RANGE_PRICE,
        Test::UrlEncoding => ops::validate::URL_ENCODING_PRICE,
        Test::Utf8Encoding => ops::validate::UTF8_PRICE,
        Test::Always | Test::Never => Price::new(1, 0),
    }
}

/// What it costs to look for each match from the end of the one before. A search reads no further than the longest match that
/// may begin where this one did, and is charged by the block. Without a longest match each may read to the end: then nothing
/// but the rule's budget bounds the whole.
fn every_match_price(program: &Program, id: PatternId) -> Price {
    const BLOCK: usize = 256;
    let Some(plan) = program.patterns.get(id.index()) else { return Price::default() };
    // A pattern that is not regular is searched for to the end of the value, longest match or not.
    let regular = pcre::parse(&plan.pattern.text, plan.pattern.fold_case, &program.limits)
        .ok()
        .filter(|_| plan.exact == Exact::Automaton);
    match regular.and_then(|parsed| parsed.hir.properties().maximum_len()) {
        Some(longest) => {
            let search = plan.price.of(longest.saturating_add(2 * BLOCK)).saturating_add(32 + longest as u64);
            Price::per_byte(search, search)
        }
        None => plan.price.plus(Price::new(program.limits.fuel_rule, 0)),
    }
}

/// What expanding a text may cost. Macros are capped by the limits; a typical one is priced here, the meter charges the rest.
fn text_price(text: &Text) -> Price {
    let fuel: u64 = text.parts.iter().map(|part| if matches!(part, TextPart::Literal(_)) { 4 } else { 64 }).sum();
    Price::new(fuel, 0)
}

pub(super) fn step_price(program: &Program, step: &Step) -> u64 {
    let limits = &program.limits;
    // A search among the entries, and a commit in case this is the first change since the last one. Names and values of the
    // largest size are priced: that these rules write what requests bring is the rule.
    let change = |key: &Text, right: Price| {
        let find = Step::FIND.saturating_mul(limits.collection_entries as u64 + 7);
        let bytes = limits.collection_key_bytes.saturating_add(limits.collection_value_bytes);
        let written = Step::CHANGE.plus(Price::new(16, 128)).of(bytes);
        let texts = text_price(key).plus(right).per_call;
        Step::COMMIT.per_call.saturating_add(find).saturating_add(written).saturating_add(texts)
    };
    match step {
        Step::SetVar(collection, key, right) if collection.is_persistent() => change(key, right_price(right)),
        Step::Expire(_, key, value) | Step::Deprecate(_, key, value) => change(key, text_price(value)),
        Step::SetTx(_, right) => 64 + right_price(right).per_call,
        Step::SetVar(_, _, right) => 64 + limits.tx_entries as u64 / Step::MOVED + right_price(right).per_call,
        Step::Ctl(_) => 64,
        Step::InitCollection(_, key) => {
            let bytes = limits.collection_record_bytes.saturating_add(limits.collection_key_bytes.saturating_mul(2));
            Step::LOAD.of(bytes).saturating_add(256 + text_price(key).per_call)
        }
        Step::SetEnv(..) | Step::Sanitise(_) => 256,
    }
}

fn right_price(right: &SetStep) -> Price {
    match right {
        SetStep::Set(text) | SetStep::Add(text) | SetStep::Subtract(text) => text_price(text),
        SetStep::Unset => Price::default(),
    }
}
