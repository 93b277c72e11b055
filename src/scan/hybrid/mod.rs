//! A hybrid automaton (Becchi and Crowley, 2007): for patterns with too many states for a dense DFA, of which ordinary values meet
//! few. Nothing in it is made or remembered by requests, and what it costs is a function of pattern and haystack.
//!
//! Its *head* is a DFA for what ordinary bytes lead to. Its *tail* is an NFA without empty transitions. Where the head ends, a search
//! goes on in both: in the row of the head that covers most, and in single states of the tail, which soon die. Texts made to keep
//! many states alive pay for each of them, byte by byte.
//!
//! `detect` answers whether there is a match; most values have none. Where there is one, `locate` finds start and end of the
//! leftmost-first match in the tail alone, from a place on before which nothing can begin that is not over.

mod alive;
pub(super) mod crowd;
pub(super) mod head;
mod locate;
pub(super) mod tail;
mod walk;

pub use walk::Walk;

use super::cursor::{Place, Run, Step};
use super::fuel;
use super::look::Sides;
use super::thompson::{Order, Thompson};
use crate::limits::Limits;
use crate::meter::{Exhausted, Meter, Price};
use alive::Alive;
use crowd::Crowd;
use head::{DEAD, Head, MATCHED};
use tail::Tail;

/// A pattern as head and tail.
#[derive(Debug, Clone)]
pub(super) struct Hybrid {
    pub(super) sides: Sides,
    pub(super) head: Head,
    pub(super) tail: Tail,
    /// Whether start and end of the match are asked for.
    pub(super) order: Order,
    /// The most states that a search can meet.
    pub(super) crowd: Crowd,
    /// The most that one byte can cost in [`Hybrid::detect`] and in [`Hybrid::locate`].
    dearest: (u64, u64),
}

/// The memory of a search: where it stands beside a single row of the head.
#[derive(Debug, Clone, Default)]
pub(super) struct Threads {
    row: u16,
    alive: Alive,
    /// Where the last match that `locate` has seen begins.
    found: usize,
}

impl Threads {
    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.alive.memory()
    }
}

impl Hybrid {
    /// Head and tail for `nfa`, which reads from left to right; `None` if they exceed the limits. `restarts`: as for
    /// [`Tail::build`].
    pub(super) fn build(nfa: &Thompson, restarts: bool, order: Order, limits: &Limits) -> Option<Hybrid> {
        let tail = Tail::build(nfa, restarts)?;
        let rows = limits.hybrid_head_bytes / (2 * (tail.width + 1));
        let head = Head::build(&tail, rows)?;
        let crowd = Crowd::of(&tail);
        Some(Hybrid::of(nfa.sides(), head, tail, order, crowd))
    }

    /// A hybrid automaton of these parts, with what it costs.
    pub(super) fn of(sides: Sides, head: Head, tail: Tail, order: Order, crowd: Crowd) -> Hybrid {
        let Crowd { states, listed } = crowd;
        let detect = head.byte() + exit(head.widest().min(states)) + exit(listed) + step(states);
        let locate = if order == Order::Any { 0 } else { exit(listed) + step(states) };
        Hybrid { sides, head, tail, order, crowd, dearest: (detect, locate) }
    }

    /// Bytes held.
    pub(super) fn memory(&self) -> usize {
        self.head.memory() + self.tail.memory()
    }

    /// The most that a search through `n` bytes can cost, start and end of the match included.
    pub(super) fn price(&self) -> Price {
        let (detect, locate) = self.dearest;
        Price::per_byte(2 * locate, detect + locate)
    }

