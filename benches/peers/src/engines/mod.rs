//! The engines behind one face: load rules, take requests in, evaluate one of them.

mod fusewall;
mod libmodsecurity;
mod zentinel;

use crate::requests::Request;
use std::path::{Path, PathBuf};

/// What an engine says of a request: `None` lets it pass, else the status that it is refused with.
pub type Verdict = Option<u16>;

/// A loaded engine.
pub trait Engine {
    /// What it calls itself, with its version.
    fn version(&self) -> String;

    /// Takes a request in, in the form that its interface wants, so that the timed part converts nothing. Tells its number;
    /// they are counted from 0.
    ///
    /// # Errors
    /// A request that its interface cannot express.
    fn take(&mut self, request: &Request) -> anyhow::Result<usize>;

    /// Evaluates the request taken in as number `index`, from a new transaction to its end: phases 1 and 2, up to an
    /// interruption. This is the timed part.
    ///
    /// # Errors
    /// An engine that reports a failure, or a request never taken in.
    fn evaluate(&mut self, index: usize) -> anyhow::Result<Verdict>;
}

/// Which engine to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// This project's, as built with this command.
    Fusewall,
    /// libmodsecurity, the shared library of this name or path.
    Libmodsecurity(PathBuf),
    /// The crate zentinel-modsec, as built with this command.
    Zentinel,
}

impl Kind {
    /// What the command line calls them.
    pub const NAMES: [&str; 3] = ["fusewall", "libmodsecurity", "zentinel"];

    /// What the command line calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Fusewall => "fusewall",
            Kind::Libmodsecurity(_) => "libmodsecurity",
            Kind::Zentinel => "zentinel",
        }
    }

    /// Loads the rules of a file.
    ///
    /// # Errors
    /// Rules that the engine refuses, a library that is not there.
    pub fn load(&self, rules: &Path) -> anyhow::Result<Box<dyn Engine>> {
        Ok(match self {
            Kind::Fusewall => Box::new(fusewall::Fusewall::load(rules)?),
            Kind::Libmodsecurity(library) => Box::new(libmodsecurity::Libmodsecurity::load(library, rules)?),
            Kind::Zentinel => Box::new(zentinel::Zentinel::load(rules)?),
        })
    }
}

/// The version of a package that this command is built with.
fn locked(package: &str) -> &'static str {
    let lock = include_str!("../../Cargo.lock");
    let after = lock.split_once(&format!("name = \"{package}\"\nversion = \"")).map_or("", |(_, after)| after);
    after.split('"').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_known() {
        for package in ["fusewall", "zentinel-modsec"] {
            assert!(locked(package).split('.').count() == 3, "{package}: {}", locked(package));
        }
    }
}
