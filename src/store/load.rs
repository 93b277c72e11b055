//! The load pipeline: parse, check, plan, verify, probe. A failure at any step leaves the live ruleset untouched and answers
//! with everything that was found.

use super::builtin::builtin_files;
use super::bundle::{self, Bundle, Carried, Hashes, Identity, Recorder};
use super::cache::{self, Cache, Found};
use super::checked::Checked;
use super::confined::{Capabilities, Confined};
use super::loading::{LoadReport, Loading, RulePiece, RuleSource};
use super::release::{Compilation, ContentHash, Release};
use super::releases::Releases;
use super::unverified::Unverified;
use crate::diag::{Diagnostic, Diagnostics, SourceMap};
use crate::files::{Files, MemoryFiles};
use crate::lang::seclang::{self, Accepted, Entry, Part, Rights, codes};
use crate::limits::Limits;
use crate::parallel::threads;
use crate::plan::{self, Artefacts, Drafted, Options, Unpacked};
use crate::program::Loaded;
use crate::rule::{Pattern, Ruleset};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    let (host, confined) = (files, loading.capabilities.folder().map(|folder| Confined::new(files, folder)));
    let files = confined.as_ref().map_or(host, |confined| confined as &dyn Files);
    match bundle::find(source, files) {
        Err(error) => Err(found.and(*error).report()),
        Ok(Some(path)) => match bundle::open(&path, files, loading.bundle_key.as_ref(), &loading.limits) {
            Err(error) => Err(found.and(*error).report()),
            Ok((bundle, serial)) => {
                let prepared = load_bundle(bundle, &path, Some(host), loading, found, pack)?;
                Ok(Prepared { release: prepared.release.with_serial(serial), ..prepared })
            }
        },
        Ok(None) => match source {
            RuleSource::Builtin => {
                let (source, files) = builtin();
                let releases =
                    loading.releases.as_ref().map(|own| if loading.base.is_none() { Releases::public() } else { own });
                // The rules of the engine are nobody's: they say themselves that it is on.
                let capabilities = Capabilities::all();
                let loading = Loading { capabilities, releases: releases.cloned(), ..loading.clone() };
                load_source(Reading { source: &source, files: &files, host: Some(host) }, &loading, found, pack)
            }
            _ => load_source(Reading { source, files, host: Some(host) }, loading, found, pack),
        },
    }
}

/// Loads rules from files that were read before.
pub(super) fn load_again(
    source: &RuleSource,
    carried: &Carried,
    host: &dyn Files,
    loading: &Loading,
    pack: bool,
) -> Result<Prepared, LoadReport> {
    load_source(Reading { source, files: carried, host: Some(host) }, loading, Findings::new(&loading.limits), pack)
}

