//! Which rules of a phase may match, and at which values: found out before the first of them runs, in one look at each value.

use super::buffers::{BufferId, Buffers, Cell, Source};
use super::memory::Slice;
use super::scratch::Scratch;
use super::values::shows;
use crate::byteset::{ByteSet, ones};
use crate::meter::{Exhausted, Meter};
use crate::program::{Check, Conditions, Facts, Loaded, NodeId, Program, Sieve, SlotId, level};
use crate::rule::{Phase, Variable};
use crate::scan::Literals;

/// Finding a value, and which targets it belongs to.
const VALUE: u64 = 12;
/// Looking whether a pipeline changes a value.
const NODE: u64 = 2;
/// What pipelines make of a longer value is not made for a sieve: each test looks at it when its rule comes up.
const LONG: usize = 1 << 10;
/// Pipelines whose checks are counted to see if they are few.
const FORMS: u32 = 16;
/// Words of the row of a value. Slots whose places differ by a multiple of its bits share one.
const ROW: usize = 4;
/// Nor is anything made that would fill the work arena, which is emptied between rules only.
const WORK_BYTES: usize = 8 << 20;

/// What the sieve of a phase has let through.
#[derive(Debug, Default)]
pub(super) struct Sieved {
    stage: Stage,
    /// The index of the phase.
    phase: usize,
    /// For each cell, by its place: which slots it may pass.
    rows: Vec<[u64; ROW]>,
    /// The slots that some value may pass.
    any: Vec<u64>,
    /// The positions of the rules that may match.
    rules: Vec<u64>,
    /// Checks of the value that is looked at.
    found: Vec<u64>,
    /// Those that ask for windows.
    later: Vec<u32>,
    /// What pipelines have made of it, and which of them.
    forms: Vec<(BufferId, ByteSet)>,
}

/// How far the sieve has come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    New,
    /// At this member of this variable.
    At {
        variable: usize,
        member: usize,
    },
    Done,
}

impl Sieved {
    /// Forgets everything: a phase begins.
    pub(super) fn clear(&mut self) {
        self.stage = Stage::New;
    }

    /// Gives back what is not in use beyond `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        self.rows.clear();
        self.rows.shrink_to(bytes / size_of::<[u64; ROW]>());
        self.found.clear();
        self.found.shrink_to(bytes / size_of::<u64>());
    }

    /// Whether no value may pass the test of a slot.
    #[inline]
    pub(super) fn excludes(&self, slot: SlotId) -> bool {
        self.any.get(slot.index() / 64).is_some_and(|word| word >> (slot.index() % 64) & 1 == 0)
    }

    /// A test has looked at all its values and matched none: no other rule that asks the same needs to run.
    pub(super) fn missed(&mut self, slot: SlotId, program: &Program) {
        let sieve = program.sieves.get(self.phase);
        let gates = sieve.and_then(|sieve| sieve.slots.get(slot.index())).map(|slot| slot.gates.as_slice());
        let gates = gates.unwrap_or_default();
        clear(&mut self.any, slot.index());
        gates.iter().for_each(|gate| clear(&mut self.rules, *gate as usize));
    }

    /// The first position from this one on whose rule may match.
    #[inline]
    pub(super) fn next_rule(&self, position: usize) -> Option<usize> {
        let mut at = position / 64;
        let mut word = self.rules.get(at)? & u64::MAX << (position % 64);
        while word == 0 {
            at += 1;
            word = *self.rules.get(at)?;
        }
        Some(at * 64 + word.trailing_zeros() as usize)
    }

    /// The first item from this one on that may pass the test of a slot; `places` are those of the cells of all items.
    #[inline]
    pub(super) fn next_item(&self, slot: SlotId, item: usize, places: &[u32]) -> usize {
        let (word, bit) = (slot.index() / 64 % ROW, slot.index() % 64);
        let row = |place: &u32| self.rows.get(*place as usize).and_then(|row| row.get(word));
        let may = |place: &u32| row(place).is_none_or(|row| row >> bit & 1 == 1);
        let rest = places.get(item..).unwrap_or_default();
        item + rest.iter().position(may).unwrap_or(rest.len())
    }
}

/// Lets the sieve of a phase see all values, from where it stopped last, until the meter has counted `pause_at`; answers whether
/// it has seen all of them.
pub(super) fn run(
    phase: Phase,
    pause_at: u64,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    if scratch.sieved.stage == Stage::Done {
        return Ok(true);
    }
    let Some(sieve) = loaded.program().sieves.get(phase.index()) else { return Ok(true) };
    let mut sieved = std::mem::take(&mut scratch.sieved);
    let done = sieved.all(sieve, phase, pause_at, loaded, scratch, meter);
    scratch.sieved = sieved;
    done
}

