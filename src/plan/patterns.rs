//! Patterns: parsed once, compiled in parallel, each with its engine, price and screen.

use super::artefact::{Artefact, Artefacts, Unpacked};
use super::draft::PatternDraft;
use crate::diag::{Diagnostic, Diagnostics};
use crate::lang::pcre;
use crate::lang::seclang::codes;
use crate::limits::Limits;
use crate::parallel::{in_parallel, threads};
use crate::program::{ALPHABETS, LEVELS, Need, PatternPlan, Screen};
use crate::rule::Pattern;
use crate::scan::{self, BuildError, Exact, Want, require};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Longer patterns are not looked at for something simple.
const PLAIN: usize = 64;
/// Shorter literals are too common to be worth a place in the shared scan.
const MIN_LITERAL: usize = 3;

type Compiled = Result<Done, Box<Diagnostic>>;

struct Done {
    made: Made,
    plain: Option<scan::Plain>,
    warning: Option<Diagnostic>,
    artefact: Option<Artefact>,
}

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Made {
    /// For what.
    pub(super) want: Want,
    pub(super) automaton: scan::Pattern,
    /// By level; `None` where it cannot match.
    pub(super) requirements: [Option<require::Requirement>; LEVELS],
    /// What makes it irregular.
    pub(super) constructs: Vec<pcre::Construct>,
}

/// Why there are no automata.
pub(super) enum Failure {
    Syntax(pcre::Error),
    TooLarge(BuildError),
}

/// All patterns, compiled.
pub(super) struct Patterns {
    pub(super) plans: Vec<PatternPlan>,
    pub(super) literals: Vec<Box<[u8]>>,
    pub(super) automata: Vec<scan::Pattern>,
    pub(super) artefacts: Artefacts,
}

/// Compiles all patterns but those that are `unpacked`, on all cores, and makes artefacts of them if somebody wants to `keep` them.
/// The order of the result is that of the drafts, whichever core was faster.
pub(super) fn compile(
    drafts: Vec<PatternDraft>,
    limits: &Limits,
    prefilter: bool,
    unpacked: Unpacked,
    keep: bool,
    diagnostics: &mut Diagnostics,
) -> Patterns {
    let mut known = unpacked.made;
    let known: Vec<_> = drafts
        .iter()
        .map(|draft| Mutex::new(known.remove(&draft.pattern).filter(|(made, _)| made.want == draft.want)))
        .collect();
    let work: Vec<_> = drafts.iter().zip(&known).collect();
    let done = in_parallel(&work, threads(), |(draft, known), _| {
        let known = known.lock().ok().and_then(|mut known| known.take());
        compile_one(draft, known, keep, limits)
    });

    let mut literals = Literals::default();
    let mut plans = Vec::with_capacity(drafts.len());
    let mut automata = Vec::with_capacity(drafts.len());
    let mut artefacts = Artefacts::new();
    for (draft, slot) in drafts.into_iter().zip(done) {
        match slot {
            Some(Ok(Done { made, plain, warning, artefact })) => {
                let Made { automaton, requirements, .. } = made;
                warning.into_iter().for_each(|warning| diagnostics.push(warning));
                if let Some(artefact) = artefact {
                    artefacts.insert(draft.pattern.clone(), artefact);
                }
                let screens = requirements.map(|requirement| match requirement {
                    _ if !prefilter => Some(Screen::OPEN),
                    requirement => requirement.map(|requirement| literals.screen(&requirement)),
                });
                plans.push(PatternPlan {
                    pattern: draft.pattern,
                    want: draft.want,
                    engine: automaton.engine(),
                    exact: automaton.exact(),
                    plain,
                    price: automaton.price(),
                    screens,
                });
                automata.push(automaton);
            }
            Some(Err(diagnostic)) => diagnostics.push(*diagnostic),
            None => diagnostics.push(Diagnostic::error(
                codes::INCONSISTENT,
                draft.span,
                "compiling this pattern failed unexpectedly",
            )),
        }
    }
    Patterns { plans, literals: literals.list, automata, artefacts }
}

/// Compiles one pattern.
pub(super) fn make(pattern: &Pattern, want: Want, limits: &Limits) -> Result<Made, Failure> {
    let parsed = pcre::parse(&pattern.text, pattern.fold_case, limits).map_err(Failure::Syntax)?;
    let automaton = parsed.build(want, limits, None).map_err(Failure::TooLarge)?;
    let bounds = require::Bounds::default();
    // Sieves ask for the windows that hold for all values.
    let without_windows = require::Bounds { cuts: 0, ..bounds.clone() };
    let possible = |hir: &_, bounds: &_| {
        Some(require::require(hir, bounds)).filter(|found| found.literals != require::Need::Never)
    };
    let requirements = std::array::from_fn(|level| match ALPHABETS.get(level) {
        Some(alphabet) => possible(&require::restrict(&parsed.hir, alphabet), &without_windows),
        None => possible(&parsed.hir, &bounds),
    });
    Ok(Made { want, automaton, requirements, constructs: parsed.constructs })
}

