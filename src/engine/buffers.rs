//! Values after transformation. Each pipeline node is computed once per value; an unchanged value shares its parent's
//! buffer, and with it the classification and the literals found.

use super::memory::{Memory, Slice};
use crate::byteset::ByteSet;
use crate::meter::{Exhausted, Meter, Price};
use crate::program::{Facts, LEVELS, Loaded, Need, NodeId, Program, Screen, level};
use crate::rule::{Phase, Variable};
use crate::scan;
use crate::transform::{Changed, Context};

/// Reading every byte once to see which values occur.
const CLASSIFY: Price = Price::new(32, 512);
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
    /// The buffer that has the same letters in another case, and so the same literals and windows.
    words_of: Option<BufferId>,
    /// The windows in it: the lower half of the bits first.
    windows: [u64; 2],
    /// Of which phase's sieve they are, counted from 1.
    windows_of: u8,
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

impl Cell {
    /// A number of its own, in which scalars come first.
    pub(super) fn place(self) -> usize {
        match self {
            Cell::Scalar(variable) => variable as usize,
            Cell::Value(at) => Variable::ALL.len() + 2 * at as usize,
            Cell::Name(at) => Variable::ALL.len() + 2 * at as usize + 1,
        }
    }

    /// The cell of that number.
    pub(super) fn at(place: usize) -> Cell {
        match (Variable::ALL.get(place), place.wrapping_sub(Variable::ALL.len()) as u32) {
            (Some(variable), _) => Cell::Scalar(*variable),
            (None, field) if field % 2 == 0 => Cell::Value(field / 2),
            (None, field) => Cell::Name(field / 2),
        }
    }
}

/// What is known of a cell. Most values come out of all pipelines as they went in: they have a buffer, and no row.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// The buffer of the untransformed value, counted from 1.
    root: u32,
    /// Which row of `rows` is its own, counted from 1.
    row: u32,
}

