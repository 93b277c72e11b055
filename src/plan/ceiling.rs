//! Ceilings over the certificate of a ruleset. A load over one is refused at the rule, with its dearest part: `fusewall check
//! --max-rule-fuel` and its like in a pipeline, and [`Loading`](crate::store::Loading) wherever rules of others are loaded.

use super::heaviest::{Kind, heaviest};
use super::{RuleCost, RulesetCost, cost};
use crate::diag::Diagnostic;
use crate::lang::pcre;
use crate::lang::seclang::codes;
use crate::meter::Price;
use crate::program::{Link, PatternPlan, Program, Test};
use crate::rule::{Condition, Rule};
use crate::scan::Exact;

/// The size of value that certificates are made for, in bytes.
const SIZE: usize = 64 << 10;

/// Characters of a pattern, or of a list of targets, that are quoted.
const QUOTED: usize = 60;

/// How much a ruleset may cost at most, in fuel; `None` is any amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ceilings {
    /// A request with 64 KiB in one value.
    pub request_fuel: Option<u64>,
    /// Each KiB more in one value.
    pub fuel_per_kib: Option<u64>,
    /// Each rule, on a value of 64 KiB.
    pub rule_fuel: Option<u64>,
}

impl Ceilings {
    /// An error for each ceiling that a program's certificate exceeds, and for each rule that does.
    ///
    /// ```
    /// use fusewall::plan::Ceilings;
    /// use fusewall::store::{DiskFiles, Loading, RuleSource, load};
    ///
    /// let text = r#"SecRule ARGS "@rx (?:ab?c{1,200}){1,20}d" "id:1,phase:2,deny,capture""#;
    /// let rules = RuleSource::Text { name: "dear.conf".into(), text: text.into() };
    /// let ceilings = Some(Ceilings { rule_fuel: Some(1000), ..Ceilings::default() });
    /// let report = load(&rules, &DiskFiles, &Loading { ceilings, ..Loading::default() }).unwrap_err();
    /// assert!(report.to_string().contains("rule 1 may cost"));
    /// ```
    pub fn exceeded(&self, program: &Program) -> Vec<Diagnostic> {
        // Drills D2 and D5.
        if cfg!(fusewall_without = "ceiling") || *self == Ceilings::default() {
            return Vec::new();
        }
        let RulesetCost { max_request_fuel, fuel_per_kib, rules } = cost(program);
        let mut found = Vec::new();
        if let Some(most) = self.request_fuel.filter(|most| max_request_fuel > *most) {
            let what = format!("a request may cost {max_request_fuel} fuel, allowed are {most}");
            found.push(of_ruleset(program, what, rules.iter().max_by_key(|rule| rule.max_fuel)));
        }
        if let Some(most) = self.fuel_per_kib.filter(|most| fuel_per_kib > *most) {
            let what = format!("a KiB may cost {fuel_per_kib} fuel, allowed are {most}");
            found.push(of_ruleset(program, what, rules.iter().max_by_key(|rule| rule.price.per_kib)));
        }
        if let Some(most) = self.rule_fuel {
            found.extend(rules.iter().filter(|rule| rule.max_fuel > most).map(|rule| of_rule(program, rule, most)));
        }
        found
    }
}

/// The whole is too dear: at its dearest rule.
fn of_ruleset(program: &Program, what: String, dearest: Option<&RuleCost>) -> Diagnostic {
    let Some(dearest) = dearest else { return Diagnostic::error(codes::CEILING, None, what) };
    let Part { place, what: part, help } = Part::dearest_of(program, dearest);
    Diagnostic::error(codes::CEILING, place, what)
        .label(format!("the dearest is rule {}: {part}", dearest.id))
        .help(help)
}

/// One rule is too dear.
fn of_rule(program: &Program, rule: &RuleCost, most: u64) -> Diagnostic {
    let Part { place, what: part, help } = Part::dearest_of(program, rule);
    let what = format!("rule {} may cost {} fuel, allowed are {most}", rule.id, rule.max_fuel);
    Diagnostic::error(codes::CEILING, place, what).label(part).help(help)
}