    /// Goes on with `run`, to the right: to the end of `haystack`, or to the first byte that shows that there is a match. Answers
    /// from where on [`Hybrid::locate`] has to search for it.
    pub(super) fn detect(
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
            run.place = Place::State(self.head.starts.get(read as usize).copied().unwrap_or(DEAD).into());
            run.last = Some(run.at);
        }
        loop {
            if run.at == haystack.len() {
                let matched = self.matches_at_edge(threads, run.place);
                return Ok(Step::Done(run.last.filter(|_| matched)));
            }
            if run.at == run.paid {
                if meter.spent() - begun >= quantum.max(1) {
                    return Ok(Step::Pending);
                }
                run.paid = fuel::block_end(run.at, haystack.len());
                meter.charge_rule(self.head.byte() * (run.paid - run.at) as u64)?;
            }
            let found = match run.place {
                Place::State(row) => self.read_head(threads, haystack, row as u16, run, meter)?,
                _ if meter.spent() - begun >= quantum.max(1) => return Ok(Step::Pending),
                _ => self.read_both(threads, haystack, run, quantum.max(1) - (meter.spent() - begun), meter)?,
            };
            if let Some(matched) = found {
                return Ok(Step::Done(run.last.filter(|_| matched)));
            }
        }
    }

    fn matches_at_edge(&self, threads: &Threads, place: Place) -> bool {
        let edge = self.tail.width;
        match place {
            Place::State(row) => self.head.transition(row as u16, edge) == MATCHED,
            _ => {
                self.head.transition(threads.row, edge) == MATCHED
                    || threads.alive.states().iter().any(|&state| self.tail.entry(state, edge) & tail::MATCHED != 0)
            }
        }
    }

    /// Notes that nothing has begun before this position that is not over, if `row` is that of a start.
    fn mark(&self, row: u16, at: usize, run: &mut Run) {
        if self.head.starts.contains(&row) {
            run.last = Some(at);
        }
    }

    /// Reads in the head up to what is paid, or to an exit. Answers whether there is a match, once that is known.
    #[inline]
    fn read_head(
        &self,
        threads: &mut Threads,
        haystack: &[u8],
        mut row: u16,
        run: &mut Run,
        meter: &mut Meter,
    ) -> Result<Option<bool>, Exhausted> {
        self.mark(row, run.at, run);
        let block = haystack.get(run.at..run.paid).unwrap_or_default();
        for (at, &byte) in (run.at..).zip(block) {
            let next = self.head.transition(row, self.tail.column(byte));
            if self.head.is_row(next) {
                row = next;
                continue;
            }
            match next {
                DEAD => return Ok(Some(false)),
                MATCHED => return Ok(Some(true)),
                _ => {}
            }
            self.mark(row, at, run);
            let (row, states) = self.head.exit(next);
            meter.charge_rule(exit(states.len()) + step(states.len()))?;
            threads.row = row;
            threads.alive.set(states, None, self.tail.none());
            (run.at, run.place) = (at + 1, Place::Simulated);
            return Ok(None);
        }
        (run.at, run.place) = (run.paid, Place::State(row.into()));
        Ok(None)
    }

    /// Reads in the head and in the tail up to what is paid, or until the tail is empty, or for about `quantum` fuel. Answers whether
    /// there is a match, once that is known. A step is charged by the step before it, which knows how many states are alive.
    fn read_both(
        &self,
        threads: &mut Threads,
        haystack: &[u8],
        run: &mut Run,
        quantum: u64,
        meter: &mut Meter,
    ) -> Result<Option<bool>, Exhausted> {
        let begun = meter.spent();
        let Threads { row, alive, .. } = threads;
        let (none, ways) = (self.tail.none(), self.tail.ways());
        for &byte in haystack.get(run.at..run.paid).unwrap_or_default() {
            let column = self.tail.column(byte);
            let mut behind = alive.step(none);
            let next = self.head.transition(*row, column);
            if self.head.is_row(next) {
                *row = next;
            } else {
                if next == MATCHED {
                    return Ok(Some(true));
                }
                let states;
                (*row, states) = self.head.exit(next);
                meter.charge_rule(exit(states.len()))?;
                states.iter().for_each(|&state| behind.add_plain(state));
            }
            let mut entries = 0;
            for &state in behind.now {
                let (entry, first, second) = ways.from(state, column);
                entries |= entry;
                behind.add_plain(first);
                if second == tail::MORE {
                    let list = self.tail.list(entry);
                    meter.charge_rule(exit(list.len()))?;
                    list.iter().for_each(|&state| behind.add_plain(state));
                } else {
                    behind.add_plain(second);
                }
            }
            if entries & tail::MATCHED != 0 {
                return Ok(Some(true));
            }
            let count = behind.count();
            alive.advance(count);
            run.at += 1;
            if count == 0 {
                run.place = Place::State((*row).into());
                return Ok((*row == DEAD).then_some(false));
            }
            meter.charge_rule(step(count))?;
            if meter.spent() - begun >= quantum {
                break;
            }
        }
        Ok(None)
    }
}

