//! What a candidate must be seen to do, and not to do, before it goes on.
//!
//! Figures are judged as if a number of sources were hostile and did whatever suits them. A gate has *failed* if it would have without
//! them, whichever they are; it has *passed* if it would have, whatever they have hidden; else it is open, and a person decides.

use super::sample::{Figures, RuleSources, SOURCES, exceeds};
use super::share::Share;
use super::stage::Stage;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Sources whose dearest request may cost more than [`Gates::max_dearest_percent`]: as of a 99th percentile.
const DEARER: Share = Share::percent(1);
/// Standard deviations between what was seen of a sample and what is taken to be true of all: one look in 700 errs.
const DEVIATIONS: f64 = 3.0;

/// Sources that must be left when the hostile ones are set aside, before anything fails: of fewer, a few are not enough to tell.
const LEAST_HONEST: u32 = 100;

/// The limits that a candidate is held against. `docs/rollout.md` says why they are what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Gates {
    /// Counted requests before a stage can be passed: 10,000.
    pub min_requests: u64,
    /// Sources before a stage can be passed: 2,000. More than twice [`hostile_sources`](Self::hostile_sources).
    pub min_sources: u32,
    /// Sources whose requests the candidate has decided, before a canary stage can be passed: 20.
    pub min_canary_sources: u32,
    /// Requests of a source that count: the first 20.
    pub requests_per_source: u16,
    /// Sources that may be hostile: 500, or
    pub hostile_sources: u32,
    /// this share of them, if that is more: 10 %.
    pub hostile_share: Share,
    /// Share of sources with a request that only the candidate blocks: 2 %.
    pub max_newly_blocked: Share,
    /// Share of sources with a request that only the live ruleset blocks: 2 %.
    pub max_newly_passed: Share,
    /// Share of sources for which a rule may newly match: 10 %.
    pub max_rule_share: Share,
    /// Fuel of the candidate in hundredths of the live ruleset's: 150.
    pub max_fuel_percent: u32,
    /// The same for the dearest request of a source, which one source in a hundred may exceed: 300.
    pub max_dearest_percent: u32,
    /// Requests of the operator's own set that must have been tried: 0.
    pub min_probes: u32,
}

impl Default for Gates {
    fn default() -> Self {
        Gates {
            min_requests: 10_000,
            min_sources: 2_000,
            min_canary_sources: 20,
            requests_per_source: 20,
            hostile_sources: 500,
            hostile_share: Share::percent(10),
            max_newly_blocked: Share::percent(2),
            max_newly_passed: Share::percent(2),
            max_rule_share: Share::percent(10),
            max_fuel_percent: 150,
            max_dearest_percent: 300,
            min_probes: 0,
        }
    }
}

/// Something that a candidate is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Gate {
    /// Enough was observed.
    Sample,
    /// The candidate has decided about enough clients.
    Canary,
    /// The operator's own requests were tried.
    Probes,
    /// It blocks what was not blocked.
    NewlyBlocked,
    /// It lets pass what was blocked.
    NewlyPassed,
    /// It ends in internal errors.
    Failures,
    /// This rule matches where it did not.
    RuleShare(u64),
    /// It costs more.
    Fuel,
    /// Its dearest requests cost more.
    DearestFuel,
}

/// What was found at a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finding {
    /// It holds, whatever hostile sources have hidden.
    Passed,
    /// Too little was observed.
    Waiting,
    /// It depends on who is hostile: for a person to decide.
    Open,
    /// It does not hold, whatever hostile sources have forged.
    Failed,
}

/// A gate, what was found, and the figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Judged {
    /// The gate.
    pub gate: Gate,
    /// What was found.
    pub finding: Finding,
    /// As it was observed, in the unit of the limit: a share of the sources from 0 to 1, of fuel hundredths, or a number.
    pub seen: f64,
    /// What is true of the honest sources at least.
    pub least: f64,
    /// What is true of them at most.
    pub most: f64,
    /// The limit.
    pub limit: f64,
}

/// Gates that make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misdeclared {
    /// Hostile sources could be the majority of a sample.
    #[error("min_sources must be more than twice hostile_sources, and hostile_share below 50 %")]
    HostileMajority,
    /// A sample would never be large enough.
    #[error("min_sources is above {most}, or requests_per_source is zero: no sample can be large enough")]
    NeverEnough {
        /// Sources that a sample can have.
        most: u32,
    },
    /// Shares of a canary that do not grow, or are none.
    #[error("the shares of a canary must grow from one stage to the next, beginning above none")]
    Shares,
}

impl Gates {
    /// How many of so many sources are assumed to be hostile.
    pub fn hostile(&self, sources: u32) -> u32 {
        self.hostile_share.of(sources).max(self.hostile_sources)
    }

    /// # Errors
    /// The limits contradict each other.
    pub(super) fn check(&self) -> Result<(), Misdeclared> {
        let most = SOURCES as u32;
        if self.min_sources <= self.hostile_sources.saturating_mul(2) || self.hostile_share >= Share::percent(50) {
            return Err(Misdeclared::HostileMajority);
        }
        if self.min_sources > most || self.requests_per_source == 0 {
            return Err(Misdeclared::NeverEnough { most });
        }
        Ok(())
    }

