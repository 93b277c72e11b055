//! Random small rulesets and requests: folding, screening and pausing change nothing.

use crate::oracle::compare::Forms;
use crate::oracle::exchange::outcome;
use crate::oracle::generate::{Choices, exchange, ruleset};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn engines_and_interpreter_agree(
        rules in prop::collection::vec(any::<u8>(), 0..160),
        requests in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..4),
    ) {
        let text = ruleset(&mut Choices(&rules), 8);
        let forms = Forms::of_text(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        for request in &requests {
            let exchange = exchange(&mut Choices(request));
            if let Err(difference) = forms.agree(&exchange) {
                prop_assert!(false, "{difference}\n{text}\n{}", exchange.show());
            }
        }
    }

    #[test]
    fn pauses_and_pieces_make_no_difference(
        rules in prop::collection::vec(any::<u8>(), 0..160),
        request in prop::collection::vec(any::<u8>(), 0..40),
        steps in prop::collection::vec(1u64..2000, 1..10),
        pieces in prop::collection::vec(1usize..9, 1..10),
    ) {
        let text = ruleset(&mut Choices(&rules), 8);
        let forms = || Forms::of_text(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        // Each has collections of its own.
        let (forms, again) = (forms(), forms());
        let exchange = exchange(&mut Choices(&request));
        let (mut step, mut piece) = (steps.into_iter().cycle(), pieces.into_iter().cycle());
        let whole = exchange.evaluate(&forms.planned);
        let paused = exchange.evaluate_paused(
            &again.planned,
            &mut || step.next().unwrap(),
            &mut || piece.next().unwrap(),
        );
        prop_assert_eq!(whole.verdict(), paused.verdict(), "{}\n{}", text, exchange.show());
        prop_assert_eq!(whole.records(), paused.records());
        let all = |transaction| outcome(transaction, forms.names(&Default::default())).tx;
        prop_assert_eq!(all(&whole), all(&paused));
    }
}

/// How many rulesets each property tries: `PROPTEST_CASES`, or few enough for every run of the tests.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|number| number.parse().ok()).unwrap_or(400)
}
