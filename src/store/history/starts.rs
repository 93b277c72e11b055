//! Starts that have not come through: what tells a crash loop.
//!
//! A start notes what it is going to load before it does, and takes the note back once it has settled. Notes that nobody takes back
//! add up: after so many in a row that ruleset is not tried again until another one has settled.

use super::manifest::{hash, opened, sealed};
use crate::store::release::ContentHash;
use crate::wire::{Damaged, Reader, Writer};

/// The name of the file.
pub(super) const NAME: &str = "starts";

/// Bytes of it.
pub(super) const BYTES: usize = 64 << 10;

/// What a start tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// What the process was configured with, whatever that is now.
    Configured,
    /// A ruleset that is known.
    Known(ContentHash),
}

/// How often each was tried since the last start that has settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Starts(Vec<(Attempt, u32)>);

impl Starts {
    pub(super) fn of(&self, attempt: Attempt) -> u32 {
        self.0.iter().find(|(other, _)| *other == attempt).map_or(0, |(_, starts)| *starts)
    }

    pub(super) fn count(&mut self, attempt: Attempt) {
        match self.0.iter_mut().find(|(other, _)| *other == attempt) {
            Some((_, starts)) => *starts = starts.saturating_add(1),
            None => self.0.push((attempt, 1)),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.number(self.0.len());
        for (attempt, starts) in &self.0 {
            let (kind, content) = match attempt {
                Attempt::Configured => (0, [0; 32]),
                Attempt::Known(content) => (1, content.0),
            };
            writer.byte(kind);
            writer.raw(&content);
            writer.raw(&starts.to_le_bytes());
        }
        sealed(&writer.into_bytes())
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Starts, Damaged> {
        let mut reader = Reader::new(opened(bytes)?);
        let count = reader.count(37, BYTES)?;
        let mut starts = Vec::with_capacity(count);
        for _ in 0..count {
            let attempt = match (reader.byte()?, hash(&mut reader)?) {
                (0, _) => Attempt::Configured,
                (_, content) => Attempt::Known(ContentHash(content)),
            };
            let number = reader.raw(4)?.try_into().map_err(|_| Damaged("a number is too short"))?;
            starts.push((attempt, u32::from_le_bytes(number)));
        }
        reader.end()?;
        Ok(Starts(starts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_written() {
        let known = Attempt::Known(ContentHash([7; 32]));
        let mut starts = Starts::default();
        starts.count(Attempt::Configured);
        starts.count(known);
        starts.count(known);
        let read = Starts::read(&starts.to_bytes()).expect("it is whole");
        assert_eq!((read.of(Attempt::Configured), read.of(known)), (1, 2));
        assert_eq!(read.of(Attempt::Known(ContentHash([8; 32]))), 0);
        assert!(Starts::read(&starts.to_bytes()[..60]).is_err());
    }
}
