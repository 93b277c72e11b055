//! Choices out of a string of bytes: what a property test or a fuzzer varies is what a generator decides by.

/// Bytes that decide; when they are used up every choice is the first one.
pub struct Choices<'a>(pub &'a [u8]);

impl<'a> Choices<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count.clamp(1, 256)
    }

    /// True in one of `times` cases, and never when the bytes are used up.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// One of a list.
    pub fn one<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// Some of the list, joined.
    pub fn several(&mut self, list: &[&str], most: usize, separator: &str) -> String {
        let count = self.below(most + 1);
        (0..count).map(|_| self.one(list)).collect::<Vec<_>>().join(separator)
    }

    /// The next bytes as they are, as many as there are up to `most`.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
