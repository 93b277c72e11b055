//! A rollout as requests see it: which ruleset else is asked about them, when, and whom they leave their observations to.

use super::recorded::Recorded;
use super::second::Second;
use crate::engine::persist::Collections;
use crate::engine::{self, Env, EnvVariable, Policy, Resolver, RulePolicy, Tried};
use crate::governor::{Tenant, Worker};
use crate::http::Descriptors;
use crate::store::Deployed;
use crate::store::rollout::{Canary, Contest, Outcome, Share, Source, Stage};
use crate::sync::{AtomicU32, Ordering};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize};

/// The share that says that the candidate is in service.
const PROMOTED: u32 = u32::MAX;
/// The share that says that nobody is to be asked any longer.
const OVER: u32 = u32::MAX - 1;
/// Places in the table of networks heard; a power of two.
const PLACES: usize = 1 << 16;

/// What evaluations share, whichever ruleset they are of.
#[derive(Clone)]
pub(in crate::waf) struct Surroundings {
    pub(in crate::waf) env: Arc<dyn Env>,
    pub(in crate::waf) resolver: Option<Arc<dyn Resolver>>,
    pub(in crate::waf) descriptors: Option<Arc<Descriptors>>,
    pub(in crate::waf) collections: Arc<dyn Collections>,
    pub(in crate::waf) policy: Policy,
    pub(in crate::waf) rule_policy: RulePolicy,
}

impl Surroundings {
    /// An evaluation, which knows nothing of a request yet.
    pub(in crate::waf) fn begin(&self, deployed: &Deployed, env: Arc<dyn Env>, id: &str) -> engine::Transaction {
        let mut inner = engine::Transaction::new(deployed.loaded().clone(), deployed.scratch(), env, id);
        inner.set_collections(self.collections.clone());
        inner.set_policy(self.policy);
        inner.set_rule_policy(self.rule_policy);
        inner.set_switches(deployed.switches().clone());
        if let Some(resolver) = &self.resolver {
            inner.set_resolver(resolver.clone());
        }
        if let Some(descriptors) = &self.descriptors {
            inner.set_descriptors(descriptors.clone());
        }
        inner.set_generation(deployed.generation());
        inner
    }
}

/// Both rulesets, and what evaluations beside the requests run with.
pub(super) struct Sides {
    pub(super) live: Arc<Deployed>,
    pub(super) candidate: Arc<Deployed>,
    pub(super) surroundings: Surroundings,
    pub(super) tenant: Option<Arc<Tenant>>,
}

impl Sides {
    /// What a ruleset says of a request at that time. `None`: there is no CPU to ask.
    pub(super) fn ask(&self, deployed: &Arc<Deployed>, recorded: &Recorded, id: &str, at: u64) -> Option<Outcome> {
        // The work decides nothing, so it is left out first; and no client has to pay for it.
        let ticket = self.tenant.as_ref().map(|tenant| tenant.account(None));
        if ticket.as_ref().is_some_and(|ticket| !ticket.shadow()) {
            return None;
        }
        let started = ticket.as_ref().map(|ticket| ticket.start(0));
        let (outcome, fuel) = self.evaluate(deployed, recorded, id, at);
        if let (Some(mut ticket), Some(started)) = (ticket, started) {
            ticket.stop(started, fuel);
            ticket.settle(fuel);
        }
        Some(outcome)
    }

    /// What the candidate says of a request of one's own.
    pub(super) fn candidate_says(&self, recorded: &Recorded, id: &str, at: u64) -> Outcome {
        self.evaluate(&self.candidate, recorded, id, at).0
    }

    fn evaluate(&self, deployed: &Arc<Deployed>, recorded: &Recorded, id: &str, at: u64) -> (Outcome, u64) {
        let env: Arc<dyn Env> = Arc::new(At { micros: at, env: self.surroundings.env.clone() });
        let begun = catch_unwind(AssertUnwindSafe(|| self.surroundings.begin(deployed, env, id)));
        let Ok(inner) = begun else { return (Outcome::of(None), 0) };
        let mut second = Second::new(inner, deployed.clone());
        second.ask((), |tx| recorded.replay(tx));
        let verdict = second.told().map(engine::Transaction::verdict);
        (Outcome::of(verdict.as_ref()), second.fuel())
    }
}

/// The time at which a request began, for whoever is asked about it later.
struct At {
    micros: u64,
    env: Arc<dyn Env>,
}

impl Env for At {
    fn epoch_micros(&self) -> u64 {
        self.micros
    }

    fn variables(&self) -> &[EnvVariable] {
        self.env.variables()
    }
}

/// What a request that has ended leaves behind.
pub(super) struct Ended {
    pub(super) id: String,
    pub(super) source: Source,
    pub(super) stage: Stage,
    /// Whether all of the request is known.
    pub(super) whole: bool,
    /// What the ruleset says that was asked first.
    pub(super) first: Outcome,
    pub(super) other: Other,
}

impl Ended {
    /// What it takes of the memory for requests that wait.
    pub(super) fn bytes(&self) -> usize {
        match &self.other {
            Other::Asked(_) => 0,
            Other::ToAsk { recorded, .. } => recorded.bytes(),
        }
    }
}

