//! The load pipeline: parse, check, plan, verify, probe. A failure at any step leaves the live ruleset untouched and answers
//! with everything that was found.

use super::builtin::builtin_files;
use super::bundle::{self, Bundle, BundleKey, Carried, Identity, Recorder};
use super::cache::{self, Cache, Found};
use super::checked::Checked;
use super::release::{ContentHash, Release};
use super::unverified::Unverified;
use crate::diag::{Diagnostic, Diagnostics, Severity, SourceMap, json, text};
use crate::files::{Files, MemoryFiles};
use crate::lang::seclang::{self, Accepted, Entry, codes};
use crate::limits::Limits;
use crate::parallel::threads;
use crate::plan::{self, Artefacts, Ceilings, Drafted, Options, Unpacked};
use crate::program::Loaded;
use crate::rule::{Pattern, Ruleset, Supplies};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where rules come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSource {
    /// Files or folders, in order.
    Paths(Vec<PathBuf>),
    /// A text; relative includes are looked for beside `name`.
    Text {
        /// Its name in diagnostics.
        name: String,
        /// SecLang.
        text: String,
    },
    /// The rules that come with the binary.
    Builtin,
}

/// What a load found, whether it succeeded or not.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// All findings.
    pub diagnostics: Diagnostics,
    /// The texts that they point into.
    pub sources: SourceMap,
    /// What was not compiled but taken from a bundle or from the cache, and should be compared some time.
    pub unverified: Option<Arc<Unverified>>,
}

impl LoadReport {
    /// Of one finding that points nowhere.
    pub fn of(diagnostic: Diagnostic) -> LoadReport {
        let mut diagnostics = Diagnostics::new(1);
        diagnostics.push(diagnostic);
        LoadReport { diagnostics, sources: SourceMap::new(), unverified: None }
    }

    /// The findings for people.
    pub fn render(&self, color: bool) -> String {
        text::render(&self.diagnostics, &self.sources, color)
    }

    /// The same report without notes (directives that are accepted without effect).
    #[must_use]
    pub fn without_notes(&self) -> LoadReport {
        let mut diagnostics = Diagnostics::new(usize::MAX);
        self.diagnostics
            .iter()
            .filter(|found| found.severity != Severity::Note)
            .cloned()
            .for_each(|d| diagnostics.push(d));
        LoadReport { diagnostics, sources: self.sources.clone(), unverified: self.unverified.clone() }
    }

    /// The findings for machines.
    pub fn json(&self) -> Vec<json::JsonDiagnostic> {
        json::to_json(&self.diagnostics, &self.sources)
    }
}

impl std::fmt::Display for LoadReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for LoadReport {}

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct Loading {
    /// Limits of both sides.
    pub limits: Limits,
    /// Switches of the planner.
    pub options: Options,
    /// Whose bundles are trusted; without it none.
    pub bundle_key: Option<BundleKey>,
    /// A folder that remembers what took long to compile.
    pub cache: Option<PathBuf>,
    /// What the rules may cost at most; without it any amount.
    pub ceilings: Option<Ceilings>,
    /// Whether a ruleset may be without a single rule: usually something was lost on the way.
    pub allow_empty: bool,
    /// What the host tells the engine: rules that look at anything else are found.
    pub supplies: Supplies,
}

/// Loads a ruleset. A path may be that of a compiled bundle: all its rules then come out of it, signed by
/// [`Loading::bundle_key`].
///
/// # Errors
/// The report, if there is an error among its findings.
pub fn load(
    source: &RuleSource,
    files: &dyn Files,
    loading: &Loading,
) -> Result<(Arc<Loaded>, LoadReport), LoadReport> {
    let Prepared { release, report, .. } = prepare(source, files, loading, false)?;
    Ok((release.loaded().clone(), report))
}

/// A ruleset that can go into service.
#[derive(Debug)]
pub struct Prepared {
    /// The rules, compiled, verified and probed.
    pub release: Release,
    /// What loading them has found.
    pub report: LoadReport,
    /// All of it as the bytes of a bundle, if they were asked for; or why it cannot be kept so.
    pub packed: Option<Result<Vec<u8>, String>>,
}