/// The part of a rule that costs most.
struct Part {
    place: Option<crate::diag::Span>,
    what: String,
    help: String,
}

impl Part {
    fn dearest_of(program: &Program, dear: &RuleCost) -> Part {
        let rule = program.ruleset.rules.iter().zip(&program.rules).find(|(rule, _)| rule.id == dear.id);
        let Some((rule, planned)) = rule else {
            return Part { place: None, what: figures(dear.price), help: HELP.to_owned() };
        };
        let links = || rule.conditions.iter().zip(&planned.links);
        let patterns = links().filter_map(|(condition, link)| Some((condition, pattern(program, link)?)));
        let dearest = patterns.max_by_key(|(_, plan)| plan.price.of(SIZE));
        // Where the patterns are not what is dear, the rule as a whole is.
        match dearest.filter(|(_, plan)| plan.price.of(SIZE).saturating_mul(2) >= dear.max_fuel) {
            Some((condition, plan)) => Part::of_pattern(rule, condition, plan),
            None => {
                let links: Vec<_> = rule.conditions.iter().map(looks_at).collect();
                let what = format!("{}, all in all {}", links.join(", then "), figures(dear.price));
                Part { place: rule.span, what, help: HELP.to_owned() }
            }
        }
    }

    fn of_pattern(rule: &Rule, condition: &Condition, plan: &PatternPlan) -> Part {
        let text = &plan.pattern.text;
        let mut what = format!("{}: {}", looks_at(condition), figures(plan.price));
        let mut help = HELP.to_owned();
        if plan.exact == Exact::Metered {
            what.push_str(", which is the whole budget of the rule: no price per byte bounds the pattern");
            let parsed = pcre::parse(text, plan.pattern.fold_case, &crate::limits::Limits::default());
            let constructs = parsed.map(|parsed| parsed.constructs).unwrap_or_default();
            if let Some((from, _)) = pcre::back_reference(&constructs) {
                help = format!("do without the back-reference at character {} of the pattern", from + 1);
            }
        } else if let Some(part) = heaviest(text) {
            let shown = quote(text.get(part.place.clone()).unwrap_or_default());
            let (first, last) = (part.place.start + 1, part.place.end);
            what.push_str(&format!(", most of it for `{shown}` (characters {first} to {last} of the pattern)"));
            help = match part.kind {
                Kind::Repeat => "shorten that repeat, or look at fewer or shorter values",
                Kind::Alternation => "write its plain words as `@pm`, or split the rule",
            }
            .to_owned();
        }
        Part { place: condition.span.or(rule.span), what, help }
    }
}

const HELP: &str = "make the rule look at less, or raise the ceiling";

/// The pattern that a link's operator looks for.
fn pattern<'p>(program: &'p Program, link: &Link) -> Option<&'p PatternPlan> {
    match program.tests.get(link.look?.test.index())? {
        Test::Rx(id) | Test::RxGlobal(id) | Test::Verify(_, id) => program.patterns.get(id.index()),
        _ => None,
    }
}

/// Operator, targets and pipeline of a link.
fn looks_at(condition: &Condition) -> String {
    let Some(test) = &condition.test else { return "SecAction".to_owned() };
    let text = test.to_text();
    let operator = text.split(|byte| *byte == b' ').next().unwrap_or_default();
    let mut shown = format!("`{}` on `{}`", quote(operator), quote(&condition.targets_text()));
    if !condition.pipeline.is_empty() {
        let pipeline = condition.pipeline.iter().map(|step| format!("t:{}", step.name()));
        shown.push_str(&format!(" after `{}`", pipeline.collect::<Vec<_>>().join(",")));
    }
    shown
}

fn figures(price: Price) -> String {
    format!("{} per call and {} per KiB", price.per_call, price.per_kib)
}

/// The beginning of a text that may be long.
fn quote(text: &[u8]) -> String {
    let shown = String::from_utf8_lossy(text);
    match shown.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{}...", shown.get(..end).unwrap_or_default()),
        None => shown.into_owned(),
    }
}
