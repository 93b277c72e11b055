//! Start and end of the leftmost-first match: the simulation of the tail, its states in order of preference, each with the place
//! where what it stands for has begun.

use super::super::cursor::{Place, Run, Step};
use super::tail::MATCHED;
use super::{Hybrid, Threads, step};
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
            threads.now.clear();
            threads.begun.clear();
            threads.now.push(self.tail.starts.get(read as usize).copied().unwrap_or_default());
            threads.begun.push(run.at);
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
            threads.entries.clear();
            let mut met = 0;
            for (&state, &from) in threads.now.iter().zip(&threads.begun) {
                let entry = self.tail.entry(state, column);
                met += self.tail.list(entry).len();
                threads.entries.push(entry);
                if entry & MATCHED != 0 {
                    // What is less preferred is given up.
                    run.last = Some(run.at);
                    threads.found = from;
                    break;
                }
            }
            meter.charge_rule(step(met))?;
            self.follow(threads, run.at);
            if threads.now.is_empty() || byte.is_none() {
                return Ok(Step::Done(run.last.map(|_| threads.found)));
            }
            run.at += 1;
        }
    }

    /// The states behind the byte at `at`.
    fn follow(&self, threads: &mut Threads, at: usize) {
        let Threads { now, next, entries, begun, begun_next, seen, .. } = threads;
        next.clear();
        begun_next.clear();
        seen.clear();
        seen.grow(self.tail.len());
        for (&entry, &from) in entries.iter().zip(begun.iter()) {
            for &state in self.tail.list(entry) {
                if seen.insert(state.into()) {
                    next.push(state);
                    begun_next.push(if state < self.tail.fresh { at + 1 } else { from });
                }
            }
        }
        std::mem::swap(now, next);
        std::mem::swap(begun, begun_next);
    }
}