impl Sieved {
    fn all(
        &mut self,
        sieve: &Sieve,
        phase: Phase,
        pause_at: u64,
        loaded: &Loaded,
        scratch: &mut Scratch,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        let (mut variable, mut member) = match self.stage {
            Stage::At { variable, member } => (variable, member),
            _ => {
                self.phase = phase.index();
                self.begin(sieve, scratch)?;
                (0, 0)
            }
        };
        let literals = loaded.literals(scratch.buffers.searches_response());
        while let Some(shown) = sieve.variables.get(variable) {
            if meter.spent() >= pause_at {
                self.stage = Stage::At { variable, member };
                return Ok(false);
            }
            match member_of(shown.variable, member, scratch) {
                Some((cell, slice, name)) => {
                    meter.charge(VALUE)?;
                    let targets = shown.targets_of(scratch.memory.get(name));
                    if targets != 0 {
                        let look = Look { sieve, phase, loaded, literals, targets, cell, slice };
                        self.value(&look, scratch, meter)?;
                    }
                    member += 1;
                }
                None => (variable, member) = (variable + 1, 0),
            }
        }
        self.rules.clear();
        self.rules.extend_from_slice(&sieve.ungated);
        for slot in ones(&self.any).filter_map(|slot| sieve.slots.get(slot)) {
            for gate in &slot.gates {
                if let Some(word) = self.rules.get_mut(*gate as usize / 64) {
                    *word |= 1 << (gate % 64);
                }
            }
        }
        self.stage = Stage::Done;
        Ok(true)
    }

    fn begin(&mut self, sieve: &Sieve, scratch: &mut Scratch) -> Result<(), Exhausted> {
        let places = Cell::Value(scratch.memory.fields.items().len() as u32).place();
        scratch.memory.tables.sieved = 0;
        scratch.memory.admit(places * size_of::<[u64; ROW]>())?;
        scratch.memory.tables.sieved = places * size_of::<[u64; ROW]>();
        self.rows.clear();
        self.rows.resize(places, [0; ROW]);
        self.any.clear();
        self.any.resize(sieve.slots.len().div_ceil(64), 0);
        Ok(())
    }

    /// Looks at one value, as it is and as pipelines make it.
    fn value(&mut self, look: &Look<'_>, scratch: &mut Scratch, meter: &mut Meter) -> Result<(), Exhausted> {
        let Look { sieve, loaded, cell, slice, .. } = *look;
        let mut source = Source { program: loaded.program(), memory: &mut scratch.memory, meter };
        let root = scratch.buffers.of_cell(cell, slice, NodeId::ROOT, &mut source)?;
        let (facts, _) = scratch.buffers.facts(root);
        let mut alike = ByteSet::FULL;
        self.forms.clear();
        if sieve.trigger.changes(facts.len, &facts.mask) {
            for (at, node) in (0..=u8::MAX).zip(&sieve.nodes) {
                if node.targets & look.targets == 0 || !node.trigger.changes(facts.len, &facts.mask) {
                    continue;
                }
                source.meter.charge(NODE)?;
                let (image, same_words) = node.image(facts);
                let conditions = sieve.levels.get(level(&image.mask));
                let checks = conditions.map(|conditions| conditions.of_node(at)).unwrap_or_default();
                if let Some(conditions) = conditions.filter(|_| checks.len() <= Conditions::FEW) {
                    // Most pipelines need not run at all: what comes out of them cannot have the bytes that a test wants.
                    source.meter.charge(Conditions::CHECK * checks.len() as u64)?;
                    let fits = |check: &Check| check.targets & look.targets != 0 && conditions.fits(check, &image);
                    let idle =
                        same_words || !checks.iter().filter_map(|at| conditions.checks.get(*at as usize)).any(fits);
                    if same_words {
                        self.one_by_one(at, conditions, &image, root, look, &mut scratch.buffers, &mut source)?;
                    }
                    if idle {
                        alike = alike.without(at);
                        continue;
                    }
                }
                if facts.len > LONG || source.memory.work.len() > WORK_BYTES {
                    alike = alike.without(at);
                    self.pass_all(&node.slots, look);
                    continue;
                }
                let form = scratch.buffers.of_cell(cell, slice, node.node, &mut source)?;
                if form == root {
                    continue;
                }
                alike = alike.without(at);
                match self.forms.iter_mut().find(|(other, _)| *other == form) {
                    Some((_, nodes)) => *nodes = nodes.with(at),
                    None => self.forms.push((form, ByteSet::EMPTY.with(at))),
                }
            }
        }
        self.form(root, &alike, look, scratch, meter)?;
        for at in 0..self.forms.len() {
            let Some((form, nodes)) = self.forms.get(at).copied() else { break };
            self.form(form, &nodes, look, scratch, meter)?;
        }
        Ok(())
    }

