//! What was observed in a stage, source by source, in bounded memory.
//!
//! A source is counted once, whatever it sends: a figure is the number of sources of which something is true of at least one request.
//! Only the first requests of each are looked at.

use super::fuel::{FuelFigures, FuelHistogram};
use super::gates::Gates;
use super::outcome::Outcome;
use super::source::{Block, Source};
use crate::rule::RuleId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sources of a sample, at most. Further ones are left out; so large a sample needs no more.
pub(super) const SOURCES: usize = 1 << 16;
/// Sources of one block, at most: a /16 of IPv4 has 256, a /32 of IPv6 16 million, and may have one owner.
const OF_A_BLOCK: u32 = 64;
/// Newly matched rules that are counted for one source, at most.
const RULES_OF_A_SOURCE: usize = 16;
/// Rules whose figures are told, those with most sources.
const RULES_TOLD: usize = 8;

/// What both rulesets say of one request. One of them has decided, the other was asked as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Where it came from.
    pub source: Source,
    /// Whether the candidate has decided (the client is in the canary).
    pub canary: bool,
    /// What the ruleset says that was in service before the rollout.
    pub live: Outcome,
    /// What the candidate says.
    pub candidate: Outcome,
}

/// How many sources a rule has newly matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RuleSources {
    /// The rule.
    pub rule: u64,
    /// Sources for which the candidate has logged it, and the live ruleset for the same request not.
    pub sources: u32,
}

/// Fuel of all counted requests together, while some sources are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FuelSums {
    /// Of the live ruleset.
    pub live: u64,
    /// Of the candidate.
    pub candidate: u64,
}

impl FuelSums {
    /// What the candidate costs, in hundredths of what the live ruleset does.
    pub fn percent(&self) -> f64 {
        100.0 * self.candidate as f64 / self.live.max(1) as f64
    }
}

/// The figures of a sample: all that a decision rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Requests observed.
    pub requests: u64,
    /// Requests that count: the first of each source.
    pub counted: u64,
    /// Sources that count.
    pub sources: u32,
    /// Sources that may be hostile: so many are assumed to do whatever suits them.
    pub hostile: u32,
    /// Sources with a request that the candidate has decided.
    pub canary: u32,
    /// Requests of the operator's own set that were tried, in all stages together.
    pub probes: u32,
    /// Sources with a request that only the candidate blocks.
    pub newly_blocked: u32,
    /// Sources with a request that only the live ruleset blocks.
    pub newly_passed: u32,
    /// Sources with a request for which only the candidate has failed.
    pub failed: u32,
    /// Sources whose dearest request costs the candidate more than the declared multiple of what the live ruleset spends on its
    /// dearest one.
    pub dearer: u32,
    /// The rules that have newly matched for most sources, up to eight.
    pub rules: Vec<RuleSources>,
    /// Fuel of all counted requests.
    pub fuel: FuelSums,
    /// The same without the hostile number of sources for which the candidate is worst.
    pub fuel_at_best: FuelSums,
    /// The same without those for which it is best.
    pub fuel_at_worst: FuelSums,
    /// Fuel of a counted request: the live ruleset.
    pub live_fuel: FuelFigures,
    /// Fuel of a counted request: the candidate.
    pub candidate_fuel: FuelFigures,
}

/// What is known of a source.
#[derive(Debug, Clone, Default)]
struct Account {
    requests: u16,
    canary: bool,
    newly_blocked: bool,
    newly_passed: bool,
    failed: bool,
    sum: FuelSums,
    dearest: FuelSums,
    rules: Vec<RuleId>,
}

/// What was observed so far.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    requests: u64,
    counted: u64,
    sources: BTreeMap<Source, Account>,
    blocks: BTreeMap<Block, u32>,
    rules: BTreeMap<RuleId, u32>,
    live_fuel: FuelHistogram,
    candidate_fuel: FuelHistogram,
}

impl Sample {
    pub(super) fn new() -> Sample {
        Sample {
            requests: 0,
            counted: 0,
            sources: BTreeMap::new(),
            blocks: BTreeMap::new(),
            rules: BTreeMap::new(),
            live_fuel: FuelHistogram::new(),
            candidate_fuel: FuelHistogram::new(),
        }
    }