/// Loads what [`prepare`] has packed before; `path` is where it was found. The caller has seen that the bytes are not damaged.
///
/// # Errors
/// The report, if there is an error among its findings.
pub fn restore(bytes: Vec<u8>, path: &Path, serial: Option<u64>, loading: &Loading) -> Result<Prepared, LoadReport> {
    let found = Findings::new(&loading.limits);
    if loading.base.is_some() {
        let message = format!("`{}` holds no rules of the base that these are to stand behind", path.display());
        let help = "load them from where they are written";
        return Err(found.and(Diagnostic::error(codes::BUNDLE, None, message).help(help)).report());
    }
    match Bundle::read(bytes, true, &loading.limits) {
        Err(problem) => Err(found.and(bundle::damaged(path, problem)).report()),
        Ok(bundle) => {
            let prepared = load_bundle(bundle, path, None, loading, found, false)?;
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
    let reading = Reading { source: &source, files: &recorder, host: None };
    let ruleset = parse(reading, loading, &Artefacts::new(), &mut found);
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

/// What a load reads.
#[derive(Clone, Copy)]
struct Reading<'a> {
    source: &'a RuleSource,
    files: &'a dyn Files,
    /// How the base is reached; what is restored has none.
    host: Option<&'a dyn Files>,
}

/// Loads rules from where they are written, with the help of the cache if there is one.
fn load_source(
    Reading { source, files, host }: Reading<'_>,
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
    let base = host.map(|host| Recorder::new(host, false));
    let host = base.as_ref().map(|base| base as &dyn Files);
    // What this process has made itself is as good as made now: nobody has to compare it later.
    let own = loading.remembered.as_ref().map(|remembered| remembered.recall(&loading.limits)).unwrap_or_default();
    let ruleset = parse(Reading { source, files: &recorder, host }, loading, &own, &mut found);
    let mut recorded = recorder.finish();
    recorded.hashes.extend(base.map(|base| base.finish().hashes).into_iter().flatten().map(behind));
    let content = ContentHash::new(source, &recorded.hashes, loading);
    let identity = Identity::new(source, &recorded.hashes, &loading.limits, loading.options);
    // Of what has changed while it was read the hash says little.
    let releases = loading.releases.as_deref().filter(|_| recorded.unusable.is_none());
    let make = move || {
        let known = match cache.as_ref().map(|cache| cache.find(&identity, &loading.limits)) {
            Some(Found::Artefacts(artefacts)) => artefacts,
            Some(Found::Nothing) | None => Artefacts::new(),
            Some(Found::Useless(warning)) => {
                found.diagnostics.push(warning);
                Artefacts::new()
            }
        };
        let at_hand = if known.is_empty() { &own } else { &known };
        let (drafted, unpacked) = while_unpacking(at_hand, &loading.limits, || draft(ruleset, loading, &mut found));
        let damaged = unpacked.refused > 0 && !known.is_empty();
        if let Some(cache) = cache.as_ref().filter(|_| damaged) {
            found.diagnostics.push(cache::useless(&cache.path(&identity), &"automata in it are damaged"));
        }
        let cache = cache.filter(|_| known.is_empty() || damaged).filter(|_| recorded.unusable.is_none());
        let keep = pack || cache.is_some() || loading.remembered.is_some();
        let (checked, artefacts, mut report) = finish(drafted, loading, unpacked, keep, found)?;
        if let Some(remembered) = loading.remembered.as_ref().filter(|_| known.is_empty()) {
            remembered.keep(&loading.limits, artefacts.clone());
        }
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
            _ if loading.base.is_some() => Err("rules that stand behind a base are not kept without it".to_owned()),
            Some(path) => {
                Err(format!("`{}` has changed while it was read, or its name is not Unicode", path.display()))
            }
            None => Ok(bundle(source.clone(), recorded.carried, artefacts).to_bytes()),
        });
        if !known.is_empty() {
            let from = Cache::place(loading.cache.as_deref().unwrap_or(Path::new("")), &identity);
            let (limits, source) = (loading.limits.clone(), source.clone());
            report.unverified = Some(Arc::new(Unverified { artefacts: known, limits, source, carried: None, from }));
        }
        Ok(Made { checked, report, packed })
    };
    share(releases, content, loading, pack, make)
}

/// What a load has made.
struct Made {
    checked: Checked,
    report: LoadReport,
    packed: Option<Result<Vec<u8>, String>>,
}

/// Takes what is shared of this content, or makes it.
fn share(
    releases: Option<&Releases>,
    content: ContentHash,
    loading: &Loading,
    pack: bool,
    make: impl FnOnce() -> Result<Made, LoadReport>,
) -> Result<Prepared, LoadReport> {
    let compiled = |made: Made| (Compilation::new(made.checked, made.report.unverified.clone()), made.report);
    let prepared =
        |(compiled, report), packed| Prepared { release: Release::new(compiled, content, None), report, packed };
    match releases {
        None => {
            let mut made = make()?;
            let packed = made.packed.take();
            let (compiled, report) = compiled(made);
            Ok(prepared((Arc::new(compiled), report), packed))
        }
        // Nobody has kept what is to be packed: it is made again, and still in memory once.
        Some(releases) if pack => {
            let mut made = make()?;
            let packed = made.packed.take();
            Ok(prepared(releases.once(content, loading, || Ok(compiled(made)))?, packed))
        }
        Some(releases) => Ok(prepared(releases.once(content, loading, || make().map(compiled))?, None)),
    }
}

