//! A fault in the ruleset in service: it is told, and a ruleset that is new gives way to the one before.
//!
//! Whoever can make requests may be the one who makes it fail. So what a fault brings about is bounded: a generation falls back
//! at most once, for a while after somebody has promoted it, and only if the one before does not have the very rule that failed.
//! What was fallen back to stays, whatever happens, until somebody promotes something.

use super::{Transaction, Waf};
use crate::governor::Report;
use crate::program::RuleIx;
use crate::rule::{Phase, Rule};
use crate::store::{Deployed, Generation, Origin, Release};
use std::sync::Arc;

/// When a fault brings the generation before back.
///
/// ```
/// let config = fusewall::FallBack::default().within_millis(60_000);
/// # let _ = fusewall::Waf::builder().fall_back_on_fault(config);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FallBack {
    within_millis: u64,
}

impl Default for FallBack {
    fn default() -> Self {
        FallBack { within_millis: 600_000 }
    }
}

impl FallBack {
    /// For so long after its promotion a generation can fall back, in milliseconds of the host's clock; 600,000 by default. Longer,
    /// and who finds a request that brings a rule to panic can take the rules back that came with it for longer.
    #[must_use]
    pub fn within_millis(mut self, millis: u64) -> Self {
        self.within_millis = millis;
        self
    }
}

impl Transaction {
    /// The engine has failed: says of whom, by which rule, and in which generation; then the ruleset may give way.
    #[cold]
    pub(super) fn report_fault(&mut self, phase: Phase) {
        let Some(inner) = &self.inner else { return };
        let rule = inner.running_rule();
        let generation = self.deployed.generation();
        let back = self.owner.as_ref().and_then(|waf| waf.fall_back(&self.deployed, rule));
        let left_out = match (Report::InternalError.admit(), back) {
            (Some(left_out), _) => left_out.count(),
            // Whatever else fails meanwhile: this is told.
            (None, Some(_)) => 0,
            (None, None) => return,
        };
        let tenant = self.owner.as_ref().and_then(|waf| waf.shared.name.as_deref());
        let rule = rule.and_then(|rule| self.deployed.loaded().program().source(rule)).map(|rule| rule.id.0);
        let (unique_id, phase) = (inner.unique_id(), phase.number());
        match back {
            None => tracing::error!(tenant, rule, generation, unique_id, phase, left_out, "internal error"),
            Some(back) => {
                let in_service = back.number;
                tracing::error!(
                    tenant,
                    rule,
                    generation,
                    in_service,
                    unique_id,
                    phase,
                    left_out,
                    "internal error: fell back"
                );
            }
        }
    }
}

impl Waf {
    /// Goes back to the generation before, if that is what a fault in this one asks for. One pointer is swapped; a history hears
    /// of it on a thread of its own.
    fn fall_back(&self, faulty: &Deployed, rule: Option<RuleIx>) -> Option<Generation> {
        let config = self.shared.fall_back.filter(|_| !cfg!(fusewall_without = "fall_back"))?;
        let about = faulty.about();
        let at = self.shared.env.epoch_micros();
        let is_young = at.saturating_sub(about.at) <= config.within_millis.saturating_mul(1000);
        if about.origin != Origin::Promoted || !is_young || self.shared.slot.current().generation() != about.number {
            return None;
        }
        let failed = rule.and_then(|rule| faulty.loaded().program().source(rule));
        let why: Arc<str> = told(about.number, failed).into();
        let mut switching = self.switching();
        // What is held stays.
        let lane = self.shared.rollouts.lets_in(0).ok()?;
        let helps = |before: &Release| differs(faulty, failed, before);
        let next = self.shared.slot.fall_back(about.number, at, why, helps, |deployed| switching.prepare(deployed))?;
        switching.deployed(&next);
        self.watch_over(&next);
        drop((lane, switching));
        let generation = next.about();
        if self.shared.recording.is_some() {
            let waf = self.clone();
            let record = move || waf.record_rollback(generation);
            if let Err(problem) = std::thread::Builder::new().name("fusewall-record".into()).spawn(record) {
                tracing::error!(%problem, generation = generation.number, "this generation is not recorded in the history");
            }
        }
        Some(generation)
    }
}

/// Whether what has failed would not fail in that ruleset, too, as far as can be told: without a rule to blame, another ruleset may
/// be better.
fn differs(faulty: &Deployed, failed: Option<&Rule>, before: &Release) -> bool {
    match failed {
        Some(rule) => {
            let mut same = before.loaded().program().ruleset.rules.iter().filter(|other| other.id == rule.id);
            // Where it stands does not matter, what it says does.
            !same.any(|other| other.to_seclang() == rule.to_seclang())
        }
        None => before.content() != faulty.release().content(),
    }
}

fn told(number: u64, failed: Option<&Rule>) -> String {
    let by = failed.map(|rule| format!(" in rule {}", rule.id)).unwrap_or_default();
    format!("generation {number} has failed{by}: the one before is in service again")
}
