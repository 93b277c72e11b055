//! Values after transformation. Each pipeline node is computed once per value; an unchanged value shares its parent's
//! buffer, and with it the classification and the literals found.

use super::memory::{Memory, Slice};
use crate::byteset::ByteSet;
use crate::meter::{Exhausted, Meter, Price};
use crate::program::{NodeId, Program, Screen};
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
    /// Offset of its literals in `hits`, once searched.
    hits: Option<u32>,
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

    /// A buffer for bytes that no cell holds. They are classified anew each time.
    pub(super) fn add(&mut self, slice: Slice, source: &mut Source<'_>) -> Result<BufferId, Exhausted> {
        let len = source.memory.get(slice).len();
        source.meter.charge(CLASSIFY.of(len))?;
        source.memory.admit(self.memory())?;
        let mask = ByteSet::in_bytes(source.memory.get(slice));
        self.list.push(Buffer { slice, len, mask, hits: None });
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
        source.memory.admit(self.memory().saturating_add(nodes * size_of::<u32>()))?;
        let row = self.row(cell, nodes);
        if let Some(known) = self.known(row, node) {
            return Ok(known);
        }
        let mut id = match self.known(row, NodeId::ROOT) {
            Some(root) => root,
            None => {
                let root = self.add(slice, source)?;
                self.note(row, NodeId::ROOT, root);
                root
            }
        };
        let path = source.program.nodes.get(node.index()).map(|node| node.path.as_slice()).unwrap_or_default();
        for &step in path {
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
        let Some((_, step)) = source.program.nodes.get(node.index()).and_then(|node| node.step) else {
            return Ok(from);
        };
        let Some(buffer) = self.list.get(from.0 as usize).copied() else { return Ok(from) };
        let triggered = buffer.mask.intersects(&step.triggers()) || buffer.len == 0 && step.changes_empty();
        if !triggered {
            return Ok(from);
        }
        source.meter.charge(step.price().of(buffer.len))?;
        source.memory.admit(self.memory().saturating_add(step.max_output(buffer.len)))?;
        let context = Context { unicode_map: source.program.ruleset.settings.unicode_map.as_deref() };
        match step.apply(source.memory.get(buffer.slice), &mut self.out, &context) {
            Changed::No => Ok(from),
            Changed::Yes => {
                let kept = source.memory.keep(&self.out)?;
                self.add(kept, source)
            }
        }
    }

    /// Whether a pattern with this screen may match the buffer. Searches the buffer for all literals when first asked.
    pub(super) fn passes(
        &mut self,
        id: BufferId,
        screen: &Screen,
        literals: Option<&scan::Literals>,
        source: &mut Source<'_>,
    ) -> Result<bool, Exhausted> {
        let Some(buffer) = self.list.get(id.0 as usize).copied() else { return Ok(false) };
        if buffer.len < screen.min_len || !screen.any_of.iter().all(|set| set.intersects(&buffer.mask)) {
            return Ok(false);
        }
        let (crate::program::Need::All(_) | crate::program::Need::Any(_) | crate::program::Need::Literal(_)) =
            screen.need
        else {
            return Ok(true);
        };
        let Some(literals) = literals else { return Ok(true) };
        let words = source.program.literal_words();
        let start = match buffer.hits {
            Some(start) => start as usize,
            None => {
                let start = self.hits.len();
                source.memory.admit(self.memory().saturating_add(words * size_of::<u64>()))?;
                self.hits.resize(start + words, 0);
                let hits = self.hits.get_mut(start..).unwrap_or_default();
                literals.scan(source.memory.get(buffer.slice), hits, source.meter)?;
                if let Some(buffer) = self.list.get_mut(id.0 as usize) {
                    buffer.hits = Some(start as u32);
                }
                start
            }
        };
        Ok(screen.need.holds(self.hits.get(start..start + words).unwrap_or_default()))
    }

    fn row(&mut self, cell: Cell, nodes: usize) -> usize {
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
        let Some(place) = place else { return 0 };
        if *place == 0 {
            let next = self.rows.len() / nodes.max(1);
            self.rows.resize(self.rows.len() + nodes, 0);
            *place = next as u32 + 1;
        }
        (*place as usize - 1) * nodes
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
