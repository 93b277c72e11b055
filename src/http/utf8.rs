//! A UTF-8 check that can stop between any two bytes (RFC 3629, section 4).

/// The check.
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// Continuation bytes that are still to come.
    missing: u8,
    /// What the next of them may be.
    range: (u8, u8),
}

impl Utf8 {
    /// Takes a run of bytes; answers whether the text may still be UTF-8.
    pub(super) fn accepts(&mut self, run: &[u8]) -> bool {
        if self.is_complete() && run.is_ascii() {
            return true;
        }
        let mut valid = true;
        for &byte in run {
            valid &= self.push(byte);
        }
        valid
    }

    /// Takes the next byte; answers whether the text may still be UTF-8.
    fn push(&mut self, byte: u8) -> bool {
        if self.missing > 0 {
            if (self.range.0..=self.range.1).contains(&byte) {
                self.missing -= 1;
                self.range = (0x80, 0xBF);
                return true;
            }
            self.lead(byte);
            return false;
        }
        self.lead(byte)
    }

    /// Takes the first byte of a character.
    fn lead(&mut self, byte: u8) -> bool {
        (self.missing, self.range) = match byte {
            0..=0x7F => (0, (0, 0)),
            0xC2..=0xDF => (1, (0x80, 0xBF)),
            0xE0 => (2, (0xA0, 0xBF)),
            0xED => (2, (0x80, 0x9F)),
            0xE1..=0xEF => (2, (0x80, 0xBF)),
            0xF0 => (3, (0x90, 0xBF)),
            0xF1..=0xF3 => (3, (0x80, 0xBF)),
            0xF4 => (3, (0x80, 0x8F)),
            _ => (0, (0, 0)),
        };
        !matches!(byte, 0x80..=0xC1 | 0xF5..=0xFF)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.missing == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_is_judged_like_the_standard_library_does() {
        let mut samples: Vec<Vec<u8>> = (0..=0xFFFFu32).map(|pair| vec![(pair >> 8) as u8, pair as u8]).collect();
        for lead in 0xE0..=0xFFu8 {
            for second in (0x70..=0xCF).step_by(3).chain([0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF]) {
                for third in [0x7F, 0x80, 0xBF, 0xC0] {
                    samples.push(vec![lead, second, third]);
                    samples.extend([0x7F, 0x80, 0xBF, 0xC0].map(|fourth| vec![lead, second, third, fourth]));
                }
            }
        }
        for sample in samples {
            let mut utf8 = Utf8::default();
            let valid = utf8.accepts(&sample) && utf8.is_complete();
            assert_eq!(valid, std::str::from_utf8(&sample).is_ok(), "{sample:x?}");
        }
    }
}
