//! Rulesets that were loaded and wait to be put into service: few, and not for long, for each takes the memory of a ruleset.

use super::super::problem::Problem;
use crate::waf::Staged;
use std::collections::VecDeque;

/// How many wait at one time; the oldest goes when another one comes.
pub(super) const MOST: usize = 4;
/// Seconds that one waits.
pub(super) const LIFE_SECS: u64 = 60 * 60;
const SECOND: u64 = 1_000_000_000;

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// The beginning of its content's hash: who promotes it names what was uploaded.
    pub(super) id: String,
    pub(super) staged: Staged,
    /// Who has brought it.
    pub(super) by: String,
    /// Nanoseconds, by the clock of the desk.
    ends: u64,
}

impl Kept {
    pub(super) fn ends_in_seconds(&self, now: u64) -> u64 {
        self.ends.saturating_sub(now).div_ceil(SECOND)
    }
}

#[derive(Debug, Default)]
pub(in super::super) struct Shelf {
    /// The latest last.
    kept: VecDeque<Kept>,
}

impl Shelf {
    /// Takes one in; answers as what.
    pub(super) fn put(&mut self, staged: Staged, by: String, now: u64) -> Kept {
        let id: String = staged.release().content().to_string().chars().take(16).collect();
        self.kept.retain(|kept| kept.id != id);
        while self.kept.len() >= MOST {
            self.kept.pop_front();
        }
        let kept = Kept { id, staged, by, ends: now.saturating_add(LIFE_SECS * SECOND) };
        self.kept.push_back(kept.clone());
        kept
    }

    pub(super) fn find(&self, id: &str) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.id == id)
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Kept> {
        let at = self.kept.iter().position(|kept| kept.id == id)?;
        self.kept.remove(at)
    }

    /// The latest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Kept> {
        self.kept.iter().rev()
    }

    pub(in super::super) fn expire(&mut self, now: u64) {
        self.kept.retain(|kept| kept.ends > now);
    }
}

/// Nothing staged is known by that name.
pub(super) fn unknown(id: &str) -> Problem {
    let detail = format!(
        "nothing staged has the id `{id:.100}`: the last {MOST} are kept for {LIFE_SECS} s, GET /v1/rulesets lists them"
    );
    Problem::new(404, "not-staged", detail)
}
