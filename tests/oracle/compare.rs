//! One ruleset in all its forms: interpreted, planned, planned without folding and screening.

use super::exchange::{Exchange, outcome, written_names};
use super::{Naive, Outcome};
use fusewall::diag::{Diagnostics, SourceMap, text};
use fusewall::engine::Env;
use fusewall::engine::upload::{NotStored, UploadFile, UploadSink};
use fusewall::files::MemoryFiles;
use fusewall::lang::seclang;
use fusewall::plan::Options;
use fusewall::rule::{Ruleset, UploadSettings};
use fusewall::store::DiskFiles;
use fusewall::{Limits, Waf};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The interpreter and engines of the same rules.
pub struct Forms {
    pub naive: Naive,
    /// As it is used.
    pub planned: Waf,
    /// Without folding and without screens.
    pub plain: Waf,
    names: BTreeSet<Vec<u8>>,
    clock: Clock,
}

/// A clock that stands until it is set; the engines of one [`Forms`] share it.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Env for Clock {
    fn epoch_micros(&self) -> u64 {
        self.0.load(Ordering::Relaxed) * 1_000_000
    }
}

/// Stores nothing, and names files by their length.
struct Lengths;

/// The bytes so far, and the name.
struct Length(usize, String);

impl UploadSink for Lengths {
    fn create(&self, _: &UploadSettings) -> Result<Box<dyn UploadFile>, NotStored> {
        Ok(Box::new(Length(0, String::new())))
    }
}

impl UploadFile for Length {
    fn path(&self) -> &str {
        &self.1
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), NotStored> {
        self.0 += bytes.len();
        self.1 = stored_name(self.0);
        Ok(())
    }

    fn keep(self: Box<Self>) {}
}

/// The name under which a file of that length is stored.
pub fn stored_name(length: usize) -> String {
    format!("/uploads/{length}")
}

impl Forms {
    /// All forms of a rule text.
    ///
    /// # Errors
    /// Why the rules do not load.
    pub fn of_text(rules: &str) -> Result<Forms, String> {
        let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(100));
        let (files, limits) = (MemoryFiles::new(), Limits::default());
        let ruleset = seclang::load_text("rules.conf", rules.as_bytes(), &files, &limits, &mut sources, &mut found);
        Forms::new(ruleset, &found, &sources, |builder| builder.rules_text("rules.conf", rules))
    }

    /// All forms of a rule file.
    ///
    /// # Errors
    /// Why the rules do not load.
    pub fn of_file(path: &Path) -> Result<Forms, String> {
        let (mut sources, mut found) = (SourceMap::new(), Diagnostics::new(100));
        let paths = [path.to_path_buf()];
        let ruleset = seclang::load(&paths, &DiskFiles, &Limits::default(), &mut sources, &mut found);
        Forms::new(ruleset, &found, &sources, |builder| builder.rules_path(path))
    }

    fn new(
        ruleset: Ruleset,
        found: &Diagnostics,
        sources: &SourceMap,
        rules: impl Fn(fusewall::WafBuilder) -> fusewall::WafBuilder,
    ) -> Result<Forms, String> {
        if found.errors() > 0 {
            return Err(text::render(found, sources, false));
        }
        let clock = Clock::default();
        let build = |on: bool| {
            let mut limits = Limits::default();
            if !on {
                // Without screens every pattern runs on every value: dearer than the budget of a real request.
                limits.fuel_cap = u64::MAX;
                limits.fuel_base = u64::MAX;
                limits.fuel_rule = u64::MAX;
            }
            let options = Options { fold: on, prefilter: on, spans: false };
            let builder =
                Waf::builder().env(clock.clone()).uploads(Lengths).planner(options).limits(limits).allow_empty();
            rules(builder).build().map_err(|report| report.to_string())
        };
        let names = written_names(&ruleset).collect();
        Ok(Forms { planned: build(true)?, plain: build(false)?, naive: Naive::new(ruleset), names, clock })
    }

    /// The outcome of one of the engines; `expected` names more TX entries to ask for.
    pub fn engine(&self, waf: &Waf, exchange: &Exchange, expected: &Outcome) -> Outcome {
        outcome(&exchange.evaluate(waf), self.names(expected))
    }

    /// The names of TX entries to ask the engine for.
    pub fn names(&self, expected: &Outcome) -> impl Iterator<Item = Vec<u8>> {
        let capture = |key: &Vec<u8>| key.len() == 1 && key[0].is_ascii_digit();
        let all: BTreeSet<_> =
            self.names.iter().chain(expected.tx.keys()).filter(|key| !capture(key)).cloned().collect();
        all.into_iter()
    }

    /// Evaluates in all forms; the outcome on which they agree.
    ///
    /// # Errors
    /// The first form that differs, and how.
    pub fn agree(&self, exchange: &Exchange) -> Result<Outcome, String> {
        let mut expected = self.naive.evaluate(exchange);
        self.clock.0.store(self.naive.now(), Ordering::Relaxed);
        // The engine answers for entries whose names are text.
        expected.tx.retain(|key, _| std::str::from_utf8(key).is_ok());
        for (name, waf) in [("plain", &self.plain), ("planned", &self.planned)] {
            let found = self.engine(waf, exchange, &expected);
            if found != expected {
                return Err(format!("{name} engine: {}", difference(&found, &expected)));
            }
        }
        Ok(expected)
    }
}

/// How an outcome differs from the expected one, part by part.
pub fn difference(found: &Outcome, expected: &Outcome) -> String {
    let mut lines = Vec::new();
    if found.interruption != expected.interruption {
        lines.push(format!("interruption {:?} instead of {:?}", found.interruption, expected.interruption));
    }
    if found.logged != expected.logged {
        let only = |one: &Outcome, other: &Outcome| {
            one.logged.iter().filter(|id| !other.logged.contains(id)).copied().collect::<Vec<_>>()
        };
        lines.push(format!(
            "logged {:?} instead of {:?} (too many {:?}, missing {:?})",
            found.logged,
            expected.logged,
            only(found, expected),
            only(expected, found)
        ));
    }
    if (found.score_inbound, found.score_outbound) != (expected.score_inbound, expected.score_outbound) {
        let scores = |outcome: &Outcome| (outcome.score_inbound, outcome.score_outbound);
        lines.push(format!("scores {:?} instead of {:?}", scores(found), scores(expected)));
    }
    let show = |value: Option<&Vec<u8>>| value.map(|value| value.escape_ascii().to_string());
    for key in found.tx.keys().chain(expected.tx.keys()).collect::<BTreeSet<_>>() {
        let (has, wants) = (found.tx.get(key), expected.tx.get(key));
        if has != wants {
            lines.push(format!("TX:{} is {:?} instead of {:?}", key.escape_ascii(), show(has), show(wants)));
        }
    }
    lines.join("\n")
}
