//! A lazy DFA with a cap, which goes on as an NFA simulation where the cap stops it. With a cap of zero it is the simulation.
//! For what is too large for a hybrid automaton.

use regex_automata::nfa::thompson::NFA;

use super::cursor::{Place, Run, Step};
use super::fuel;
use super::look::Side;
use super::table::{DEAD, Table, Transition};
use super::thompson::{Order, Thompson};
use crate::limits::Limits;
use crate::meter::{Exhausted, Meter, Price};
use crate::wire::{Damaged, Reader, Writer};

/// Cells of the largest table; state numbers and their costs fit their bits below it.
const MAX_CELLS: usize = 1 << 24;

/// A lazy DFA over an NFA; its states are in a [`Table`].
#[derive(Debug, Clone)]
pub(super) struct Lazy {
    nfa: Thompson,
    order: Order,
    /// Cells of four bytes that one request may visit; 0 is the plain simulation.
    cap: usize,
}

/// Where a transition leads.
pub(super) enum Next {
    /// To a state of the table.
    State(u32),
    /// To the set in the table, which has no state.
    Simulated,
}

impl Lazy {
    /// A lazy DFA over `nfa` whose states may take `bytes` in one request.
    pub(super) fn new(nfa: &NFA, order: Order, bytes: usize) -> Lazy {
        Lazy::of(Thompson::new(nfa, order == Order::All, 0), order, bytes)
    }

    /// The same over an NFA in our own form.
    pub(super) fn of(nfa: Thompson, order: Order, bytes: usize) -> Lazy {
        Lazy { nfa, order, cap: (bytes / size_of::<u32>()).min(MAX_CELLS) }
    }

    /// Writes it.
    pub(super) fn store(&self, writer: &mut Writer) {
        self.nfa.store(writer);
    }

    /// Reads what [`Lazy::store`] has written.
    pub(super) fn restore(reader: &mut Reader<'_>, order: Order, limits: &Limits) -> Result<Lazy, Damaged> {
        Ok(Lazy::of(Thompson::restore(reader, limits)?, order, limits.lazy_dfa_bytes))
    }

    /// Bytes held by the automaton itself.
    pub(super) fn memory(&self) -> usize {
        self.nfa.memory()
    }

    /// The most that a run over `n` bytes can cost. Every byte may compute a transition, reach a new state and be dropped into
    /// the simulation.
    pub(super) fn price(&self) -> Price {
        let step = fuel::STEP + fuel::NODE * self.nfa.max_step();
        let state = if self.cap == 0 { 0 } else { fuel::STATE + fuel::NODE * self.nfa.max_set() };
        let start = fuel::NODE * self.nfa.weight(self.nfa.start());
        Price::per_byte(start + 2 * state + step, fuel::LAZY_BYTE + step + state)
    }

    /// Transitions of a state: one for each class of bytes, and the last for the edge of the haystack.
    pub(super) fn stride(&self) -> usize {
        self.nfa.class_count() + 1
    }

    /// Makes the table fit this automaton.
    pub(super) fn prepare(&self, table: &mut Table) {
        table.fit(self.stride(), self.cap);
        table.simulation.grow(&self.nfa);
    }

    /// Goes on with `run`: to the right up to the end of `haystack`, or (`REVERSE`) to the left down to `floor`.
    pub(super) fn run<const REVERSE: bool>(
        &self,
        table: &mut Table,
        haystack: &[u8],
        floor: usize,
        run: &mut Run,
        quantum: u64,
        meter: &mut Meter,
    ) -> Result<Step, Exhausted> {
        let begun = meter.spent();
        let goal = if REVERSE { floor } else { haystack.len() };
        if run.place == Place::Fresh {
            self.prepare(table);
            let before = if REVERSE { Some(run.at) } else { run.at.checked_sub(1) };
            let read = self.nfa.side(before.and_then(|i| haystack.get(i)).copied());
            run.place = self.enter(table, read, meter)?;
        }
        loop {
            if run.at != goal && run.at == run.paid {
                if meter.spent() - begun >= quantum.max(1) {
                    return Ok(Step::Pending);
                }
                run.paid =
                    if REVERSE { fuel::block_start(run.at, floor) } else { fuel::block_end(run.at, haystack.len()) };
                meter.charge_rule(fuel::LAZY_BYTE * run.at.abs_diff(run.paid) as u64)?;
            }
            if let Place::State(state) = run.place {
                match self.known_stretch::<REVERSE>(table, haystack, state, run) {
                    Some(step) => return Ok(step),
                    None if run.at == run.paid && run.at != goal => continue,
                    None => {}
                }
            }
            if meter.spent() - begun >= quantum.max(1) {
                return Ok(Step::Pending);
            }
            let unit = if REVERSE { run.at.checked_sub(1) } else { Some(run.at) };
            let unit = unit.and_then(|i| haystack.get(i)).copied();
            let (matched, next) = match run.place {
                Place::State(state) => self.transition(table, state, unit, meter)?,
                _ => (self.simulate(table, unit, meter)?, Next::Simulated),
            };
            if matched {
                run.last = Some(run.at);
            }
            run.place = match next {
                Next::State(next) => Place::State(next),
                Next::Simulated => Place::Simulated,
            };
            let dead = match run.place {
                Place::State(state) => state == DEAD,
                _ => table.set.is_dead(),
            };
            if run.at == goal || dead || (matched && self.order == Order::Any) {
                return Ok(Step::Done(run.last));
            }
            run.at = if REVERSE { run.at - 1 } else { run.at + 1 };
        }
    }

