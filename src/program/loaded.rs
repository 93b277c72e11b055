//! The automata of a program.

use super::{KeyId, PatternId, PhrasesId, Program, Which};
use crate::meter::Meter;
use crate::parallel::{in_parallel, threads};
use crate::rule::Variable;
use crate::scan;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A program and the automata that run it. Immutable, shared by all requests of a generation.
#[derive(Debug)]
pub struct Loaded {
    program: Arc<Program>,
    patterns: Vec<scan::Pattern>,
    phrases: Vec<scan::Phrases>,
    literals: Option<scan::Literals>,
    /// For patterns that select TX entries: which of the keys that rules name they find.
    tx_names: BTreeMap<PatternId, Vec<bool>>,
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

/// An automaton of words.
enum Built {
    Literals(Box<Result<scan::Literals, scan::BuildError>>),
    Phrases(Box<Result<scan::Phrases, scan::BuildError>>),
}

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
        // The shared literals are a list among the others; the longest first, so that no thread is left with it at the end.
        let mut lists: Vec<(usize, &[Box<[u8]>])> =
            program.phrases.iter().map(|list| &*list.list).enumerate().collect();
        lists.sort_by_key(|(_, list)| std::cmp::Reverse(list.len()));
        let work: Vec<_> = std::iter::once(None).chain(lists.iter().copied().map(Some)).collect();
        let built = in_parallel(&work, threads(), |list, _| match list {
            None => Built::Literals(Box::new(scan::Literals::build(&program.literals))),
            Some((_, list)) => Built::Phrases(Box::new(scan::Phrases::build(list))),
        });
        let mut literals = None;
        let mut phrases: Vec<Option<scan::Phrases>> = program.phrases.iter().map(|_| None).collect();
        for (list, built) in work.iter().zip(built) {
            match (list, built) {
                (None, Some(Built::Literals(built))) => {
                    let built = built.map_err(|error| LoadError(format!("the shared literals: {error}")))?;
                    literals = (!program.literals.is_empty()).then_some(built);
                }
                (Some((at, list)), Some(Built::Phrases(built))) => {
                    let entries = list.len();
                    let failed = |error| LoadError(format!("a phrase list of {entries} entries: {error}"));
                    phrases[*at] = Some(built.map_err(failed)?);
                }
                _ => return Err(LoadError("building a list failed unexpectedly".to_owned())),
            }
        }
        let phrases = phrases.into_iter().flatten().collect();
        let tx_names = tx_names(&program, &patterns);
        Ok(Loaded { program, patterns, phrases, literals, tx_names })
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

    /// Whether a pattern that selects TX entries finds the name of this key; `None` if no rule names the key.
    pub(crate) fn names_tx_key(&self, id: PatternId, key: KeyId) -> Option<bool> {
        self.tx_names.get(&id)?.get(key.index()).copied()
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

/// Which of the TX keys that rules name are found by the patterns that select TX entries: it is always the same, and CRS asks with
/// each request.
fn tx_names(program: &Program, patterns: &[scan::Pattern]) -> BTreeMap<PatternId, Vec<bool>> {
    let sources = program.selections.iter().flat_map(|selection| &selection.targets);
    let ids = sources.filter(|source| source.variable == Variable::Tx).filter_map(|source| match source.which {
        Which::Regex(id) => Some(id),
        _ => None,
    });
    let mut names = BTreeMap::new();
    for id in ids {
        let Some(pattern) = patterns.get(id.index()) else { continue };
        // What is bounded by nothing but the budget of its rule is asked in each request, within that budget.
        if pattern.exact() == scan::Exact::Metered {
            continue;
        }
        names.entry(id).or_insert_with(|| {
            let mut cache = scan::Cache::default();
            let mut found = |key: &[u8]| pattern.finds(&mut cache, key, &mut Meter::unlimited()) == Ok(true);
            program.tx_keys.iter().map(|key| found(key)).collect()
        });
    }
    names
}
