//! From the tree to instructions, back to front: each piece is compiled with what follows it.
//!
//! A loop over something that can be empty ends with its first empty turn, as in PCRE2. Whether a turn is empty is not looked up
//! when it ends, which would make what an instruction leads to depend on more than the place. It is compiled in: what follows a
//! piece comes in two versions, for a turn that has read something and for one that has not ([`Next`]).

use std::collections::{BTreeSet, HashMap};

use super::program::{Body, Kind, Note, Op, Pc, Program};
use super::tree::{Look, Tree};
use crate::byteset::ByteSet;
use crate::meter::{Exhausted, Meter};

/// Pieces of the tree that are paid for together, copies of repeats counted.
const PIECES: u64 = 16;
/// Fuel for them: about what compiling them takes.
pub(super) const BLOCK: u64 = 128 * PIECES;

/// Why there is no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It would have too many instructions.
    TooLarge,
    /// The budget is spent.
    Exhausted(Exhausted),
}

impl From<Exhausted> for Stop {
    fn from(exhausted: Exhausted) -> Self {
        Stop::Exhausted(exhausted)
    }
}

/// What follows a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Next {
    /// If nothing was read since the innermost turn began that can be empty.
    same: Pc,
    /// If something was.
    moved: Pc,
}

impl Next {
    fn both(pc: Pc) -> Next {
        Next { same: pc, moved: pc }
    }

    fn differs(self) -> bool {
        self.same != self.moved
    }
}

/// Where a piece stands.
#[derive(Debug, Clone, Copy)]
struct Context {
    /// The body around it, if any.
    body: Option<u32>,
    /// Its groups are forgotten: it stands in a negative look-around.
    forgets: bool,
    /// How far look-behinds around it have gone back.
    back: u32,
}

struct Builder<'m> {
    program: Program,
    /// The body around each instruction.
    around: Vec<Option<u32>>,
    /// Groups whose text is asked for while matching.
    referenced: BTreeSet<u32>,
    /// Pieces made of others that are compiled, with what follows them: in loops inside loops the same comes up again and again.
    known: HashMap<(*const Tree, Next), Pc>,
    /// The same for loops, which depend only on what follows a turn that has read something.
    loops: HashMap<(*const Tree, bool, Pc), (Pc, Pc)>,
    most: usize,
    pieces: u64,
    /// Groups compiled so far.
    captures: usize,
    meter: &'m mut Meter,
}

/// Compiles a tree into at most `most` instructions. Groups that no reference asks for are kept up to number `groups`.
pub(super) fn build(tree: &Tree, groups: u32, most: usize, meter: &mut Meter) -> Result<Program, Stop> {
    let mut numbers = BTreeSet::new();
    let mut referenced = BTreeSet::new();
    collect(tree, &mut numbers, &mut referenced);
    numbers.retain(|number| *number <= groups || referenced.contains(number));
    let program =
        Program { groups: numbers.into_iter().collect(), references: !referenced.is_empty(), ..Program::default() };
    let mut builder = Builder {
        program,
        around: Vec::new(),
        referenced,
        known: HashMap::new(),
        loops: HashMap::new(),
        most,
        pieces: 0,
        captures: 0,
        meter,
    };
    let top = Context { body: None, forgets: false, back: 0 };
    let end = builder.push(Op::Match, top)?;
    builder.program.entry = builder.compile(tree, Next::both(end), top)?;
    Ok(builder.finish())
}

/// Numbers of the groups in a tree, and of those that references name.
fn collect(tree: &Tree, groups: &mut BTreeSet<u32>, referenced: &mut BTreeSet<u32>) {
    match tree {
        Tree::Empty | Tree::Byte(_) | Tree::Set(_) | Tree::Look(_) => {}
        Tree::Reference { group, .. } => {
            referenced.insert(*group);
        }
        Tree::Capture { index, tree } => {
            groups.insert(*index);
            collect(tree, groups, referenced);
        }
        Tree::Repeat { tree, .. } | Tree::Around { tree, .. } | Tree::Atomic(tree) => {
            collect(tree, groups, referenced);
        }
        Tree::Concat(trees) | Tree::Alternate(trees) => {
            trees.iter().for_each(|tree| collect(tree, groups, referenced));
        }
    }
}