/// What it costs to take over the states of an exit, or of a list of more than two.
fn exit(states: usize) -> u64 {
    fuel::TAIL_STATE * states as u64
}

/// What a step costs from so many states.
fn step(met: usize) -> u64 {
    fuel::TAIL_STEP + fuel::TAIL_STATE * met as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Cache, Cursor, Engine, Groups, Outcome, Pattern, Want};

    fn build(source: &str, head_bytes: usize) -> Pattern {
        let hir = regex_syntax::ParserBuilder::new().utf8(false).unicode(false).build().parse(source).unwrap();
        let limits = Limits { hybrid_head_bytes: head_bytes, ..Limits::default() };
        Pattern::build(&hir, Want::Span, &limits, Some(Engine::Hybrid)).unwrap()
    }

    fn scan(pattern: &Pattern, haystack: &[u8]) -> (Option<(usize, usize)>, u64) {
        let (mut cursor, mut groups, mut meter) = (Cursor::default(), Groups::default(), Meter::unlimited());
        let outcome =
            pattern.scan(&mut Cache::default(), haystack, &mut cursor, u64::MAX, &mut groups, &mut meter).unwrap();
        (groups.get(0).filter(|_| outcome == Outcome::Hit), meter.spent())
    }

    /// The shape of the patterns that made this necessary.
    const EVASION: &str =
        r"(?i)c(?:\$[!#a-z0-9]*)?a(?:\$[!#a-z0-9]*)?t(?:\$[!#a-z0-9]*)?\s|w(?:\$[!#a-z0-9]*)?h(?:\$[!#a-z0-9]*)?o";

    #[test]
    fn ordinary_bytes_take_one_fuel_each() {
        let text = b"An ordinary sentence, as people write them: it has no such places. ".repeat(20);
        assert_eq!(scan(&build(EVASION, 32 << 10), &text), (None, fuel::CALL + text.len() as u64));
    }

    #[test]
    fn what_keeps_many_states_alive_pays_for_them_and_no_more() {
        for head_bytes in [0, 500, 32 << 10] {
            let pattern = build(EVASION, head_bytes);
            let (text, hit) = (b"c$wha$at$hwc$a".repeat(40), b"c$wha$at$hwc$a".repeat(40).len());
            let (found, spent) = scan(&pattern, &text);
            assert_eq!(found, None);
            assert!(spent < 60 * text.len() as u64, "{spent}");
            assert!(spent <= pattern.price().of(text.len()));
            let text = [text, b"t$x ".to_vec()].concat();
            assert_eq!(scan(&pattern, &text).0, Some((hit - 3, hit + 4)), "{head_bytes}");
        }
    }

    #[test]
    fn a_match_is_searched_for_from_where_it_can_begin() {
        let text = [b"a plain text .".repeat(1000), b" xcat ".to_vec()].concat();
        let (found, spent) = scan(&build(EVASION, 32 << 10), &text);
        assert_eq!(found, Some((text.len() - 4, text.len())));
        assert!(spent < text.len() as u64 + 6000, "{spent} for {} bytes", text.len());
    }
}
