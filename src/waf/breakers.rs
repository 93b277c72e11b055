//! The circuit breakers of a ruleset in service: what exchanges tell them at their end, and how their decisions are carried out.

use crate::engine;
use crate::governor::{
    Change, Clock, Decision, Network, Observation, Outcome, Quarantine, QuarantineConfig, State, SystemClock,
};
use crate::plan;
use crate::program::{Program, RuleIx, Switches};
use crate::rule::{EngineMode, RuleId};
use crate::store::Deployed;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Of so many requests that only watch, one is looked at rule by rule: enough to find a dear rule in a fraction of a second, too
/// few to cost anything.
const ONE_IN: u64 = 4;
/// Fuel of a rule's own below which nobody asks whether it was within its certificate. A rule would have to be wrong by far.
const WORTH_ASKING: u64 = 5_000_000;
/// Requests after which rules whose cool-down is over are looked for, if some are off.
const TICK: u64 = 64;

/// The breakers of one ruleset in service.
#[derive(Debug)]
pub(super) struct Breakers {
    generation: u64,
    switches: Arc<Switches>,
    quarantine: Quarantine,
    requests: AtomicU64,
}

impl Breakers {
    pub(super) fn new(config: &QuarantineConfig, deployed: &Deployed) -> Arc<Breakers> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let protected = deployed.loaded().program().rules.iter().map(|rule| rule.critical);
        Arc::new(Breakers {
            generation: deployed.generation(),
            switches: deployed.switches().clone(),
            quarantine: Quarantine::new(config, protected, clock),
            requests: AtomicU64::new(0),
        })
    }

    /// Whether they are those of this ruleset.
    pub(super) fn belong_to(&self, deployed: &Deployed) -> bool {
        self.generation == deployed.generation()
    }

    /// Lets an exchange try rules that are off, if it is its turn. Answers whether it does.
    pub(super) fn admit(&self, inner: &mut engine::Transaction, program: &Program) -> bool {
        if self.quarantine.off() == 0 {
            return false;
        }
        let mut tries = false;
        for rule in 0..program.rules.len() {
            let number = u32::try_from(rule).unwrap_or(u32::MAX);
            if self.quarantine.state(number) == Some(State::HalfOpen) && self.quarantine.lets_through(number) {
                inner.readmit(RuleIx::new(rule));
                tries = true;
            }
        }
        tries
    }

    /// Takes an exchange into account that has ended. `tries`: what [`admit`](Self::admit) answered.
    pub(super) fn settle(&self, inner: &engine::Transaction, client: Option<IpAddr>, panicked: bool, tries: bool) {
        if cfg!(fusewall_without = "quarantine") {
            return;
        }
        let program = inner.loaded().program();
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        let enforcing = inner.mode() == EngineMode::On;
        let network = Network::from(client.unwrap_or(IpAddr::from([0, 0, 0, 0])));
        let seen = |rule: RuleIx, fuel: u64, bound: Option<u64>, outcome: Outcome| Observation {
            rule: u32::try_from(rule.index()).unwrap_or(u32::MAX),
            fuel,
            bound,
            enforcing,
            network,
            outcome,
        };
        if panicked && let Some(rule) = inner.running_rule() {
            self.carry_out(self.quarantine.observe(&seen(rule, 0, Some(u64::MAX), Outcome::Panic)), program);
        }
        let watched = tries || !enforcing && number.is_multiple_of(ONE_IN);
        if watched || inner.fuel() > WORTH_ASKING {
            let mut certificate = None;
            for (rule, fuel) in inner.spent_by_rules() {
                let asked = fuel > WORTH_ASKING;
                if !watched && !asked {
                    continue;
                }
                let planned = program.rules.get(rule.index());
                // A rule that only its budget bounds has no certificate to be held to.
                let certified = planned.is_some_and(|planned| planned.price.per_call < program.limits.fuel_rule);
                let bound = certified.then(|| if asked { self.bound(inner, rule, &mut certificate) } else { u64::MAX });
                self.carry_out(self.quarantine.observe(&seen(rule, fuel, bound, Outcome::Spent)), program);
            }
        }
        if number.is_multiple_of(TICK) && self.quarantine.off() != 0 {
            for decision in self.quarantine.tick() {
                self.carry_out(Some(decision), program);
            }
        }
    }

    /// What a rule may cost in a request of this size.
    fn bound(&self, inner: &engine::Transaction, rule: RuleIx, certificate: &mut Option<plan::Bound>) -> u64 {
        let loaded = inner.loaded();
        let bytes = usize::try_from(inner.inspected()).unwrap_or(usize::MAX);
        // An answer is not among what the certificate is about: it is counted as if it were one more request.
        let whole = certificate.get_or_insert_with(|| plan::bound(loaded, bytes));
        let id = loaded.program().source(rule).map(|source| source.id);
        let own = whole.rules.iter().find(|(other, _)| Some(*other) == id).map(|(_, fuel)| *fuel);
        own.unwrap_or(u64::MAX)
    }

    fn carry_out(&self, decision: Option<Decision>, program: &Program) {
        let Some(Decision { rule, change, why }) = decision else { return };
        let rule = RuleIx::new(rule as usize);
        match change {
            Change::LeaveOut => self.switches.quarantine(rule, true),
            Change::CountAsMatch => self.switches.doubt(rule, true),
            Change::Restore => {
                self.switches.quarantine(rule, false);
                self.switches.doubt(rule, false);
            }
            Change::Try | Change::Tell | Change::Blame => {}
        }
        let id = program.source(rule).map_or(0, |source| source.id.0);
        tracing::warn!(rule = id, generation = self.generation, ?change, %why, "circuit breaker of a rule");
    }

    /// The rules that are off or being tried.
    pub(super) fn off(&self, program: &Program) -> Vec<(RuleId, State)> {
        let state = |at: usize| u32::try_from(at).ok().and_then(|at| self.quarantine.state(at));
        let rules = program.ruleset.rules.iter().enumerate();
        rules
            .filter_map(|(at, rule)| Some((rule.id, state(at)?)))
            .filter(|(_, state)| *state != State::Closed)
            .collect()
    }
}
