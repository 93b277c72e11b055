//! The first ruleset of a process: the configured one; if that does not load or does not get through its starts, the latest of the
//! history that does, one by one; at last the rules of the engine itself. Whoever has no history gets the configured rules or none.

use super::can_store;
use super::collections::{Keeping, Kept};
use super::recording::{HistoryConfig, Recording, said};
use crate::diag::{Diagnostic, Severity};
use crate::engine::upload::UploadSink;
use crate::files::Files;
use crate::lang::seclang::codes;
use crate::store::history::{Attempt, Entry, History};
use crate::store::{Candidate, LoadReport, Loading, Origin, Prepared, Refused, Release, RuleSource, prepare, restore};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// What a start has to go by.
pub(super) struct Start<'a> {
    pub(super) source: RuleSource,
    pub(super) files: &'a dyn Files,
    pub(super) loading: &'a Loading,
    pub(super) uploads: Option<&'a dyn UploadSink>,
    pub(super) collections: &'a Keeping,
    pub(super) minimum: Option<u64>,
    /// Microseconds since 1970.
    pub(super) at: u64,
}

/// What it comes to.
pub(super) struct Started {
    pub(super) first: Candidate,
    /// Why it is another ruleset than the configured one.
    pub(super) degraded: Option<Arc<str>>,
    pub(super) kept: Kept,
    pub(super) report: LoadReport,
    pub(super) recording: Option<Recording>,
    pub(super) minimum: Option<u64>,
}

/// A ruleset that can be the first.
struct Usable {
    release: Release,
    report: LoadReport,
    packed: Option<Result<Vec<u8>, String>>,
    kept: Kept,
}

