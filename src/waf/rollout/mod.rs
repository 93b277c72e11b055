//! Rollouts: a candidate beside the ruleset in service, on live traffic. What is decided, and why, is in [`store::rollout`](crate::store::rollout);
//! here are the requests that take part, and the ruleset that comes and goes.
//!
//! | file | holds |
//! |---|---|
//! | `config` | what a rollout is to be like, and what is known of one |
//! | `beside` | what it adds to one exchange: `second`, the other ruleset's opinion, or `recorded`, to ask it later |
//! | `trial` | which requests take part, and what they leave behind |
//! | `running` | learns from that, judges, carries out |
//! | `mod` | the calls of [`Waf`] |

mod beside;
mod config;
mod recorded;
mod running;
mod second;
mod trial;

pub(super) use beside::Beside;
pub use config::{NoRollout, NotBegun, Probe, RolloutConfig, RolloutStatus};
pub use recorded::Recorded;
pub(super) use trial::{Surroundings, Trial};

use super::{NotPromoted, Staged, Waf};
use crate::governor::Worker;
use crate::store::journal::Journal;
use crate::store::rollout::{Canary, Comparison, Contest, Decision, EmergencyLane, Event, Pinned, Rollout, Secret};
use crate::store::{Candidate, Deployed, Generation, MemoryCollections, Origin, Refused};
use crate::sync::{ArcSwapOption, Mutex, MutexGuard};
use running::{CHANGES, Course, Running};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError};
use trial::Sides;

/// Observations that may wait, at most.
const WAITING: usize = 1 << 16;

/// The rollout of a WAF, and what is pinned.
#[derive(Default)]
pub(super) struct Rollouts {
    /// What requests look at.
    pub(super) trial: ArcSwapOption<Trial>,
    state: Mutex<State>,
    lane: Mutex<EmergencyLane>,
}

#[derive(Default)]
enum State {
    #[default]
    Never,
    Running(Arc<Running>),
    Over(Box<RolloutStatus>),
}

impl Rollouts {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> Result<Arc<Running>, NoRollout> {
        match &*self.state() {
            State::Running(running) => Ok(running.clone()),
            State::Never | State::Over(_) => Err(NoRollout),
        }
    }

    fn lane(&self) -> MutexGuard<'_, EmergencyLane> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a generation may come into service.
    ///
    /// # Errors
    /// Another one is pinned.
    pub(super) fn admits(&self, generation: u64) -> Result<(), Pinned> {
        self.lane().admits(generation)
    }

    /// The same, and nobody pins anything until the answer is dropped: for whoever swaps the pointer meanwhile.
    ///
    /// # Errors
    /// Another one is pinned.
    pub(super) fn lets_in(&self, generation: u64) -> Result<MutexGuard<'_, EmergencyLane>, Pinned> {
        let lane = self.lane();
        lane.admits(generation)?;
        Ok(lane)
    }
}

/// Why a generation is not held in service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotHeld {
    /// Another one is.
    #[error("{0}")]
    Pinned(#[from] Pinned),
    /// It is neither in service nor on its way.
    #[error("generation {generation} is neither in service nor on its way: generation {current} is in service")]
    Unknown {
        /// What was to be held.
        generation: u64,
        /// What is in service.
        current: u64,
    },
}

