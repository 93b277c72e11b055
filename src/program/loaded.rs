//! The automata of a program.

use super::presets::{Preset, only_acts};
use super::{KeyId, PatternId, PhrasesId, Program, RuleIx, Sieve, Which};
use crate::meter::Meter;
use crate::parallel::{in_parallel, threads};
use crate::rule::Variable;
use crate::scan;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A program and the automata that run it. Immutable, shared by all requests of a generation.
#[derive(Debug)]
pub struct Loaded {
    program: Arc<Program>,
    patterns: Vec<scan::Pattern>,
    phrases: Vec<scan::Phrases>,
    /// The searches for literals: while the request is looked at, and while the response is.
    literals: [Option<scan::Literals>; 2],
    /// The searches for the windows of each phase's sieve.
    windows: Vec<Option<scan::Windows>>,
    /// For patterns that select TX entries: which of the keys that rules name they find.
    tx_names: BTreeMap<PatternId, Vec<bool>>,
    /// The TX keys that rules name, in order of the tails of their names and, where these are the same, of the names.
    tx_keys: Vec<(u64, KeyId)>,
    /// By phase: stretches of rules that do the same in every request.
    presets: [Vec<Preset>; 5],
    /// Rules of whose full match nothing comes but what their actions do, as a bit set: looked at instead of what rules mean, which is
    /// much and far apart.
    only_acts: Vec<u64>,
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
        // What takes longest first, so that no thread is left with it at the end.
        let mut lists: Vec<(usize, &[Box<[u8]>])> =
            program.phrases.iter().map(|plan| &*plan.phrases.list).enumerate().collect();
        lists.sort_by_key(|(_, list)| std::cmp::Reverse(list.len()));
        let searches = [0..2, 2..program.schedule.len()].map(Part::Literals);
        let parts: Vec<Part<'_>> =
            searches.into_iter().chain(lists.into_iter().map(|(at, list)| Part::Phrases(at, list))).collect();
        let mut phrases: Vec<Option<scan::Phrases>> = program.phrases.iter().map(|_| None).collect();
        let mut searches = Vec::with_capacity(2);
        for built in in_parallel(&parts, threads(), |part, _| part.build(&program)) {
            match built.unwrap_or_else(|| Err(LoadError("building a list failed unexpectedly".to_owned())))? {
                Built::Literals(search) => searches.push(search),
                Built::Phrases(at, built) => phrases[at] = Some(built),
            }
        }
        let phrases = phrases.into_iter().flatten().collect();
        let mut searches = searches.into_iter();
        let literals = std::array::from_fn(|_| searches.next().flatten());
        let windows = |sieve: &Sieve| (!sieve.windows.is_empty()).then(|| scan::Windows::new(&sieve.windows));
        let windows = program.sieves.iter().map(windows).collect();
        let tx_names = tx_names(&program, &patterns);
        let mut tx_keys: Vec<_> = program.tx_keys.iter().zip(0..).map(|(name, at)| (tail(name), name, at)).collect();
        tx_keys.sort_unstable();
        let tx_keys = tx_keys.into_iter().map(|(tail, _, at)| (tail, KeyId::new(at))).collect();
        let presets = Preset::all(&program);
        let mut acting = vec![0; program.rules.len().div_ceil(64)];
        for at in (0..program.rules.len()).filter(|at| only_acts(&program, RuleIx::new(*at))) {
            acting.get_mut(at / 64).into_iter().for_each(|word| *word |= 1 << (at % 64));
        }
        Ok(Loaded { program, patterns, phrases, literals, windows, tx_names, tx_keys, presets, only_acts: acting })
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

    /// For each TX key that rules name: whether a pattern that selects TX entries finds it; nothing if that is asked in each request.
    pub(crate) fn tx_names(&self, id: PatternId) -> &[bool] {
        self.tx_names.get(&id).map(Vec::as_slice).unwrap_or_default()
    }

    /// The stretch of rules from this position of a phase on that do the same in every request, if there is one.
    pub(crate) fn preset(&self, phase: usize, position: usize) -> Option<&Preset> {
        let presets = self.presets.get(phase)?;
        presets.get(presets.binary_search_by_key(&position, |preset| preset.first).ok()?)
    }

