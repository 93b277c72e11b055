//! Which instructions are remembered.
//!
//! Only those that several ways lead to: what follows another has been tried exactly when that other has. And only those whose
//! outcome is the same whenever they come up again at the same place, which back-references spoil between a group and them.

use std::collections::BTreeSet;

use super::program::{Body, Kind, Note, Op, Pc, Program};
use super::tree::Look;

/// A program whose instructions are complete.
pub(super) struct Notes<'p> {
    pub(super) program: &'p mut Program,
    /// The body around each instruction.
    pub(super) around: &'p [Option<u32>],
    /// The groups that references name.
    pub(super) referenced: &'p BTreeSet<u32>,
}

impl Notes<'_> {
    /// Decides for each instruction what is remembered of it, and adds up what that takes.
    pub(super) fn take(self) {
        let ways = self.ways();
        let varies = self.varies();
        let program = self.program;
        let (mut bits, mut ends) = (0u32, 0u32);
        for (((op, around), ways), varies) in program.ops.iter().zip(self.around).zip(&ways).zip(&varies) {
            program.steps += u64::from(*ways);
            let body = around.and_then(|id| program.bodies.get(id as usize));
            let bit = bits;
            let note = match (op, body) {
                (Op::Leave | Op::Match | Op::Fail, _) => Note::None,
                _ if *ways < 2 || *varies => Note::None,
                // Drills D1, D21.
                _ if cfg!(fusewall_without = "linear") => Note::None,
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
        for (pc, (op, around)) in (0..).zip(self.program.ops.iter().zip(self.around)) {
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
