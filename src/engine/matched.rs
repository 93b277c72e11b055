//! MATCHED_VAR and its plural: what the rule that runs has matched so far.

use super::buffers::{BufferId, Buffers};
use super::memory::{Memory, Slice};
use crate::meter::Exhausted;
use crate::rule::Variable;

/// One match.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match {
    pub(super) variable: Variable,
    /// Name of the member; `None` for scalars.
    pub(super) member: Option<Slice>,
    /// The value that matched, after transformation.
    pub(super) value: Slice,
}

/// The matches of the current chain, and the last match of all.
#[derive(Debug, Default)]
pub(super) struct Matched {
    list: Vec<Match>,
    /// There were more than the list may hold.
    cut: bool,
    last: Option<Match>,
}

impl Matched {
    pub(super) fn clear(&mut self) {
        self.enter_rule();
        self.last = None;
    }

    /// A new rule head: the plural variables start afresh.
    pub(super) fn enter_rule(&mut self) {
        self.list.clear();
        self.cut = false;
    }

    pub(super) fn push(
        &mut self,
        variable: Variable,
        member: Option<Slice>,
        value: BufferId,
        buffers: &Buffers,
        limit: usize,
    ) {
        let found = Match { variable, member, value: buffers.slice(value) };
        self.last = Some(found);
        if self.list.len() < limit {
            self.list.push(found);
        } else {
            self.cut = true;
        }
    }

    /// Whether the list lacks some of the matches.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    pub(super) fn list(&self) -> &[Match] {
        &self.list
    }

    pub(super) fn last(&self) -> Option<Match> {
        self.last
    }

    /// The work arena is about to be emptied: keeps what the last match needs of it. Called between rules only.
    pub(super) fn rescue(&mut self, memory: &mut Memory) -> Result<(), Exhausted> {
        self.list.clear();
        let Some(last) = self.last.as_mut() else {
            memory.work.clear();
            return Ok(());
        };
        let value = memory.get(last.value).to_vec();
        let member = last.member.map(|member| memory.get(member).to_vec());
        memory.work.clear();
        if matches!(last.value, Slice::Work { .. }) {
            last.value = memory.keep(&value)?;
        }
        if let (Some(Slice::Work { .. }), Some(member)) = (last.member, member) {
            last.member = Some(memory.keep(&member)?);
        }
        Ok(())
    }
}

/// `VARIABLE:member`, or just the variable.
pub(super) fn full_name(found: &Match, memory: &Memory, out: &mut Vec<u8>) {
    out.extend_from_slice(display_name(found.variable).as_bytes());
    if let Some(member) = found.member {
        out.push(b':');
        out.extend_from_slice(memory.get(member));
    }
}

/// The name under which a variable is logged.
pub(super) fn display_name(variable: Variable) -> &'static str {
    match variable {
        Variable::XmlAttributes => "XML",
        other => other.name(),
    }
}
