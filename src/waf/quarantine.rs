//! The circuit breakers of the ruleset in service: what requests tell them, and what comes of it.

use super::Waf;
use crate::engine;
use crate::governor::{
    Account, Change, Decision, Network, Observation, Outcome, Quarantine, QuarantineConfig, Report, State, SystemClock,
};
use crate::plan;
use crate::program::{CtlStep, Program, RuleIx, Step};
use crate::rule::{EngineMode, RuleId};
use crate::store::Deployed;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Fuel of a rule's own below which nobody asks whether it was within its certificate, which takes longer.
const WORTH_ASKING: u64 = 10_000_000;
/// Requests between two looks for rules whose cool-down is over.
const TICK: u64 = 64;

/// The breakers of one generation.
#[derive(Debug)]
pub(super) struct Watch {
    generation: u64,
    quarantine: Quarantine,
    /// Whether nothing in the ruleset can refuse a request.
    watches: bool,
    requests: AtomicU64,
}

impl Watch {
    pub(super) fn new(config: &QuarantineConfig, deployed: &Deployed) -> Watch {
        let program = deployed.loaded().program();
        let protected = program.rules.iter().map(|rule| rule.critical);
        let quarantine = Quarantine::new(config, protected, Arc::new(SystemClock::new()));
        Watch { generation: deployed.generation(), quarantine, watches: watches(program), requests: AtomicU64::new(0) }
    }

    /// Whether these are the breakers of that ruleset.
    pub(super) fn is_of(&self, deployed: &Deployed) -> bool {
        self.generation == deployed.generation()
    }

    /// Whether requests from that network are to be decided without looking at them.
    pub(super) fn is_bad_client(&self, network: Network) -> bool {
        self.quarantine.is_bad_client(network)
    }

    /// Takes a request that has ended into account: what each rule has spent, and which one has panicked.
    pub(super) fn observe(&self, tx: &engine::Transaction, panicked: bool, network: Network, deployed: &Deployed) {
        if cfg!(fusewall_without = "quarantine") {
            return;
        }
        let running = tx.running_rule().filter(|_| panicked);
        let mut certificate = None;
        let observed = tx.rule_fuel().iter().enumerate().filter_map(|(rule, &fuel)| {
            let outcome = if running == Some(RuleIx::new(rule)) { Outcome::Panic } else { Outcome::Spent };
            if fuel == 0 && outcome == Outcome::Spent {
                return None;
            }
            let bound =
                Some(if fuel > WORTH_ASKING { certified(tx, RuleIx::new(rule), &mut certificate) } else { u64::MAX });
            let rule = u32::try_from(rule).ok()?;
            self.quarantine.observe(&Observation { rule, fuel, bound, enforcing: !self.watches, network, outcome })
        });
        for decision in observed {
            self.carry_out(decision, deployed);
        }
        if self.requests.fetch_add(1, Ordering::Relaxed).is_multiple_of(TICK) {
            for decision in self.quarantine.tick() {
                self.carry_out(decision, deployed);
            }
        }
    }

    fn carry_out(&self, Decision { rule, change, why }: Decision, deployed: &Deployed) {
        let (index, switches) = (RuleIx::new(rule as usize), deployed.switches());
        let done = match change {
            Change::LeaveOut => {
                switches.quarantine(index, true);
                "it is left out"
            }
            Change::CountAsMatch => {
                switches.doubt(index, true);
                "it counts as a match"
            }
            Change::Try | Change::Restore => {
                switches.quarantine(index, false);
                switches.doubt(index, false);
                if change == Change::Try { "it is tried" } else { "it is on again" }
            }
            Change::Tell => "it stays as it is",
            Change::Blame => "it stays as it is, its client is refused for a while",
        };
        if let Some(left_out) = Report::Quarantine.admit() {
            let id = deployed.loaded().program().source(index).map_or(0, |rule| rule.id.0);
            let (generation, left_out) = (self.generation, left_out.count());
            tracing::warn!(rule = id, generation, left_out, "quarantine: {why}: {done}");
        }
    }
}

/// What a rule may cost at most in a request of this size. An answer is counted as if it were one more.
fn certified(tx: &engine::Transaction, rule: RuleIx, certificate: &mut Option<plan::Bound>) -> u64 {
    let (loaded, bytes) = (tx.loaded(), usize::try_from(tx.inspected()).unwrap_or(usize::MAX));
    let whole = certificate.get_or_insert_with(|| plan::bound(loaded, bytes));
    let id = loaded.program().source(rule).map(|source| source.id);
    whole.rules.iter().find(|(other, _)| Some(*other) == id).map_or(u64::MAX, |(_, fuel)| *fuel)
}

/// Whether a ruleset only watches: it never refuses, and no rule can change that for a request.
fn watches(program: &Program) -> bool {
    let links = program.rules.iter().flat_map(|rule| &rule.links);
    let mut steps = links.flat_map(|link| &link.actions);
    program.ruleset.settings.engine == EngineMode::DetectionOnly
        && !steps.any(|step| matches!(step, Step::Ctl(CtlStep::RuleEngine(EngineMode::On))))
}

/// What the circuit breaker of a rule has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleAccount {
    /// The rule.
    pub rule: RuleId,
    /// Where it is in its circuit.
    pub state: State,
    /// Its evaluations and what they have cost, since its ruleset came into service.
    pub account: Account,
}

impl Waf {
    /// What the [circuit breakers](super::WafBuilder::quarantine) of the ruleset in service have counted, one for each rule, in its
    /// order; nothing without them.
    pub fn rule_accounts(&self) -> Vec<RuleAccount> {
        let deployed = self.shared.slot.current();
        let Some(watch) = self.watch(&deployed) else { return Vec::new() };
        let rules = deployed.loaded().program().ruleset.rules.iter().map(|rule| rule.id);
        let counted = (0..).map_while(|rule| Some((watch.quarantine.state(rule)?, watch.quarantine.account(rule)?)));
        rules.zip(counted).map(|(rule, (state, account))| RuleAccount { rule, state, account }).collect()
    }

    /// The rules of the ruleset in service that their [circuit breakers](super::WafBuilder::quarantine) have switched off, or try.
    pub fn quarantined(&self) -> Vec<(RuleId, State)> {
        let deployed = self.shared.slot.current();
        let Some(watch) = self.watch(&deployed) else { return Vec::new() };
        let states = (0..).map_while(|rule| watch.quarantine.state(rule));
        let rules = deployed.loaded().program().ruleset.rules.iter().map(|rule| rule.id);
        rules.zip(states).filter(|(_, state)| *state != State::Closed).collect()
    }

    /// The circuit breakers of the ruleset in service, if there are to be any.
    pub(super) fn watch(&self, deployed: &Deployed) -> Option<Arc<Watch>> {
        self.shared.watch.as_ref()?.load_full().filter(|watch| watch.is_of(deployed))
    }

    /// Begins to watch a ruleset that has come into service. Requests that began before are not counted.
    pub(super) fn watch_over(&self, deployed: &Deployed) {
        if let (Some(place), Some(config)) = (&self.shared.watch, &self.shared.quarantine) {
            place.store(Some(Arc::new(Watch::new(config, deployed))));
        }
    }
}
