//! What was planned means what the rules say.

use super::super::generators::halves;
use super::super::oracle::compare::Forms;
use super::super::oracle::generate::{Choices, exchange, ruleset};

/// Interpreter, plain engine and planned engine agree on a generated ruleset and two generated exchanges.
pub fn plan(data: &[u8]) {
    let (rules, requests) = halves(data);
    let text = ruleset(&mut Choices(rules), 8);
    let forms = Forms::of_text(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut requests = Choices(requests);
    for _ in 0..2 {
        let exchange = exchange(&mut requests);
        if let Err(difference) = forms.agree(&exchange) {
            panic!("{difference}\n{text}\n{}", exchange.show());
        }
    }
}