impl Start<'_> {
    /// Without a history.
    ///
    /// # Errors
    /// The report of the configured rules.
    pub(super) fn configured(self) -> Result<Started, LoadReport> {
        let Usable { release, report, kept, .. } = self.load(&self.source, false, self.minimum)?;
        let first = self.candidate(release, 1, Origin::Started);
        Ok(Started { first, degraded: None, kept, report, recording: None, minimum: self.minimum })
    }

    /// With a history.
    ///
    /// # Errors
    /// The report of the configured rules, if not even those of the engine load.
    pub(super) fn recorded(self, config: HistoryConfig) -> Result<Started, LoadReport> {
        let (mut history, trouble): (_, Option<Arc<str>>) = match config.open() {
            Ok(history) => (Some(history), None),
            Err(problem) => (None, Some(Arc::from(said(&problem)))),
        };
        let damaged = history.as_ref().map(|history| history.damaged().to_vec()).unwrap_or_default();
        let minimum = self.minimum.max(history.as_ref().and_then(History::minimum));
        let number = history.as_ref().map_or(0, History::last_number) + 1;
        let mut choice = Choice { config: &config, history: &mut history, minimum, why: Vec::new(), failed: None };
        let (usable, origin) = match self.choose(&mut choice) {
            Some(found) => found,
            None => match self.builtin() {
                Ok(usable) => (usable, Origin::Builtin),
                Err(report) => return Err(choice.failed.take().unwrap_or(report)),
            },
        };
        let Choice { why, failed, .. } = choice;
        let Usable { release, report, packed, kept } = usable;
        let first = self.candidate(release, number, origin);
        let recorded = match (&mut history, packed) {
            (Some(history), Some(Ok(packed))) => history.record(first.generation(), &packed),
            (Some(_), Some(Err(problem))) => Err(std::io::Error::other(problem)),
            // What is restored has been recorded; what is built in needs no record.
            _ => Ok(()),
        };
        let trouble = trouble.or_else(|| recorded.err().map(|problem| said(&problem).into()));
        let degraded: Option<Arc<str>> = (!why.is_empty()).then(|| why.join("; ").into());
        let mut report = failed.unwrap_or(report);
        let instead = degraded.as_ref().map(|why| format!("{}: {why}", in_service(origin, &first)));
        let left_aside =
            damaged.into_iter().map(|what| format!("something in the history is damaged and left aside: {what}"));
        for message in instead.into_iter().chain(trouble.iter().map(|trouble| trouble.to_string())).chain(left_aside) {
            report.diagnostics.push(Diagnostic::warning(codes::HISTORY, None, message));
        }
        let recording = Some(Recording::new(config, history, trouble));
        Ok(Started { first, degraded, kept, report, recording, minimum })
    }

    /// The configured rules, or the latest of the history that can be used.
    fn choose(&self, choice: &mut Choice<'_>) -> Option<(Usable, Origin)> {
        let known: Vec<Entry> = choice.history.iter().flat_map(History::entries).copied().collect();
        if (!choice.config.resume || known.is_empty())
            && let Some(usable) = self.try_configured(choice)
        {
            return Some((usable, Origin::Started));
        }
        known.iter().find_map(|entry| Some((self.try_known(entry, choice)?, Origin::Restored)))
    }

    fn try_configured(&self, choice: &mut Choice<'_>) -> Option<Usable> {
        if !choice.may_try(Attempt::Configured, "the configured rules") {
            return None;
        }
        match self.load(&self.source, true, choice.minimum) {
            Ok(usable) => {
                choice.note(Attempt::Known(usable.release.content()));
                Some(usable)
            }
            Err(report) => {
                choice.why.push(format!("the configured rules do not load{}", first_error(&report)));
                choice.failed = Some(report);
                None
            }
        }
    }

    fn try_known(&self, entry: &Entry, choice: &mut Choice<'_>) -> Option<Usable> {
        let generation = entry.generation;
        let name = format!("generation {} of the history", generation.number);
        if !choice.may_try(Attempt::Known(generation.content), &name) {
            return None;
        }
        let history = choice.history.as_mut()?;
        let file = history.file(entry);
        let bytes = match history.read(entry, self.loading.limits.bundle_bytes) {
            Ok(bytes) => bytes,
            Err(problem) => {
                choice.why.push(format!("{name} cannot be read: {problem}"));
                return None;
            }
        };
        let load = || restore(bytes, Path::new(&file), generation.serial, self.loading);
        match self.usable(load, choice.minimum) {
            Ok(usable) => {
                let again = self.candidate_of(&usable.release, history.last_number() + 1);
                if let Err(problem) = history.restored(entry, again) {
                    tracing::error!(%problem, "this start is not recorded in the history");
                }
                Some(usable)
            }
            Err(report) => {
                choice.why.push(format!("{name} does not load{}", first_error(&report)));
                None
            }
        }
    }

    /// The last resort: whatever it costs, and whatever serial is asked for.
    fn builtin(&self) -> Result<Usable, LoadReport> {
        let loading = Loading { ceilings: None, ..self.loading.clone() };
        self.usable(|| prepare(&RuleSource::Builtin, self.files, &loading, false), None)
    }

    fn load(&self, source: &RuleSource, pack: bool, minimum: Option<u64>) -> Result<Usable, LoadReport> {
        // The rules of the engine are as new as the engine.
        let minimum = minimum.filter(|_| *source != RuleSource::Builtin);
        self.usable(|| prepare(source, self.files, self.loading, pack), minimum)
    }

    /// Loads something and sees whether the process can work with it. A panic is a finding like any other.
    fn usable(
        &self,
        load: impl FnOnce() -> Result<Prepared, LoadReport>,
        minimum: Option<u64>,
    ) -> Result<Usable, LoadReport> {
        let loaded = catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|_| {
            let error = Diagnostic::error(codes::PROBE, None, "loading the rules has failed inside the engine");
            Err(LoadReport::of(error.help("this is a fault of the engine: report it together with the rules")))
        });
        let Prepared { release, mut report, packed } = loaded?;
        // The release has it.
        report.unverified = None;
        if let Some(minimum) = minimum.filter(|minimum| release.serial().is_none_or(|serial| serial < *minimum)) {
            let refused = Refused::BelowMinimum { serial: release.serial(), minimum };
            report.diagnostics.push(Diagnostic::error(codes::SERIAL, None, refused.to_string()));
            return Err(report);
        }
        if !can_store(self.uploads, release.loaded().program(), &mut report.diagnostics) {
            return Err(report);
        }
        match self.collections.open(release.loaded().program(), self.at / 1_000_000, &mut report.diagnostics) {
            Some(kept) => Ok(Usable { release, report, packed, kept }),
            None => Err(report),
        }
    }

    fn candidate(&self, release: Release, number: u64, origin: Origin) -> Candidate {
        Candidate { release: Arc::new(release), number, at: self.at, origin }
    }

    /// What a restored ruleset will be known as.
    fn candidate_of(&self, release: &Release, number: u64) -> crate::store::Generation {
        let (content, serial) = (release.content(), release.serial());
        crate::store::Generation { number, content, serial, at: self.at, origin: Origin::Restored }
    }
}

/// What is known while a start looks for its ruleset.
struct Choice<'a> {
    config: &'a HistoryConfig,
    history: &'a mut Option<History>,
    minimum: Option<u64>,
    /// Why what was looked at is not taken.
    why: Vec<String>,
    /// The findings in the configured rules, if they are why.
    failed: Option<LoadReport>,
}

impl Choice<'_> {
    /// Whether something has not been tried too often; then this is another time.
    fn may_try(&mut self, attempt: Attempt, name: &str) -> bool {
        let starts = self.history.as_ref().map_or(0, |history| history.starts(attempt));
        if starts >= self.config.starts {
            self.why.push(format!("{name} did not come through {starts} starts in a row"));
            return false;
        }
        self.note(attempt);
        true
    }

    /// Before it can bring the process down.
    fn note(&mut self, attempt: Attempt) {
        if let Some(history) = self.history
            && let Err(problem) = history.trying(attempt)
        {
            tracing::error!(%problem, "a start that does not come through will not be noticed");
        }
    }
}

/// What a report begins with, behind a colon.
fn first_error(report: &LoadReport) -> String {
    let first = report.diagnostics.iter().find(|found| found.severity == Severity::Error);
    first.map(|found| format!(": {}: {}", found.code, found.message)).unwrap_or_default()
}

fn in_service(origin: Origin, first: &Candidate) -> String {
    match origin {
        Origin::Builtin => "the built-in rules are in service".to_owned(),
        _ => format!("rules of the history are in service, as generation {}", first.number),
    }
}
