//! Diagnostics for machines: the `diagnostics` array that `check --json` prints.

use super::{Diagnostics, Severity, SourceMap};
use serde::Serialize;

/// One finding as a flat record. Findings about the ruleset as a whole have no place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JsonDiagnostic {
    /// Stable code.
    pub code: &'static str,
    /// `error`, `warning` or `note`.
    pub severity: Severity,
    /// What was found and what was expected.
    pub message: String,
    /// The file, as the reader named it.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column in bytes, from 1.
    pub column: Option<u32>,
    /// What to do about it.
    pub help: Option<String>,
}

/// All findings in the order in which they were made.
///
/// ```
/// use fusewall::diag::{Diagnostic, Diagnostics, SourceMap, Span, json};
/// let mut sources = SourceMap::new();
/// let file = sources.add("a.conf", b"SecRull".to_vec());
/// let mut found = Diagnostics::new(10);
/// found.push(Diagnostic::error("E0201", Span::new(file, 0, 7), "unknown directive `SecRull`"));
/// assert_eq!(json::to_json(&found, &sources)[0].line, Some(1));
/// ```
pub fn to_json(diagnostics: &Diagnostics, sources: &SourceMap) -> Vec<JsonDiagnostic> {
    let flat = |found: &super::Diagnostic| {
        let place = found.span.map(|span| sources.locate(span));
        JsonDiagnostic {
            code: found.code,
            severity: found.severity,
            message: found.message.clone(),
            file: place.as_ref().map(|place| place.file.to_string()),
            line: place.as_ref().map(|place| place.line),
            column: place.as_ref().map(|place| place.column),
            help: found.help.clone(),
        }
    };
    diagnostics.iter().map(flat).collect()
}
