//! The automata of a program.

use super::{PatternId, PhrasesId, Program};
use crate::scan;
use std::fmt;
use std::sync::Arc;

/// A program and the automata that run it. Immutable, shared by all requests of a generation.
#[derive(Debug)]
pub struct Loaded {
    program: Arc<Program>,
    patterns: Vec<scan::Pattern>,
    phrases: Vec<scan::Phrases>,
    literals: Option<scan::Literals>,
}

/// Why automata could not be put together.
#[derive(Debug)]
pub struct LoadError(String);

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LoadError {}

impl Loaded {
    /// Puts a program and its compiled patterns together; builds what is left.
    ///
    /// # Errors
    /// Automata that exceed their limits, or a pattern table of another program.
    pub fn assemble(program: Arc<Program>, patterns: Vec<scan::Pattern>) -> Result<Loaded, LoadError> {
        let fits = patterns.len() == program.patterns.len()
            && patterns
                .iter()
                .zip(&program.patterns)
                .all(|(built, plan)| built.engine() == plan.engine && built.exact() == plan.exact);
        if !fits {
            return Err(LoadError("the compiled patterns belong to another program".to_owned()));
        }
        let build_literals = || match program.literals.is_empty() {
            true => Ok(None),
            false => scan::Literals::build(&program.literals)
                .map(Some)
                .map_err(|error| LoadError(format!("the shared literals: {error}"))),
        };
        let build_phrases = || {
            let built = program.phrases.iter().map(|list| {
                scan::Phrases::build(&list.list)
                    .map_err(|error| LoadError(format!("a phrase list of {} entries: {error}", list.list.len())))
            });
            built.collect::<Result<Vec<_>, _>>()
        };
        let (literals, phrases) = std::thread::scope(|scope| {
            let literals = scope.spawn(build_literals);
            let phrases = build_phrases();
            let failed = |_| Err(LoadError("building the shared literals failed unexpectedly".to_owned()));
            (literals.join().unwrap_or_else(failed), phrases)
        });
        let (literals, phrases) = (literals?, phrases?);
        Ok(Loaded { program, patterns, phrases, literals })
    }

    /// The program.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// A pattern's automata.
    pub fn pattern(&self, id: PatternId) -> Option<&scan::Pattern> {
        self.patterns.get(id.index())
    }

    /// A phrase list's automaton.
    pub fn phrases(&self, id: PhrasesId) -> Option<&scan::Phrases> {
        self.phrases.get(id.index())
    }

    /// The scanner for all literals that patterns require.
    pub fn literals(&self) -> Option<&scan::Literals> {
        self.literals.as_ref()
    }

    /// Bytes that the automata take.
    pub fn memory(&self) -> usize {
        self.patterns.iter().map(scan::Pattern::memory).sum::<usize>()
            + self.phrases.iter().map(scan::Phrases::memory).sum::<usize>()
            + self.literals.as_ref().map_or(0, scan::Literals::memory)
    }
}
