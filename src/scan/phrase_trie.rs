//! An Aho-Corasick automaton that knows of each state only the longest phrase that ends there: all that the search for the first
//! end wants to know.
//!
//! It is made from the sorted phrases level by level, in time linear in their bytes. Values that come here are few, so that a list
//! of thousands of phrases is more often made than used.

use super::BuildError;

/// What is no phrase.
const NONE: u32 = u32::MAX;
/// The state that has read nothing.
pub(super) const START: u32 = 0;

/// A state. Its children stand next to each other, in the order of their labels: where they end, those of the next state begin.
#[derive(Debug, Clone, Copy)]
struct Node {
    children: u32,
    /// The state of the longest end of what was read that begins another phrase.
    fail: u32,
    /// The longest phrase that ends here.
    phrase: u32,
}

/// The automaton of some phrases, compared without regard to ASCII case.
#[derive(Debug, Clone)]
pub(super) struct PhraseTrie {
    /// The class of each byte; 0 for all that stand in no phrase.
    classes: Box<[u8; 256]>,
    /// States by their distance from the start, and one more to end the children of the last.
    nodes: Vec<Node>,
    /// The class that leads to each state.
    labels: Vec<u8>,
    /// Where the first states lead, which most bytes of a text are read in: the start and those next to it.
    rows: Vec<u32>,
    /// Classes: the entries of a row.
    width: usize,
    /// Bytes of each phrase.
    lengths: Vec<u32>,
}

impl PhraseTrie {
    /// The automaton of `phrases`.
    ///
    /// # Errors
    /// [`BuildError`] when there are too many of them.
    pub(super) fn build(phrases: &[Box<[u8]>]) -> Result<PhraseTrie, BuildError> {
        const TOO_LARGE: BuildError = BuildError::TooLarge { what: "phrase automaton", limit: NONE as usize };
        let bytes: usize = phrases.iter().map(|phrase| phrase.len()).sum();
        let room = (bytes + 1).max(phrases.len()) < NONE as usize;
        if !room {
            return Err(TOO_LARGE);
        }
        let (classes, width) = classes(phrases);
        let class = |byte: u8| classes.get(usize::from(byte)).copied().unwrap_or_default();
        // All phrases as classes, one after the other.
        let text: Vec<u8> = phrases.iter().flat_map(|phrase| phrase.iter().map(|&byte| class(byte))).collect();
        let mut sorted = Vec::with_capacity(phrases.len());
        let mut rest = text.as_slice();
        for (number, phrase) in (0..).zip(phrases) {
            let (own, others) = rest.split_at_checked(phrase.len()).ok_or(TOO_LARGE)?;
            sorted.push((own, number));
            rest = others;
        }
        sorted.sort_unstable();
        let lengths = phrases.iter().map(|phrase| phrase.len() as u32).collect();
        let mut trie = PhraseTrie { classes, nodes: Vec::new(), labels: Vec::new(), rows: Vec::new(), width, lengths };
        trie.grow(&sorted);
        Ok(trie)
    }

    /// Makes the states, level by level: all that is shorter than a state is complete when it is made.
    fn grow(&mut self, sorted: &[(&[u8], u32)]) {
        let root = match sorted.first() {
            Some(([], number)) => *number,
            _ => NONE,
        };
        self.nodes.push(Node { children: 0, fail: START, phrase: root });
        self.labels.push(0);
        // The phrases that begin as the states of a level do.
        let mut level = vec![sorted];
        let (mut state, mut depth) = (START, 0);
        while !level.is_empty() {
            let mut next = Vec::with_capacity(level.len());
            for group in level {
                let children = self.nodes.len() as u32;
                let fail = self.nodes.get_mut(state as usize).map_or(START, |node| {
                    node.children = children;
                    node.fail
                });
                let ending = group.partition_point(|(phrase, _)| phrase.len() == depth);
                let longer = group.get(ending..).unwrap_or_default();
                for same in longer.chunk_by(|(a, _), (b, _)| a.get(depth) == b.get(depth)) {
                    let Some((first, number)) = same.first() else { continue };
                    let label = first.get(depth).copied().unwrap_or_default();
                    // Next to the start nothing shorter is left to go on with.
                    let fail = if state == START { START } else { self.step(fail, label) };
                    let inherited = self.phrase(fail);
                    let phrase = if first.len() == depth + 1 { *number } else { inherited.unwrap_or(NONE) };
                    self.nodes.push(Node { children: 0, fail, phrase });
                    self.labels.push(label);
                    next.push(same);
                }
                if depth <= 1 {
                    self.row(state, children);
                }
                state += 1;
            }
            level = next;
            depth += 1;
        }
        self.nodes.push(Node { children: self.nodes.len() as u32, fail: START, phrase: NONE });
        self.nodes.shrink_to_fit();
        self.labels.shrink_to_fit();
    }

