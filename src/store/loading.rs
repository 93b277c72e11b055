//! What a load is told, and what it answers with.

use super::bundle::BundleKey;
use super::confined::Capabilities;
use super::releases::Releases;
use super::remembered::Remembered;
use super::unverified::Unverified;
use crate::diag::{Diagnostic, Diagnostics, Severity, SourceMap, json, text};
use crate::limits::Limits;
use crate::plan::{Ceilings, Options};
use crate::rule::Supplies;
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
    /// Rules of contexts that stand in each other, such as a server and a location in it: the outermost first. What a context says
    /// counts more than what those around it say, and removes and updates their rules, too; its rules run before theirs, as in
    /// libmodsecurity.
    ///
    /// ```
    /// use fusewall::{Waf, store::{RulePiece, RuleSource}};
    /// let layer = |name: &str, text: &str| vec![RulePiece::Text { name: name.into(), text: text.into() }];
    /// let server = layer("server", "SecRuleEngine On\nSecAction id:1,phase:1,pass\nSecAction id:2,phase:1,deny");
    /// let location = layer("location", "SecAction id:3,phase:1,pass\nSecRuleRemoveById 2");
    /// let waf = Waf::builder().rules(RuleSource::Layers(vec![server, location])).build().expect("they load");
    /// assert_eq!(waf.loaded().program().ruleset.rules.iter().map(|rule| rule.id.0).collect::<Vec<_>>(), [3, 1]);
    /// ```
    Layers(Vec<Vec<RulePiece>>),
}

/// A piece of the rules of one context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RulePiece {
    /// A file or a folder.
    Path(PathBuf),
    /// A text; relative includes are looked for beside `name`.
    Text {
        /// Its name in diagnostics.
        name: String,
        /// SecLang.
        text: String,
    },
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
    /// Limits of both sides. Clones share them: each of many tenants has them.
    pub limits: Arc<Limits>,
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
    /// What the rule files may do.
    pub capabilities: Capabilities,
    /// Rules that stand before all others, and may do everything: those of whoever runs the host, where the others are a tenant's.
    pub base: Option<Arc<RuleSource>>,
    /// With whom equal rulesets are shared; without it with nobody.
    pub releases: Option<Arc<Releases>>,
    /// What remembers automata from one load to the next, for rules that come again and again with little changed.
    pub remembered: Option<Arc<Remembered>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::seclang::codes;

    #[test]
    fn notes_can_be_left_out() {
        let mut report = LoadReport::of(Diagnostic::error(codes::EMPTY, None, "an error"));
        report.diagnostics = Diagnostics::new(9);
        report.diagnostics.push(Diagnostic::note(codes::RECOMPILED, None, "a note"));
        report.diagnostics.push(Diagnostic::warning(codes::RECOMPILED, None, "a warning"));
        report.diagnostics.push(Diagnostic::error(codes::EMPTY, None, "an error"));
        let left: Vec<Severity> = report.without_notes().diagnostics.iter().map(|found| found.severity).collect();
        assert_eq!(left, [Severity::Warning, Severity::Error]);
    }
}