/// Loads a ruleset as [`load`] does, for service. `pack`: somebody wants to keep it.
///
/// # Errors
/// The report, if there is an error among its findings.
pub fn prepare(source: &RuleSource, files: &dyn Files, loading: &Loading, pack: bool) -> Result<Prepared, LoadReport> {
    let found = Findings::new(&loading.limits);
    match bundle::find(source, files) {
        Err(error) => Err(found.and(*error).report()),
        Ok(Some(path)) => match bundle::open(&path, files, loading.bundle_key.as_ref(), &loading.limits) {
            Err(error) => Err(found.and(*error).report()),
            Ok((bundle, serial)) => {
                let prepared = load_bundle(bundle, &path, loading, found, pack)?;
                Ok(Prepared { release: prepared.release.with_serial(serial), ..prepared })
            }
        },
        Ok(None) => match source {
            RuleSource::Builtin => {
                let (source, files) = builtin();
                load_source(&source, &files, loading, found, pack)
            }
            _ => load_source(source, files, loading, found, pack),
        },
    }
}

/// Loads what [`prepare`] has packed before; `path` is where it was found. The caller has seen that the bytes are not damaged.
///
/// # Errors
/// The report, if there is an error among its findings.
pub fn restore(bytes: Vec<u8>, path: &Path, serial: Option<u64>, loading: &Loading) -> Result<Prepared, LoadReport> {
    let found = Findings::new(&loading.limits);
    match Bundle::read(bytes, true, &loading.limits) {
        Err(problem) => Err(found.and(bundle::damaged(path, problem)).report()),
        Ok(bundle) => {
            let prepared = load_bundle(bundle, path, loading, found, false)?;
            Ok(Prepared { release: prepared.release.with_serial(serial), ..prepared })
        }
    }
}

/// The rules that come with this version of the engine, as any others.
fn builtin() -> (RuleSource, MemoryFiles) {
    let (entry, files) = builtin_files();
    (RuleSource::Paths(vec![PathBuf::from(entry)]), files)
}

/// A compiled ruleset, to be written to a file.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The bundle.
    pub bytes: Vec<u8>,
    /// Files in it.
    pub files: usize,
    /// Bytes of them.
    pub source_bytes: usize,
    /// Patterns whose automata are in it.
    pub patterns: usize,
    /// Bytes of those before compression.
    pub automata_bytes: usize,
    /// What loading them has found.
    pub report: LoadReport,
}

/// Loads a ruleset and makes a bundle of it. A bundle may be made of another one: by this version of the engine then.
///
/// # Errors
/// The report, if there is an error among its findings.
pub fn compile(source: &RuleSource, files: &dyn Files, loading: &Loading) -> Result<Compiled, LoadReport> {
    let mut found = Findings::new(&loading.limits);
    let opened = match bundle::find(source, files) {
        Err(error) => return Err(found.and(*error).report()),
        Ok(None) => None,
        Ok(Some(path)) => match bundle::open(&path, files, loading.bundle_key.as_ref(), &loading.limits) {
            Err(error) => return Err(found.and(*error).report()),
            Ok((bundle, _)) => Some(bundle),
        },
    };
    let (own, own_files) = builtin();
    let (source, files): (RuleSource, &dyn Files) = match (&opened, source) {
        (Some(bundle), _) => (bundle.source.clone(), &bundle.carried),
        // The rules of this version, whatever version loads the bundle.
        (None, RuleSource::Builtin) => (own, &own_files),
        (None, other) => (other.clone(), files),
    };
    let recorder = Recorder::new(files, true);
    let ruleset = parse(&source, &recorder, loading, &Artefacts::new(), &mut found);
    let recorded = recorder.finish();
    let drafted = draft(ruleset, loading, &mut found);
    let (_, artefacts, mut report) = finish(drafted, loading, Unpacked::default(), true, found)?;
    if let Some(path) = recorded.unusable {
        let message = format!("`{}` has changed while it was read, or its name is not Unicode", path.display());
        report.diagnostics.push(Diagnostic::error(codes::BUNDLE, None, message).help("compile the rules again"));
        return Err(report);
    }
    let identity = Identity::new(&source, &recorded.hashes, &loading.limits, Options::default());
    let bundle = Bundle { engine: bundle::ENGINE.to_owned(), identity, source, carried: recorded.carried, artefacts };
    let (files, source_bytes) = bundle.carried.size();
    Ok(Compiled {
        bytes: bundle.to_bytes(),
        files,
        source_bytes,
        patterns: bundle.artefacts.len(),
        automata_bytes: bundle.artefacts.values().map(plan::Artefact::len).sum(),
        report,
    })
}

