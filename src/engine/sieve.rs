//! Which values a test has to look at: found out for all tests of a [`Sieve`] at once, when the first of them comes up.

use super::buffers::Source;
use super::scratch::Scratch;
use super::selection::{ItemValue, resolve};
use crate::meter::{Exhausted, Meter};
use crate::program::{Loaded, NodeId, Sieve, SlotId};

/// Looking whether a pipeline changes a value.
const NODE: u64 = 1;
/// What pipelines make of a longer value is not made for a sieve: each test looks at it when its rule comes up.
const LONG: usize = 16 << 10;
/// Nor is anything made that would fill the work arena, which is emptied between rules only.
const WORK_BYTES: usize = 8 << 20;

/// What the sieves of a phase have let through.
#[derive(Debug, Default)]
pub(super) struct Sieved {
    /// For each sieve of the program: what it let through, once it has seen all values.
    done: Vec<Option<Rows>>,
    /// For each value that a sieve has seen: the slots of the tests that it may pass.
    rows: Vec<u64>,
    /// The sieve that has seen a part of its values, and where its rows begin.
    begun: Option<(u32, usize)>,
}

#[derive(Debug, Clone, Copy)]
struct Rows {
    start: usize,
    end: usize,
    /// Slots that some value may pass.
    any: u64,
}

impl Sieved {
    /// Forgets everything: the values have changed, or where they are.
    pub(super) fn clear(&mut self, count: usize) {
        self.done.clear();
        self.done.resize(count, None);
        self.rows.clear();
        self.begun = None;
    }

    /// Gives back what is not in use beyond `bytes`.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        self.rows.clear();
        self.rows.shrink_to(bytes / size_of::<u64>());
    }

    /// Whether no value may pass the test, as far as is known.
    #[inline]
    pub(super) fn excludes(&self, slot: SlotId) -> bool {
        self.done.get(slot.sieve as usize).is_some_and(|rows| rows.is_some_and(|rows| !slot.is_in(rows.any)))
    }

    /// The first value of the selection from the one at `item` on that may pass the test.
    #[inline]
    pub(super) fn next(&self, slot: SlotId, item: usize) -> usize {
        let Some(Some(rows)) = self.done.get(slot.sieve as usize) else { return item };
        let rest = self.rows.get(rows.start + item..rows.end).unwrap_or_default();
        item + rest.iter().position(|row| slot.is_in(*row)).unwrap_or(rest.len())
    }

    fn bytes(&self) -> usize {
        self.rows.len() * size_of::<u64>()
    }
}

/// Lets the sieve of `slot` see its values, from where it stopped last, until the meter has counted `pause_at`; answers whether it
/// has seen all of them.
pub(super) fn run(
    slot: SlotId,
    pause_at: u64,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    let Some(sieve) = loaded.program().sieves.get(slot.sieve as usize) else { return Ok(true) };
    if scratch.sieved.done.get(slot.sieve as usize).is_none_or(Option::is_some) {
        return Ok(true);
    }
    resolve(sieve.selection, loaded, scratch, meter)?;
    let start = match scratch.sieved.begun {
        Some((of, start)) if of == slot.sieve => start,
        _ => scratch.sieved.rows.len(),
    };
    scratch.sieved.begun = Some((slot.sieve, start));
    let (first, end) = scratch.selections.range();
    scratch.memory.tables.sieved = scratch.sieved.bytes();
    scratch.memory.admit((end - first) * size_of::<u64>())?;
    for place in first + scratch.sieved.rows.len() - start..end {
        if meter.spent() >= pause_at {
            return Ok(false);
        }
        let row = row(place, sieve, loaded, scratch, meter)?;
        scratch.sieved.rows.push(row);
    }
    let rows = scratch.sieved.rows.get(start..).unwrap_or_default();
    let end = start + rows.len();
    let any = rows.iter().fold(0, |any, row| any | row);
    if let Some(place) = scratch.sieved.done.get_mut(slot.sieve as usize) {
        *place = Some(Rows { start, end, any });
    }
    scratch.sieved.begun = None;
    Ok(true)
}

/// The slots that one value may pass.
fn row(
    place: usize,
    sieve: &Sieve,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<u64, Exhausted> {
    // A value of this moment is looked at by each test.
    let Some((ItemValue::Cell(cell, slice), root)) = scratch.selections.at(place) else { return Ok(u64::MAX) };
    let mut source = Source { program: loaded.program(), memory: &mut scratch.memory, meter };
    let root = match root {
        Some(root) => root,
        None => {
            let root = scratch.buffers.of_cell(cell, slice, NodeId::ROOT, &mut source)?;
            scratch.selections.set_root(place, root);
            root
        }
    };
    let mut row = scratch.buffers.sieve(root, u64::MAX, sieve, source.meter)?;
    if !scratch.buffers.is_changed(root, sieve) {
        return Ok(row);
    }
    let long = scratch.buffers.len(root) > LONG;
    for (node, slots) in &sieve.nodes {
        source.meter.charge(NODE)?;
        if scratch.buffers.leaves_alone(root, *node, source.program) {
            continue;
        }
        if long || source.memory.work.len() > WORK_BYTES {
            row |= slots;
            continue;
        }
        let buffer = scratch.buffers.of_cell(cell, slice, *node, &mut source)?;
        row = row & !slots | scratch.buffers.sieve(buffer, *slots, sieve, source.meter)?;
    }
    Ok(row)
}
