//! What was loaded ready-made is compared with what compiling makes, some time after it came into service.

use super::Waf;
use crate::store::{Candidate, LoadReport, Origin};
use std::path::PathBuf;
use std::sync::Arc;

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
        if let Some(releases) = &self.shared.loading.releases {
            releases.forget(&release);
        }
        let compiled = unverified.compile(&*self.shared.files, &self.shared.loading, self.shared.recording.is_some());
        let compiled =
            compiled.map(|prepared| (Arc::new(prepared.release.with_serial(release.serial())), prepared.packed));
        let _deploying = self.deploying();
        self.shared.slot.forget(&release);
        let replaced = loop {
            let current = self.shared.slot.current();
            if !Arc::ptr_eq(current.release(), &release) {
                break None;
            }
            let (release, packed) = match &compiled {
                Ok(compiled) => compiled,
                Err(report) => break Some(Err(report.clone())),
            };
            let (number, at) = (self.shared.slot.next_number(), self.shared.env.epoch_micros());
            let origin = Origin::Recompiled(current.generation());
            let candidate = Candidate { release: release.clone(), number, at, origin };
            // What is wrong has to go, whether the disk works or not.
            if let Err(problem) = self.record(&candidate, packed.as_ref()) {
                tracing::error!(%problem, number, "this generation is not recorded in the history");
            }
            // Refused: a rollback was faster.
            if let Ok(generation) = self.put_into_service(candidate, Some(current.generation())) {
                break Some(Ok(generation.number));
            }
        };
        Verification::Different { from: unverified.from().to_path_buf(), patterns, replaced }
    }
}