/// All buffers of one request.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    list: Vec<Buffer>,
    /// For each cell of a field, value and name: what is known of it.
    fields: Vec<[Known; 2]>,
    scalars: Vec<Known>,
    /// For each row and node: the buffer, counted from 1.
    rows: Vec<u32>,
    hits: Vec<u64>,
    /// Whether `hits` are the literals that the response's phases ask for.
    response: bool,
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
        self.fields.shrink_to(bytes / size_of::<[Known; 2]>());
        self.rows.shrink_to(bytes / size_of::<u32>());
        self.hits.shrink_to(bytes / size_of::<u64>());
        self.out.shrink_to(bytes);
    }

    /// A scalar has a new value.
    pub(super) fn forget(&mut self, variable: Variable) {
        if let Some(known) = self.scalars.get_mut(variable as usize) {
            *known = Known::default();
        }
    }

    /// From now on the literals of the response's phases are searched for, or those of the request's.
    pub(super) fn search(&mut self, response: bool) {
        if self.response != response {
            self.response = response;
            self.list.iter_mut().for_each(|buffer| buffer.hits = Hits::Unknown);
            self.hits.clear();
        }
    }

    /// Whether those of the response's phases are.
    pub(super) fn searches_response(&self) -> bool {
        self.response
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
            + self.fields.len() * size_of::<[Known; 2]>()
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
        self.list.push(Buffer {
            slice,
            len,
            mask,
            level,
            hits: Hits::Unknown,
            words_of: None,
            windows: [0; 2],
            windows_of: 0,
        });
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
        let known = self.cell(cell).copied().unwrap_or_default();
        let root = match known.root.checked_sub(1) {
            Some(root) => BufferId(root),
            None => {
                let root = self.add(slice, source)?;
                if let Some(place) = self.cell_mut(cell) {
                    place.root = root.0 + 1;
                }
                root
            }
        };
        if self.leaves_alone(root, node, source.program) {
            return Ok(root);
        }
        let Some(planned) = source.program.nodes.get(node.index()) else { return Ok(root) };
        let nodes = source.program.nodes.len();
        let row = match known.row.checked_sub(1) {
            Some(row) => row as usize * nodes,
            None => {
                self.admit(nodes * size_of::<u32>(), source.memory)?;
                self.new_row(cell, nodes)
            }
        };
        if let Some(known) = self.known(row, node) {
            return Ok(known);
        }
        let mut id = root;
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
                let made = self.add(kept, source)?;
                // Literals are found without regard to letter case.
                if step.keeps_words()
                    && let Some(place) = self.list.get_mut(made.0 as usize)
                {
                    place.words_of = Some(buffer.words_of.unwrap_or(from));
                }
                Ok(made)
            }
        }
    }

    /// What checks want to know of a buffer, and its level.
    #[inline]
    pub(super) fn facts(&self, id: BufferId) -> (Facts, usize) {
        self.list.get(id.0 as usize).map_or((Facts { len: 0, mask: ByteSet::EMPTY }, LEVELS), |buffer| {
            (Facts { len: buffer.len, mask: buffer.mask }, usize::from(buffer.level))
        })
    }

    /// The literals that occur in a buffer, as a bit set: searched for when first asked for. Empty without any.
    pub(super) fn hits(
        &mut self,
        id: BufferId,
        literals: Option<&scan::Literals>,
        source: &mut Source<'_>,
    ) -> Result<&[u64], Exhausted> {
        let id = self.list.get(id.0 as usize).and_then(|buffer| buffer.words_of).unwrap_or(id);
        let (Some(buffer), Some(literals)) = (self.list.get(id.0 as usize), literals) else { return Ok(&[]) };
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
        let Hits::At(start) = hits else { return Ok(&[]) };
        let start = start as usize;
        Ok(self.hits.get(start..start + words).unwrap_or_default())
    }

    /// The windows of a phase's sieve that stand in the buffer, as bits. Each buffer is searched once in each phase.
    pub(super) fn windows(
        &mut self,
        id: BufferId,
        phase: Phase,
        loaded: &Loaded,
        source: &mut Source<'_>,
    ) -> Result<u128, Exhausted> {
        let id = self.list.get(id.0 as usize).and_then(|buffer| buffer.words_of).unwrap_or(id);
        let Some(search) = loaded.windows(phase.index()) else { return Ok(u128::MAX) };
        let Some(buffer) = self.list.get_mut(id.0 as usize) else { return Ok(u128::MAX) };
        let number = phase.index() as u8 + 1;
        if buffer.windows_of != number {
            let found = search.scan(source.memory.get(buffer.slice), source.meter)?;
            (buffer.windows, buffer.windows_of) = ([found as u64, (found >> 64) as u64], number);
        }
        let [low, high] = buffer.windows;
        Ok(u128::from(low) | u128::from(high) << 64)
    }

    /// Whether a test with these screens may match the buffer.
    pub(super) fn passes(
        &mut self,
        id: BufferId,
        screens: &[Option<Screen>; LEVELS],
        literals: Option<&scan::Literals>,
        source: &mut Source<'_>,
    ) -> Result<bool, Exhausted> {
        let (facts, level) = self.facts(id);
        let Some(Some(screen)) = screens.get(level) else { return Ok(false) };
        if facts.len < screen.min_len || !screen.any_of.iter().all(|set| set.intersects(&facts.mask)) {
            return Ok(false);
        }
        Ok(screen.need == Need::Always || screen.need.holds(self.hits(id, literals, source)?))
    }

    /// What is known of a cell.
    fn cell(&self, cell: Cell) -> Option<&Known> {
        match cell {
            Cell::Value(at) => self.fields.get(at as usize).map(|[value, _]| value),
            Cell::Name(at) => self.fields.get(at as usize).map(|[_, name]| name),
            Cell::Scalar(variable) => self.scalars.get(variable as usize),
        }
    }

    /// The same, to write.
    fn cell_mut(&mut self, cell: Cell) -> Option<&mut Known> {
        match cell {
            Cell::Value(at) | Cell::Name(at) => {
                let at = at as usize;
                if self.fields.len() <= at {
                    self.fields.resize(at + 1, Default::default());
                }
                let [value, name] = self.fields.get_mut(at)?;
                Some(if matches!(cell, Cell::Name(_)) { name } else { value })
            }
            Cell::Scalar(variable) => {
                let at = variable as usize;
                if self.scalars.len() <= at {
                    self.scalars.resize(at + 1, Known::default());
                }
                self.scalars.get_mut(at)
            }
        }
    }

    /// Gives a cell a row; answers where it begins.
    fn new_row(&mut self, cell: Cell, nodes: usize) -> usize {
        let start = self.rows.len();
        if let Some(place) = self.cell_mut(cell) {
            place.row = (start / nodes.max(1)) as u32 + 1;
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
