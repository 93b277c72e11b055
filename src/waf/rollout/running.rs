//! A rollout under way: it takes in what requests leave behind, judges, and carries out what it has decided.

use super::config::RolloutStatus;
use super::trial::{Ended, Other, Sides, Trial};
use crate::governor::Work;
use crate::store::journal::Journal;
use crate::store::rollout::{
    Comparison, Contest, Decision, Event, Gates, Observation, Outcome, Pinned, Rollout, Stage, Why,
};
use crate::sync::{Mutex, MutexGuard};
use crate::waf::{Staged, Waf};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, Weak};

/// Decisions that are told.
const DECISIONS: usize = 64;
/// Changed verdicts that are kept.
pub(super) const CHANGES: usize = 10_000;

/// A rollout and all that belongs to it.
pub(in crate::waf) struct Running {
    pub(super) contest: Contest,
    pub(super) gates: Gates,
    pub(super) staged: Staged,
    pub(super) sides: Arc<Sides>,
    pub(super) trial: Weak<Trial>,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) left_out: Arc<AtomicU64>,
    pub(super) course: Mutex<Course>,
    /// Held from a decision until it is carried out.
    pub(super) deciding: Mutex<()>,
}

/// What has been learnt so far.
pub(super) struct Course {
    pub(super) rollout: Rollout,
    pub(super) comparison: Comparison,
    pub(super) decisions: VecDeque<Decision>,
    pub(super) journal: Option<Journal>,
    pub(super) incomplete: u64,
    pub(super) problem: Option<String>,
}

impl Course {
    fn take(&mut self, event: &Event) -> Option<Decision> {
        let taken = self.rollout.take(event);
        if let Some(journal) = self.journal.as_mut().filter(|_| taken.counts)
            && let Err(problem) = journal.add(event)
        {
            self.problem.get_or_insert_with(|| format!("the journal ends here: {problem}"));
            self.journal = None;
        }
        taken.decision
    }

    fn flush(&mut self) {
        if let Some(journal) = &mut self.journal
            && let Err(problem) = journal.flush()
        {
            self.problem.get_or_insert_with(|| format!("the journal ends here: {problem}"));
            self.journal = None;
        }
    }
}

impl Running {
    /// What its thread does.
    pub(super) fn work(&self, waf: &Waf, work: Work<Ended>) {
        match work {
            Work::Item(ended) => self.learn(ended),
            Work::Tick => {
                self.tick(waf);
            }
        }
    }

    fn learn(&self, ended: Ended) {
        self.waiting.fetch_sub(ended.bytes(), Ordering::Relaxed);
        let Ended { id, source, stage, whole, first, other } = ended;
        // What was seen in an earlier stage says nothing about this one.
        if self.course().rollout.stage() != stage {
            return;
        }
        let (canary, other) = match other {
            Other::Asked(other) => (true, other),
            Other::ToAsk { recorded, at } => {
                let deployed = if stage == Stage::Promoted { &self.sides.live } else { &self.sides.candidate };
                let Some(other) = self.sides.ask(deployed, &recorded, &id, at) else {
                    self.left_out.fetch_add(1, Ordering::Relaxed);
                    return;
                };
                (false, other)
            }
        };
        let mut course = self.course();
        if course.rollout.stage() != stage {
            return;
        }
        // Who was asked first has stopped the request before all of it was known: the other one may have said so later.
        let unknown = |blocks: &Outcome, passes: &Outcome| blocks.action.blocks() && !passes.action.blocks();
        if !whole && (unknown(&first, &other) || (canary && unknown(&other, &first))) {
            course.incomplete += 1;
            return;
        }
        let (live, candidate) = if stage == Stage::Promoted { (other, first) } else { (first, other) };
        course.comparison.add(&id, &live, &candidate);
        course.take(&Event::Observed(Observation { source, canary, live, candidate }));
    }

