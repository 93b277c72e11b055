//! The bytes under inspection, paid for block by block.
//!
//! A detector reads its input several times, sometimes to the end, mostly only a little way. Each reading goes through an
//! [`Input`], which charges a block of 32 bytes (at absolute offsets, so that the same input always costs the same) before
//! the first byte in it is looked at. A reading visits a byte a small constant number of times, which the price of a block covers.

use crate::byteset::ByteSet;
use crate::meter::{Exhausted, Meter};

/// Bytes in a block.
pub(super) const BLOCK: usize = 32;

/// One reading of the input, and the meter it is charged to.
pub(super) struct Input<'i, 'm> {
    bytes: &'i [u8],
    paid: usize,
    block_fuel: u64,
    meter: &'m mut Meter,
}

impl<'i, 'm> Input<'i, 'm> {
    /// A reading that pays `block_fuel` for each block.
    pub(super) fn new(bytes: &'i [u8], block_fuel: u64, meter: &'m mut Meter) -> Self {
        Input { bytes, paid: 0, block_fuel, meter }
    }

    /// The byte at an offset; for looking a few bytes ahead of what is paid for.
    #[inline]
    pub(super) fn at(&self, offset: usize) -> Option<u8> {
        self.bytes.get(offset).copied()
    }

    /// The bytes from `start` to `end`; empty where there are none.
    #[inline]
    pub(super) fn slice(&self, start: usize, end: usize) -> &'i [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Number of bytes.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Charges a fixed cost, such as that of one token.
    #[inline]
    pub(super) fn charge(&mut self, fuel: u64) -> Result<(), Exhausted> {
        self.meter.charge_rule(fuel)
    }

    /// Pays for the block that holds `offset` and all before it.
    #[inline]
    pub(super) fn pay(&mut self, offset: usize) -> Result<(), Exhausted> {
        while self.paid <= offset {
            self.meter.charge_rule(self.block_fuel)?;
            self.paid = self.paid.saturating_add(BLOCK);
        }
        Ok(())
    }

    /// The first offset from `from` on, up to the end of the input, that `find` picks in one of the blocks. `find` gets the
    /// bytes of a block and answers an offset in it.
    #[inline]
    fn search(&mut self, from: usize, find: impl Fn(&[u8]) -> Option<usize>) -> Result<Option<usize>, Exhausted> {
        let mut start = from;
        while start < self.bytes.len() {
            self.pay(start)?;
            let end = self.paid.min(self.bytes.len());
            if let Some(at) = find(self.slice(start, end)) {
                return Ok(Some(start + at));
            }
            start = end;
        }
        Ok(None)
    }

    /// The first `byte` at `from` or later.
    pub(super) fn find(&mut self, byte: u8, from: usize) -> Result<Option<usize>, Exhausted> {
        self.search(from, |block| memchr::memchr(byte, block))
    }

    /// The first place at `from` or later where `first` and `second` follow each other.
    pub(super) fn find_pair(&mut self, first: u8, second: u8, from: usize) -> Result<Option<usize>, Exhausted> {
        let mut start = from;
        while let Some(at) = self.find(first, start)? {
            if self.at(at + 1) == Some(second) {
                return Ok(Some(at));
            }
            start = at + 1;
        }
        Ok(None)
    }

    /// Where the run of bytes of `set` that starts at `from` ends.
    pub(super) fn run_end(&mut self, set: &ByteSet, from: usize) -> Result<usize, Exhausted> {
        let end = self.search(from, |block| block.iter().position(|&byte| !set.contains(byte)))?;
        Ok(end.unwrap_or(self.bytes.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_paid_once_and_before_it_is_read() {
        let bytes = [b'a'; 4 * BLOCK - 1];
        let mut meter = Meter::new(20);
        let mut input = Input::new(&bytes, 10, &mut meter);
        assert!(input.run_end(&ByteSet::of(b"a"), 0).is_err());
        assert_eq!(meter.spent(), 30);

        let mut meter = Meter::unlimited();
        let mut input = Input::new(&bytes, 10, &mut meter);
        assert_eq!(input.find(b'b', 0), Ok(None));
        assert_eq!(input.find(b'a', bytes.len() - 1), Ok(Some(bytes.len() - 1)));
        assert_eq!(meter.spent(), 40);
    }

    #[test]
    fn pairs_are_found_across_blocks() {
        let mut bytes = [b'*'; 3 * BLOCK];
        bytes[BLOCK] = b'/';
        let mut meter = Meter::unlimited();
        let mut input = Input::new(&bytes, 1, &mut meter);
        assert_eq!(input.find_pair(b'*', b'/', 3), Ok(Some(BLOCK - 1)));
        assert_eq!(input.find_pair(b'*', b'/', BLOCK), Ok(None));
    }
}
