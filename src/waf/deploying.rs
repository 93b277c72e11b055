//! Rules into service and back: staged, promoted, rolled back. Whatever fails leaves what is in service where it is.

use super::{Waf, can_store};
use crate::diag::Diagnostic;
use crate::files::Files;
use crate::lang::seclang::codes;
use crate::program::Loaded;
use crate::store::history::Entry;
use crate::store::rollout::Pinned;
use crate::store::{
    Candidate, Deployed, Generation, LoadReport, NothingToRollBackTo, Origin, Prepared, Refused, Release, RuleSource,
    prepare,
};
use crate::sync::MutexGuard;
use std::io;
use std::sync::{Arc, PoisonError};

/// Rules that have been loaded, certified, verified and probed, but are not in service.
#[derive(Debug, Clone)]
#[must_use = "nothing has changed yet"]
pub struct Staged {
    pub(super) release: Arc<Release>,
    report: LoadReport,
    base: u64,
    /// As the history keeps it, if there is one.
    packed: Option<Result<Vec<u8>, String>>,
}

impl Staged {
    /// What loading them has found: warnings and notes.
    pub fn report(&self) -> &LoadReport {
        &self.report
    }

    /// The rules, compiled.
    pub fn release(&self) -> &Arc<Release> {
        &self.release
    }

    /// The generation that was in service when loading began: [`Waf::promote`] replaces that one and no other.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The same rules, to replace another generation: whoever has seen what is in service now and wants it replaced all the same.
    pub fn onto(mut self, base: u64) -> Staged {
        self.base = base;
        self
    }
}

/// Why rules were not put into service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotPromoted {
    /// Something else is in service than they were made against, or their serial is too low.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// They could not be made to outlive the process.
    #[error("they cannot be recorded in the history: {0}")]
    NotRecorded(#[from] io::Error),
    /// What is in service stays there until somebody [lets go of it](Waf::release_hold).
    #[error("{0}")]
    Pinned(#[from] Pinned),
}

/// Whether the rules in service are those that the process was told to run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// They are.
    Healthy,
    /// They are not: what was asked for could not be loaded, or does not start.
    Degraded {
        /// The reason, for people.
        why: Arc<str>,
        /// What is in service instead.
        generation: Generation,
    },
}

impl Waf {
    /// Loads rules and tries them, and leaves it at that: nothing in service changes. Rules of `SecRemoteRules` that cannot be
    /// fetched are an error here, whatever `SecRemoteRulesFailAction` says: it is meant for a start, when the alternative is no
    /// service at all.
    ///
    /// # Errors
    /// The report, if there is an error in it, or rules are missing.
    ///
    /// ```
    /// use fusewall::{Waf, store::RuleSource};
    /// let rules = |id| format!("SecRuleEngine On\nSecAction \"id:{id},phase:1,pass\"");
    /// let waf = Waf::builder().rules_text("a.conf", rules(1)).build().expect("it loads");
    /// let staged = waf.stage(&RuleSource::Text { name: "b.conf".into(), text: rules(2) }).expect("it loads");
    /// assert_eq!(waf.generation().number, 1);
    /// assert_eq!(waf.promote(staged).expect("nobody was faster").number, 2);
    /// assert_eq!(waf.roll_back().expect("there is one before").number, 3);
    /// assert_eq!(waf.loaded().program().ruleset.rules[0].id.0, 1);
    /// ```
    pub fn stage(&self, source: &RuleSource) -> Result<Staged, LoadReport> {
        self.stage_among(source, &*self.shared.files)
    }

    /// The same, of rules that stand among other files than those of the host: what somebody has sent, for instance, names no files
    /// of this machine. Nothing else may be asked of them than of the host's own.
    ///
    /// # Errors
    /// As [`stage`](Waf::stage).
    ///
    /// ```
    /// use fusewall::{Waf, files::MemoryFiles, store::RuleSource};
    /// let waf = Waf::builder().build().expect("the built-in rules load");
    /// let sent = RuleSource::Text { name: "sent.conf".into(), text: "Include /etc/fusewall/site.conf".into() };
    /// assert!(waf.stage_among(&sent, &MemoryFiles::new()).is_err());
    /// ```
    pub fn stage_among(&self, source: &RuleSource, files: &dyn Files) -> Result<Staged, LoadReport> {
        let base = self.shared.slot.current().generation();
        let pack = self.shared.recording.is_some();
        let Prepared { release, mut report, packed } = prepare(source, files, &self.shared.loading, pack)?;
        // The release has it.
        report.unverified = None;
        let missing = report.diagnostics.has(codes::NOT_FETCHED);
        if missing || !can_store(self.shared.uploads.as_deref(), release.loaded().program(), &mut report.diagnostics) {
            return Err(report);
        }
        Ok(Staged { release: Arc::new(release), report, base, packed })
    }

