//! Where a scan stands, and what it found.

use regex_automata::util::primitives::StateID;

/// How one call of [`Pattern::scan`](super::Pattern::scan) ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The quantum is used up: call again with the same cache, haystack and cursor.
    Pending,
    /// The pattern does not match.
    Miss,
    /// The pattern matches.
    Hit,
}

/// The spans of a match: group 0 is the whole match, 1 to 9 are capture groups (SecLang's TX:0 to TX:9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Groups {
    spans: [Option<(usize, usize)>; Groups::COUNT],
}

impl Groups {
    /// Groups kept, the whole match counted.
    pub const COUNT: usize = 10;

    /// The start and end (exclusive) of group `i`; `None` if it took no part in the match or is not kept.
    pub fn get(&self, i: usize) -> Option<(usize, usize)> {
        self.spans.get(i).copied().flatten()
    }

    /// These groups, and where one took no part, that of an `earlier` match in the same text.
    #[must_use]
    pub fn or(mut self, earlier: &Groups) -> Groups {
        for (span, before) in self.spans.iter_mut().zip(earlier.spans) {
            *span = span.or(before);
        }
        self
    }

    /// A match without capture groups.
    pub(crate) fn of((start, end): (usize, usize)) -> Groups {
        let mut groups = Groups::default();
        groups.set(0, start, end);
        groups
    }

    pub(super) fn set(&mut self, i: usize, start: usize, end: usize) {
        if let Some(span) = self.spans.get_mut(i) {
            *span = Some((start, end));
        }
    }
}

/// An explicit, resumable position of one scan. `Cursor::default()` starts at offset 0, `Cursor::from(offset)` anywhere else,
/// with the bytes before the offset as context of `\b` and `^`. A scan that has ended leaves its cursor where it started.
///
/// A pending cursor belongs to its cache: if the cache served another scan in between, the scan starts over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    pub(super) start: usize,
    pub(super) phase: Phase,
    pub(super) run: Run,
    /// Which scan of the cache this is.
    pub(super) serial: u64,
}

impl Cursor {
    /// Whether its scan has not begun.
    pub fn is_new(&self) -> bool {
        self.phase == Phase::Idle
    }
}

impl From<usize> for Cursor {
    fn from(start: usize) -> Self {
        Cursor { start, ..Cursor::default() }
    }
}

/// What a scan is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not begun.
    #[default]
    Idle,
    /// Looking for the end of the leftmost match.
    Forward,
    /// Looking for start and end of the leftmost match, which a hybrid automaton has detected.
    Locate,
    /// Looking for the start of the match that ends at `end`.
    Reverse { end: usize },
    /// Looking for the groups inside `start..end`.
    Groups { start: usize, end: usize },
    /// Looking for a match of the pattern itself, where the automaton has found that there may be one.
    Exact,
}

/// Where one automaton stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// The position between two bytes that comes next.
    pub(super) at: usize,
    /// The position up to which the input is charged.
    pub(super) paid: usize,
    /// The last match seen.
    pub(super) last: Option<usize>,
    /// The state.
    pub(super) place: Place,
}

impl Run {
    /// A run that begins at `at`.
    pub(super) fn new(at: usize) -> Run {
        Run { at, paid: at, ..Run::default() }
    }
}

/// The state of one automaton.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// Before the start state.
    #[default]
    Fresh,
    /// In a state of a library DFA.
    Dense(StateID),
    /// In a numbered state of a compact or a lazy DFA.
    State(u32),
    /// In a simulation or a backtracking matcher, whose state is in the cache.
    Simulated,
}

/// How far one automaton came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The quantum is used up.
    Pending,
    /// The end: the position of the match, if any.
    Done(Option<usize>),
}
