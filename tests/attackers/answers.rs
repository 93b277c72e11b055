//! What has come back, and what was not as it must be.

use crate::load::{self, Answer};
use std::collections::BTreeMap;

/// Answers by status.
pub fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

/// Whether all answers have a status.
pub fn all(answers: &[Answer], status: u16) -> bool {
    load::count(answers, status) == answers.len()
}

/// What was not as it must be. It is told at the end, so that all figures are seen.
#[derive(Default)]
pub struct Findings(Vec<&'static str>);

impl Findings {
    pub fn want(&mut self, holds: bool, otherwise: &'static str) {
        if !holds {
            self.0.push(otherwise);
        }
    }

    pub fn assert(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("; "));
    }
}

/// Whether an attack was answered as one: refused by a rule, or shed, or refused because its budget is spent.
pub fn refused(answers: &[Answer]) -> bool {
    answers.iter().all(|answer| matches!(answer.status, 403 | 429 | 503))
}