    /// Adds a request; answers whether it counts. One that does not changes nothing but the number of requests.
    pub(super) fn add(&mut self, seen: &Observation, most: u16) -> bool {
        self.requests = self.requests.saturating_add(1);
        if !self.sources.contains_key(&seen.source) {
            if self.sources.len() >= SOURCES {
                return false;
            }
            let of_block = self.blocks.entry(seen.source.block()).or_default();
            if *of_block >= OF_A_BLOCK {
                return false;
            }
            *of_block += 1;
        }
        let account = self.sources.entry(seen.source).or_default();
        if account.requests >= most {
            return false;
        }
        let (live, candidate) = (&seen.live, &seen.candidate);
        let (live_blocks, candidate_blocks) = (live.action.blocks(), candidate.action.blocks());
        let failed = candidate.failed && !live.failed;
        account.requests += 1;
        account.canary |= seen.canary;
        account.failed |= failed;
        // What fails is refused, and told apart from what rules refuse.
        account.newly_blocked |= candidate_blocks && !live_blocks && !failed;
        account.newly_passed |= live_blocks && !candidate_blocks && !live.failed;
        account.sum.live = account.sum.live.saturating_add(live.fuel);
        account.sum.candidate = account.sum.candidate.saturating_add(candidate.fuel);
        account.dearest.live = account.dearest.live.max(live.fuel);
        account.dearest.candidate = account.dearest.candidate.max(candidate.fuel);
        for rule in candidate.rules_beyond(live) {
            if account.rules.len() < RULES_OF_A_SOURCE && !account.rules.contains(&rule) {
                account.rules.push(rule);
                *self.rules.entry(rule).or_default() += 1;
            }
        }
        self.counted += 1;
        self.live_fuel.add(live.fuel);
        self.candidate_fuel.add(candidate.fuel);
        true
    }

    /// The figures that gates look at. Takes time in proportion to the sources: not for the path of a request.
    pub(super) fn figures(&self, gates: &Gates, probes: u32) -> Figures {
        let count = |is: fn(&Account) -> bool| self.sources.values().filter(|account| is(account)).count() as u32;
        let sources = self.sources.len() as u32;
        let hostile = gates.hostile(sources);
        let dearer = |account: &&Account| exceeds(account.dearest, gates.max_dearest_percent);
        let mut rules: Vec<_> =
            self.rules.iter().map(|(rule, &sources)| RuleSources { rule: rule.0, sources }).collect();
        rules.sort_by_key(|rule| (std::cmp::Reverse(rule.sources), rule.rule));
        rules.truncate(RULES_TOLD);
        // By what the candidate costs beyond what it may: whoever leaves out some of them does most by leaving out the extremes.
        let mut sums: Vec<_> = self.sources.values().map(|account| account.sum).collect();
        sums.sort_by_key(|sum| (excess(*sum, gates.max_fuel_percent), sum.candidate));
        let total = |sums: &[FuelSums]| {
            sums.iter().fold(FuelSums::default(), |total, sum| FuelSums {
                live: total.live.saturating_add(sum.live),
                candidate: total.candidate.saturating_add(sum.candidate),
            })
        };
        let left_out = (hostile as usize).min(sums.len());
        Figures {
            requests: self.requests,
            counted: self.counted,
            sources,
            hostile,
            canary: count(|account| account.canary),
            probes,
            newly_blocked: count(|account| account.newly_blocked),
            newly_passed: count(|account| account.newly_passed),
            failed: count(|account| account.failed),
            dearer: self.sources.values().filter(dearer).count() as u32,
            rules,
            fuel: total(&sums),
            fuel_at_best: total(sums.get(..sums.len() - left_out).unwrap_or_default()),
            fuel_at_worst: total(sums.get(left_out..).unwrap_or_default()),
            live_fuel: self.live_fuel.figures(),
            candidate_fuel: self.candidate_fuel.figures(),
        }
    }
}

/// By how much the candidate costs more than so many hundredths of what the live ruleset does.
fn excess(fuel: FuelSums, percent: u32) -> i128 {
    100 * i128::from(fuel.candidate) - i128::from(percent) * i128::from(fuel.live)
}

/// Whether it costs more than that.
pub(super) fn exceeds(fuel: FuelSums, percent: u32) -> bool {
    excess(fuel, percent) > 0
}
