//! The states of the tail that are alive: a list that is made anew for each byte, each state in it once, in the order in which they
//! were added.
//!
//! Where a state leads is as hard to foretell as the text, so nothing here branches on it: every state is written to the end of
//! the list, and the list grows by it if it is new. A branch that the processor guesses wrongly takes longer than all of a step.

/// The states that are alive, and the place for those behind the next byte.
#[derive(Debug, Clone, Default)]
pub(super) struct Alive {
    now: Vec<u16>,
    count: usize,
    next: Vec<u16>,
    /// Where what each state stands for has begun, if that is asked for.
    begun: Vec<usize>,
    next_begun: Vec<usize>,
    /// For each state the last round in which it was added.
    rounds: Vec<u32>,
    round: u32,
}

/// A step: the states that are alive, and those behind the byte as far as they are known.
pub(super) struct Step<'a> {
    /// The states that are alive.
    pub(super) now: &'a [u16],
    /// Where they have begun; nothing if that is not asked for.
    pub(super) begun: &'a [usize],
    next: &'a mut [u16],
    next_begun: &'a mut [usize],
    rounds: &'a mut [u32],
    round: u32,
    count: usize,
}

impl Alive {
    /// Only these are alive, of an automaton with as many states as the number `none`. They have `begun` there, if that is asked for.
    pub(super) fn set(&mut self, states: &[u16], begun: Option<usize>, none: u16) {
        let len = usize::from(none) + 1;
        if self.rounds.len() < len {
            self.rounds.resize(len, 0);
            // One is written beyond the last.
            self.now.resize(len + 1, 0);
            self.next.resize(len + 1, 0);
        }
        if begun.is_some() && self.begun.len() < self.now.len() {
            self.begun.resize(self.now.len(), 0);
            self.next_begun.resize(self.now.len(), 0);
        }
        self.count = 0;
        let mut step = self.step(none);
        states.iter().for_each(|&state| step.add(state, begun.unwrap_or_default()));
        let count = step.count();
        self.advance(count);
    }

    /// The states.
    #[inline]
    pub(super) fn states(&self) -> &[u16] {
        self.now.get(..self.count).unwrap_or_default()
    }

    /// Number of states.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The state of most preference, and where it has begun.
    pub(super) fn first(&self) -> Option<(u16, usize)> {
        self.states().first().copied().zip(self.begun.first().copied())
    }

    /// Begins the list behind the next byte, to which `none` is never added.
    #[inline(always)]
    pub(super) fn step(&mut self, none: u16) -> Step<'_> {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.rounds.fill(0);
            self.round = 1;
        }
        if let Some(round) = self.rounds.get_mut(usize::from(none)) {
            *round = self.round;
        }
        Step {
            now: self.now.get(..self.count).unwrap_or_default(),
            begun: &self.begun,
            next: &mut self.next,
            next_begun: &mut self.next_begun,
            rounds: &mut self.rounds,
            round: self.round,
            count: 0,
        }
    }

    /// Goes on to the list behind the byte, which a [`Step`] has made and counted.
    #[inline(always)]
    pub(super) fn advance(&mut self, count: usize) {
        std::mem::swap(&mut self.now, &mut self.next);
        std::mem::swap(&mut self.begun, &mut self.next_begun);
        self.count = count;
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        (self.now.capacity() + self.next.capacity()) * size_of::<u16>()
            + (self.begun.capacity() + self.next_begun.capacity()) * size_of::<usize>()
            + self.rounds.capacity() * size_of::<u32>()
    }
}

impl Step<'_> {
    /// Adds a state that has `begun` there to the list behind the byte.
    #[inline(always)]
    pub(super) fn add(&mut self, state: u16, begun: usize) {
        if let Some(place) = self.next_begun.get_mut(self.count) {
            *place = begun;
        }
        self.add_plain(state);
    }

    /// Adds a state where it is not asked for where it has begun.
    #[inline(always)]
    pub(super) fn add_plain(&mut self, state: u16) {
        let Some(last) = self.rounds.get_mut(usize::from(state)) else { return };
        let is_new = *last != self.round;
        *last = self.round;
        if let Some(place) = self.next.get_mut(self.count) {
            *place = state;
            self.count += usize::from(is_new);
        }
    }

    /// Number of states in the list behind the byte.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.count
    }
}
