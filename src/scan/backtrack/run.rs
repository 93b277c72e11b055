//! The matcher: one attempt after the other, with a stack of its own.

use super::memo::{Before, Memo};
use super::program::{Body, Kind, Note, Op, Pc, Program};
use super::tree::Look;
use crate::meter::{Exhausted, Meter, Scope};
use crate::scan::cursor::{Groups, Step};
use crate::scan::{fuel, look::Side};

/// No place: of a group that has captured nothing.
const UNSET: u32 = u32::MAX;

/// What is done when something fails, the last first.
#[derive(Debug, Clone, Copy)]
enum Frame {
    /// Goes on there.
    Branch { pc: Pc, at: u32 },
    /// Puts the old value back.
    Restore { slot: u32, value: u32 },
    /// A body was entered at `at`; `outer` is the fence of the body around it.
    Fence { body: u32, at: u32, outer: u32 },
    /// An instruction inside a body was marked as tried at `at`.
    Mark { pc: Pc, at: u32 },
}

/// The memory of a matcher, and where it stands.
#[derive(Debug, Default)]
pub(crate) struct Thread {
    stack: Vec<Frame>,
    /// Where each kept group began last; then start and end of what it has captured.
    slots: Vec<u32>,
    memo: Memo,
    /// Bytes that may be held at all, if somebody has said so.
    room: Option<usize>,
    /// Bytes of the table.
    table: usize,
    /// Where this attempt began.
    start: usize,
    pc: Pc,
    at: usize,
    /// The innermost body's frame in the stack; `UNSET` outside.
    fence: u32,
    /// Steps that are paid for.
    credit: u64,
    /// An attempt is under way.
    running: bool,
}

impl Thread {
    /// Bytes held.
    pub(crate) fn memory(&self) -> usize {
        self.stack.capacity() * size_of::<Frame>() + self.slots.capacity() * size_of::<u32>() + self.memo.memory()
    }

    /// Bytes that may be held at all.
    pub(crate) fn admit(&mut self, bytes: usize) {
        self.room = Some(bytes);
    }

    /// Gives memory back that an ordinary search does not need.
    pub(crate) fn rest(&mut self) {
        self.shrink(super::KEPT);
    }

    /// Gives memory back that is above `bytes`.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        self.memo.shrink(bytes);
        if self.stack.capacity() * size_of::<Frame>() > bytes {
            self.stack = Vec::new();
        }
    }
}

/// What comes after an instruction.
enum Go {
    On,
    /// The instruction has failed.
    Back,
    /// The whole pattern has matched.
    Found,
}

/// One call of the matcher.
pub(super) struct Matcher<'a> {
    pub(super) program: &'a Program,
    pub(super) thread: &'a mut Thread,
    pub(super) haystack: &'a [u8],
    /// The largest stack that the pattern may have, in frames.
    most: usize,
    /// The largest that the request has memory for as well.
    frames: usize,
}

/// A stack that grows is there twice, once at double its size.
const GROWING: usize = 3;