    /// Time has passed.
    fn tick(&self, waf: &Waf) {
        let _deciding = self.deciding();
        let in_service = waf.generation().number;
        let (expected, over) = {
            let mut course = self.course();
            course.flush();
            let promoted = course.rollout.stage() == Stage::Promoted;
            (if promoted { self.contest.candidate } else { self.contest.live }, course.rollout.is_over())
        };
        if over {
            return;
        }
        let at = waf.now_millis();
        if in_service != expected {
            self.course().problem = Some(format!("generation {in_service} has come into service meanwhile"));
            self.decide(waf, &Event::Aborted { at });
        } else {
            self.decide(waf, &Event::Tick { at });
        }
    }

    /// Takes in something that may decide, and carries out what it does.
    pub(super) fn take(&self, waf: &Waf, event: &Event) -> Option<Decision> {
        let _deciding = self.deciding();
        self.decide(waf, event)
    }

    /// Takes in what is pinned by now: of two who pin and unpin, the one who comes here last need not be the one who acted last.
    pub(super) fn heed_lane(&self, waf: &Waf) {
        let at = waf.now_millis();
        let _deciding = self.deciding();
        let event = match waf.held() {
            Some(Pinned { generation, .. }) => Event::Pinned { at, generation },
            None => Event::Unpinned { at },
        };
        self.decide(waf, &event);
    }

    /// The caller holds [`deciding`](Running::deciding).
    fn decide(&self, waf: &Waf, event: &Event) -> Option<Decision> {
        let decision = self.course().take(event)?;
        self.told(&decision);
        let failed = self.carry_out(waf, &decision);
        {
            let mut course = self.course();
            course.flush();
            if course.decisions.len() == DECISIONS {
                course.decisions.pop_front();
            }
            course.decisions.push_back(decision.clone());
        }
        if let Some(problem) = failed {
            tracing::error!(generation = self.contest.candidate, "rollout: {problem}");
            self.course().problem = Some(problem);
            if decision.to == Stage::Promoted {
                // It is not in service, so there is nothing to go back from.
                let at = waf.now_millis();
                return self.decide(waf, &Event::Aborted { at });
            }
        }
        if self.course().rollout.is_over() {
            waf.end_rollout(self);
        }
        Some(decision)
    }

    fn told(&self, decision: &Decision) {
        let (live, candidate) = (self.contest.live, self.contest.candidate);
        match decision.to {
            Stage::Refused | Stage::RolledBack => tracing::error!(live, candidate, "rollout: {decision}"),
            _ if decision.why == Why::Held => tracing::warn!(live, candidate, "rollout: {decision}"),
            _ => tracing::info!(live, candidate, "rollout: {decision}"),
        }
    }

    /// Answers what kept it from being carried out.
    fn carry_out(&self, waf: &Waf, decision: &Decision) -> Option<String> {
        if decision.from == decision.to {
            return None;
        }
        let failed = match decision.to {
            Stage::Promoted => waf.promote_candidate(&self.staged, self.contest).err().map(|error| error.to_string()),
            Stage::RolledBack if waf.generation().number == self.contest.candidate => {
                waf.roll_back_from(Some(self.contest.candidate)).err().map(|error| error.to_string())
            }
            _ => None,
        };
        if let Some(trial) = self.trial.upgrade().filter(|_| failed.is_none()) {
            trial.enter(decision.to);
        }
        failed
    }

    /// Waits while a decision is carried out, so that its stage and what is in service belong together.
    pub(super) fn status_between_decisions(&self) -> RolloutStatus {
        let _deciding = self.deciding();
        self.status()
    }

    pub(super) fn status(&self) -> RolloutStatus {
        let course = self.course();
        let figures = course.rollout.figures();
        let stage = course.rollout.stage();
        RolloutStatus {
            contest: self.contest,
            stage,
            over: course.rollout.is_over(),
            gates: self.gates.judge(stage, &figures),
            figures,
            comparison: course.comparison.figures(),
            decisions: course.decisions.iter().cloned().collect(),
            left_out: self.left_out.load(Ordering::Relaxed),
            incomplete: course.incomplete,
            problem: course.problem.clone(),
        }
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deciding(&self) -> MutexGuard<'_, ()> {
        self.deciding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
