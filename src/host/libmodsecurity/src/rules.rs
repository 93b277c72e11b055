//! The rules of one context of the host, such as a location of nginx: read piece by piece, nested in those of the contexts around it,
//! compiled when they are complete.

use crate::audit;
use crate::counters::Counters;
use fusewall::diag::json::JsonDiagnostic;
use fusewall::diag::{Diagnostics, Severity, SourceMap};
use fusewall::host::audit::AuditLog;
use fusewall::lang::seclang::{self, Entry, Part, Rights};
use fusewall::store::{DiskFiles, DiskUploads, LoadReport, Releases, Remembered, RulePiece, RuleSource};
use fusewall::{Limits, Waf};
use std::io::Write;
use std::slice;
use std::sync::{Arc, LazyLock};

/// What stands in findings for rules that the host has in its own configuration.
const INLINE: &str = "inline rules";

/// Equal rules of several contexts, and of a host before and after it has read its configuration again, are compiled once.
static RELEASES: LazyLock<Arc<Releases>> = LazyLock::new(Arc::default);
/// Of rules that differ a little, as those of a location do from those around it, the same patterns are compiled once.
static REMEMBERED: LazyLock<Arc<Remembered>> = LazyLock::new(Arc::default);

/// The rules of a context.
#[derive(Debug, Default)]
pub struct Rules {
    /// Those of the contexts around it, the outermost first.
    around: Vec<Vec<RulePiece>>,
    /// Its own.
    own: Vec<RulePiece>,
    /// How many rules its own are.
    count: usize,
    /// Compiled, unless something has been added since.
    ready: Option<Arc<Ready>>,
}

/// Rules that requests can pass.
#[derive(Debug)]
pub struct Ready {
    pub(crate) waf: Waf,
    pub(crate) audit: Option<AuditLog>,
}

/// Why rules are not taken, for people: file, line, what was found and what to do.
#[derive(Debug)]
pub struct Refused(pub String);

impl Rules {
    /// Adds a file or a folder; answers how many rules that were. A finding that is an error leaves everything as it was.
    pub fn add_file(&mut self, path: &str) -> Result<usize, Refused> {
        self.add(RulePiece::Path(path.into()))
    }

    /// Adds rules that stand in the configuration of the host.
    pub fn add_text(&mut self, text: &str) -> Result<usize, Refused> {
        self.add(RulePiece::Text { name: INLINE.to_owned(), text: text.to_owned() })
    }

    fn add(&mut self, piece: RulePiece) -> Result<usize, Refused> {
        let all = read(self.own.iter().chain([&piece]))?;
        let new = all.saturating_sub(self.count);
        self.count = all;
        self.own.push(piece);
        self.ready = None;
        Ok(new)
    }

    /// Nests these rules in those of the context around them, and compiles the whole.
    pub fn nest_in(&mut self, outer: &mut Rules) -> Result<usize, Refused> {
        let around: Vec<_> = outer.layers().chain(self.around.iter().cloned()).collect();
        let ready = match self.own.is_empty() && self.around.is_empty() {
            // A context without rules of its own has those around it, and need not compile them again.
            true => outer.ready()?,
            false => compile(around.iter().cloned().chain([self.own.clone()]).collect())?,
        };
        self.around = around;
        let rules = ready.waf.loaded().program().ruleset.rules.len();
        self.ready = Some(ready);
        Ok(rules.saturating_sub(self.count))
    }

    /// All that a request of this context passes, the outermost first.
    fn layers(&self) -> impl Iterator<Item = Vec<RulePiece>> {
        self.around.iter().chain([&self.own]).filter(|layer| !layer.is_empty()).cloned()
    }

    /// The rules, compiled now if nobody has done so.
    pub fn ready(&mut self) -> Result<Arc<Ready>, Refused> {
        match &self.ready {
            Some(ready) => Ok(ready.clone()),
            None => {
                let ready = compile(self.layers().collect())?;
                Ok(self.ready.insert(ready).clone())
            }
        }
    }
}

/// Reads rules as far as they can be judged alone; answers how many there are. What only the context around them can tell, such as
/// whether there is a rule to be removed, is found when they are nested in it.
fn read<'a>(pieces: impl Iterator<Item = &'a RulePiece>) -> Result<usize, Refused> {
    let part = |piece: &'a RulePiece| {
        let entry = match piece {
            RulePiece::Path(path) => Entry::Paths(slice::from_ref(path)),
            RulePiece::Text { name, text } => Entry::Text { name, text: text.as_bytes() },
        };
        Part { entry, files: &DiskFiles, rights: Rights::All, depth: 0 }
    };
    let parts: Vec<_> = pieces.map(part).collect();
    let limits = Limits::default();
    let (mut sources, mut diagnostics) = (SourceMap::new(), Diagnostics::new(limits.diagnostics));
    let ruleset = seclang::read(&parts, &limits, &|_| None, &mut sources, &mut diagnostics);
    match diagnostics.errors() {
        0 => Ok(ruleset.rules.len()),
        _ => Err(Refused::by(&LoadReport { diagnostics, sources, unverified: None })),
    }
}

/// Compiles rules, and opens the audit log that they name. A context may have none: most of a configuration's do.
fn compile(layers: Vec<Vec<RulePiece>>) -> Result<Arc<Ready>, Refused> {
    let before = RELEASES.counts().compiled;
    let builder = Waf::builder().rules(RuleSource::Layers(layers)).allow_empty();
    let built = builder
        .releases(RELEASES.clone())
        .remember_automata(REMEMBERED.clone())
        .uploads(DiskUploads::new())
        .collections(Counters)
        .build();
    let waf = built.map_err(|report| Refused::by(&report))?;
    if RELEASES.counts().compiled != before {
        warn(waf.report());
    }
    let audit = audit::open(&waf.loaded().program().ruleset.settings.audit).map_err(Refused)?;
    Ok(Arc::new(Ready { waf, audit }))
}

/// Tells what is probably not meant. The API has no place for it but the standard error, which `nginx -t` shows and a running nginx
/// keeps as its error log.
fn warn(report: &LoadReport) {
    let mut out = std::io::stderr().lock();
    for found in report.json().iter().filter(|found| found.severity == Severity::Warning) {
        // If it cannot be told, then the rules count all the same.
        let _ = writeln!(out, "Fusewall: warning: {}", place_and_message(found));
    }
}

impl Refused {
    /// The first error, in one line as libmodsecurity writes it, and how many others there are.
    fn by(report: &LoadReport) -> Refused {
        let findings = report.json();
        let errors = report.diagnostics.errors();
        let first = findings.iter().find(|found| found.severity == Severity::Error);
        let first = first.map_or_else(|| "the rules do not load".to_owned(), place_and_message);
        Refused(match errors {
            0 | 1 => format!("Rules error. {first}"),
            2 => format!("Rules error. {first} One more error: `fusewall check` shows both."),
            more => format!("Rules error. {first} {} more errors: `fusewall check` shows all.", more - 1),
        })
    }
}

fn place_and_message(found: &JsonDiagnostic) -> String {
    let place = match (&found.file, found.line, found.column) {
        (Some(file), Some(line), Some(column)) => format!("File: {file}. Line: {line}. Column: {column}. "),
        _ => String::new(),
    };
    let help = found.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    format!("{place}{}: {}{help}.", found.code, found.message)
}