impl Waf {
    /// Lets staged rules come into service step by step: in the shadow first, then for a growing part of the clients, then for all,
    /// each step when the [gates](RolloutConfig::gates) say so. A thread asks the other ruleset about the requests that hosts have
    /// told this WAF of, and looks at the gates once a second; it ends with the rollout. `docs/rollout.md` has it all.
    ///
    /// # Errors
    /// [`NotBegun`]: nothing has changed.
    ///
    /// ```
    /// use fusewall::RolloutConfig;
    /// use fusewall::{Waf, store::{RuleSource, rollout::Stage}};
    ///
    /// let rules = |id| format!("SecRuleEngine On\nSecRule ARGS:a \"@streq {id}\" \"id:{id},phase:1,deny\"");
    /// let waf = Waf::builder().rules_text("a.conf", rules(1)).build().expect("it loads");
    /// let staged = waf.stage(&RuleSource::Text { name: "b.conf".into(), text: rules(2) }).expect("it loads");
    /// waf.begin_rollout(staged, RolloutConfig::default()).expect("nothing else is under way");
    ///
    /// let mut request = waf.transaction();
    /// request.process_connection([192, 0, 2, 1].into(), 4000, [192, 0, 2, 2].into(), 80);
    /// request.process_request_line(b"GET", b"/?a=2", b"HTTP/1.1");
    /// assert!(request.process_request_headers().is_none(), "the candidate decides nothing yet");
    /// request.process_logging();
    /// assert_eq!(request.verdict().unwrap().tried.unwrap().stage, "shadow");
    ///
    /// waf.abort_rollout().expect("one is under way");
    /// assert_eq!(waf.rollout().unwrap().stage, Stage::Refused);
    /// ```
    pub fn begin_rollout(&self, staged: Staged, config: RolloutConfig) -> Result<Contest, NotBegun> {
        let mut state = self.shared.rollouts.state();
        if let State::Running(running) = &*state {
            return Err(NotBegun::UnderWay(running.contest));
        }
        let (running, trial) = self.prepare_rollout(staged, &config)?;
        let contest = running.contest;
        *state = State::Running(running.clone());
        self.shared.rollouts.trial.store(Some(trial));
        drop(state);
        for probe in &config.probes {
            let at = self.now_millis();
            let outcome = running.sides.candidate_says(&probe.request, &probe.id, at.saturating_mul(1000));
            let blocked = outcome.action.blocks();
            running.take(self, &Event::Probed { at, id: probe.id.clone(), must: probe.must, blocked });
        }
        Ok(contest)
    }

    fn prepare_rollout(&self, staged: Staged, config: &RolloutConfig) -> Result<(Arc<Running>, Arc<Trial>), NotBegun> {
        let shared = &self.shared;
        // No generation has this number.
        shared.rollouts.admits(0)?;
        let live = shared.slot.current();
        if staged.base() != live.generation() {
            return Err(Refused::Stale { planned: staged.base(), current: live.generation() }.into());
        }
        shared.slot.admits(staged.release().serial())?;
        if shared.slot.keeps() == 0 {
            return Err(NotBegun::NothingKept);
        }
        if let Some(recording) = &shared.recording {
            let io = |problem| NotBegun::Io { what: "the history cannot be read".to_owned(), problem };
            shared.slot.skip_numbers(recording.with(|history| Ok(history.last_number())).map_err(io)?);
        }
        let number = shared.slot.next_number();
        let contest = Contest { live: live.generation(), candidate: number, at: self.now_millis() };
        let rollout = Rollout::new(config.plan.clone(), config.gates.clone(), contest)?;
        let journal = match &config.journal {
            None => None,
            Some(path) => Some(Journal::create(path, &config.plan, &config.gates, contest).map_err(|problem| {
                NotBegun::Io { what: format!("the journal {} cannot be made", path.display()), problem }
            })?),
        };
        let release = staged.release().clone();
        let collections = Arc::new(MemoryCollections::new(&release.loaded().program().limits));
        let candidate = Candidate { release, number, at: shared.env.epoch_micros(), origin: Origin::Promoted };
        let candidate = {
            let mut switching = self.switching();
            let candidate = Deployed::beside(candidate, |deployed| switching.prepare(deployed));
            switching.deployed(&candidate);
            candidate
        };
        let surroundings = Surroundings { collections, ..shared.surroundings.clone() };
        let sides = Arc::new(Sides { live, candidate, surroundings, tenant: shared.tenant.clone() });
        let course = Course {
            rollout,
            comparison: Comparison::new(CHANGES),
            decisions: Default::default(),
            journal,
            incomplete: 0,
            problem: None,
        };
        let waiting = Arc::new(AtomicUsize::new(0));
        let left_out = Arc::default();
        let (told, telling) = std::sync::mpsc::channel::<Arc<Running>>();
        let mut running = None;
        let weak = Arc::downgrade(shared);
        let worker = Worker::start("fusewall-rollout", WAITING, config.tick_millis, move |work| {
            if running.is_none() {
                running = telling.recv().ok();
            }
            if let (Some(running), Some(shared)) = (&running, weak.upgrade()) {
                running.work(&Waf { shared }, work);
            }
        });
        let worker =
            worker.map_err(|problem| NotBegun::Io { what: "no thread for the rollout".to_owned(), problem })?;
        let canary = Canary::new(config.secret.unwrap_or_else(Secret::random));
        let trial = Arc::new(Trial::new(
            contest,
            canary,
            sides.clone(),
            worker,
            (waiting.clone(), Arc::clone(&left_out)),
            config,
        ));
        let running = Arc::new(Running {
            contest,
            gates: config.gates.clone(),
            staged,
            sides,
            trial: Arc::downgrade(&trial),
            waiting,
            left_out,
            course: Mutex::new(course),
            deciding: Mutex::new(()),
        });
        let _ = told.send(running.clone());
        Ok((running, trial))
    }

