//! Patterns: parsed once, compiled in parallel, each with its engine, price and screen.

use super::draft::PatternDraft;
use crate::diag::{Diagnostic, Diagnostics};
use crate::lang::pcre;
use crate::lang::seclang::codes;
use crate::limits::Limits;
use crate::program::{ALPHABETS, LEVELS, Need, PatternPlan, Screen};
use crate::scan::{self, Exact, require};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Shorter literals are too common to be worth a place in the shared scan.
const MIN_LITERAL: usize = 3;

type Compiled = Result<Done, Box<Diagnostic>>;

struct Done {
    automaton: scan::Pattern,
    /// By level; `None` where it cannot match.
    requirements: [Option<require::Requirement>; LEVELS],
    warning: Option<Diagnostic>,
}

/// Compiles all patterns on all cores. The order of the result is that of the drafts, whichever core was faster.
pub(super) fn compile(
    drafts: Vec<PatternDraft>,
    limits: &Limits,
    prefilter: bool,
    diagnostics: &mut Diagnostics,
) -> (Vec<PatternPlan>, Vec<Box<[u8]>>, Vec<scan::Pattern>) {
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<Compiled>>> = drafts.iter().map(|_| Mutex::new(None)).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(drafts.len().max(1));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((draft, slot)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((drafts.get(at)?, done.get(at)?)))
                {
                    let compiled = compile_one(draft, limits);
                    if let Ok(mut slot) = slot.lock() {
                        *slot = Some(compiled);
                    }
                }
            });
        }
    });

    let mut literals = Literals::default();
    let mut plans = Vec::with_capacity(drafts.len());
    let mut automata = Vec::with_capacity(drafts.len());
    for (draft, slot) in drafts.into_iter().zip(done) {
        match slot.into_inner().ok().flatten() {
            Some(Ok(Done { automaton, requirements, warning })) => {
                warning.into_iter().for_each(|warning| diagnostics.push(warning));
                let screens = requirements.map(|requirement| match requirement {
                    _ if !prefilter => Some(Screen::OPEN),
                    requirement => requirement.map(|requirement| literals.screen(&requirement)),
                });
                plans.push(PatternPlan {
                    pattern: draft.pattern,
                    want: draft.want,
                    engine: automaton.engine(),
                    exact: automaton.exact(),
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
    (plans, literals.list, automata)
}

fn compile_one(draft: &PatternDraft, limits: &Limits) -> Compiled {
    let rule = draft.rule;
    let parsed = pcre::parse(&draft.pattern.text, draft.pattern.fold_case, limits).map_err(|error| {
        Diagnostic::error(codes::PATTERN, draft.span, format!("{} (rule {rule})", error.message))
            .help(error.help.unwrap_or_else(|| "rewrite the pattern".to_owned()))
    });
    let parsed = parsed.map_err(Box::new)?;
    let automaton = parsed.build(draft.want, limits, None).map_err(|error| {
        Diagnostic::error(codes::AUTOMATON, draft.span, format!("the pattern of rule {rule} is too large: {error}"))
            .help("shorten its counted repeats or split it into several rules")
    });
    let automaton = automaton.map_err(Box::new)?;
    let bounds = require::Bounds::default();
    let possible =
        |hir: &_| Some(require::require(hir, &bounds)).filter(|found| found.literals != require::Need::Never);
    let requirements = std::array::from_fn(|level| match ALPHABETS.get(level) {
        Some(alphabet) => possible(&require::restrict(&parsed.hir, alphabet)),
        None => possible(&parsed.hir),
    });
    let warning = if automaton.exact() == Exact::Metered { captures_inside(draft, &parsed) } else { None };
    Ok(Done { automaton, requirements, warning })
}

/// The warning that groups which the rule reads stand where finding them cannot be done in linear time. (The reader of the
/// rules has warned of back-references.)
fn captures_inside(draft: &PatternDraft, parsed: &pcre::Parsed) -> Option<Diagnostic> {
    if parsed.constructs.iter().any(|construct| construct.what == pcre::BACK_REFERENCE) {
        return None;
    }
    let place = parsed.constructs.first()?;
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