    /// Holds the figures of a stage against every gate. The same figures are always judged alike.
    pub fn judge(&self, stage: Stage, figures: &Figures) -> Vec<Judged> {
        let share = |gate, affected, limit: Share| share(gate, affected, figures, limit);
        let enough = figures.counted >= self.min_requests && figures.sources >= self.min_sources;
        let mut judged = vec![amount(Gate::Sample, figures.sources, self.min_sources, enough)];
        if let Stage::Canary { .. } = stage {
            let least = self.min_canary_sources;
            judged.push(amount(Gate::Canary, figures.canary, least, figures.canary >= least));
        }
        if self.min_probes > 0 {
            judged.push(amount(Gate::Probes, figures.probes, self.min_probes, figures.probes >= self.min_probes));
        }
        judged.extend([
            share(Gate::NewlyBlocked, figures.newly_blocked, self.max_newly_blocked),
            share(Gate::NewlyPassed, figures.newly_passed, self.max_newly_passed),
            share(Gate::Failures, figures.failed, Share::NONE),
        ]);
        judged.extend(
            figures
                .rules
                .iter()
                .map(|&RuleSources { rule, sources }| share(Gate::RuleShare(rule), sources, self.max_rule_share)),
        );
        judged.push(self.fuel(figures));
        judged.push(share(Gate::DearestFuel, figures.dearer, DEARER));
        judged
    }

    fn fuel(&self, figures: &Figures) -> Judged {
        let finding = if honest(figures).is_none() {
            Finding::Waiting
        } else if exceeds(figures.fuel_at_best, self.max_fuel_percent) {
            Finding::Failed
        } else if exceeds(figures.fuel_at_worst, self.max_fuel_percent) {
            Finding::Open
        } else {
            Finding::Passed
        };
        Judged {
            gate: Gate::Fuel,
            finding,
            seen: figures.fuel.percent(),
            least: figures.fuel_at_best.percent(),
            most: figures.fuel_at_worst.percent(),
            limit: f64::from(self.max_fuel_percent),
        }
    }
}

/// Judges whether there is enough of something.
fn amount(gate: Gate, seen: u32, limit: u32, enough: bool) -> Judged {
    let finding = if enough { Finding::Passed } else { Finding::Waiting };
    let (seen, limit) = (f64::from(seen), f64::from(limit));
    Judged { gate, finding, seen, least: seen, most: seen, limit }
}

/// The sources that are left when the hostile ones are set aside, if they are enough to fail anything.
fn honest(figures: &Figures) -> Option<u32> {
    figures.sources.checked_sub(figures.hostile).filter(|&honest| honest >= LEAST_HONEST)
}

/// Judges a share of the sources. The hostile ones may all be among the affected, or all among the others.
fn share(gate: Gate, affected: u32, figures: &Figures, limit: Share) -> Judged {
    // Without this guard D9 must be seen to fail: any share of the sources will do.
    let limit = if cfg!(fusewall_without = "gates") { 1.0 } else { limit.as_f64() };
    let hostile = figures.hostile;
    let seen = f64::from(affected) / f64::from(figures.sources.max(1));
    let Some(honest) = honest(figures) else {
        return Judged { gate, finding: Finding::Waiting, seen, least: 0.0, most: 1.0, limit };
    };
    let (least, _) = interval(affected.saturating_sub(hostile), honest);
    // That nothing was seen of something that must not be is all that can be asked for.
    let most = if affected == 0 && limit == 0.0 { 0.0 } else { interval(affected.min(honest), honest).1 };
    let finding = match () {
        () if least > limit => Finding::Failed,
        () if most <= limit => Finding::Passed,
        () => Finding::Open,
    };
    Judged { gate, finding, seen, least, most, limit }
}

/// Wilson's score interval: between which shares of all the true one lies, if so many of a sample are affected.
fn interval(affected: u32, sample: u32) -> (f64, f64) {
    let (k, n, z) = (f64::from(affected), f64::from(sample), DEVIATIONS);
    let share = k / n;
    let centre = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    let least = if affected == 0 { 0.0 } else { (centre - half) / scale };
    (least.max(0.0), ((centre + half) / scale).min(1.0))
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Judged { gate, seen, least, most, limit, finding } = self;
        let finding = match finding {
            Finding::Passed => "passed",
            Finding::Waiting => "too little was observed",
            Finding::Open => "open",
            Finding::Failed => "failed",
        };
        match gate {
            Gate::Sample => return write!(f, "{seen} networks of at least {limit}: {finding}"),
            Gate::Canary => return write!(f, "{seen} networks in the canary of at least {limit}: {finding}"),
            Gate::Probes => return write!(f, "{seen} requests of the operator of at least {limit}: {finding}"),
            Gate::Fuel => {
                let honest = format_args!("{least:.0} to {most:.0} without hostile networks");
                return write!(f, "fuel: {seen:.0} % of the live ruleset's, {honest}, limit {limit} %: {finding}");
            }
            Gate::NewlyBlocked => f.write_str("newly blocked")?,
            Gate::NewlyPassed => f.write_str("newly passed")?,
            Gate::Failures => f.write_str("internal errors")?,
            Gate::RuleShare(rule) => write!(f, "rule {rule} matches newly")?,
            Gate::DearestFuel => f.write_str("far dearer")?,
        }
        let [seen, least, most, limit] = [seen, least, most, limit].map(|share| 100.0 * share);
        write!(f, ": {seen:.2} % of the networks, {least:.2} to {most:.2} of honest ones, limit {limit} %: {finding}")
    }
}