impl Builder<'_> {
    fn push(&mut self, op: Op, context: Context) -> Result<Pc, Stop> {
        let pc = self.program.ops.len();
        if pc >= self.most {
            return Err(Stop::TooLarge);
        }
        self.program.ops.push(op);
        self.around.push(context.body);
        Ok(pc as Pc)
    }

    fn set(&mut self, set: ByteSet) -> u32 {
        let known = self.program.sets.iter().position(|other| *other == set);
        known.unwrap_or_else(|| {
            self.program.sets.push(set);
            self.program.sets.len() - 1
        }) as u32
    }

    /// The place of a group that is kept.
    fn group(&self, number: u32) -> Option<u32> {
        self.program.groups.binary_search(&number).ok().map(|at| at as u32)
    }

    /// Compiles a piece; answers where it begins. Recursive: whoever makes the tree bounds its depth.
    fn compile(&mut self, tree: &Tree, next: Next, context: Context) -> Result<Pc, Stop> {
        if self.pieces.is_multiple_of(PIECES) {
            self.meter.charge_rule(BLOCK)?;
        }
        self.pieces += 1;
        if self.pieces > 4 * self.most as u64 {
            // Repeats of nothing make no instructions, but they take their time.
            return Err(Stop::TooLarge);
        }
        match tree {
            Tree::Empty => Ok(next.same),
            Tree::Byte(byte) => self.push(Op::Byte { byte: *byte, next: next.moved }, context),
            Tree::Set(set) => {
                let set = self.set(*set);
                self.push(Op::Set { set, next: next.moved }, context)
            }
            Tree::Look(look) => self.push(Op::Look { look: *look, next: next.same }, context),
            Tree::Reference { group, fold } => match self.group(*group) {
                Some(group) => {
                    self.push(Op::Reference { group, fold: *fold, same: next.same, moved: next.moved }, context)
                }
                None => self.push(Op::Fail, context),
            },
            composed => {
                let key = (std::ptr::from_ref(composed), next);
                if let Some(&known) = self.known.get(&key) {
                    return Ok(known);
                }
                let pc = self.composed(composed, next, context)?;
                self.known.insert(key, pc);
                Ok(pc)
            }
        }
    }

    /// Compiles a piece that is made of others. What follows it names its context, too: each body ends in an instruction of its own.
    fn composed(&mut self, tree: &Tree, next: Next, context: Context) -> Result<Pc, Stop> {
        match tree {
            Tree::Capture { index, tree } => self.capture(*index, tree, next, context),
            Tree::Repeat { tree, min, max, greedy, nullable } => {
                let turn = Turn { tree, greedy: *greedy, nullable: *nullable };
                self.repeat(turn, *min, *max, next, context)
            }
            Tree::Concat(trees) => {
                let mut next = next;
                for tree in trees.iter().rev() {
                    let moved = self.compile(tree, Next::both(next.moved), context)?;
                    let same = if next.differs() { self.compile(tree, next, context)? } else { moved };
                    next = Next { same, moved };
                }
                Ok(next.same)
            }
            Tree::Alternate(trees) => {
                let mut branches = trees.iter().rev();
                let Some(last) = branches.next() else { return self.push(Op::Fail, context) };
                let mut rest = self.compile(last, next, context)?;
                for branch in branches {
                    let first = self.compile(branch, next, context)?;
                    rest = self.push(Op::Split { first, second: rest }, context)?;
                }
                Ok(rest)
            }
            Tree::Around { behind, negative, tree } => {
                let kind = if *negative { Kind::Negative } else { Kind::Positive };
                self.body(kind, *behind, tree, Next::both(next.same), context)
            }
            Tree::Atomic(tree) => self.body(Kind::Atomic, false, tree, next, context),
            Tree::Empty | Tree::Byte(_) | Tree::Set(_) | Tree::Look(_) | Tree::Reference { .. } => Ok(next.same),
        }
    }

    fn capture(&mut self, index: u32, tree: &Tree, next: Next, context: Context) -> Result<Pc, Stop> {
        let kept = self.group(index).filter(|_| !context.forgets || self.referenced.contains(&index));
        let Some(group) = kept else { return self.compile(tree, next, context) };
        self.captures += 1;
        let moved = self.push(Op::Close { group, next: next.moved }, context)?;
        let same = if next.differs() { self.push(Op::Close { group, next: next.same }, context)? } else { moved };
        let inner = self.compile(tree, Next { same, moved }, context)?;
        self.push(Op::Open { group, next: inner }, context)
    }

    fn repeat(&mut self, turn: Turn<'_>, min: u32, max: Option<u32>, next: Next, context: Context) -> Result<Pc, Stop> {
        let mut copies = min;
        let mut rest = next;
        if let Some(max) = max {
            for _ in min..max {
                let again = self.turn(turn, rest, context)?;
                let op = split(turn.greedy, again.moved, next.moved);
                let moved = self.push(op, context)?;
                let same = if next.differs() {
                    let op = split(turn.greedy, again.same, next.same);
                    self.push(op, context)?
                } else {
                    moved
                };
                rest = Next { same, moved };
            }
        } else {
            let (again, moved) = self.endless(turn, next.moved, context)?;
            let same = if turn.nullable && next.differs() {
                self.compile(turn.tree, Next { same: next.same, moved: again }, context)?
            } else {
                moved
            };
            rest = Next { same, moved };
            match min.checked_sub(1) {
                Some(before) => copies = before,
                None if next.differs() => {
                    let op = split(turn.greedy, same, next.same);
                    return self.push(op, context);
                }
                None => return Ok(again),
            }
        }
        for _ in 0..copies {
            rest = self.turn(turn, rest, context)?;
        }
        Ok(rest.same)
    }

    /// A loop without a last turn, and `out` behind it: the choice between another turn and none, and where a turn begins.
    fn endless(&mut self, turn: Turn<'_>, out: Pc, context: Context) -> Result<(Pc, Pc), Stop> {
        let key = (std::ptr::from_ref(turn.tree), turn.greedy, out);
        if let Some(&known) = self.loops.get(&key) {
            return Ok(known);
        }
        let again = self.push(Op::Fail, context)?;
        let same = if turn.nullable { out } else { again };
        let moved = self.compile(turn.tree, Next { same, moved: again }, context)?;
        let op = split(turn.greedy, moved, out);
        if let Some(place) = self.program.ops.get_mut(again as usize) {
            *place = op;
        }
        self.loops.insert(key, (again, moved));
        Ok((again, moved))
    }

    /// One turn of a counted repeat: where it begins, for either case of what was before.
    fn turn(&mut self, turn: Turn<'_>, next: Next, context: Context) -> Result<Next, Stop> {
        let moved = self.compile(turn.tree, Next::both(next.moved), context)?;
        let same = if turn.nullable && next.differs() { self.compile(turn.tree, next, context)? } else { moved };
        Ok(Next { same, moved })
    }

    fn body(&mut self, kind: Kind, behind: bool, tree: &Tree, next: Next, context: Context) -> Result<Pc, Stop> {
        let id = self.program.bodies.len() as u32;
        self.program.bodies.push(Body { kind, entry: 0, same: next.same, moved: next.moved, captures: false });
        let before = self.captures;
        let forgets = context.forgets || kind == Kind::Negative;
        let inner = Context { body: Some(id), forgets, back: context.back };
        let leave = Next::both(self.push(Op::Leave, inner)?);
        let mut entry = None;
        for branch in if behind { tree.branches() } else { std::slice::from_ref(tree) }.iter().rev() {
            let by = if behind { branch.fixed_length().unwrap_or(0) } else { 0 };
            let back = inner.back.saturating_add(by);
            self.program.reach = self.program.reach.max(back as usize);
            let mut first = self.compile(branch, leave, Context { back, ..inner })?;
            if by > 0 {
                first = self.push(Op::Back { by, next: first }, inner)?;
            }
            entry = Some(match entry {
                None => first,
                Some(second) => self.push(Op::Split { first, second }, inner)?,
            });
        }
        let captures = self.captures > before;
        if let (Some(body), Some(entry)) = (self.program.bodies.get_mut(id as usize), entry) {
            (body.entry, body.captures) = (entry, captures);
        }
        self.push(Op::Enter { body: id }, context)
    }

    /// Finds the instructions that several ways lead to.
    fn finish(mut self) -> Program {
        let ways = self.ways();
        let varies = self.varies();
        let program = &mut self.program;
        let (mut bits, mut ends) = (0u32, 0u32);
        for (((op, around), ways), varies) in program.ops.iter().zip(&self.around).zip(&ways).zip(&varies) {
            program.steps += u64::from(*ways);
            let body = around.and_then(|id| program.bodies.get(id as usize));
            let bit = bits;
            let note = match (op, body) {
                (Op::Leave | Op::Match | Op::Fail, _) => Note::None,
                _ if *ways < 2 || *varies => Note::None,
                (_, None) => Note::Tried { bit },
                (_, Some(body)) if body.captures => Note::Failed { bit },
                (_, Some(body)) if body.kind == Kind::Atomic => Note::Ends { bit, end: ends },
                _ => Note::Holds { bit },
            };
            bits += match note {
                Note::None => 0,
                Note::Holds { .. } => 2,
                Note::Tried { .. } | Note::Failed { .. } | Note::Ends { .. } => 1,
            };
            ends += u32::from(matches!(note, Note::Ends { .. }));
            program.notes.push(note);
        }
        (program.bits, program.ends) = (bits as usize, ends as usize);
        let mut first = program.entry;
        while let Op::Open { next, .. } = program.op(first) {
            first = next;
        }
        program.anchored = matches!(program.op(first), Op::Look { look: Look::Start, .. });
        self.program
    }

    /// How many ways lead to each instruction, as far as it can be reached.
    fn ways(&self) -> Vec<u32> {
        let mut ways = vec![0u32; self.program.ops.len()];
        let mut waiting = vec![self.program.entry];
        while let Some(pc) = waiting.pop() {
            let Some(count) = ways.get_mut(pc as usize) else { continue };
            *count = count.saturating_add(1);
            if *count > 1 {
                continue;
            }
            waiting.extend(self.after(pc).into_iter().flatten());
            if let Op::Enter { body } = self.program.op(pc)
                && let Some(Body { kind: Kind::Atomic, same, moved, .. }) = self.program.body(body)
            {
                // Attempts from different places may end at the same.
                waiting.extend([same, moved]);
            }
        }
        ways
    }

    /// What may follow an instruction, apart from the end of a body.
    fn after(&self, pc: Pc) -> [Option<Pc>; 3] {
        match self.program.op(pc) {
            Op::Byte { next, .. }
            | Op::Set { next, .. }
            | Op::Look { next, .. }
            | Op::Open { next, .. }
            | Op::Close { next, .. }
            | Op::Back { next, .. } => [Some(next), None, None],
            Op::Split { first: one, second: other } | Op::Reference { same: one, moved: other, .. } => {
                [Some(one), Some(other), None]
            }
            Op::Enter { body } => match self.program.body(body) {
                Some(body) => [Some(body.entry), Some(body.same), (body.kind == Kind::Atomic).then_some(body.moved)],
                None => [None; 3],
            },
            Op::Leave | Op::Match | Op::Fail => [None; 3],
        }
    }

    /// Which instructions may end in another way when they come up again at the same place: those that a group which a reference
    /// names may stand before, and a reference behind.
    fn varies(&self) -> Vec<bool> {
        let mut varies = vec![false; self.program.ops.len()];
        if !self.program.references {
            return varies;
        }
        let (mut begin, mut end) = (Vec::new(), Vec::new());
        let mut before = vec![Vec::new(); self.program.ops.len()];
        let mut behind = vec![Vec::new(); self.program.ops.len()];
        for (pc, (op, around)) in (0..).zip(self.program.ops.iter().zip(&self.around)) {
            match *op {
                Op::Open { group, .. } => {
                    let number = self.program.groups.get(group as usize);
                    begin.extend(number.filter(|number| self.referenced.contains(number)).map(|_| pc));
                }
                Op::Reference { .. } => end.push(pc),
                _ => {}
            }
            let left = match (op, around.and_then(|body| self.program.body(body))) {
                (Op::Leave, Some(body)) => [Some(body.same), Some(body.moved)],
                _ => [None, None],
            };
            for next in self.after(pc).into_iter().chain(left).flatten() {
                if let (Some(before), Some(behind)) = (before.get_mut(next as usize), behind.get_mut(pc as usize)) {
                    before.push(pc);
                    behind.push(next);
                }
            }
        }
        let (behind, before) = (reached(begin, &behind), reached(end, &before));
        varies.iter_mut().zip(behind.iter().zip(before)).for_each(|(varies, (one, other))| *varies = *one && other);
        varies
    }
}

/// What can be reached from the places in `waiting`, themselves included.
fn reached(mut waiting: Vec<Pc>, edges: &[Vec<Pc>]) -> Vec<bool> {
    let mut reached = vec![false; edges.len()];
    while let Some(pc) = waiting.pop() {
        match reached.get_mut(pc as usize) {
            Some(place) if !*place => *place = true,
            _ => continue,
        }
        waiting.extend(edges.get(pc as usize).into_iter().flatten());
    }
    reached
}

/// The choice between a turn and none.
fn split(greedy: bool, turn: Pc, out: Pc) -> Op {
    if greedy { Op::Split { first: turn, second: out } } else { Op::Split { first: out, second: turn } }
}

/// What a quantifier repeats.
#[derive(Debug, Clone, Copy)]
struct Turn<'t> {
    tree: &'t Tree,
    greedy: bool,
    nullable: bool,
}
