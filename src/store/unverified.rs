//! Automata that were loaded ready-made, until somebody has compared them.

use super::bundle::Carried;
use super::load::{Prepared, load_again, prepare};
use super::loading::{LoadReport, Loading, RuleSource};
use crate::files::Files;
use crate::limits::Limits;
use crate::plan::Artefacts;
use std::path::PathBuf;
use std::sync::Arc;

/// What a ruleset has taken from a bundle or from the cache. That bytes are automata can be seen from them; that they are those
/// of the patterns beside them only compiling shows.
#[derive(Debug)]
pub struct Unverified {
    pub(super) artefacts: Artefacts,
    pub(super) limits: Arc<Limits>,
    pub(super) source: RuleSource,
    /// The files of a bundle; without them the rules are read where they came from.
    pub(super) carried: Option<Carried>,
    /// The file that the automata came from.
    pub(super) from: PathBuf,
}

impl Unverified {
    /// The file that the automata came from.
    pub fn from(&self) -> &std::path::Path {
        &self.from
    }

    /// How many patterns there are to compare.
    pub fn patterns(&self) -> usize {
        self.artefacts.len()
    }

    /// Compiles each pattern again and compares it byte by byte with what was loaded; answers the patterns that differ. On one
    /// thread, for it may take seconds.
    pub fn differences(&self) -> Vec<String> {
        let differs = self.artefacts.iter().filter(|(pattern, artefact)| !artefact.is_of(pattern, &self.limits));
        differs.map(|(pattern, _)| String::from_utf8_lossy(&pattern.text).into_owned()).collect()
    }

    /// Loads the same rules without anything ready-made: of a bundle those that it carries. A file in the cache is removed. `pack`
    /// as [`prepare`] has it.
    ///
    /// # Errors
    /// The report, if there is an error in it.
    pub fn compile(&self, files: &dyn Files, loading: &Loading, pack: bool) -> Result<Prepared, LoadReport> {
        // Nor anything that others have: it is theirs that is doubted.
        let loading = Loading { cache: None, releases: None, ..loading.clone() };
        match &self.carried {
            Some(carried) => load_again(&self.source, carried, files, &loading, pack),
            None => {
                let _ = std::fs::remove_file(&self.from);
                prepare(&self.source, files, &loading, pack)
            }
        }
    }
}
