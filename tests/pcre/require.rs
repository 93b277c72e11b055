//! Requirements are true of every match, and tell most other values apart.

use fusewall::Limits;
use fusewall::byteset::ByteSet;
use fusewall::lang::pcre::parse;
use fusewall::scan::require::{Bounds, Need, Requirement, require, restrict};
use proptest::prelude::*;

use crate::dialect::common;
use crate::matcher::Matcher;
use crate::rules;

/// A value with what is computed once for all requirements.
struct Value {
    text: Vec<u8>,
    folded: Vec<u8>,
    present: ByteSet,
}

impl Value {
    fn new(text: &[u8]) -> Self {
        Value { text: text.to_vec(), folded: text.to_ascii_lowercase(), present: ByteSet::in_bytes(text) }
    }

    fn contains(&self, literal: &[u8]) -> bool {
        memchr::memmem::find(&self.folded, literal).is_some()
    }

    fn meets(&self, requirement: &Requirement) -> bool {
        requirement.holds(self.text.len(), &self.present, &|literal| self.contains(literal))
            && requirement.windows_stand_in(&self.text)
    }
}

/// Values that meet no requirement must not match; nor may those that fail the requirement of the restricted pattern.
fn check(pattern: &str, hir: &regex_syntax::hir::Hir, matcher: &Matcher, values: &[Value]) -> usize {
    let requirement = require(hir, &Bounds::default());
    let strict = require(
        hir,
        &Bounds {
            shortest_literal: 1,
            all: 20,
            byte_sets: 20,
            rare_literals: 0.0,
            windows: 64,
            cuts: 3,
            ..Bounds::default()
        },
    );
    let mut matches = 0;
    for value in values {
        let found = matcher.span(&value.text);
        if found == "none" {
            continue;
        }
        matches += 1;
        let text = value.text.escape_ascii();
        assert!(value.meets(&requirement), "{pattern} finds {found} in {text}, against {requirement:?}");
        assert!(value.meets(&strict), "{pattern} finds {found} in {text}, against {strict:?}");
        let (start, end) = found.split_once('-').expect("a span");
        let span = start.parse().expect("a number")..end.parse().expect("a number");
        assert!(
            ByteSet::in_bytes(&value.text[span]).is_subset(&requirement.alphabet),
            "{pattern} finds {found} in {text}"
        );
    }
    matches
}

#[test]
fn rules_match_nothing_against_their_requirements() {
    let Some((patterns, _)) = rules::patterns() else { return };
    let texts = rules::texts(&["attacks", "evasions", "benign"], 600);
    let mut values: Vec<Value> = texts.iter().map(|text| Value::new(text)).collect();
    let mut pairs = (0, 0);
    for pattern in &patterns {
        let hir = parse(pattern, false, &Limits::default()).expect("a pattern").hir;
        values.truncate(texts.len());
        // A pattern's own text often contains what it looks for.
        values.extend(pattern.chunks(40).map(Value::new));
        pairs.0 += values.len();
        pairs.1 += check(&pattern.escape_ascii().to_string(), &hir, &Matcher::new(&hir), &values);
    }
    println!("{} pairs of a pattern and a value, {} matches", pairs.0, pairs.1);
}

#[test]
fn requirements_of_the_rule_set_are_selective() {
    let Some((patterns, _)) = rules::patterns() else { return };
    let requirements: Vec<Requirement> = patterns
        .iter()
        .map(|pattern| require(&parse(pattern, false, &Limits::default()).expect("a pattern").hir, &Bounds::default()))
        .collect();
    let count =
        |accept: &dyn Fn(&Requirement) -> bool| requirements.iter().filter(|requirement| accept(requirement)).count();
    let literals = count(&|requirement| requirement.literals != Need::Always);
    let byte_sets = count(&|requirement| !requirement.any_of.is_empty());
    let nothing = count(&|requirement| requirement.literals == Need::Always && requirement.any_of.is_empty());
    println!("of {} patterns {literals} require literals, {byte_sets} byte sets, {nothing} neither", patterns.len());
    let mut lengths: Vec<usize> = requirements.iter().map(|requirement| requirement.min_len).collect();
    lengths.sort_unstable();
    let at = |share: usize| lengths[(lengths.len() - 1) * share / 100];
    println!(
        "min_len: {} at 10 %, {} at 25 %, {} at 50 %, {} at 75 %, {} at most",
        at(10),
        at(25),
        at(50),
        at(75),
        at(100)
    );
    let mut sizes: Vec<usize> = requirements
        .iter()
        .map(|requirement| {
            let mut size = 0;
            requirement.literals.each_literal(&mut |_| size += 1);
            size
        })
        .collect();
    sizes.sort_unstable();
    println!("literals in all: {}, at most {}", sizes.iter().sum::<usize>(), sizes[sizes.len() - 1]);
    assert!(literals * 5 > patterns.len() * 2 && byte_sets * 4 > patterns.len() * 3, "{literals} and {byte_sets}");

    let values: Vec<Value> = rules::texts(&["benign"], 3000).iter().map(|text| Value::new(text)).collect();
    let left = |meets: &dyn Fn(&Requirement, &Value) -> bool| {
        let pairs = requirements.iter().flat_map(|requirement| values.iter().map(move |value| (requirement, value)));
        pairs.filter(|(requirement, value)| meets(requirement, value)).count() as f64 * 100.0
            / (requirements.len() * values.len().max(1)) as f64
    };
    let sets = |r: &Requirement, v: &Value| r.any_of.iter().all(|set| set.intersects(&v.present));
    println!(
        "pairs left on {} benign values: {:.1} % by byte sets, {:.1} % with the length, {:.1} % with all conditions",
        values.len(),
        left(&sets),
        left(&|r, v| sets(r, v) && v.text.len() >= r.min_len),
        left(&|r, v| v.meets(r)),
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn what_matches_meets_the_requirement(
        pattern in common(),
        texts in prop::collection::vec("[abcABé\n_. -]{0,12}", 1..8),
        alphabet in "[abcAB\n_. -]{0,9}",
    ) {
        let hir = parse(pattern.as_bytes(), false, &Limits::default()).expect("a pattern").hir;
        let matcher = Matcher::new(&hir);
        let values: Vec<Value> = texts.iter().map(|text| Value::new(text.as_bytes())).collect();
        check(&pattern, &hir, &matcher, &values);

        // On values of the alphabet, the restricted pattern finds what the pattern finds.
        let alphabet = ByteSet::of(alphabet.as_bytes());
        let narrow = restrict(&hir, &alphabet);
        let narrow_matcher = Matcher::new(&narrow);
        for value in &values {
            let text: Vec<u8> = value.text.iter().copied().filter(|&byte| alphabet.contains(byte)).collect();
            prop_assert_eq!(narrow_matcher.span(&text), matcher.span(&text), "{} on {:?}", pattern, text);
            check(&pattern, &narrow, &narrow_matcher, &[Value::new(&text)]);
        }
    }
}