    /// Appends the row of a state that is next to the start or the start itself.
    fn row(&mut self, state: u32, children: u32) {
        let row = self.rows.len();
        if state == START {
            self.rows.resize(self.width, START);
        } else {
            self.rows.extend_from_within(..self.width);
        }
        for (child, label) in (children..).zip(self.labels.get(children as usize..).unwrap_or_default()) {
            if let Some(entry) = self.rows.get_mut(row + usize::from(*label)) {
                *entry = child;
            }
        }
    }

    /// The class of a byte.
    #[inline]
    fn class(&self, byte: u8) -> u8 {
        self.classes.get(usize::from(byte)).copied().unwrap_or_default()
    }

    /// Where a state leads over a byte.
    #[inline]
    pub(super) fn next(&self, state: u32, byte: u8) -> u32 {
        match self.class(byte) {
            0 => START,
            class => self.step(state, class),
        }
    }

    #[inline]
    fn step(&self, mut state: u32, class: u8) -> u32 {
        loop {
            if let Some(next) = self.rows.get(state as usize * self.width + usize::from(class)) {
                return *next;
            }
            let (node, after) = (self.nodes.get(state as usize), self.nodes.get(state as usize + 1));
            let (Some(node), Some(after)) = (node, after) else { return START };
            let labels = self.labels.get(node.children as usize..after.children as usize).unwrap_or_default();
            if let Some(at) = memchr::memchr(class, labels) {
                return node.children + at as u32;
            }
            state = node.fail;
        }
    }

    /// The longest phrase that ends where a state is reached; of equal ones the first.
    #[inline]
    pub(super) fn phrase(&self, state: u32) -> Option<u32> {
        self.nodes.get(state as usize).map(|node| node.phrase).filter(|phrase| *phrase != NONE)
    }

    /// Bytes of a phrase.
    pub(super) fn length(&self, phrase: u32) -> usize {
        self.lengths.get(phrase as usize).map_or(0, |length| *length as usize)
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.nodes)
            + size_of_val(&*self.labels)
            + size_of_val(&*self.rows)
            + size_of_val(&*self.lengths)
            + size_of_val(&*self.classes)
    }
}

/// The class of each byte, and how many there are. Bytes of no phrase are one, and so are the cases of a letter.
fn classes(phrases: &[Box<[u8]>]) -> (Box<[u8; 256]>, usize) {
    let mut used = [false; 256];
    for byte in phrases.iter().flat_map(|phrase| phrase.iter()) {
        if let Some(place) = used.get_mut(usize::from(byte.to_ascii_lowercase())) {
            *place = true;
        }
    }
    let mut classes = Box::new([0; 256]);
    let mut last = 0_u8;
    for (byte, used) in (0..=u8::MAX).zip(used) {
        if used && let Some(class) = classes.get_mut(usize::from(byte)) {
            last += 1;
            *class = last;
        }
    }
    for upper in b'A'..=b'Z' {
        let lower = classes.get(usize::from(upper.to_ascii_lowercase())).copied().unwrap_or_default();
        if let Some(class) = classes.get_mut(usize::from(upper)) {
            *class = lower;
        }
    }
    (classes, usize::from(last) + 1)
}