    /// Whether nothing comes of a full match of a rule but what its actions do.
    pub(crate) fn only_acts(&self, rule: RuleIx) -> bool {
        self.only_acts.get(rule.index() / 64).is_some_and(|word| word >> (rule.index() % 64) & 1 == 1)
    }

    /// The key of a TX entry, if the rules name it. `name` is lower case.
    pub(crate) fn tx_key(&self, name: &[u8]) -> Option<KeyId> {
        let wanted = tail(name);
        let known = |key: &KeyId| self.program.tx_keys.get(key.index()).map(|known| &**known).unwrap_or_default();
        let place = |(tail, key): &(u64, KeyId)| tail.cmp(&wanted).then_with(|| known(key).cmp(name));
        let at = self.tx_keys.binary_search_by(place).ok()?;
        self.tx_keys.get(at).map(|(_, key)| *key)
    }

    /// The search for all literals that the phases of the request ask for, or those of the response and the last.
    pub fn literals(&self, response: bool) -> Option<&scan::Literals> {
        let [of_request, of_response] = &self.literals;
        if response { of_response.as_ref() } else { of_request.as_ref() }
    }

    /// The search for the windows that the sieve of a phase of this index asks for.
    pub fn windows(&self, phase: usize) -> Option<&scan::Windows> {
        self.windows.get(phase)?.as_ref()
    }

    /// Bytes that the automata take.
    pub fn memory(&self) -> usize {
        self.patterns.iter().map(scan::Pattern::memory).sum::<usize>()
            + self.phrases.iter().map(scan::Phrases::memory).sum::<usize>()
            + self.literals.iter().flatten().map(scan::Literals::memory).sum::<usize>()
            + self.windows.iter().flatten().map(scan::Windows::memory).sum::<usize>()
    }
}

/// What is built beside the patterns.
enum Part<'p> {
    /// The search for the literals of some phases.
    Literals(Range<usize>),
    /// A phrase list, by its number.
    Phrases(usize, &'p [Box<[u8]>]),
}

enum Built {
    Literals(Option<scan::Literals>),
    Phrases(usize, scan::Phrases),
}

impl Part<'_> {
    fn build(&self, program: &Program) -> Result<Built, LoadError> {
        match self {
            Part::Literals(phases) => literals(program, phases.clone()).map(Built::Literals),
            Part::Phrases(at, list) => match scan::Phrases::build(list) {
                Ok(built) => Ok(Built::Phrases(*at, built)),
                Err(error) => Err(LoadError(format!("a phrase list of {} entries: {error}", list.len()))),
            },
        }
    }
}

/// The last eight bytes of a name: names that rules make often begin alike, and hardly end so.
#[inline]
pub(crate) fn tail(name: &[u8]) -> u64 {
    match name.last_chunk() {
        Some(end) => u64::from_be_bytes(*end),
        None => name.iter().fold(0, |tail, byte| tail << 8 | u64::from(*byte)),
    }
}

/// The search for all literals and phrases that the tests of some phases ask for.
fn literals(program: &Program, phases: Range<usize>) -> Result<Option<scan::Literals>, LoadError> {
    let mut asked = vec![false; program.literals.len() + program.phrases.len()];
    let live = program.schedule.get(phases).unwrap_or_default().iter().flatten();
    let links = live.filter_map(|rule| program.rules.get(rule.index())).flat_map(|rule| &rule.links);
    for test in links.filter_map(|link| program.tests.get(link.look?.test.index())) {
        program.screens(test).into_iter().flatten().flatten().for_each(|screen| {
            screen
                .need
                .literals(&mut |literal| asked.get_mut(literal as usize).into_iter().for_each(|place| *place = true));
        });
    }
    let words = program.literals.iter().map(std::slice::from_ref);
    let lists = program.phrases.iter().map(|plan| &*plan.phrases.list);
    let words: Vec<(&[u8], u32)> = words
        .chain(lists)
        .zip(0..)
        .zip(&asked)
        .filter(|(_, asked)| **asked)
        .flat_map(|((words, number), _)| words.iter().map(move |word| (&**word, number)))
        .collect();
    if words.is_empty() {
        return Ok(None);
    }
    let built = scan::Literals::build(&words, asked.len());
    built.map(Some).map_err(|error| LoadError(format!("the shared literals: {error}")))
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
