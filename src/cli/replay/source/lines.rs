//! The lines of a file, none longer than a limit.

use std::io::{self, BufRead, Read};

/// Reads lines into one buffer.
pub(super) struct Lines<R> {
    input: R,
    most: usize,
    line: Vec<u8>,
    number: u64,
}

/// A line.
pub(super) enum Line<'a> {
    /// Without its line feed.
    Whole(&'a [u8]),
    /// Longer than the limit; it was passed over.
    TooLong,
}

impl<R: BufRead> Lines<R> {
    /// No line of more than `most` bytes.
    pub(super) fn new(input: R, most: usize) -> Lines<R> {
        Lines { input, most, line: Vec::new(), number: 0 }
    }

    /// The number of the line that was read last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line; `None` at the end of the file.
    ///
    /// # Errors
    /// Those of the file.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        self.number += 1;
        let read = self.input.by_ref().take(self.most as u64 + 1).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            return Ok(Some(Line::Whole(&self.line)));
        }
        if self.line.len() > self.most {
            self.input.skip_until(b'\n')?;
            return Ok(Some(Line::TooLong));
        }
        Ok(Some(Line::Whole(&self.line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, most: usize) -> Vec<Option<String>> {
        let mut lines = Lines::new(text.as_bytes(), most);
        let mut all = Vec::new();
        while let Some(line) = lines.next().expect("memory") {
            all.push(match line {
                Line::Whole(line) => Some(String::from_utf8_lossy(line).into_owned()),
                Line::TooLong => None,
            });
        }
        all
    }

    #[test]
    fn long_lines_are_passed_over_and_the_next_is_whole() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(lines("ab\r\ncd\n\nef", 9), [some("ab\r"), some("cd"), some(""), some("ef")]);
        assert_eq!(lines("abc\nabcdefghij\nabc", 3), [some("abc"), None, some("abc")]);
        assert_eq!(lines("abcd", 3), [None]);
    }
}
