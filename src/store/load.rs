//! The load pipeline: parse, check, plan, verify, probe. A failure at any step leaves the live ruleset untouched and answers
//! with everything that was found.

use super::builtin::builtin_files;
use crate::diag::{Diagnostic, Diagnostics, Severity, SourceMap, json, text};
use crate::engine::{FixedEnv, Scratch, Transaction};
use crate::files::Files;
use crate::lang::seclang::{self, codes};
use crate::limits::Limits;
use crate::plan::{self, Options};
use crate::program::{Loaded, verify};
use crate::rule::Ruleset;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
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
}

impl LoadReport {
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
        LoadReport { diagnostics, sources: self.sources.clone() }
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
}

/// Loads a ruleset.
///
/// # Errors
/// The report, if there is an error among its findings.
pub fn load(
    source: &RuleSource,
    files: &dyn Files,
    loading: &Loading,
) -> Result<(Arc<Loaded>, LoadReport), LoadReport> {
    let limits = &loading.limits;
    let mut sources = SourceMap::new();
    let mut diagnostics = Diagnostics::new(limits.diagnostics);
    let ruleset = parse(source, files, limits, &mut sources, &mut diagnostics);
    let planned = match diagnostics.errors() {
        0 => plan::plan(ruleset, limits, loading.options, &mut diagnostics),
        _ => None,
    };
    let mut report = LoadReport { diagnostics, sources };
    let Some((program, loaded)) = planned else { return Err(report) };
    if let Err(fault) = verify(&program) {
        report.diagnostics.push(Diagnostic::error(
            codes::INCONSISTENT,
            None,
            format!("the compiled ruleset is inconsistent: {fault}"),
        ));
        return Err(report);
    }
    let loaded = Arc::new(loaded);
    if !probe(&loaded) {
        report.diagnostics.push(
            Diagnostic::error(codes::PROBE, None, "the compiled ruleset fails on a plain request")
                .help("this is a fault of the engine: report it together with the rules"),
        );
        return Err(report);
    }
    Ok((loaded, report))
}

fn parse(
    source: &RuleSource,
    files: &dyn Files,
    limits: &Limits,
    sources: &mut SourceMap,
    diagnostics: &mut Diagnostics,
) -> Ruleset {
    match source {
        RuleSource::Paths(paths) => seclang::load(paths, files, limits, sources, diagnostics),
        RuleSource::Text { name, text } => {
            seclang::load_text(name, text.as_bytes(), files, limits, sources, diagnostics)
        }
        RuleSource::Builtin => {
            let (entry, files) = builtin_files();
            seclang::load(&[PathBuf::from(entry)], &files, limits, sources, diagnostics)
        }
    }
}

/// Evaluates a plain exchange in a throw-away scratch: a ruleset that cannot take it must never go live.
fn probe(loaded: &Arc<Loaded>) -> bool {
    catch_unwind(AssertUnwindSafe(|| {
        let scratch = Box::new(Scratch::new(loaded.program()));
        let mut probe = Transaction::new(loaded.clone(), scratch, Arc::new(FixedEnv::default()), "probe");
        probe.process_connection([192, 0, 2, 1].into(), 40000, [192, 0, 2, 2].into(), 80);
        probe.process_request_line(b"POST", b"/?probe=1", b"HTTP/1.1");
        probe.add_request_header(b"Host", b"probe.example");
        probe.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
        probe.process_request_headers();
        probe.write_request_body(b"name=value");
        probe.process_request_body();
        probe.add_response_header(b"Content-Type", b"text/html");
        probe.process_response_headers(200, b"HTTP/1.1");
        probe.write_response_body(b"<p>probe</p>");
        probe.process_response_body();
        probe.process_logging();
        probe.verdict()
    }))
    .is_ok()
}
