//! Diagnostics: what a rule author reads when something is wrong.
//!
//! A [`Diagnostic`] is data: a stable code, a severity, one terse message, labelled spans, help. [`SourceMap`] owns the texts
//! that spans point into. Rendering is apart: [`text`] for people, [`json`] for machines. The load side never returns `Err`
//! with the first finding: it pushes into [`Diagnostics`] and goes on, so that one run shows everything.

pub mod json;
mod source;
pub mod text;

pub use source::{Location, SourceId, SourceMap, Span};

use serde::Serialize;
use std::sync::Arc;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Accepted without effect, and why.
    Note,
    /// Loads, but probably not what was meant.
    Warning,
    /// The ruleset does not load.
    Error,
}

/// A stable code such as `E0103`. Codes are never reused; `docs/diagnostics.md` lists them.
pub type Code = &'static str;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code: `E....` errors, `W....` warnings, `N....` notes.
    pub code: Code,
    /// Severity.
    pub severity: Severity,
    /// What was found and what was expected: lower case, no full stop.
    pub message: String,
    /// Where. `None` for findings about the ruleset as a whole.
    pub span: Option<Span>,
    /// Short text under the marked place.
    pub label: String,
    /// Other places that belong to it (the first definition of a duplicate id).
    pub related: Vec<(Span, String)>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: Code, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, span.into(), message.into())
    }

    /// A warning.
    pub fn warning(code: Code, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, span.into(), message.into())
    }

    /// A note: accepted without effect.
    pub fn note(code: Code, span: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, span.into(), message.into())
    }

    fn new(severity: Severity, code: Code, span: Option<Span>, message: String) -> Self {
        Diagnostic { code, severity, message, span, label: String::new(), related: Vec::new(), help: None }
    }

    /// Text under the marked place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Another place that belongs to the finding.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push((span, text.into()));
        self
    }
}

/// The findings of one load. Keeps at most `limit` of them and counts the rest. Clones share them until one is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    found: Arc<Found>,
    limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Found {
    kept: Vec<Diagnostic>,
    errors: usize,
    dropped: usize,
    /// The codes of all findings, kept or not, each once.
    codes: Vec<&'static str>,
}

impl Diagnostics {
    /// Keeps at most `limit` findings.
    pub fn new(limit: usize) -> Self {
        Diagnostics { found: Arc::default(), limit }
    }

    /// Adds a finding. Past the limit it is only counted.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let found = Arc::make_mut(&mut self.found);
        if diagnostic.severity == Severity::Error {
            found.errors += 1;
        }
        if !found.codes.contains(&diagnostic.code) {
            found.codes.push(diagnostic.code);
        }
        if found.kept.len() < self.limit {
            found.kept.push(diagnostic);
        } else {
            found.dropped += 1;
        }
    }

    /// Whether there was a finding with this code, kept or not.
    pub fn has(&self, code: &str) -> bool {
        self.found.codes.contains(&code)
    }

    /// How many errors were found, kept or not.
    pub fn errors(&self) -> usize {
        self.found.errors
    }

    /// How many findings were not kept.
    pub fn dropped(&self) -> usize {
        self.found.dropped
    }

    /// The findings kept, in the order in which they were made.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.found.kept.iter()
    }

    /// Nothing found.
    pub fn is_empty(&self) -> bool {
        self.found.kept.is_empty()
    }
}
