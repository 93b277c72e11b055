//! `watch`: rules follow their files, and whoever looks at the terminal reads what came of it.

use super::verify_behind;
use crate::cli::rules::{RulesArgs, print_findings};
use crate::host::serve::{Followed, WatchConfig, Watching};
use crate::store::WatchedFiles;
use crate::waf::Waf;
use anyhow::Context;

/// Watches the files that `waf` was loaded from; messages begin with the label.
///
/// # Errors
/// The system has no thread to give.
pub(super) fn start(label: &str, waf: &Waf, rules: &RulesArgs, files: WatchedFiles) -> anyhow::Result<Watching> {
    if files.inventory().is_empty() {
        tracing::warn!("{label}`watch` has nothing to watch: the rules in service were not read from files");
    }
    let (watched, label) = (waf.clone(), label.to_owned());
    let tell = move |followed| match followed {
        Followed::Promoted(generation, report) => {
            verify_behind(&watched);
            print_findings(&report.without_notes());
            eprintln!("fusewall: {label}the rule files have changed, generation {generation} is in service");
        }
        Followed::Same => eprintln!("fusewall: {label}the rule files hold what is in service"),
        Followed::Refused(report) => {
            print_findings(&report.without_notes());
            eprintln!("fusewall: {label}the rule files have changed and do not load; the rules in service stay there");
        }
        Followed::NotPromoted(problem) => {
            eprintln!("fusewall: {label}the rule files have changed, but the rules in service stay there: {problem}");
        }
    };
    Watching::start(waf.clone(), rules.source(), files, WatchConfig::default(), tell)
        .context("rule files are not watched")
}