    /// Whether the serial of staged rules is one that may come into service: [`promote`](Waf::promote) asks again.
    ///
    /// # Errors
    /// It is below the [minimum](Waf::pin_serial).
    pub fn admits(&self, staged: &Staged) -> Result<(), Refused> {
        self.shared.slot.admits(staged.release.serial())
    }

    /// Puts staged rules into service: one atomic store. Exchanges that have begun keep their ruleset. With a
    /// [history](super::WafBuilder::history) they are durable before.
    ///
    /// # Errors
    /// Something else is in service than they were made against; their serial is below the [minimum](Waf::pin_serial); they cannot
    /// be recorded. What is in service stays.
    pub fn promote(&self, staged: Staged) -> Result<Generation, NotPromoted> {
        let _deploying = self.deploying();
        self.deploy(&staged, Some(staged.base), None)
    }

    /// Loads other rules and puts them into service, whatever is there now; answers their generation and what loading them has
    /// found. A failure leaves the present ones where they are.
    ///
    /// # Errors
    /// The report, if there is an error in it, or rules are missing, as [`stage`](Waf::stage) has it.
    pub fn replace(&self, source: &RuleSource) -> Result<(u64, LoadReport), LoadReport> {
        let mut staged = self.stage(source)?;
        match self.promote_over_all(&staged) {
            Ok(generation) => Ok((generation.number, staged.report)),
            Err(error) => {
                let code = match error {
                    NotPromoted::Refused(_) => codes::SERIAL,
                    NotPromoted::NotRecorded(_) => codes::NOT_RECORDED,
                    NotPromoted::Pinned(_) => codes::PINNED,
                };
                staged.report.diagnostics.push(Diagnostic::error(code, None, error.to_string()));
                Err(staged.report)
            }
        }
    }

    /// Replaces whatever is in service: a rollback that comes in between, too.
    fn promote_over_all(&self, staged: &Staged) -> Result<Generation, NotPromoted> {
        let _deploying = self.deploying();
        loop {
            match self.deploy(staged, None, None) {
                Err(NotPromoted::Refused(Refused::Stale { .. })) => {}
                other => return other,
            }
        }
    }

    /// Puts rules into service under a new number, or one that they have been tried as. The caller holds [`deploying`](Waf::deploying).
    pub(super) fn deploy(
        &self,
        staged: &Staged,
        expected: Option<u64>,
        number: Option<u64>,
    ) -> Result<Generation, NotPromoted> {
        if let Some(recording) = &self.shared.recording {
            // One that could be opened only now may know of higher numbers.
            self.shared.slot.skip_numbers(recording.with(|history| Ok(history.last_number()))?);
        }
        let (number, at) = (number.unwrap_or_else(|| self.shared.slot.next_number()), self.shared.env.epoch_micros());
        self.shared.rollouts.admits(number)?;
        let candidate = Candidate { release: staged.release.clone(), number, at, origin: Origin::Promoted };
        let current = self.shared.slot.current().generation();
        let compared = expected.filter(|_| !cfg!(fusewall_without = "compare"));
        if let Some(planned) = compared.filter(|planned| *planned != current) {
            return Err(Refused::Stale { planned, current }.into());
        }
        self.shared.slot.admits(staged.release.serial())?;
        self.record(&candidate, staged.packed.as_ref())?;
        let refused = match self.put_into_service(candidate, expected) {
            Ok(generation) => return Ok(generation),
            Err(refused) => refused,
        };
        // A rollback was faster, which records itself behind this, or somebody who holds what is in service.
        if let Some(recording) = &self.shared.recording
            && let Err(problem) = recording.with(|history| history.withdraw(number))
        {
            tracing::error!(%problem, number, "the history names a generation that has not come into service");
        }
        Err(refused)
    }

    /// Makes a candidate durable, if there is a history.
    pub(super) fn record(&self, candidate: &Candidate, packed: Option<&Result<Vec<u8>, String>>) -> io::Result<()> {
        match (&self.shared.recording, packed) {
            (Some(recording), Some(Ok(packed))) => {
                recording.with(|history| history.record(candidate.generation(), packed))
            }
            (Some(_), Some(Err(problem))) => Err(io::Error::other(problem.clone())),
            _ => Ok(()),
        }
    }

    /// The pointer itself, with everything off that was. What is held stays, unless its automata are wrong.
    pub(super) fn put_into_service(
        &self,
        candidate: Candidate,
        expected: Option<u64>,
    ) -> Result<Generation, NotPromoted> {
        let mut switching = self.switching();
        let _lane = match candidate.origin {
            Origin::Recompiled(_) => None,
            _ => Some(self.shared.rollouts.lets_in(candidate.number)?),
        };
        let next = self.shared.slot.apply(candidate, expected, |deployed| switching.prepare(deployed))?;
        switching.deployed(&next);
        self.watch_over(&next);
        Ok(next.about())
    }