    /// Looks at what some pipelines have made of a value.
    fn form(
        &mut self,
        form: BufferId,
        nodes: &ByteSet,
        look: &Look<'_>,
        scratch: &mut Scratch,
        meter: &mut Meter,
    ) -> Result<(), Exhausted> {
        let (facts, level) = scratch.buffers.facts(form);
        let Some(conditions) = look.sieve.levels.get(level) else { return Ok(()) };
        let mut source = Source { program: look.loaded.program(), memory: &mut scratch.memory, meter };
        let few = if nodes.len() > FORMS { None } else { few(conditions, nodes) };
        if let Some(count) = few {
            source.meter.charge(Conditions::LOOK + Conditions::CHECK * count as u64)?;
            for node in nodes.iter() {
                self.one_by_one(node, conditions, &facts, form, look, &mut scratch.buffers, &mut source)?;
            }
            return Ok(());
        }
        let hits = match conditions.literal_targets & look.targets {
            0 => &[],
            _ => scratch.buffers.hits(form, look.literals, &mut source)?,
        };
        source.meter.charge(conditions.by_bytes(&facts.mask, look.targets))?;
        let count = conditions.find(&facts, look.targets, hits, &mut self.found);
        source.meter.charge(Conditions::CHECK * count)?;
        self.later.clear();
        for at in ones(&self.found) {
            let Some(check) = conditions.checks.get(at) else { continue };
            let asked = check.targets & look.targets != 0 && nodes.contains(check.node);
            if !asked || !conditions.fits(check, &facts) || !conditions.need(check).is_none_or(|need| need.holds(hits))
            {
                continue;
            }
            match conditions.cuts(check) {
                [] => pass(check.slot, look.cell, &mut self.any, &mut self.rows),
                _ => self.later.push(at as u32),
            }
        }
        if self.later.is_empty() {
            return Ok(());
        }
        let windows = scratch.buffers.windows(form, look.phase, look.loaded, &mut source)?;
        for check in self.later.iter().filter_map(|at| conditions.checks.get(*at as usize)) {
            if stands(check, conditions, windows) {
                pass(check.slot, look.cell, &mut self.any, &mut self.rows);
            }
        }
        Ok(())
    }

    /// Goes through the checks of a pipeline; `words` has the literals of what comes out of it.
    #[expect(clippy::too_many_arguments, reason = "a value, what is known of it, and where that is kept")]
    fn one_by_one(
        &mut self,
        node: u8,
        conditions: &Conditions,
        facts: &Facts,
        words: BufferId,
        look: &Look<'_>,
        buffers: &mut Buffers,
        source: &mut Source<'_>,
    ) -> Result<(), Exhausted> {
        for check in conditions.of_node(node).iter().filter_map(|at| conditions.checks.get(*at as usize)) {
            if check.targets & look.targets == 0 || !conditions.fits(check, facts) {
                continue;
            }
            let met = match conditions.need(check) {
                Some(need) => need.holds(buffers.hits(words, look.literals, source)?),
                None => true,
            };
            let stands = met
                && (conditions.cuts(check).is_empty()
                    || stands(check, conditions, buffers.windows(words, look.phase, look.loaded, source)?));
            if stands {
                pass(check.slot, look.cell, &mut self.any, &mut self.rows);
            }
        }
        Ok(())
    }

    /// The value may pass any of these slots, for all that is known.
    fn pass_all(&mut self, slots: &[SlotId], look: &Look<'_>) {
        for slot in slots {
            let asked = look.sieve.slots.get(slot.index()).is_some_and(|found| found.targets & look.targets != 0);
            if asked {
                pass(*slot, look.cell, &mut self.any, &mut self.rows);
            }
        }
    }
}

/// One value under the sieve.
struct Look<'s> {
    sieve: &'s Sieve,
    phase: Phase,
    loaded: &'s Loaded,
    /// The search for literals of the phase.
    literals: Option<&'s Literals>,
    /// Bits of the targets that it belongs to.
    targets: u64,
    cell: Cell,
    slice: Slice,
}

/// Whether a value has the windows that a check asks for.
fn stands(check: &Check, conditions: &Conditions, windows: u128) -> bool {
    conditions.cuts(check).iter().all(|cut| cut & windows != 0)
}

/// Notes that a value may pass a slot.
fn pass(slot: SlotId, cell: Cell, any: &mut [u64], rows: &mut [[u64; ROW]]) {
    let (word, bit) = (slot.index() / 64, 1 << (slot.index() % 64));
    let row = rows.get_mut(cell.place()).and_then(|row| row.get_mut(word % ROW));
    any.get_mut(word).into_iter().chain(row).for_each(|word| *word |= bit);
}

/// Takes a number out of a bit set.
fn clear(set: &mut [u64], at: usize) {
    set.get_mut(at / 64).into_iter().for_each(|word| *word &= !(1 << (at % 64)));
}

/// How many checks these pipelines have, if they are few.
fn few(conditions: &Conditions, nodes: &ByteSet) -> Option<usize> {
    let count = nodes.iter().map(|node| conditions.of_node(node).len()).sum();
    (count <= Conditions::FEW).then_some(count)
}

/// A member of a variable, and its name; `None` behind the last.
fn member_of(variable: Variable, member: usize, scratch: &Scratch) -> Option<(Cell, Slice, Slice)> {
    let Some((group, part)) = shows(variable) else {
        let slice = scratch.values.scalar(variable).filter(|_| member == 0)?;
        return Some((Cell::Scalar(variable), slice, Slice::EMPTY));
    };
    let at = *scratch.values.members(group).get(member)?;
    let field = scratch.memory.fields.items().get(at as usize)?;
    Some((part.cell(at), Slice::Field(part.of(field)), Slice::Field(field.name)))
}
