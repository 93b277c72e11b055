//! `--rules`, as every command takes it.

use crate::files::Files;
#[cfg(feature = "serve")]
use crate::host::serve::HttpsRules;
use crate::http::Descriptors;
use crate::limits::Limits;
use crate::store::{BundleKey, DiskFiles, LoadReport, Loading, RuleSource};
use crate::waf::{Waf, WafBuilder};
use anyhow::Context;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::PathBuf;

/// Bytes of a descriptor file. Those of the largest sites have a few megabytes.
const DESCRIPTOR_BYTES: u64 = 16 << 20;

/// Bytes of a key file.
const KEY_BYTES: u64 = 4096;

/// Where rules come from.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RulesArgs {
    /// A .conf file (SecLang) or a folder of them, may be repeated; or a compiled bundle. Without it: the built-in rules
    #[arg(long = "rules", value_name = "PATH")]
    pub rules: Vec<PathBuf>,
    /// The public key (minisign) of whoever signs bundles; without it no bundle is loaded
    #[arg(long, value_name = "FILE")]
    pub bundle_key: Option<PathBuf>,
    /// A folder that remembers what took long to compile; nobody else may write to it
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Check, compile, compare or serve rules without a single one; without it that is an error
    #[arg(long)]
    pub allow_empty: bool,
    /// What Protobuf messages look like, as `protoc --descriptor_set_out --include_imports` writes it; may be repeated
    #[arg(long = "descriptors", value_name = "FILE")]
    pub descriptors: Vec<PathBuf>,
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

    /// The key that bundles are signed with.
    ///
    /// # Errors
    /// A file that cannot be read, or is no key.
    fn key(&self) -> anyhow::Result<Option<BundleKey>> {
        let Some(path) = &self.bundle_key else { return Ok(None) };
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(KEY_BYTES).read_to_string(&mut text));
        read.with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Some(BundleKey::parse(&text).with_context(|| path.display().to_string())?))
    }

    /// How to load: within `limits`, with the key and the cache.
    ///
    /// # Errors
    /// A key that cannot be read.
    pub fn loading(&self, limits: Limits) -> anyhow::Result<Loading> {
        let (bundle_key, cache, allow_empty) = (self.key()?, self.cache.clone(), self.allow_empty);
        Ok(Loading { limits: limits.into(), bundle_key, cache, allow_empty, ..Loading::default() })
    }

    /// A builder with these rules.
    pub fn builder(&self) -> WafBuilder {
        let builder = self.rules.iter().fold(Waf::builder(), |builder, path| builder.rules_path(path));
        let builder = match &self.cache {
            Some(folder) => builder.cache(folder),
            None => builder,
        };
        let builder = if self.allow_empty { builder.allow_empty() } else { builder };
        #[cfg(feature = "serve")]
        let builder = match self.remote() {
            Some(remote) => builder.remote_rules(remote),
            None => builder,
        };
        builder
    }

    /// What the descriptor files say, if there are any.
    ///
    /// # Errors
    /// A file that cannot be read, or is no descriptor set.
    pub fn descriptors(&self) -> anyhow::Result<Option<Descriptors>> {
        let mut sets = Vec::with_capacity(self.descriptors.len());
        for path in &self.descriptors {
            let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
            let mut set = Vec::new();
            let read = file.take(DESCRIPTOR_BYTES + 1).read_to_end(&mut set);
            read.with_context(|| format!("{} cannot be read", path.display()))?;
            anyhow::ensure!(
                set.len() as u64 <= DESCRIPTOR_BYTES,
                "{} has more than {DESCRIPTOR_BYTES} bytes",
                path.display()
            );
            // One by one first, so that an error names its file.
            Descriptors::parse([&set[..]]).with_context(|| path.display().to_string())?;
            sets.push(set);
        }
        if sets.is_empty() {
            return Ok(None);
        }
        Ok(Some(Descriptors::parse(sets.iter().map(Vec::as_slice))?))
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
        let builder = match self.descriptors()? {
            Some(descriptors) => builder.descriptors(descriptors),
            None => builder,
        };
        let builder = match self.key()? {
            Some(key) => builder.bundle_key(key),
            None => builder,
        };
        match builder.build() {
            Ok(waf) => {
                print_findings(&waf.report().without_notes());
                Ok(waf)
            }
            Err(report) => {
                print_findings(&report.without_notes());
                Err(RulesHaveErrors::of(&report).into())
            }
        }
    }
}

/// The rules have errors; they are printed already.
#[derive(Debug, thiserror::Error)]
#[error("the rules do not load: {0} errors")]
pub struct RulesHaveErrors(usize);

impl RulesHaveErrors {
    /// The errors of a report.
    pub fn of(report: &LoadReport) -> Self {
        RulesHaveErrors(report.diagnostics.errors())
    }
}

/// Prints findings for people to standard error.
pub fn print_findings(report: &LoadReport) {
    if !report.diagnostics.is_empty() {
        eprintln!("{}", report.render(std::io::stderr().is_terminal()));
    }
}
