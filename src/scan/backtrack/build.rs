//! From the tree to instructions, back to front: each piece is compiled with what follows it.
//!
//! A loop over something that can be empty ends with its first empty turn, as in PCRE2. Whether a turn is empty is not looked up
//! when it ends, which would make what an instruction leads to depend on more than the place. It is compiled in: what follows a
//! piece comes in two versions, for a turn that has read something and for one that has not ([`Next`]).

use std::collections::{BTreeSet, HashMap};

use super::notes::Notes;
use super::program::{Body, Kind, Op, Pc, Program};
use super::tree::Tree;
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
    let Builder { mut program, around, referenced, .. } = builder;
    Notes { program: &mut program, around: &around, referenced: &referenced }.take();
    Ok(program)
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