    /// Follows transitions that this request has paid for, up to the first that it has not or to the end of the block.
    fn known_stretch<const REVERSE: bool>(
        &self,
        table: &Table,
        haystack: &[u8],
        mut state: u32,
        run: &mut Run,
    ) -> Option<Step> {
        let stamp = table.stamp();
        while run.at != run.paid {
            let place = if REVERSE { run.at - 1 } else { run.at };
            let Some(&byte) = haystack.get(place) else { break };
            let transition = table.transition(state, self.nfa.class(byte));
            if !transition.is_paid(stamp) {
                break;
            }
            if transition.matched() {
                run.last = Some(run.at);
                if self.order == Order::Any {
                    return Some(Step::Done(run.last));
                }
            }
            state = transition.next();
            if state == DEAD {
                return Some(Step::Done(run.last));
            }
            run.at = if REVERSE { run.at - 1 } else { run.at + 1 };
        }
        run.place = Place::State(state);
        None
    }

    /// The start state.
    pub(super) fn enter(&self, table: &mut Table, read: Side, meter: &mut Meter) -> Result<Place, Exhausted> {
        if let Some(state) = table.start(read) {
            return Ok(Place::State(state));
        }
        meter.charge_rule(fuel::NODE * self.nfa.weight(self.nfa.start()))?;
        let Table { simulation, set, .. } = table;
        simulation.start(&self.nfa, self.order, read, set);
        Ok(match self.admit(table, meter)? {
            Next::State(state) => {
                table.set_start(read, state);
                Place::State(state)
            }
            Next::Simulated => Place::Simulated,
        })
    }

    /// The transition of `state` over `unit`, computed or only paid; answers whether the pattern matches before it.
    pub(super) fn transition(
        &self,
        table: &mut Table,
        state: u32,
        unit: Option<u8>,
        meter: &mut Meter,
    ) -> Result<(bool, Next), Exhausted> {
        let class = unit.map_or(self.nfa.class_count(), |byte| self.nfa.class(byte));
        let known = table.known(state, class);
        if let Some(transition) = known
            && transition.is_paid(table.stamp())
        {
            return Ok((transition.matched(), Next::State(transition.next())));
        }
        let (_, cost) = table.state(state);
        meter.charge_rule(fuel::STEP + fuel::NODE * cost)?;
        let (matched, cost) = match known {
            Some(transition) => (transition.matched(), transition.cost()),
            None => {
                let prepared = table.prepare(&self.nfa, self.order, state, unit);
                (prepared.matched, prepared.cost.min(Transition::MAX_COST))
            }
        };
        meter.charge_rule(fuel::NODE * cost)?;
        let next = match known {
            Some(transition) => self.admit_known(table, transition.next(), meter)?,
            None => {
                let Table { simulation, set, .. } = table;
                simulation.finish(&self.nfa, self.order, self.nfa.side(unit), set);
                self.admit(table, meter)?
            }
        };
        if let Next::State(next) = next {
            table.set_transition(state, class, matched, cost, next);
        }
        Ok((matched, next))
    }

    /// What [`Lazy::admit`] does, for a state of the table: its set is copied only if this request cannot visit it.
    fn admit_known(&self, table: &mut Table, state: u32, meter: &mut Meter) -> Result<Next, Exhausted> {
        if self.cap > 0 && table.is_visited(state) {
            return Ok(Next::State(state));
        }
        let nodes = table.state(state).0.len();
        if self.cap == 0 || !table.has_room(nodes) {
            table.load(state);
            return Ok(Next::Simulated);
        }
        meter.charge_rule(fuel::STATE + fuel::NODE * nodes as u64)?;
        table.visit_again(state, nodes);
        Ok(Next::State(state))
    }

    /// Turns the set in the table into a state that this request may visit, or leaves it to the simulation.
    fn admit(&self, table: &mut Table, meter: &mut Meter) -> Result<Next, Exhausted> {
        if self.cap == 0 {
            return Ok(Next::Simulated);
        }
        if let Some(state) = table.find() {
            return self.admit_known(table, state, meter);
        }
        let nodes = table.set.code().len();
        if !table.has_room(nodes) {
            return Ok(Next::Simulated);
        }
        meter.charge_rule(fuel::STATE + fuel::NODE * nodes as u64)?;
        Ok(Next::State(table.visit()))
    }

    /// One step of the simulation from the set in the table; answers whether the pattern matches before it.
    fn simulate(&self, table: &mut Table, unit: Option<u8>, meter: &mut Meter) -> Result<bool, Exhausted> {
        meter.charge_rule(fuel::STEP + fuel::NODE * table.set.cost())?;
        let Table { simulation, set, .. } = table;
        let prepared = simulation.prepare(&self.nfa, self.order, set.code(), unit);
        meter.charge_rule(fuel::NODE * prepared.cost)?;
        simulation.finish(&self.nfa, self.order, self.nfa.side(unit), set);
        Ok(prepared.matched)
    }
}