    /// The rollout under way, or the last one.
    /// A decision is told once it is carried out: whoever reads that the candidate is promoted finds it in service.
    pub fn rollout(&self) -> Option<RolloutStatus> {
        let running = match &*self.shared.rollouts.state() {
            State::Never => return None,
            State::Over(status) => return Some((**status).clone()),
            State::Running(running) => Arc::clone(running),
        };
        Some(running.status_between_decisions())
    }

    /// Sends the rollout on to its next stage, although a gate is open or too little was observed. A gate that has failed has failed:
    /// it is refused then, or rolled back. Answers what was decided; `None` if it is promoted already.
    ///
    /// # Errors
    /// There is none under way.
    pub fn approve_rollout(&self) -> Result<Option<Decision>, NoRollout> {
        let running = self.shared.rollouts.running()?;
        Ok(running.take(self, &Event::Approved { at: self.now_millis() }))
    }

    /// Ends the rollout: the candidate is refused, or rolled back if it is promoted already.
    ///
    /// # Errors
    /// There is none under way.
    pub fn abort_rollout(&self) -> Result<Option<Decision>, NoRollout> {
        let running = self.shared.rollouts.running()?;
        Ok(running.take(self, &Event::Aborted { at: self.now_millis() }))
    }

    /// Pins a generation, with a reason for people: nothing else comes into service, by nobody, until
    /// [`release_hold`](Self::release_hold). The candidate of a rollout is promoted at once, past all gates, and no gate rolls it back
    /// meanwhile: the way for a virtual patch. If it is the one in service, a rollout ends.
    ///
    /// # Errors
    /// Another one is pinned, or it is neither in service nor on its way, or cannot come into service.
    pub fn hold_in_service(&self, generation: u64, why: &str) -> Result<(), NotHeld> {
        let current = self.generation().number;
        let running = self.shared.rollouts.running();
        let on_its_way = running.is_ok_and(|running| running.contest.candidate == generation);
        if generation != current && !on_its_way {
            return Err(NotHeld::Unknown { generation, current });
        }
        let at = self.now_millis();
        self.shared.rollouts.lane().pin(generation, why, at)?;
        // Asked for again: one may have begun before anything was pinned.
        if let Ok(running) = self.shared.rollouts.running() {
            running.heed_lane(self);
        }
        let current = self.generation().number;
        if current == generation {
            tracing::warn!(generation, "held in service: {why}");
            return Ok(());
        }
        let _ = self.shared.rollouts.lane().unpin(generation);
        Err(NotHeld::Unknown { generation, current })
    }

    /// Lets others into service again. Whoever unpins names what they believe to be pinned.
    ///
    /// # Errors
    /// Another one is pinned.
    pub fn release_hold(&self, generation: u64) -> Result<(), Pinned> {
        self.shared.rollouts.lane().unpin(generation)?;
        tracing::warn!(generation, "no longer held in service");
        if let Ok(running) = self.shared.rollouts.running() {
            running.heed_lane(self);
        }
        Ok(())
    }

    /// What is pinned, if anything is.
    pub fn held(&self) -> Option<Pinned> {
        self.shared.rollouts.lane().pinned().cloned()
    }

    /// The candidate comes into service under the number that it has been tried as.
    fn promote_candidate(&self, staged: &Staged, contest: Contest) -> Result<Generation, NotPromoted> {
        let _deploying = self.deploying();
        self.deploy(staged, Some(contest.live), Some(contest.candidate))
    }

    /// What the thread of a rollout does at each tick: models have none.
    #[cfg(fusewall_model)]
    pub fn tick_rollout(&self) {
        if let Ok(running) = self.shared.rollouts.running() {
            running.work(self, crate::governor::Work::Tick);
        }
    }

    /// Takes a rollout that is over away from the requests; what is known of it stays.
    fn end_rollout(&self, over: &Running) {
        let status = over.status();
        let mut state = self.shared.rollouts.state();
        if matches!(&*state, State::Running(running) if std::ptr::eq(&**running, over)) {
            self.shared.rollouts.trial.store(None);
            *state = State::Over(Box::new(status));
        }
    }

    /// Milliseconds since 1970.
    fn now_millis(&self) -> u64 {
        self.shared.env.epoch_micros() / 1000
    }
}
