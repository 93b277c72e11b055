//! Engines that the same requests are shown to: whatever is in service now, or other rules.

mod log;
mod process;
mod rules;

use super::differences::Said;
use super::judge::Unjudged;
use super::source::Recorded;
use crate::cli::rules::RulesArgs;
use anyhow::bail;
use serde::Serialize;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Whom to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Against {
    /// libmodsecurity: a library of this name or path, in a process of its own.
    Libmodsecurity(PathBuf),
    /// Fusewall with other rules.
    Fusewall(PathBuf),
    /// What the recording says was decided.
    Log,
}

/// `libmodsecurity`, `libmodsecurity=PATH`, `fusewall=RULES` or `log`.
impl FromStr for Against {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Against> {
        match text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value))) {
            ("libmodsecurity", library) => Ok(Against::Libmodsecurity(library.unwrap_or("libmodsecurity.so.3").into())),
            ("fusewall", Some(rules)) if !rules.is_empty() => Ok(Against::Fusewall(rules.into())),
            ("log", None) => Ok(Against::Log),
            _ => bail!("`{text}`: expected `libmodsecurity`, `libmodsecurity=PATH`, `fusewall=RULES` or `log`"),
        }
    }
}

/// How to compare.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The rules, which both engines have unless the other has rules of its own.
    pub rules: RulesArgs,
    /// Judge as if the rules said `SecRuleEngine On`.
    pub enforce: bool,
    /// For the answer to one request.
    pub timeout: Duration,
    /// The program that runs libmodsecurity, if it is not where this one is.
    pub program: Option<PathBuf>,
    /// Statuses that mean "blocked" in a log.
    pub blocked_statuses: Vec<u16>,
}

/// Another engine.
pub trait Engine {
    /// Its name and version.
    fn name(&self) -> String;

    /// What it says of a request, with the same rules left out. `None`: it says nothing, which it counts itself.
    ///
    /// # Errors
    /// What ends the replay: an engine that cannot be started, or rules that it refuses.
    fn judge(&mut self, recorded: &Recorded, unjudged: &Arc<Unjudged>) -> anyhow::Result<Option<Said>>;

    /// What went wrong with it.
    fn troubles(&self) -> Troubles;
}

/// Requests that another engine did not answer.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Troubles {
    /// It ended while it had the request.
    pub crashed: u64,
    /// No answer came in time.
    pub hung: u64,
    /// It said that it cannot take the request.
    pub refused: u64,
    /// It was not asked: too much had gone wrong, or the recording does not say.
    pub not_asked: u64,
    /// The first of each, with the reason.
    pub examples: Vec<String>,
}

impl Troubles {
    /// Requests without an answer.
    pub fn all(&self) -> u64 {
        self.crashed + self.hung + self.refused + self.not_asked
    }

    /// Those of which the engine is the reason.
    pub fn failures(&self) -> u64 {
        self.crashed + self.hung + self.refused
    }

    fn example(&mut self, id: &str, what: impl std::fmt::Display) {
        if self.examples.len() < 10 {
            self.examples.push(format!("{id}: {what}"));
        }
    }
}

/// Starts the engine to compare with.
///
/// # Errors
/// Rules that it does not load, a program or library that is not there.
pub fn open(against: &Against, settings: &Settings) -> anyhow::Result<Box<dyn Engine>> {
    Ok(match against {
        Against::Libmodsecurity(library) => Box::new(process::Process::new(library, settings)?),
        Against::Fusewall(rules) => Box::new(rules::OtherRules::new(rules, settings)?),
        Against::Log => Box::new(log::Log::new(settings)),
    })
}
