//! The states of the tail that are alive: a list that is made anew for each byte, each state in it once.
//!
//! Where a state leads is as hard to foretell as the text, so nothing here branches on it: every state is written to the end of
//! the list, and the list grows by it if it is new. A branch that the processor guesses wrongly takes longer than all of a step.

/// The states that are alive, and the place for those behind the next byte.
#[derive(Debug, Clone, Default)]
pub(super) struct Alive {
    now: Vec<u16>,
    count: usize,
    next: Vec<u16>,
    next_count: usize,
    /// For each state the last round in which it was added.
    rounds: Vec<u32>,
    round: u32,
}

impl Alive {
    /// None are alive. Makes room for the states below `states` and for `none`, which is one beyond them.
    pub(super) fn reset(&mut self, none: u16) {
        let states = usize::from(none);
        if self.rounds.len() <= states {
            self.rounds.resize(states + 1, 0);
        }
        // One is written beyond the last.
        if self.now.len() <= states + 1 {
            self.now.resize(states + 2, 0);
            self.next.resize(states + 2, 0);
        }
        self.count = 0;
        self.begin(none);
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

    /// Begins the list behind the next byte, to which `none` is never added.
    #[inline]
    pub(super) fn begin(&mut self, none: u16) {
        self.next_count = 0;
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.rounds.fill(0);
            self.round = 1;
        }
        if let Some(round) = self.rounds.get_mut(usize::from(none)) {
            *round = self.round;
        }
    }

    /// Adds a state to the list behind the byte.
    #[inline(always)]
    pub(super) fn add(&mut self, state: u16) {
        let round = self.round;
        let Some(last) = self.rounds.get_mut(usize::from(state)) else { return };
        let is_new = *last != round;
        *last = round;
        if let Some(place) = self.next.get_mut(self.next_count) {
            *place = state;
            self.next_count += usize::from(is_new);
        }
    }

    /// Goes on to the list behind the byte.
    #[inline]
    pub(super) fn advance(&mut self) {
        std::mem::swap(&mut self.now, &mut self.next);
        self.count = self.next_count;
    }

    /// The state with this number in the list.
    #[inline(always)]
    pub(super) fn state(&self, number: usize) -> Option<u16> {
        self.now.get(number).copied()
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        (self.now.capacity() + self.next.capacity()) * size_of::<u16>() + self.rounds.capacity() * size_of::<u32>()
    }
}