    /// Goes back to the generation before, which is still compiled: a pointer is swapped, under a new number. Twice in a row goes
    /// back two, if so many are [kept](super::WafBuilder::keep_generations). Switches that are off stay off. No load and no disk keeps it from
    /// being in force; with a [history](super::WafBuilder::history) it is recorded then, before this returns.
    ///
    /// # Errors
    /// There is none, its serial is below the [minimum](Waf::pin_serial), or what is in service is [held](Waf::hold_in_service).
    pub fn roll_back(&self) -> Result<Generation, NothingToRollBackTo> {
        self.roll_back_from(None)
    }

    /// The same, if `expected` is in service; without one whatever is. Of two operators who press at the same moment one goes back,
    /// and the other one is told.
    ///
    /// # Errors
    /// Another generation is in service ([`Refused::Stale`]); or as [`roll_back`](Waf::roll_back).
    pub fn roll_back_from(&self, expected: Option<u64>) -> Result<Generation, NothingToRollBackTo> {
        let at = self.shared.env.epoch_micros();
        let generation = {
            let mut switching = self.switching();
            // It comes under a number that nobody can have pinned.
            let _lane = self.shared.rollouts.lets_in(0)?;
            let next = self.shared.slot.roll_back_from(expected, at, |deployed| switching.prepare(deployed))?;
            switching.deployed(&next);
            self.watch_over(&next);
            next.about()
        };
        self.record_rollback(generation);
        Ok(generation)
    }

    /// Makes durable that a generation came back, if there is a history.
    pub(super) fn record_rollback(&self, generation: Generation) {
        if let Some(recording) = &self.shared.recording {
            let _deploying = self.deploying();
            // Whatever has come since has been recorded.
            if self.shared.slot.current().generation() == generation.number {
                recording.record_again(generation);
            }
        }
    }

    /// What is in service.
    pub fn generation(&self) -> Generation {
        self.shared.slot.current().about()
    }

    /// What is in service, and behind it what [`roll_back`](Waf::roll_back) can go back to, the latest first.
    pub fn generations(&self) -> Vec<Generation> {
        self.shared.slot.generations()
    }

    /// Whether the rules in service are those that the process was told to run, and outlive it if they are to.
    pub fn health(&self) -> Health {
        let current: Arc<Deployed> = self.shared.slot.current();
        let trouble = || self.shared.recording.as_ref()?.trouble();
        match current.degraded().cloned().or_else(trouble) {
            None => Health::Healthy,
            Some(why) => Health::Degraded { why, generation: current.about() },
        }
    }

    /// The rulesets that the [history](super::WafBuilder::history) has, the latest first; none without one.
    ///
    /// # Errors
    /// The history cannot be opened.
    pub fn history(&self) -> io::Result<Vec<Entry>> {
        match &self.shared.recording {
            Some(recording) => recording.with(|history| Ok(history.entries().copied().collect())),
            None => Ok(Vec::new()),
        }
    }

    /// Says that this start has come through, before the [time](super::HistoryConfig::settle_millis) for it is over: the process has
    /// seen that it works, or ends in order. Without a history it says nothing to anybody.
    pub fn settled(&self) {
        if let Some(recording) = &self.shared.recording {
            recording.settled();
        }
    }

    /// Keeps the ruleset of that generation in the history whatever comes later, or no longer. Answers whether it is there.
    ///
    /// # Errors
    /// The disk.
    pub fn pin(&self, generation: u64, pinned: bool) -> io::Result<bool> {
        match &self.shared.recording {
            Some(recording) => recording.with(|history| history.pin(generation, pinned)),
            None => Ok(false),
        }
    }

    /// From now on nothing comes into service whose serial is lower, or that has none: neither by a promotion nor by a rollback.
    /// What is in service stays. A minimum is never lowered; answers the one that counts. A history remembers it.
    pub fn pin_serial(&self, minimum: u64) -> u64 {
        let pinned = self.shared.slot.pin_serial(minimum);
        if let Some(recording) = &self.shared.recording
            && let Err(problem) = recording.with(|history| history.raise_minimum(pinned))
        {
            tracing::error!(%problem, "the pinned serial is not recorded in the history");
        }
        pinned
    }

    /// What loading the first rules found: warnings and notes.
    pub fn report(&self) -> &LoadReport {
        &self.shared.report
    }

    /// The program in service and its automata.
    pub fn loaded(&self) -> Arc<Loaded> {
        self.shared.slot.current().loaded().clone()
    }

    /// Held by whoever puts rules into service, but for rollbacks, which wait for nobody.
    pub(super) fn deploying(&self) -> MutexGuard<'_, ()> {
        self.shared.deploying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
