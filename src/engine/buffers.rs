//! Values after transformation. Each pipeline node is computed once per value; an unchanged value shares its parent's
//! buffer, and with it the classification and the literals found.

use super::memory::{Memory, Slice};
use crate::byteset::ByteSet;
use crate::meter::{Exhausted, Meter, Price};
use crate::program::{LEVELS, Need, NodeId, Program, Screen, Sieve, level};
use crate::rule::Variable;
use crate::scan;
use crate::transform::{Changed, Context};

/// Reading every byte once to see which values occur.
const CLASSIFY: Price = Price::new(16, 512);
/// Looking a transformed value up, or finding that its triggers are absent.
const LOOK_UP: u64 = 2;

/// A buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BufferId(u32);

#[derive(Debug, Clone, Copy)]
struct Buffer {
    slice: Slice,
    len: usize,
    mask: ByteSet,
    /// The level of `mask`.
    level: u8,
    hits: Hits,
}

/// What is known of the literals in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hits {
    /// It was not searched.
    Unknown,
    /// It contains none.
    None,
    /// Those that it contains are the words from here on in `hits`.
    At(u32),
}

/// A value of the request that pipelines start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    /// The value of a field.
    Value(u32),
    /// The name of a field.
    Name(u32),
    /// A scalar.
    Scalar(Variable),
}

/// All buffers of one request.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    list: Vec<Buffer>,
    /// For each cell: which row of `rows` is its own, counted from 1; 0 = none yet.
    fields: Vec<[u32; 2]>,
    scalars: Vec<u32>,
    /// For each row and node: the buffer, counted from 1.
    rows: Vec<u32>,
    hits: Vec<u64>,
    out: Vec<u8>,
}

/// What a scan for literals needs.
pub(super) struct Source<'a> {
    pub(super) program: &'a Program,
    pub(super) memory: &'a mut Memory,
    pub(super) meter: &'a mut Meter,
}