/// What a load finds on its way.
struct Findings {
    diagnostics: Diagnostics,
    sources: SourceMap,
}

impl Findings {
    fn new(limits: &Limits) -> Self {
        Findings { diagnostics: Diagnostics::new(limits.diagnostics), sources: SourceMap::new() }
    }

    fn and(mut self, diagnostic: Diagnostic) -> Self {
        self.diagnostics.push(diagnostic);
        self
    }

    fn report(self) -> LoadReport {
        LoadReport { diagnostics: self.diagnostics, sources: self.sources, unverified: None }
    }
}

/// Loads rules from where they are written, with the help of the cache if there is one.
fn load_source(
    source: &RuleSource,
    files: &dyn Files,
    loading: &Loading,
    mut found: Findings,
    pack: bool,
) -> Result<Prepared, LoadReport> {
    let cache = match loading.cache.as_deref().map(Cache::open).transpose() {
        Ok(cache) => cache,
        Err(warning) => {
            found.diagnostics.push(*warning);
            None
        }
    };
    let recorder = Recorder::new(files, pack);
    let ruleset = parse(source, &recorder, loading, &Artefacts::new(), &mut found);
    let recorded = recorder.finish();
    let content = ContentHash::new(source, &recorded.hashes, &loading.limits);
    let identity = Identity::new(source, &recorded.hashes, &loading.limits, loading.options);
    let known = match cache.as_ref().map(|cache| cache.find(&identity, &loading.limits)) {
        Some(Found::Artefacts(artefacts)) => artefacts,
        Some(Found::Nothing) | None => Artefacts::new(),
        Some(Found::Useless(warning)) => {
            found.diagnostics.push(warning);
            Artefacts::new()
        }
    };
    let (drafted, unpacked) = while_unpacking(&known, &loading.limits, || draft(ruleset, loading, &mut found));
    let damaged = unpacked.refused > 0;
    if let Some(cache) = cache.as_ref().filter(|_| damaged) {
        found.diagnostics.push(cache::useless(&cache.path(&identity), &"automata in it are damaged"));
    }
    let cache = cache.filter(|_| known.is_empty() || damaged).filter(|_| recorded.unusable.is_none());
    let (checked, artefacts, mut report) = finish(drafted, loading, unpacked, pack || cache.is_some(), found)?;
    let bundle = |source, carried, artefacts| {
        let engine = bundle::ENGINE.to_owned();
        Bundle { engine, identity, source, carried, artefacts }
    };
    if let Some(cache) = &cache {
        // Nothing but what was slow: the rules are read where they are.
        let kept = bundle(RuleSource::Paths(Vec::new()), Carried::default(), artefacts.clone());
        if let Err(warning) = cache.keep(&kept) {
            report.diagnostics.push(*warning);
        }
    }
    let packed = pack.then(|| match recorded.unusable {
        Some(path) => Err(format!("`{}` has changed while it was read, or its name is not Unicode", path.display())),
        None => Ok(bundle(source.clone(), recorded.carried, artefacts).to_bytes()),
    });
    if !known.is_empty() {
        let from = Cache::place(loading.cache.as_deref().unwrap_or(Path::new("")), &identity);
        let (limits, source) = (loading.limits.clone(), source.clone());
        report.unverified = Some(Arc::new(Unverified { artefacts: known, limits, source, carried: None, from }));
    }
    let release = Release::new(checked, content, None, report.unverified.clone());
    Ok(Prepared { release, report, packed })
}

