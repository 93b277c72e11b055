//! Fusewall with other rules.

use super::{Engine, Settings, Troubles};
use crate::cli::replay::differences::Said;
use crate::cli::replay::judge::{Judge, Unjudged};
use crate::cli::replay::source::Recorded;
use crate::cli::replay::with_rules;
use crate::cli::rules::RulesArgs;
use crate::store::rollout::Outcome;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Another ruleset.
pub(super) struct OtherRules {
    rules: PathBuf,
    judge: Judge,
}

impl OtherRules {
    pub(super) fn new(rules: &Path, settings: &Settings) -> anyhow::Result<OtherRules> {
        let args = RulesArgs { rules: vec![rules.to_owned()], ..settings.rules.clone() };
        Ok(OtherRules { rules: rules.to_owned(), judge: Judge::new(with_rules(&args, settings.enforce)?) })
    }
}

impl Engine for OtherRules {
    fn name(&self) -> String {
        format!("Fusewall with {}", self.rules.display())
    }

    fn judge(&mut self, recorded: &Recorded, _: &Arc<Unjudged>) -> anyhow::Result<Option<Said>> {
        let outcome = Outcome::of(self.judge.evaluate(recorded).verdict().as_ref());
        let rules = outcome.rules().iter().map(|rule| rule.0).collect();
        Ok(Some(Said { action: outcome.action, rules: Some(rules) }))
    }

    fn troubles(&self) -> Troubles {
        Troubles::default()
    }
}
