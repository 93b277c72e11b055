//! The naive interpreter: readable law for what a ruleset means.
//!
//! It walks the rule model and does what the reference manual says, in the order in which the manual says it: for each phase, each
//! rule, each link, each target, each value: transform from scratch, test, act. Nothing is shared, folded, screened or budgeted,
//! and patterns run on an automaton library of their own. Whatever planner and engine make of a ruleset must give the same
//! outcome as this.
//!
//! It knows no clock but the seconds that pass between exchanges, and no size limits: rulesets that depend on those are compared
//! elsewhere.
//!
//! | file | holds |
//! |---|---|
//! | `exchange` | a request and its response; how the engine is driven through one |
//! | `request` | what the parsers read from an exchange |
//! | `values` | the values of each variable, with their names |
//! | `patterns` | patterns and phrase lists, compiled once |
//! | `operators` | whether a value matches, and what it captures |
//! | `expand` | macros |
//! | `state` | what rules can change: TX, matched variables, removals, modes |
//! | `persist` | collections that outlive an exchange |
//! | `run` | phases, rules, links, actions |

// Each test binary uses its own part of it.
#![allow(dead_code)]

pub mod choices;
pub mod compare;
pub mod exchange;
mod expand;
pub mod generate;
mod operators;
mod patterns;
mod persist;
mod request;
mod run;
mod state;
mod values;

use exchange::Exchange;
use fusewall::rule::Ruleset;
use patterns::Patterns;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What an evaluation leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// `deny`, `drop` or `redirect:URL`, and the status.
    pub interruption: Option<(String, u16)>,
    /// The rules that wrote a log record, in order.
    pub logged: Vec<u64>,
    /// `tx.blocking_inbound_anomaly_score`, or `tx.inbound_anomaly_score`, or 0.
    pub score_inbound: i64,
    /// The same of the outbound score.
    pub score_outbound: i64,
    /// TX without the captures `0` to `9`; keys in lower case.
    pub tx: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// A ruleset, interpreted.
pub struct Naive {
    ruleset: Ruleset,
    patterns: Patterns,
    store: Mutex<persist::Store>,
}

impl Naive {
    /// The interpreter of a ruleset.
    pub fn new(ruleset: Ruleset) -> Naive {
        Naive { ruleset, patterns: Patterns::default(), store: Mutex::default() }
    }

    /// The rules that it follows.
    pub fn ruleset(&self) -> &Ruleset {
        &self.ruleset
    }

    /// Takes an exchange through all phases that it has, and keeps what it leaves in persistent collections for the next one.
    pub fn evaluate(&self, exchange: &Exchange) -> Outcome {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.now += exchange.after;
        run::Run::new(&self.ruleset, &self.patterns, &mut store, exchange).outcome()
    }

    /// The seconds that have passed.
    pub fn now(&self) -> u64 {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).now
    }
}