/// Loads rules from a bundle. Its automata are unpacked while its rules are read.
fn load_bundle(
    bundle: Bundle,
    path: &Path,
    loading: &Loading,
    mut found: Findings,
    pack: bool,
) -> Result<Prepared, LoadReport> {
    let hashes = bundle.carried.hashes();
    // Whoever looks for spans compiles the patterns that say less: each artefact knows what it is for.
    if bundle.identity != Identity::new(&bundle.source, &hashes, &loading.limits, Options::default()) {
        let why = if bundle.engine == bundle::ENGINE {
            "was compiled under other limits".to_owned()
        } else {
            format!("was compiled by `{}`, this is `{}`", bundle.engine, bundle::ENGINE)
        };
        let message = format!("the compiled bundle `{}` {why}: its rules are compiled again", path.display());
        let help = "compile it anew with `fusewall compile --rules` (of the rules, or of the bundle), and sign it";
        found.diagnostics.push(Diagnostic::warning(codes::RECOMPILED, None, message).help(help));
        // What the cache remembers is compared with files that are where they were, which those of a bundle are not.
        let loading = Loading { cache: None, ..loading.clone() };
        return load_source(&bundle.source, &bundle.carried, &loading, found, pack);
    }
    let content = ContentHash::new(&bundle.source, &hashes, &loading.limits);
    let packed = pack.then(|| Ok(bundle.to_bytes()));
    let Bundle { source, carried, artefacts, .. } = bundle;
    let limits = &loading.limits;
    let (drafted, unpacked) = while_unpacking(&artefacts, limits, || {
        let ruleset = parse(&source, &carried, loading, &artefacts, &mut found);
        draft(ruleset, loading, &mut found)
    });
    if unpacked.refused > 0 {
        let (refused, all) = (unpacked.refused, artefacts.len());
        let message = format!(
            "{refused} of {all} automata in the compiled bundle `{}` are damaged: these are compiled again",
            path.display()
        );
        found
            .diagnostics
            .push(Diagnostic::warning(codes::RECOMPILED, None, message).help("compile it anew, and sign it"));
    }
    let (checked, _, mut report) = finish(drafted, loading, unpacked, false, found)?;
    let (limits, from) = (limits.clone(), path.to_path_buf());
    report.unverified = Some(Arc::new(Unverified { artefacts, limits, source, carried: Some(carried), from }));
    let release = Release::new(checked, content, None, report.unverified.clone());
    Ok(Prepared { release, report, packed })
}

/// Does something while artefacts are unpacked.
fn while_unpacking<T>(artefacts: &Artefacts, limits: &Limits, work: impl FnOnce() -> T) -> (T, Unpacked) {
    std::thread::scope(|scope| {
        let unpacking = scope.spawn(|| plan::unpack(artefacts, limits, threads()));
        (work(), unpacking.join().unwrap_or_default())
    })
}

/// Plans all that needs no automata; nothing if there is an error already.
fn draft(ruleset: Ruleset, loading: &Loading, found: &mut Findings) -> Option<Drafted> {
    let sound = found.diagnostics.errors() == 0;
    if sound && ruleset.rules.is_empty() && !loading.allow_empty && !cfg!(fusewall_without = "empty") {
        let help = "nothing would be inspected: look whether `Include` finds its files, and what `SecRuleRemove...` removes; if it is \
                    meant, say so: `--allow-empty`, `allow_empty` in the configuration, `WafBuilder::allow_empty`";
        found.diagnostics.push(Diagnostic::error(codes::EMPTY, None, "the ruleset has not a single rule").help(help));
        return None;
    }
    if sound && !cfg!(fusewall_without = "contract") {
        plan::contract(&ruleset, &loading.supplies, &loading.limits, &mut found.diagnostics);
    }
    let sound = found.diagnostics.errors() == 0;
    sound.then(|| plan::draft(ruleset, &loading.limits, loading.options, &mut found.diagnostics))
}

/// From the draft to what can go into service.
fn finish(
    drafted: Option<Drafted>,
    loading: &Loading,
    unpacked: Unpacked,
    keep: bool,
    mut found: Findings,
) -> Result<(Checked, Artefacts, LoadReport), LoadReport> {
    let planned = drafted.and_then(|drafted| drafted.compile(&loading.limits, unpacked, keep, &mut found.diagnostics));
    let Some(plan::Planned { loaded, artefacts, .. }) = planned else { return Err(found.report()) };
    match Checked::new(loaded, loading.ceilings) {
        Ok(checked) => Ok((checked, artefacts, found.report())),
        Err(errors) => {
            errors.into_iter().for_each(|error| found.diagnostics.push(error));
            Err(found.report())
        }
    }
}

fn parse(
    source: &RuleSource,
    files: &dyn Files,
    loading: &Loading,
    known: &Artefacts,
    found: &mut Findings,
) -> Ruleset {
    let entry = match source {
        RuleSource::Paths(paths) => Entry::Paths(paths),
        RuleSource::Text { name, text } => Entry::Text { name, text: text.as_bytes() },
        // `builtin` has made files of it.
        RuleSource::Builtin => Entry::Paths(&[]),
    };
    let known =
        |pattern: &Pattern| known.get(pattern).map(|artefact| Accepted { back_reference: artefact.back_reference });
    seclang::read(entry, files, &loading.limits, &known, &mut found.sources, &mut found.diagnostics)
}
