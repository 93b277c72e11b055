//! What the recording says: statuses of an access log, verdicts of an audit log.

use super::{Engine, Settings, Troubles};
use crate::cli::replay::differences::Said;
use crate::cli::replay::judge::Unjudged;
use crate::cli::replay::source::Recorded;
use crate::store::rollout::Action;
use std::sync::Arc;

/// The engine that was in service then.
pub(super) struct Log {
    blocked_statuses: Vec<u16>,
    troubles: Troubles,
}

impl Log {
    pub(super) fn new(settings: &Settings) -> Log {
        Log { blocked_statuses: settings.blocked_statuses.clone(), troubles: Troubles::default() }
    }
}

impl Engine for Log {
    fn name(&self) -> String {
        "the recording".to_owned()
    }

    fn judge(&mut self, recorded: &Recorded, unjudged: &Arc<Unjudged>) -> anyhow::Result<Option<Said>> {
        let Some(decided) = &recorded.decided else {
            self.troubles.not_asked += 1;
            self.troubles.example(&recorded.request.id, "no status was recorded");
            return Ok(None);
        };
        let blocked = decided.blocked.unwrap_or_else(|| self.blocked_statuses.contains(&decided.status));
        let action = if blocked { Action::Deny { status: decided.status } } else { Action::Pass };
        let rules = decided.rules.as_ref().map(|rules| {
            let mut rules: Vec<_> = rules.iter().copied().filter(|rule| !unjudged.rules.contains(rule)).collect();
            rules.sort_unstable();
            rules.dedup();
            rules
        });
        Ok(Some(Said { action, rules }))
    }

    fn troubles(&self) -> Troubles {
        self.troubles.clone()
    }
}
