//! Start and end of the leftmost-first match: the simulation of the tail, its states in order of preference, each with the place
//! where what it stands for has begun.

use super::super::cursor::{Place, Run, Step};
use super::alive::Alive;
use super::tail::{MATCHED, MORE};
use super::{Hybrid, Threads, exit, step};
use crate::meter::{Exhausted, Meter};

impl Hybrid {
    /// Goes on with `run`, which has begun where [`Hybrid::detect`] has said. Answers where the match starts; `run.last` is its end.
    pub(in crate::scan) fn locate(
        &self,
        threads: &mut Threads,
        haystack: &[u8],
        run: &mut Run,
        quantum: u64,
        meter: &mut Meter,
    ) -> Result<Step, Exhausted> {
        let begun = meter.spent();
        if run.place == Place::Fresh {
            let read = self.sides.side(run.at.checked_sub(1).and_then(|i| haystack.get(i)).copied());
            let start = self.tail.starts.get(read as usize).copied().unwrap_or_default();
            threads.alive.set(&[start], Some(run.at), self.tail.none());
            threads.found = 0;
            meter.charge_rule(step(1))?;
            run.place = Place::Simulated;
        }
        loop {
            if meter.spent() - begun >= quantum.max(1) {
                return Ok(Step::Pending);
            }
            let byte = haystack.get(run.at).copied();
            let column = byte.map_or(self.tail.width, |byte| self.tail.column(byte));
            let matched = self.follow(&mut threads.alive, column, run.at, meter)?;
            if let Some(from) = matched {
                run.last = Some(run.at);
                threads.found = from;
            }
            if byte.is_none() || threads.alive.len() == 0 {
                return Ok(Step::Done(run.last.map(|_| threads.found)));
            }
            if let Some((state, from)) = threads.alive.first()
                && state == self.tail.sink
            {
                run.last = Some(haystack.len());
                return Ok(Step::Done(Some(from)));
            }
            meter.charge_rule(step(threads.alive.len()))?;
            run.at += 1;
        }
    }

    /// The states behind the byte at `at`, those of less preference than a match given up. Answers where the match before the byte has
    /// begun, if there is one.
    fn follow(
        &self,
        alive: &mut Alive,
        column: usize,
        at: usize,
        meter: &mut Meter,
    ) -> Result<Option<usize>, Exhausted> {
        let ways = self.tail.ways();
        let mut behind = alive.step(self.tail.none());
        let mut matched = None;
        for (&state, &from) in behind.now.iter().zip(behind.begun) {
            let (entry, first, second) = ways.from(state, column);
            let begun = |state: u16| if state < self.tail.fresh { at + 1 } else { from };
            behind.add(first, begun(first));
            if second == MORE {
                let list = self.tail.list(entry);
                meter.charge_rule(exit(list.len()))?;
                list.iter().for_each(|&state| behind.add(state, begun(state)));
            } else {
                behind.add(second, begun(second));
            }
            if entry & MATCHED != 0 {
                matched = Some(from);
                break;
            }
        }
        let count = behind.count();
        alive.advance(count);
        Ok(matched)
    }
}
