//! `--rules`, as every command takes it.

use crate::files::Files;
#[cfg(feature = "serve")]
use crate::host::serve::HttpsRules;
use crate::store::{DiskFiles, LoadReport, RuleSource};
use crate::waf::{Waf, WafBuilder};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Where rules come from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RulesArgs {
    /// A .conf file (SecLang) or a folder of them; may be repeated. Without it: the built-in rules
    #[arg(long = "rules", value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// Fetch what the rules name with SecRemoteRules, over https; without it the directive is an error
    #[cfg(feature = "serve")]
    #[arg(long)]
    pub allow_remote_rules: bool,
    /// Certificates that sign those of the servers of remote rules, PEM. Without it: the Mozilla roots
    #[cfg(feature = "serve")]
    #[arg(long, value_name = "FILE", requires = "allow_remote_rules")]
    pub remote_rules_ca: Option<PathBuf>,
}

impl RulesArgs {
    /// As the store takes it.
    pub fn source(&self) -> RuleSource {
        if self.rules.is_empty() { RuleSource::Builtin } else { RuleSource::Paths(self.rules.clone()) }
    }

    /// A builder with these rules.
    pub fn builder(&self) -> WafBuilder {
        let builder = self.rules.iter().fold(Waf::builder(), |builder, path| builder.rules_path(path));
        #[cfg(feature = "serve")]
        let builder = match self.remote() {
            Some(remote) => builder.remote_rules(remote),
            None => builder,
        };
        builder
    }

    /// Where files come from, and remote rules if they are allowed.
    pub fn files(&self) -> Box<dyn Files> {
        #[cfg(feature = "serve")]
        if let Some(remote) = self.remote() {
            return Box::new(crate::files::WithRemote { files: DiskFiles, remote: Box::new(remote) });
        }
        Box::new(DiskFiles)
    }

    #[cfg(feature = "serve")]
    fn remote(&self) -> Option<HttpsRules> {
        self.allow_remote_rules
            .then(|| self.remote_rules_ca.as_ref().map_or_else(HttpsRules::new, HttpsRules::trusting))
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