/// The other ruleset.
pub(super) enum Other {
    /// It was asked at the same time: the candidate, in a canary.
    Asked(Outcome),
    /// It is to be asked.
    ToAsk {
        recorded: Box<Recorded>,
        /// Microseconds since 1970.
        at: u64,
    },
}

/// How a request takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::waf) enum Part {
    /// Both rulesets decide about it.
    Both(Stage),
    /// The other ruleset is asked afterwards.
    Afterwards(Stage),
}

/// A rollout under way.
pub(in crate::waf) struct Trial {
    contest: Contest,
    canary: Canary,
    /// Whether what only the live ruleset blocks may pass.
    pub(in crate::waf) waived: bool,
    /// Of the clients, in millionths; or [`PROMOTED`], [`OVER`].
    share: AtomicU32,
    sides: Arc<Sides>,
    heard: Heard,
    queue: Worker<Ended>,
    /// Bytes of recorded requests that wait.
    waiting: Arc<AtomicUsize>,
    most: usize,
    left_out: Arc<AtomicU64>,
}

impl Trial {
    pub(super) fn new(
        contest: Contest,
        canary: Canary,
        sides: Arc<Sides>,
        queue: Worker<Ended>,
        (waiting, left_out): (Arc<AtomicUsize>, Arc<AtomicU64>),
        config: &super::RolloutConfig,
    ) -> Trial {
        Trial {
            contest,
            canary,
            waived: config.waive_loosening,
            share: AtomicU32::new(0),
            sides,
            heard: Heard::new(config.gates.requests_per_source, config.every_request),
            queue,
            waiting,
            most: config.queue_bytes,
            left_out,
        }
    }

    /// From now on requests take part as the stage says.
    pub(super) fn enter(&self, stage: Stage) {
        let share = match stage {
            Stage::Shadow | Stage::Canary { .. } => stage.share().parts(),
            Stage::Promoted => PROMOTED,
            Stage::Refused | Stage::RolledBack => OVER,
        };
        self.heard.forget();
        self.share.store(share, Ordering::Release);
    }

    fn stage(&self) -> Stage {
        match self.share.load(Ordering::Acquire) {
            PROMOTED => Stage::Promoted,
            OVER => Stage::Refused,
            0 => Stage::Shadow,
            parts => Stage::Canary { share: Share::per_million(parts) },
        }
    }

    /// How a request of that client takes part which that generation decides about.
    pub(in crate::waf) fn part(&self, generation: u64, client: IpAddr) -> Option<Part> {
        let stage = self.stage();
        match stage {
            Stage::Shadow | Stage::Canary { .. } if generation == self.contest.live => {
                if self.canary.takes(client, stage.share()) {
                    return Some(Part::Both(stage));
                }
            }
            Stage::Promoted if generation == self.contest.candidate => {}
            _ => return None,
        }
        self.heard.wants(Source::from(client)).then_some(Part::Afterwards(stage))
    }

    /// How verdicts name it.
    pub(in crate::waf) fn tried(&self, stage: Stage) -> Tried {
        let beside = if stage == Stage::Promoted { self.contest.live } else { self.contest.candidate };
        Tried { stage: stage.name(), beside }
    }

    /// The candidate's opinion on a request that is about to begin.
    pub(in crate::waf) fn second(&self, id: &str) -> Option<Second> {
        let sides = &self.sides;
        let env = sides.surroundings.env.clone();
        let begun = catch_unwind(AssertUnwindSafe(|| sides.surroundings.begin(&sides.candidate, env, id)));
        Some(Second::new(begun.ok()?, sides.candidate.clone()))
    }

    /// Takes what a request leaves behind, if there is room.
    pub(super) fn leave(&self, ended: Ended) {
        let bytes = ended.bytes();
        let room = self.waiting.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= self.most;
        if !room || self.queue.hand_over(ended).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// How often a network has been heard in this stage: only its first requests count, so only about those the other ruleset is asked.
/// Networks share places by a hash that nobody can foretell; who has to share is heard less.
struct Heard {
    places: Box<[AtomicU8]>,
    hasher: RandomState,
    most: u8,
    every: bool,
}

impl Heard {
    fn new(most: u16, every: bool) -> Heard {
        let places = (0..PLACES).map(|_| AtomicU8::new(0)).collect();
        // A little more than count, for those that are left out on the way.
        let most = u8::try_from(most.saturating_mul(2)).unwrap_or(u8::MAX);
        Heard { places, hasher: RandomState::new(), most, every }
    }

    fn wants(&self, source: Source) -> bool {
        if self.every {
            return true;
        }
        let at = self.hasher.hash_one(source) as usize % PLACES;
        let Some(place) = self.places.get(at) else { return false };
        let heard = place.load(Ordering::Relaxed);
        if heard >= self.most {
            return false;
        }
        place.store(heard.saturating_add(1), Ordering::Relaxed);
        true
    }

    fn forget(&self) {
        self.places.iter().for_each(|place| place.store(0, Ordering::Relaxed));
    }
}
