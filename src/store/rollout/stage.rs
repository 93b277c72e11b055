//! How far a rollout has come, and the plan that it follows.

use super::gates::Misdeclared;
use super::share::Share;
use serde::{Deserialize, Serialize};

/// How far a candidate has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum Stage {
    /// It is asked, and decides nothing.
    Shadow,
    /// It decides about a part of the clients.
    Canary {
        /// The part.
        share: Share,
    },
    /// It decides about all of them.
    Promoted,
    /// It was turned down before it was promoted; it decides nothing any longer. The end.
    Refused,
    /// It was promoted, and the ruleset before is in service again. The end.
    RolledBack,
}

impl Stage {
    /// The part of the clients that the candidate decides about.
    pub const fn share(self) -> Share {
        match self {
            Stage::Shadow | Stage::Refused | Stage::RolledBack => Share::NONE,
            Stage::Canary { share } => share,
            Stage::Promoted => Share::ALL,
        }
    }

    /// Its name in verdicts and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Shadow => "shadow",
            Stage::Canary { .. } => "canary",
            Stage::Promoted => "promoted",
            Stage::Refused => "refused",
            Stage::RolledBack => "rolled-back",
        }
    }

    /// Whether nothing comes after it.
    pub const fn is_final(self) -> bool {
        matches!(self, Stage::Refused | Stage::RolledBack)
    }
}

/// A part of the clients, and for how long at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The part.
    pub share: Share,
    /// Milliseconds before it can be passed.
    pub least_millis: u64,
}

/// What happens one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// Milliseconds in the shadow, at least: ten minutes.
    pub shadow_millis: u64,
    /// The canary: 1 %, 10 % and 50 %, each for ten minutes at least. The shares grow.
    pub canary: Vec<Step>,
    /// Milliseconds after the promotion in which it may be rolled back: an hour.
    pub watch_millis: u64,
    /// Milliseconds after which watching begins anew, so that what begins late is not lost among what was before: ten minutes.
    pub window_millis: u64,
}

impl Default for Plan {
    fn default() -> Self {
        let ten_minutes = 600_000;
        let step = |percent| Step { share: Share::percent(percent), least_millis: ten_minutes };
        Plan {
            shadow_millis: ten_minutes,
            canary: [1, 10, 50].map(step).into(),
            watch_millis: 6 * ten_minutes,
            window_millis: ten_minutes,
        }
    }
}

impl Plan {
    /// # Errors
    /// The shares of the canary do not grow.
    pub(super) fn check(&self) -> Result<(), Misdeclared> {
        let shares = std::iter::once(Share::NONE).chain(self.canary.iter().map(|step| step.share));
        if shares.is_sorted_by(|before, after| before < after) { Ok(()) } else { Err(Misdeclared::Shares) }
    }

    /// Milliseconds that a stage takes at least.
    pub(super) fn least_millis(&self, stage: Stage) -> u64 {
        match stage {
            Stage::Shadow => self.shadow_millis,
            Stage::Canary { share } => {
                self.canary.iter().find(|step| step.share == share).map_or(0, |step| step.least_millis)
            }
            Stage::Promoted | Stage::Refused | Stage::RolledBack => 0,
        }
    }

    /// The stage that follows when one is passed.
    pub(super) fn after(&self, stage: Stage) -> Stage {
        let before = match stage {
            Stage::Shadow | Stage::Canary { .. } => stage.share(),
            Stage::Promoted | Stage::Refused | Stage::RolledBack => return stage,
        };
        let next = self.canary.iter().find(|step| step.share > before);
        next.map_or(Stage::Promoted, |step| Stage::Canary { share: step.share })
    }

    /// The stage that follows when a gate has failed.
    pub(super) const fn fallen(stage: Stage) -> Stage {
        match stage {
            Stage::Shadow | Stage::Canary { .. } => Stage::Refused,
            Stage::Promoted => Stage::RolledBack,
            Stage::Refused | Stage::RolledBack => stage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stages_follow_each_other() {
        let plan = Plan::default();
        let canary = |percent| Stage::Canary { share: Share::percent(percent) };
        let mut stage = Stage::Shadow;
        for next in [canary(1), canary(10), canary(50), Stage::Promoted, Stage::Promoted] {
            assert!(stage == next || stage.share() < next.share());
            stage = plan.after(stage);
            assert_eq!(stage, next);
        }
        assert_eq!(Plan { canary: Vec::new(), ..plan }.after(Stage::Shadow), Stage::Promoted);
    }

    #[test]
    fn shares_that_do_not_grow_are_no_plan() {
        let plan = |parts: &[u32]| {
            let step = |&parts| Step { share: Share::per_million(parts), least_millis: 0 };
            Plan { canary: parts.iter().map(step).collect(), ..Plan::default() }.check()
        };
        assert_eq!(plan(&[]), Ok(()));
        assert_eq!(plan(&[1, 2, 1_000_000]), Ok(()));
        assert_eq!([plan(&[0, 1]), plan(&[2, 2]), plan(&[3, 1])], [Err(Misdeclared::Shares); 3]);
    }
}
