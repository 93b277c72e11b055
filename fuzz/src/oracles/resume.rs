//! How an evaluation is paused makes no difference.

use super::super::generators::halves;
use super::super::oracle::exchange::{outcome, written_names};
use super::super::oracle::generate::{Choices, exchange, ruleset};
use fusewall::Waf;
use fusewall::engine::FixedEnv;

/// A generated ruleset and generated exchanges: the same verdict and the same TX, evaluated in one go or with pauses as the first bytes
/// say, one exchange after the other.
pub fn resume(data: &[u8]) {
    let (steps, data) = data.split_at(data.len().min(4));
    let (rules, requests) = halves(data);
    let text = ruleset(&mut Choices(rules), 8);
    let build = || {
        let builder = Waf::builder().env(FixedEnv::default()).allow_empty().rules_text("rules.conf", text.as_str());
        builder.build().unwrap_or_else(|report| panic!("{report}\n{text}"))
    };
    // Of their own, as each keeps what exchanges leave in collections.
    let (whole, paused) = (build(), build());
    let names: Vec<_> = written_names(&whole.loaded().program().ruleset).collect();
    let mut fuel = steps.iter().cycle().map(|&byte| 1 + u64::from(byte) * 7);
    let mut piece = steps.iter().rev().cycle().map(|&byte| 1 + usize::from(byte));
    let mut requests = Choices(requests);
    for _ in 0..2 {
        let exchange = exchange(&mut requests);
        let one = exchange.evaluate(&whole);
        let mut next = || fuel.next().unwrap_or(u64::MAX);
        let other = exchange.evaluate_paused(&paused, &mut next, &mut || piece.next().unwrap_or(usize::MAX));
        assert_eq!(one.verdict(), other.verdict(), "{text}\n{}", exchange.show());
        let outcomes = [&one, &other].map(|transaction| outcome(transaction, names.iter().cloned()));
        assert_eq!(outcomes[0], outcomes[1], "{text}\n{}", exchange.show());
    }
}