fn compile_one(draft: &PatternDraft, known: Option<(Made, Artefact)>, keep: bool, limits: &Limits) -> Compiled {
    let rule = draft.rule;
    let (known, packed) = known.unzip();
    let made = known.map_or_else(|| make(&draft.pattern, draft.want, limits), Ok);
    let made = made.map_err(|failure| match failure {
        Failure::Syntax(error) => {
            Diagnostic::error(codes::PATTERN, draft.span, format!("{} (rule {rule})", error.message))
                .help(error.help.unwrap_or_else(|| "rewrite the pattern".to_owned()))
        }
        Failure::TooLarge(error) => {
            Diagnostic::error(codes::AUTOMATON, draft.span, format!("the pattern of rule {rule} is too large: {error}"))
                .help("shorten its counted repeats or split it into several rules")
        }
    });
    let made = made.map_err(Box::new)?;
    let metered = made.automaton.exact() == Exact::Metered;
    let warning = if metered { captures_inside(draft, &made.constructs) } else { None };
    let artefact = keep.then(|| packed.unwrap_or_else(|| Artefact::of(&made)));
    Ok(Done { made, plain: plain(&draft.pattern, limits), warning, artefact })
}

/// What can be said of a pattern without running it. Read from its text: what is stored of a pattern does not tell.
fn plain(pattern: &Pattern, limits: &Limits) -> Option<scan::Plain> {
    if pattern.text.len() > PLAIN || pattern.text.first() != Some(&b'^') {
        return None;
    }
    let parsed = pcre::parse(&pattern.text, pattern.fold_case, limits).ok()?;
    scan::Plain::of(&parsed.hir).filter(|_| parsed.exact.is_none())
}

/// The warning that groups which the rule reads stand where finding them cannot be done in linear time. (The reader of the
/// rules has warned of back-references.)
fn captures_inside(draft: &PatternDraft, constructs: &[pcre::Construct]) -> Option<Diagnostic> {
    if pcre::back_reference(constructs).is_some() {
        return None;
    }
    let place = constructs.first()?;
    let message = format!(
        "no price per byte bounds this pattern, only the budget of rule {} does: groups that the rule reads are captured inside \
         a look-around, an atomic group or a possessive quantifier (the first is at character {} of the pattern)",
        draft.rule,
        place.offset + 1
    );
    Some(
        Diagnostic::warning(codes::METERED, draft.span, message)
            .help("write `(?:` for groups that need not be captured, or take `capture` away"),
    )
}

/// Whether the shared scan can say that a need is not met.
fn decides(need: &require::Need) -> bool {
    match need {
        require::Need::Always | require::Need::Never => false,
        require::Need::Literal(literal) => literal.len() >= MIN_LITERAL,
        require::Need::All(needs) => needs.iter().any(decides),
        require::Need::Any(needs) => needs.iter().all(decides),
    }
}

/// One of some needs: a set of literals where that says it.
fn any(needs: Vec<Need>) -> Need {
    let mut words: BTreeMap<u32, u64> = BTreeMap::new();
    for need in &needs {
        let Need::Literal(at) = need else { return Need::Any(needs) };
        *words.entry(at / 64).or_default() |= 1 << (at % 64);
    }
    match needs.as_slice() {
        [] => Need::Any(needs),
        [one] => one.clone(),
        _ => Need::AnyOf(words.into_iter().collect()),
    }
}

/// Collects the literals that patterns require.
#[derive(Default)]
struct Literals {
    list: Vec<Box<[u8]>>,
    index: BTreeMap<Box<[u8]>, u32>,
}

impl Literals {
    fn screen(&mut self, requirement: &require::Requirement) -> Screen {
        Screen {
            min_len: requirement.min_len,
            any_of: requirement.any_of.clone(),
            need: self.need(&requirement.literals),
            windows: requirement.windows.clone(),
        }
    }

    /// The same tree over literal numbers. What the shared scan does not look for counts as given, which only lets more
    /// values through.
    fn need(&mut self, need: &require::Need) -> Need {
        match need {
            // A pattern that can never match is left to its verifier: it is rare, and cheap.
            require::Need::Always | require::Need::Never => Need::Always,
            require::Need::Literal(literal) if literal.len() < MIN_LITERAL => Need::Always,
            require::Need::Literal(literal) => Need::Literal(self.literal(literal)),
            require::Need::All(needs) => {
                let needs: Vec<_> =
                    needs.iter().map(|need| self.need(need)).filter(|need| *need != Need::Always).collect();
                if needs.is_empty() { Need::Always } else { Need::All(needs) }
            }
            require::Need::Any(needs) => {
                // Do not put literals into the scan that cannot decide anything.
                if !needs.iter().all(decides) {
                    return Need::Always;
                }
                any(needs.iter().map(|need| self.need(need)).collect())
            }
        }
    }

    fn literal(&mut self, literal: &[u8]) -> u32 {
        if let Some(&at) = self.index.get(literal) {
            return at;
        }
        let at = self.list.len() as u32;
        self.list.push(literal.into());
        self.index.insert(literal.into(), at);
        at
    }
}
