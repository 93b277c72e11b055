//! Numbers and bytes in a row, for what is stored: written without gaps, read without trust.
//!
//! Numbers are little-endian in groups of seven bits, each but the last with its eighth bit set. What is read may come from
//! anybody: every length is compared with what is there before anything is allocated for it.

/// Stored bytes that are not what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damaged(pub &'static str);

const SHORT: Damaged = Damaged("it ends too early");
const RANGE: Damaged = Damaged("a number is out of its range");

/// Writes.
///
/// ```
/// use fusewall::wire::{Reader, Writer};
/// let mut writer = Writer::default();
/// writer.number(300);
/// writer.bytes(b"abc");
/// let bytes = writer.into_bytes();
/// let mut reader = Reader::new(&bytes);
/// assert_eq!((reader.number(1000), reader.bytes(8)), (Ok(300), Ok(&b"abc"[..])));
/// assert!(reader.end().is_ok());
/// ```
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// With room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Writer { bytes: Vec::with_capacity(bytes) }
    }

    /// A byte.
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// A number.
    pub fn number(&mut self, mut number: usize) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// A number that may be absent.
    pub fn maybe(&mut self, number: Option<usize>) {
        self.byte(u8::from(number.is_some()));
        number.into_iter().for_each(|number| self.number(number));
    }

    /// Bytes, and before them how many.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.raw(bytes);
    }

    /// Bytes whose number the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// `len` bytes that `fill` writes into their place.
    pub fn place(&mut self, len: usize, fill: impl FnOnce(&mut [u8])) {
        let start = self.bytes.len();
        self.bytes.resize(start + len, 0);
        self.bytes.get_mut(start..).map(fill);
    }

    /// All that was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads what a [`Writer`] has written, in the same order.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// From the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// A byte.
    ///
    /// # Errors
    /// There is none.
    pub fn byte(&mut self) -> Result<u8, Damaged> {
        let (first, rest) = self.rest.split_first().ok_or(SHORT)?;
        self.rest = rest;
        Ok(*first)
    }

    /// A number up to `most`.
    ///
    /// # Errors
    /// A larger one, or none.
    #[inline]
    pub fn number(&mut self, most: usize) -> Result<usize, Damaged> {
        match self.rest {
            // Most numbers are small.
            [first, rest @ ..] if first & 0x80 == 0 && usize::from(*first) <= most => {
                self.rest = rest;
                Ok(usize::from(*first))
            }
            _ => self.groups(most),
        }
    }

    /// A number of any length.
    fn groups(&mut self, most: usize) -> Result<usize, Damaged> {
        let mut number = 0usize;
        for group in 0..10 {
            let byte = self.byte()?;
            let bits = usize::from(byte & 0x7f);
            let shifted = bits.checked_shl(7 * group).filter(|shifted| shifted >> (7 * group) == bits).ok_or(RANGE)?;
            number |= shifted;
            if byte & 0x80 == 0 {
                return if number <= most { Ok(number) } else { Err(RANGE) };
            }
        }
        Err(RANGE)
    }

    /// A number that may be absent.
    ///
    /// # Errors
    /// A larger one than `most`.
    pub fn maybe(&mut self, most: usize) -> Result<Option<usize>, Damaged> {
        match self.byte()? {
            0 => Ok(None),
            1 => self.number(most).map(Some),
            _ => Err(RANGE),
        }
    }

    /// Bytes, at most `most`.
    ///
    /// # Errors
    /// More, or fewer than their number says.
    pub fn bytes(&mut self, most: usize) -> Result<&'a [u8], Damaged> {
        let len = self.number(most)?;
        self.raw(len)
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// There are fewer.
    pub fn raw(&mut self, len: usize) -> Result<&'a [u8], Damaged> {
        let (first, rest) = self.rest.split_at_checked(len).ok_or(SHORT)?;
        self.rest = rest;
        Ok(first)
    }

    /// Text, at most `most` bytes.
    ///
    /// # Errors
    /// More, or no UTF-8.
    pub fn text(&mut self, most: usize) -> Result<&'a str, Damaged> {
        std::str::from_utf8(self.bytes(most)?).map_err(|_| Damaged("a text is not UTF-8"))
    }

    /// How many things follow that take at least `least` bytes each: no more than can be there.
    ///
    /// # Errors
    /// More.
    pub fn count(&mut self, least: usize, most: usize) -> Result<usize, Damaged> {
        let count = self.number(most)?;
        if count.saturating_mul(least.max(1)) > self.rest.len() { Err(SHORT) } else { Ok(count) }
    }

    /// Bytes not read yet.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// Everything has been read.
    ///
    /// # Errors
    /// It has not.
    pub fn end(&self) -> Result<(), Damaged> {
        if self.rest.is_empty() { Ok(()) } else { Err(Damaged("something follows its end")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wrong_numbers_are_refused() {
        for bytes in [&[][..], &[0x80], &[0xff; 10], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]] {
            assert!(Reader::new(bytes).number(usize::MAX).is_err(), "{bytes:?}");
        }
        assert_eq!(Reader::new(&[5]).number(4), Err(RANGE));
        assert_eq!(Reader::new(&[5, 1]).bytes(9), Err(SHORT));
        assert_eq!(Reader::new(&[5, 1, 1]).count(1, 9), Err(SHORT));
        assert!(Reader::new(&[0]).end().is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(numbers in prop::collection::vec(any::<usize>(), 0..20), text in any::<Vec<u8>>()) {
            let mut writer = Writer::default();
            numbers.iter().for_each(|&number| writer.number(number));
            writer.bytes(&text);
            writer.maybe(numbers.first().copied());
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            for number in &numbers {
                prop_assert_eq!(reader.number(usize::MAX), Ok(*number));
            }
            prop_assert_eq!(reader.bytes(text.len()), Ok(&text[..]));
            prop_assert_eq!(reader.maybe(usize::MAX), Ok(numbers.first().copied()));
            prop_assert!(reader.end().is_ok());
        }
    }
}
