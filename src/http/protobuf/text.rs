//! Whether the bytes of a field are text: asked of many fields that lie inside each other, answered by one pass over the message.

/// What was seen up to here.
#[derive(Debug, Default)]
pub(super) struct Text {
    at: usize,
    /// Where the last character begins, and how many bytes of it are still to come.
    lead: usize,
    missing: u8,
    /// What its second byte may be, while that is missing.
    second: Option<(u8, u8)>,
    /// Behind the last character that is none, and behind the last control character.
    invalid: usize,
    control: usize,
}

impl Text {
    /// Reads on.
    pub(super) fn read(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let (low, high) = self.second.take().unwrap_or((0x80, 0xBF));
            if self.missing > 0 && (low..=high).contains(&byte) {
                self.missing -= 1;
            } else {
                if self.missing > 0 {
                    self.invalid = self.lead + 1;
                }
                self.begin(byte);
            }
            self.at += 1;
        }
    }

    /// Begins a character (RFC 3629, section 4).
    fn begin(&mut self, byte: u8) {
        self.lead = self.at;
        (self.missing, self.second) = match byte {
            0..=0x7F => {
                if (byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0x7F {
                    self.control = self.at + 1;
                }
                (0, None)
            }
            0xC2..=0xDF => (1, None),
            0xE0 => (2, Some((0xA0, 0xBF))),
            0xED => (2, Some((0x80, 0x9F))),
            0xE1..=0xEF => (2, None),
            0xF0 => (3, Some((0x90, 0xBF))),
            0xF1..=0xF3 => (3, None),
            0xF4 => (3, Some((0x80, 0x8F))),
            _ => {
                self.invalid = self.at + 1;
                (0, None)
            }
        };
    }

    /// Whether the bytes from `start` to here are UTF-8; `first` is the first of them.
    pub(super) fn is_utf8(&self, start: usize, first: Option<u8>) -> bool {
        let begins = self.at == start || first.is_some_and(|byte| !(0x80..=0xBF).contains(&byte));
        begins && self.invalid <= start && (self.missing == 0 || self.at == start)
    }

    /// Whether no byte from `start` to here is a control character or part of no character.
    pub(super) fn is_printable_from(&self, start: usize) -> bool {
        self.invalid <= start && self.control <= start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_piece_is_judged_like_by_the_standard_library(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'a'), 0xE0..0xF5u8, 0x80..0xC0u8], 0..12),
            start in 0..12usize,
        ) {
            let start = start.min(bytes.len());
            let mut text = Text::default();
            text.read(bytes.get(..start).unwrap());
            text.read(bytes.get(start..).unwrap());
            let piece = bytes.get(start..).unwrap();
            prop_assert_eq!(text.is_utf8(start, piece.first().copied()), std::str::from_utf8(piece).is_ok());
        }
    }
}