impl<'a> Matcher<'a> {
    /// A call with a stack of at most `bytes`.
    pub(super) fn new(program: &'a Program, thread: &'a mut Thread, haystack: &'a [u8], bytes: usize) -> Matcher<'a> {
        let most = bytes / size_of::<Frame>();
        let mut matcher = Matcher { program, thread, haystack, most, frames: most };
        matcher.divide();
        matcher
    }

    /// What the table leaves of the request's memory is for the stack. Nothing here looks at what happens to be allocated: that
    /// depends on the requests before.
    fn divide(&mut self) {
        let room = self.thread.room.map(|room| room.saturating_sub(self.thread.table) / size_of::<Frame>() / GROWING);
        self.frames = room.map_or(self.most, |room| self.most.min(room));
    }

    /// Begins at `start`, with a table of at most `bytes`.
    pub(super) fn begin(&mut self, start: usize, bytes: usize, meter: &mut Meter) -> Result<(), Exhausted> {
        let base = start.saturating_sub(self.program.reach);
        let places = (self.haystack.len() + 1).saturating_sub(base);
        let size = Memo::bytes(self.program, places);
        let places = if size > bytes || size == 0 { 0 } else { places };
        // Not without the table instead: the price counts on it.
        self.thread.table = if places > 0 { size } else { 0 };
        self.divide();
        if places > 0 && self.thread.room.is_some_and(|room| size > room) {
            return Err(Exhausted { scope: Scope::Memory });
        }
        if places > 0 {
            meter.charge_rule(size as u64 / fuel::CLEARED_BYTES)?;
        }
        let thread = &mut *self.thread;
        thread.memo.begin(self.program, base, places);
        thread.slots.clear();
        thread.slots.resize(3 * self.program.groups.len(), UNSET);
        thread.stack.clear();
        thread.start = start;
        thread.credit = 0;
        thread.running = false;
        Ok(())
    }

    /// Goes on for about `quantum` fuel.
    pub(super) fn run(&mut self, groups: &mut Groups, quantum: u64, meter: &mut Meter) -> Result<Step, Exhausted> {
        let begun = meter.spent();
        loop {
            if self.thread.credit == 0 {
                if meter.spent() - begun >= quantum.max(1) {
                    return Ok(Step::Pending);
                }
                meter.charge_rule(fuel::STEPS * fuel::BACKTRACK)?;
                self.thread.credit = fuel::STEPS;
            }
            self.thread.credit -= 1;
            if !self.thread.running {
                self.attempt();
            }
            let go = match self.step(meter)? {
                Go::Back => self.fail(),
                go => go,
            };
            match go {
                Go::On => {}
                Go::Found => {
                    self.capture(groups);
                    return Ok(Step::Done(Some(self.thread.start)));
                }
                Go::Back => {
                    self.thread.running = false;
                    if self.program.anchored || self.thread.start >= self.haystack.len() {
                        return Ok(Step::Done(None));
                    }
                    self.thread.start += 1;
                }
            }
        }
    }

    /// Begins an attempt. All that the one before it has captured has been put back.
    fn attempt(&mut self) {
        let thread = &mut *self.thread;
        (thread.pc, thread.at, thread.fence) = (self.program.entry, thread.start, UNSET);
        thread.stack.clear();
        thread.running = true;
    }

    /// Pays for `steps` more, which an instruction takes by itself.
    fn pay(&mut self, steps: u64, meter: &mut Meter) -> Result<(), Exhausted> {
        while self.thread.credit < steps {
            meter.charge_rule(fuel::STEPS * fuel::BACKTRACK)?;
            self.thread.credit += fuel::STEPS;
        }
        self.thread.credit -= steps;
        Ok(())
    }

    fn push(&mut self, frame: Frame) -> Result<(), Exhausted> {
        let len = self.thread.stack.len();
        if len >= self.frames {
            let scope = if len < self.most { Scope::Memory } else { Scope::Rule };
            return Err(Exhausted { scope });
        }
        self.thread.stack.push(frame);
        Ok(())
    }

    /// One instruction.
    fn step(&mut self, meter: &mut Meter) -> Result<Go, Exhausted> {
        let (pc, at) = (self.thread.pc, self.thread.at);
        let note = self.program.note(pc);
        if note != Note::None {
            match self.thread.memo.enter(note, at) {
                Before::Failed => return Ok(Go::Back),
                Before::Matched(end) => {
                    self.thread.at = end.map_or(at, |end| end as usize);
                    return self.leave(meter);
                }
                Before::New if matches!(note, Note::Tried { .. }) => {}
                Before::New => self.push(Frame::Mark { pc, at: at as u32 })?,
            }
        }
        let byte = self.haystack.get(at).copied();
        let read = match self.program.op(pc) {
            Op::Byte { byte: wanted, next } => (byte == Some(wanted)).then_some((next, at + 1)),
            Op::Set { set, next } => {
                byte.is_some_and(|byte| self.program.contains(set, byte)).then_some((next, at + 1))
            }
            Op::Look { look, next } => self.holds(look, at).then_some((next, at)),
            Op::Split { first, second } => {
                self.push(Frame::Branch { pc: second, at: at as u32 })?;
                Some((first, at))
            }
            Op::Open { group, next } => {
                self.assign(3 * group, at as u32)?;
                Some((next, at))
            }
            Op::Close { group, next } => {
                let opened = self.slot(3 * group);
                self.assign(3 * group + 1, opened)?;
                self.assign(3 * group + 2, at as u32)?;
                Some((next, at))
            }
            Op::Reference { group, fold, same, moved } => match self.repeated(group, fold, meter)? {
                Some(0) => Some((same, at)),
                Some(len) => Some((moved, at + len)),
                None => None,
            },
            Op::Back { by, next } => at.checked_sub(by as usize).map(|at| (next, at)),
            Op::Enter { body: id } => {
                let Some(body) = self.program.body(id) else { return Ok(Go::Back) };
                let outer = std::mem::replace(&mut self.thread.fence, self.thread.stack.len() as u32);
                self.push(Frame::Fence { body: id, at: at as u32, outer })?;
                Some((body.entry, at))
            }
            Op::Leave => return self.leave(meter),
            Op::Match => return Ok(Go::Found),
            Op::Fail => None,
        };
        let Some((pc, at)) = read else { return Ok(Go::Back) };
        (self.thread.pc, self.thread.at) = (pc, at);
        Ok(Go::On)
    }

    /// Goes back to the last choice; `Go::Back` if there is none left.
    fn fail(&mut self) -> Go {
        while let Some(frame) = self.thread.stack.pop() {
            match frame {
                Frame::Branch { pc, at } => {
                    (self.thread.pc, self.thread.at) = (pc, at as usize);
                    return Go::On;
                }
                Frame::Restore { slot, value } => self.restore(slot, value),
                Frame::Mark { .. } => {}
                Frame::Fence { body, at, outer } => {
                    self.thread.fence = outer;
                    if let Some(Body { kind: Kind::Negative, same, .. }) = self.program.body(body) {
                        (self.thread.pc, self.thread.at) = (same, at as usize);
                        return Go::On;
                    }
                }
            }
        }
        Go::Back
    }

    /// The innermost body has matched, up to the present place: what else could be tried inside is dropped.
    fn leave(&mut self, meter: &mut Meter) -> Result<Go, Exhausted> {
        let fence = self.thread.fence as usize;
        let Some(&Frame::Fence { body, at: entered, outer }) = self.thread.stack.get(fence) else {
            return Ok(Go::Back);
        };
        let Some(body) = self.program.body(body) else { return Ok(Go::Back) };
        if body.captures || self.program.references {
            // Frames that stay may be looked at again when the body around is left.
            self.pay((self.thread.stack.len() - fence) as u64 / 4, meter)?;
        }
        let end = self.thread.at as u32;
        self.thread.fence = outer;
        if body.kind == Kind::Negative {
            while self.thread.stack.len() > fence {
                match self.thread.stack.pop() {
                    Some(Frame::Mark { pc, at }) => {
                        self.thread.memo.matched(self.program.note(pc), at as usize, end);
                    }
                    Some(Frame::Restore { slot, value }) => self.restore(slot, value),
                    _ => {}
                }
            }
            return Ok(Go::Back);
        }
        let mut kept = fence;
        for index in fence + 1..self.thread.stack.len() {
            match self.thread.stack.get(index).copied() {
                Some(Frame::Mark { pc, at }) => {
                    self.thread.memo.matched(self.program.note(pc), at as usize, end);
                }
                Some(frame @ Frame::Restore { .. }) => {
                    if let Some(place) = self.thread.stack.get_mut(kept) {
                        *place = frame;
                        kept += 1;
                    }
                }
                _ => {}
            }
        }
        self.thread.stack.truncate(kept);
        if body.kind == Kind::Positive {
            self.thread.at = entered as usize;
        }
        self.thread.pc = if self.thread.at == entered as usize { body.same } else { body.moved };
        Ok(Go::On)
    }

    // ---- groups ----------------------------------------------------------------------------------------------------------

    fn slot(&self, slot: u32) -> u32 {
        self.thread.slots.get(slot as usize).copied().unwrap_or(UNSET)
    }

    fn restore(&mut self, slot: u32, value: u32) {
        if let Some(place) = self.thread.slots.get_mut(slot as usize) {
            *place = value;
        }
    }

    fn assign(&mut self, slot: u32, value: u32) -> Result<(), Exhausted> {
        self.push(Frame::Restore { slot, value: self.slot(slot) })?;
        self.restore(slot, value);
        Ok(())
    }

    /// The text that a group has captured.
    fn captured(&self, group: u32) -> Option<(usize, usize)> {
        let (start, end) = (self.slot(3 * group + 1), self.slot(3 * group + 2));
        (start != UNSET && end != UNSET).then_some((start as usize, end as usize))
    }

    /// The length of what a group has captured, if the same text stands here.
    fn repeated(&mut self, group: u32, fold: bool, meter: &mut Meter) -> Result<Option<usize>, Exhausted> {
        let Some((start, end)) = self.captured(group) else { return Ok(None) };
        let len = end.saturating_sub(start);
        self.pay(len as u64 / 4, meter)?;
        let text = self.haystack.get(start..end).unwrap_or_default();
        let here = self.haystack.get(self.thread.at..).and_then(|rest| rest.get(..len));
        let same = here.is_some_and(|here| if fold { here.eq_ignore_ascii_case(text) } else { here == text });
        Ok(same.then_some(len))
    }

    /// Hands the groups out.
    fn capture(&self, groups: &mut Groups) {
        *groups = Groups::default();
        groups.set(0, self.thread.start, self.thread.at);
        for (group, &number) in (0..).zip(&self.program.groups) {
            if let Some((start, end)) = self.captured(group) {
                groups.set(number as usize, start, end);
            }
        }
    }

    /// Whether a condition holds, as in PCRE2.
    fn holds(&self, look: Look, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|at| self.haystack.get(at)).copied();
        let after = self.haystack.get(at).copied();
        let word = |byte| Side::of(byte) == Side::Word;
        match look {
            Look::Start => at == 0,
            Look::End => after.is_none(),
            Look::EndOrNewline => after.is_none() || after == Some(b'\n') && at + 1 == self.haystack.len(),
            Look::LineStart => at == 0 || before == Some(b'\n') && after.is_some(),
            Look::LineEnd => after.is_none() || after == Some(b'\n'),
            Look::Word => word(before) != word(after),
            Look::NotWord => word(before) == word(after),
            Look::WordStart => !word(before) && word(after),
            Look::WordEnd => word(before) && !word(after),
        }
    }
}
