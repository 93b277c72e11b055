//! Rules into service and back: staged, promoted, rolled back. Whatever fails leaves what is in service where it is.

use super::{Waf, can_store};
use crate::diag::Diagnostic;
use crate::lang::seclang::codes;
use crate::program::Loaded;
use crate::store::{
    Candidate, Deployed, Generation, LoadReport, NothingToRollBackTo, Origin, Prepared, Refused, Release, RuleSource,
    prepare,
};
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};

/// Rules that have been loaded, certified, verified and probed, but are not in service.
#[derive(Debug)]
#[must_use = "nothing has changed yet"]
pub struct Staged {
    pub(super) release: Arc<Release>,
    report: LoadReport,
    base: u64,
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

/// What [`Waf::verify`] has found.
#[derive(Debug)]
pub enum Verification {
    /// The ruleset in service was compiled from its rules, or compared before.
    Nothing,
    /// What was loaded ready-made is what compiling makes.
    Same {
        /// Patterns compared.
        patterns: usize,
    },
    /// It is not.
    Different {
        /// The file that it came from.
        from: PathBuf,
        /// The patterns whose automata are others.
        patterns: Vec<String>,
        /// The generation of the same rules, compiled, that is in service now; the report if they do not load. None if other
        /// rules have come into service meanwhile.
        replaced: Option<Result<u64, LoadReport>>,
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
        let base = self.shared.slot.current().generation();
        let Prepared { release, mut report, .. } = prepare(source, &*self.shared.files, &self.shared.loading, false)?;
        // The release has it.
        report.unverified = None;
        let missing = report.diagnostics.has(codes::NOT_FETCHED);
        if missing || !can_store(self.shared.uploads.as_deref(), release.loaded().program(), &mut report.diagnostics) {
            return Err(report);
        }
        Ok(Staged { release: Arc::new(release), report, base })
    }

    /// Puts staged rules into service: one atomic store. Exchanges that have begun keep their ruleset.
    ///
    /// # Errors
    /// Something else is in service than they were made against; their serial is below the [minimum](Waf::pin_serial). What is in
    /// service stays.
    pub fn promote(&self, staged: Staged) -> Result<Generation, NotPromoted> {
        let _deploying = self.deploying();
        self.deploy(&staged, Some(staged.base))
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
                let NotPromoted::Refused(_) = error;
                staged.report.diagnostics.push(Diagnostic::error(codes::SERIAL, None, error.to_string()));
                Err(staged.report)
            }
        }
    }

    /// Replaces whatever is in service: a rollback that comes in between, too.
    fn promote_over_all(&self, staged: &Staged) -> Result<Generation, NotPromoted> {
        let _deploying = self.deploying();
        loop {
            match self.deploy(staged, None) {
                Err(NotPromoted::Refused(Refused::Stale { .. })) => {}
                other => return other,
            }
        }
    }

    /// The caller holds [`deploying`](Waf::deploying).
    fn deploy(&self, staged: &Staged, expected: Option<u64>) -> Result<Generation, NotPromoted> {
        let (number, at) = (self.shared.slot.next_number(), self.shared.env.epoch_micros());
        let candidate = Candidate { release: staged.release.clone(), number, at, origin: Origin::Promoted };
        Ok(self.put_into_service(candidate, expected)?)
    }

    /// The pointer itself, with everything off that was.
    fn put_into_service(&self, candidate: Candidate, expected: Option<u64>) -> Result<Generation, Refused> {
        let mut switching = self.switching();
        let next = self.shared.slot.apply(candidate, expected, |deployed| switching.prepare(deployed))?;
        switching.deployed(&next);
        self.watch_over(&next);
        Ok(next.about())
    }

    /// Goes back to the generation before, which is still compiled: a pointer is swapped, under a new number. Twice in a row goes
    /// back two, if so many are [kept](super::WafBuilder::keep_generations). Switches that are off stay off. It waits for no load and
    /// no disk.
    ///
    /// # Errors
    /// There is none, or its serial is below the [minimum](Waf::pin_serial).
    pub fn roll_back(&self) -> Result<Generation, NothingToRollBackTo> {
        let at = self.shared.env.epoch_micros();
        let mut switching = self.switching();
        let next = self.shared.slot.roll_back(at, |deployed| switching.prepare(deployed))?;
        switching.deployed(&next);
        self.watch_over(&next);
        Ok(next.about())
    }

    /// What is in service.
    pub fn generation(&self) -> Generation {
        self.shared.slot.current().about()
    }

    /// What is in service, and behind it what [`roll_back`](Waf::roll_back) can go back to, the latest first.
    pub fn generations(&self) -> Vec<Generation> {
        self.shared.slot.generations()
    }

    /// Whether the rules in service are those that the process was told to run.
    pub fn health(&self) -> Health {
        let current: Arc<Deployed> = self.shared.slot.current();
        match current.degraded() {
            None => Health::Healthy,
            Some(why) => Health::Degraded { why: why.clone(), generation: current.about() },
        }
    }

    /// From now on nothing comes into service whose serial is lower, or that has none: neither by a promotion nor by a rollback.
    /// What is in service stays. A minimum is never lowered; answers the one that counts.
    pub fn pin_serial(&self, minimum: u64) -> u64 {
        self.shared.slot.pin_serial(minimum)
    }

    /// Compares what the ruleset in service has taken ready-made from a bundle or from the cache with what compiling its rules
    /// makes; where that is another, the compiled ruleset replaces it. Takes as long as compiling on one thread: hosts call it
    /// on a thread of low priority, after the start, after each [`promote`](Self::promote) and each [`roll_back`](Self::roll_back).
    /// Exchanges that have begun keep their ruleset.
    pub fn verify(&self) -> Verification {
        let release = self.shared.slot.current().release().clone();
        let Some(unverified) = release.unverified() else { return Verification::Nothing };
        let patterns = unverified.differences();
        if patterns.is_empty() {
            release.verified();
            return Verification::Same { patterns: unverified.patterns() };
        }
        let compiled = unverified.compile(&*self.shared.files, &self.shared.loading, false);
        let compiled = compiled.map(|prepared| Arc::new(prepared.release.with_serial(release.serial())));
        let _deploying = self.deploying();
        self.shared.slot.forget(&release);
        let replaced = loop {
            let current = self.shared.slot.current();
            if !Arc::ptr_eq(current.release(), &release) {
                break None;
            }
            let release = match &compiled {
                Ok(release) => release.clone(),
                Err(report) => break Some(Err(report.clone())),
            };
            let (number, at) = (self.shared.slot.next_number(), self.shared.env.epoch_micros());
            let origin = Origin::Recompiled(current.generation());
            let candidate = Candidate { release, number, at, origin };
            // Refused: a rollback was faster.
            if let Ok(generation) = self.put_into_service(candidate, Some(current.generation())) {
                break Some(Ok(generation.number));
            }
        };
        Verification::Different { from: unverified.from().to_path_buf(), patterns, replaced }
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
