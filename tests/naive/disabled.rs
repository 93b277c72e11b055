//! Random small rulesets with one rule switched off: the engine does what the interpreter does with a rule that never matches.
//!
//! Without folding: what is worked out when rules are loaded stays as it was (`Waf::switch_off`).

use crate::oracle::Naive;
use crate::oracle::compare::{Forms, difference};
use crate::oracle::generate::{Choices, exchange, ruleset};
use fusewall::Switch;
use fusewall::rule::{Disruptive, Flow, Operator, Rule, Test};
use proptest::prelude::*;

/// The same rule, but that it never matches: jumps count it, and nothing else knows of it.
fn never(rule: &mut Rule) {
    rule.conditions.truncate(1);
    for condition in &mut rule.conditions {
        condition.test = Some(Test { operator: Operator::NoMatch, negated: false });
        condition.actions.clear();
    }
    (rule.disruptive, rule.flow) = (Disruptive::Pass, Flow::Next);
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn a_rule_that_is_off_never_matches(
        rules in prop::collection::vec(any::<u8>(), 0..160),
        request in prop::collection::vec(any::<u8>(), 0..40),
        which in any::<prop::sample::Index>(),
    ) {
        let text = ruleset(&mut Choices(&rules), 8);
        let forms = Forms::of_text(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let mut without = forms.naive.ruleset().clone();
        prop_assume!(!without.rules.is_empty());
        let at = which.index(without.rules.len());
        let id = without.rules[at].id;
        never(&mut without.rules[at]);
        let exchange = exchange(&mut Choices(&request));
        let mut expected = Naive::new(without).evaluate(&exchange);
        expected.tx.retain(|key, _| std::str::from_utf8(key).is_ok());
        prop_assert_eq!(forms.plain.switch_off(&Switch::Rule(id)), 1);
        let found = forms.engine(&forms.plain, &exchange, &expected);
        prop_assert!(found == expected, "without rule {id}: {}\n{text}\n{}", difference(&found, &expected), exchange.show());
    }
}

/// As few as the other properties try.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|number| number.parse().ok()).unwrap_or(200)
}
