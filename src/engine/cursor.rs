//! Where an evaluation stands: everything that must survive a pause.

use super::buffers::BufferId;
use crate::scan;

/// The place inside one phase.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// Position in the phase's schedule.
    pub(super) position: usize,
    /// The rule at `position` has been entered.
    pub(super) entered: bool,
    /// That rule is over its budget and counts as a match.
    pub(super) concluded: bool,
    /// How many targets `ctl`s had removed then.
    pub(super) narrowed: usize,
    /// Link of that rule.
    pub(super) link: usize,
    /// The link's selection has been resolved.
    pub(super) resolved: bool,
    /// Item of the link's selection.
    pub(super) item: usize,
    /// Stage of the pipeline, for multiMatch.
    pub(super) stage: usize,
    /// The buffer of the stage before, for multiMatch.
    pub(super) previous: Option<BufferId>,
    /// The link has matched at some item.
    pub(super) matched: bool,
    /// A test that is under way, on this buffer.
    pub(super) testing: Option<BufferId>,
    /// The position of its scan.
    pub(super) scan: scan::Cursor,
}

impl Cursor {
    /// To the next position in the schedule.
    pub(super) fn go_to(&mut self, position: usize) {
        (self.position, self.entered, self.concluded, self.narrowed) = (position, false, false, 0);
        self.begin_link(0);
    }

    /// Counts the rule that runs as a match, from the present link on.
    pub(super) fn conclude(&mut self) {
        self.concluded = true;
        self.testing = None;
    }

    /// To the next link of the rule.
    pub(super) fn next_link(&mut self) {
        self.begin_link(self.link + 1);
    }

    /// To the beginning of a link. The position of the scan stays as it is: each test that is begun begins its own.
    fn begin_link(&mut self, link: usize) {
        (self.link, self.resolved, self.item, self.matched) = (link, false, 0, false);
        (self.stage, self.previous, self.testing) = (0, None, None);
    }

    /// Whether the link has done nothing yet.
    pub(super) fn begins_link(&self) -> bool {
        !self.resolved && self.item == 0
    }

    /// To the next item of the link.
    pub(super) fn next_item(&mut self) {
        self.item += 1;
        self.stage = 0;
        self.previous = None;
        self.testing = None;
    }
}