/// What the files of the base are, without the rules behind it being loaded.
fn hashes_of_base(reading: Reading<'_>, loading: &Loading, known: &Artefacts) -> Hashes {
    let Some(host) = reading.host else { return Hashes::new() };
    let recorder = Recorder::new(host, false);
    parse(Reading { host: Some(&recorder), ..reading }, loading, known, &mut Findings::new(&loading.limits));
    recorder.finish().hashes.into_iter().map(behind).collect()
}

/// A file of the base, among those of the other rules.
fn behind((name, hash): (String, [u8; 32])) -> (String, [u8; 32]) {
    (format!("base:{name}"), hash)
}

/// Loads rules from a bundle. Its automata are unpacked while its rules are read.
fn load_bundle(
    bundle: Bundle,
    path: &Path,
    host: Option<&dyn Files>,
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
        let reading = Reading { source: &bundle.source, files: &bundle.carried, host };
        return load_source(reading, &loading, found, pack);
    }
    let packed = pack.then(|| match loading.base {
        Some(_) => Err("rules that stand behind a base are not kept without it".to_owned()),
        None => Ok(bundle.to_bytes()),
    });
    let Bundle { source, carried, artefacts, .. } = bundle;
    let base = match loading.base {
        Some(_) => hashes_of_base(Reading { source: &source, files: &carried, host }, loading, &artefacts),
        None => Hashes::new(),
    };
    let content = ContentHash::new(&source, &hashes.into_iter().chain(base).collect(), loading);
    let limits = &loading.limits;
    let make = move || {
        let reading = Reading { source: &source, files: &carried, host };
        let (drafted, unpacked) = while_unpacking(&artefacts, limits, || {
            let ruleset = parse(reading, loading, &artefacts, &mut found);
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
        Ok(Made { checked, report, packed })
    };
    share(loading.releases.as_deref(), content, loading, pack, make)
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

/// Reads the base, if there is one, and the rules behind it.
fn parse(
    Reading { source, files, host }: Reading<'_>,
    loading: &Loading,
    known: &Artefacts,
    found: &mut Findings,
) -> Ruleset {
    let (own, own_files) = builtin();
    // The base stands before everything else.
    let base = loading.base.as_deref().zip(host);
    let base = base.map(|(base, host)| parts(base, (&own, &own_files), (host, Rights::All), usize::MAX));
    let rules = parts(source, (&own, &own_files), (files, loading.capabilities.rights()), 0);
    let parts: Vec<_> = base.into_iter().flatten().chain(rules).collect();
    let known =
        |pattern: &Pattern| known.get(pattern).map(|artefact| Accepted { back_reference: artefact.back_reference });
    seclang::read(&parts, &loading.limits, &known, &mut found.sources, &mut found.diagnostics)
}

/// Where the reading of a source begins: of several parts, those of its layers stand the deeper the further inside they are.
fn parts<'a>(
    source: &'a RuleSource,
    (own, own_files): (&'a RuleSource, &'a dyn Files),
    (files, rights): (&'a dyn Files, Rights),
    depth: usize,
) -> Vec<Part<'a>> {
    let part = |entry, depth| Part { entry, files, rights, depth };
    match source {
        RuleSource::Paths(paths) => vec![part(Entry::Paths(paths), depth)],
        RuleSource::Text { name, text } => vec![part(Entry::Text { name, text: text.as_bytes() }, depth)],
        RuleSource::Builtin => match own {
            RuleSource::Paths(paths) => {
                vec![Part { entry: Entry::Paths(paths), files: own_files, rights: Rights::All, depth }]
            }
            _ => Vec::new(),
        },
        RuleSource::Layers(layers) => {
            let piece = |piece: &'a RulePiece, further| match piece {
                RulePiece::Path(path) => part(Entry::Paths(std::slice::from_ref(path)), further),
                RulePiece::Text { name, text } => part(Entry::Text { name, text: text.as_bytes() }, further),
            };
            let deeper = |further| depth.saturating_add(further);
            let layers = layers.iter().enumerate();
            layers.flat_map(|(at, layer)| layer.iter().map(move |one| piece(one, deeper(at)))).collect()
        }
    }
}