impl Buffers {
    /// Forgets all buffers.
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.fields.clear();
        self.scalars.clear();
        self.rows.clear();
        self.hits.clear();
    }

    /// Gives back what is not in use beyond about `bytes` for each part.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        self.list.shrink_to(bytes / size_of::<Buffer>());
        self.fields.shrink_to(bytes / size_of::<[u32; 2]>());
        self.rows.shrink_to(bytes / size_of::<u32>());
        self.hits.shrink_to(bytes / size_of::<u64>());
        self.out.shrink_to(bytes);
    }

    /// A scalar has a new value.
    pub(super) fn forget(&mut self, variable: Variable) {
        if let Some(row) = self.scalars.get_mut(variable as usize) {
            *row = 0;
        }
    }

    pub(super) fn slice(&self, id: BufferId) -> Slice {
        self.list.get(id.0 as usize).map_or(Slice::EMPTY, |buffer| buffer.slice)
    }

    pub(super) fn len(&self, id: BufferId) -> usize {
        self.list.get(id.0 as usize).map_or(0, |buffer| buffer.len)
    }

    /// Bytes of the tables, to bound them.
    pub(super) fn memory(&self) -> usize {
        self.list.len() * size_of::<Buffer>()
            + self.fields.len() * size_of::<[u32; 2]>()
            + self.rows.len() * size_of::<u32>()
            + self.hits.len() * size_of::<u64>()
    }

    /// Whether `more` bytes may be held beside the tables as they are.
    fn admit(&self, more: usize, memory: &mut Memory) -> Result<(), Exhausted> {
        memory.tables.buffers = self.memory();
        memory.admit(more)
    }

    /// A buffer for bytes that no cell holds. They are classified anew each time.
    pub(super) fn add(&mut self, slice: Slice, source: &mut Source<'_>) -> Result<BufferId, Exhausted> {
        let len = source.memory.get(slice).len();
        source.meter.charge(CLASSIFY.of(len))?;
        self.admit(size_of::<Buffer>(), source.memory)?;
        let mask = ByteSet::in_bytes(source.memory.get(slice));
        let level = level(&mask) as u8;
        self.list.push(Buffer { slice, len, mask, level, hits: Hits::Unknown });
        Ok(BufferId((self.list.len() - 1) as u32))
    }

    /// The value of a cell after the transformations that lead to `node`.
    pub(super) fn of_cell(
        &mut self,
        cell: Cell,
        slice: Slice,
        node: NodeId,
        source: &mut Source<'_>,
    ) -> Result<BufferId, Exhausted> {
        source.meter.charge(LOOK_UP)?;
        let nodes = source.program.nodes.len();
        let row = match self.row(cell, nodes) {
            Some(row) => row,
            None => {
                self.admit(nodes * size_of::<u32>(), source.memory)?;
                self.new_row(cell, nodes)
            }
        };
        let mut id = match self.known(row, NodeId::ROOT) {
            Some(root) => root,
            None => {
                let root = self.add(slice, source)?;
                self.note(row, NodeId::ROOT, root);
                root
            }
        };
        if self.leaves_alone(id, node, source.program) {
            return Ok(id);
        }
        let Some(planned) = source.program.nodes.get(node.index()) else { return Ok(id) };
        if let Some(known) = self.known(row, node) {
            return Ok(known);
        }
        for &step in &planned.path {
            id = match self.known(row, step) {
                Some(known) => known,
                None => {
                    let next = self.next(id, step, source)?;
                    self.note(row, step, next);
                    next
                }
            };
        }
        Ok(id)
    }

    /// Whether the transformations that lead to `node` change nothing: most values come out of most pipelines as they went in.
    #[inline]
    pub(super) fn leaves_alone(&self, root: BufferId, node: NodeId, program: &Program) -> bool {
        let (Some(planned), Some(root)) = (program.nodes.get(node.index()), self.list.get(root.0 as usize)) else {
            return true;
        };
        !planned.path_trigger.changes(root.len, &root.mask)
    }

    /// The same for a buffer that no cell holds.
    pub(super) fn of_buffer(
        &mut self,
        root: BufferId,
        node: NodeId,
        source: &mut Source<'_>,
    ) -> Result<BufferId, Exhausted> {
        let path = source.program.nodes.get(node.index()).map(|node| node.path.as_slice()).unwrap_or_default();
        let mut id = root;
        for &step in path {
            id = self.next(id, step, source)?;
        }
        Ok(id)
    }

    /// Applies the transformation that leads to `node` from the node before it.
    pub(super) fn next(
        &mut self,
        from: BufferId,
        node: NodeId,
        source: &mut Source<'_>,
    ) -> Result<BufferId, Exhausted> {
        source.meter.charge(LOOK_UP)?;
        let (Some(node), Some(buffer)) = (source.program.nodes.get(node.index()), self.list.get(from.0 as usize))
        else {
            return Ok(from);
        };
        if !node.trigger.changes(buffer.len, &buffer.mask) {
            return Ok(from);
        }
        let Some((_, step)) = node.step else { return Ok(from) };
        let buffer = *buffer;
        source.meter.charge(step.price().of(buffer.len))?;
        self.admit(step.max_output(buffer.len), source.memory)?;
        let context = Context { unicode_map: source.program.ruleset.settings.unicode_map.as_deref() };
        match step.apply(source.memory.get(buffer.slice), &mut self.out, &context) {
            Changed::No => Ok(from),
            Changed::Yes => {
                let kept = source.memory.keep(&self.out)?;
                self.add(kept, source)
            }
        }
    }

    /// Those of `slots` of a sieve that the buffer may pass.
    pub(super) fn sieve(&self, id: BufferId, slots: u64, sieve: &Sieve, meter: &mut Meter) -> Result<u64, Exhausted> {
        let Some(buffer) = self.list.get(id.0 as usize) else { return Ok(slots) };
        let level = usize::from(buffer.level);
        meter.charge(sieve.price(level))?;
        Ok(sieve.pass(slots, level, buffer.len, &buffer.mask))
    }

    /// Whether any pipeline of a sieve may change the buffer.
    pub(super) fn is_changed(&self, id: BufferId, sieve: &Sieve) -> bool {
        self.list.get(id.0 as usize).is_some_and(|buffer| sieve.trigger.changes(buffer.len, &buffer.mask))
    }

    /// Whether a pattern with this screen may match the buffer. Searches the buffer for all literals when first asked.
    pub(super) fn passes(
        &mut self,
        id: BufferId,
        screens: &[Option<Screen>; LEVELS],
        literals: Option<&scan::Literals>,
        source: &mut Source<'_>,
    ) -> Result<bool, Exhausted> {
        let Some(buffer) = self.list.get(id.0 as usize) else { return Ok(false) };
        let Some(Some(screen)) = screens.get(usize::from(buffer.level)) else { return Ok(false) };
        if buffer.len < screen.min_len || !screen.any_of.iter().all(|set| set.intersects(&buffer.mask)) {
            return Ok(false);
        }
        if screen.need == Need::Always {
            return Ok(true);
        }
        let Some(literals) = literals else { return Ok(true) };
        let buffer = *buffer;
        let words = source.program.literal_words();
        let hits = match buffer.hits {
            Hits::Unknown => {
                let start = self.hits.len();
                self.admit(words * size_of::<u64>(), source.memory)?;
                self.hits.resize(start + words, 0);
                let found = self.hits.get_mut(start..).unwrap_or_default();
                literals.scan(source.memory.get(buffer.slice), found, source.meter)?;
                let hits = if found.iter().all(|word| *word == 0) { Hits::None } else { Hits::At(start as u32) };
                if hits == Hits::None {
                    self.hits.truncate(start);
                }
                if let Some(buffer) = self.list.get_mut(id.0 as usize) {
                    buffer.hits = hits;
                }
                hits
            }
            known => known,
        };
        // Most values contain no literal at all, and no need is met by none.
        let Hits::At(start) = hits else { return Ok(false) };
        let start = start as usize;
        Ok(screen.need.holds(self.hits.get(start..start + words).unwrap_or_default()))
    }

    /// Where the row of a cell begins, if it has one.
    fn row(&self, cell: Cell, nodes: usize) -> Option<usize> {
        let row = match cell {
            Cell::Value(at) => self.fields.get(at as usize).map(|[value, _]| *value),
            Cell::Name(at) => self.fields.get(at as usize).map(|[_, name]| *name),
            Cell::Scalar(variable) => self.scalars.get(variable as usize).copied(),
        };
        Some((row?.checked_sub(1)? as usize) * nodes)
    }

    /// Gives a cell a row.
    fn new_row(&mut self, cell: Cell, nodes: usize) -> usize {
        let place = match cell {
            Cell::Value(at) | Cell::Name(at) => {
                let at = at as usize;
                if self.fields.len() <= at {
                    self.fields.resize(at + 1, [0; 2]);
                }
                self.fields.get_mut(at).and_then(|pair| pair.get_mut(usize::from(matches!(cell, Cell::Name(_)))))
            }
            Cell::Scalar(variable) => {
                let at = variable as usize;
                if self.scalars.len() <= at {
                    self.scalars.resize(at + 1, 0);
                }
                self.scalars.get_mut(at)
            }
        };
        let start = self.rows.len();
        if let Some(place) = place {
            *place = (start / nodes.max(1)) as u32 + 1;
        }
        self.rows.resize(start + nodes, 0);
        start
    }

    fn known(&self, row: usize, node: NodeId) -> Option<BufferId> {
        self.rows.get(row + node.index()).and_then(|id| id.checked_sub(1)).map(BufferId)
    }

    fn note(&mut self, row: usize, node: NodeId, id: BufferId) {
        if let Some(place) = self.rows.get_mut(row + node.index()) {
            *place = id.0 + 1;
        }
    }
}
