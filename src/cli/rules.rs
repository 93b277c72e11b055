//! `--rules`, as every command takes it.

use crate::store::{LoadReport, RuleSource};
use crate::waf::{Waf, WafBuilder};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Where rules come from.
#[derive(Debug, Clone, clap::Args)]
pub struct RulesArgs {
    /// A .conf file (SecLang) or a folder of them; may be repeated. Without it: the built-in rules
    #[arg(long = "rules", value_name = "PATH")]
    pub rules: Vec<PathBuf>,
}

impl RulesArgs {
    /// As the store takes it.
    pub fn source(&self) -> RuleSource {
        if self.rules.is_empty() { RuleSource::Builtin } else { RuleSource::Paths(self.rules.clone()) }
    }

    /// A builder with these rules.
    pub fn builder(&self) -> WafBuilder {
        self.rules.iter().fold(Waf::builder(), |builder, path| builder.rules_path(path))
    }

    /// Loads the rules; prints warnings and errors to standard error (`check` prints notes too).
    ///
    /// # Errors
    /// [`RulesHaveErrors`].
    pub fn load(&self, builder: WafBuilder) -> anyhow::Result<Waf> {
        match builder.build() {
            Ok(waf) => {
                print_findings(&waf.report().without_notes());
                Ok(waf)
            }
            Err(report) => {
                print_findings(&report.without_notes());
                Err(RulesHaveErrors(report.diagnostics.errors()).into())
            }
        }
    }
}

/// The rules have errors; they are printed already.
#[derive(Debug, thiserror::Error)]
#[error("the rules do not load: {0} errors")]
pub struct RulesHaveErrors(usize);

/// Prints findings for people to standard error.
pub fn print_findings(report: &LoadReport) {
    if !report.diagnostics.is_empty() {
        eprintln!("{}", report.render(std::io::stderr().is_terminal()));
    }
}
