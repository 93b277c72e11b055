//! What an evaluation did, step by step: `explain --request` prints it, tests observe the engine by it. Nothing is noted
//! unless somebody has asked for it, and what is noted costs no fuel: it is no part of the verdict.

use super::buffers::BufferId;
use super::matched::{Match, full_name};
use super::operator::Captured;
use super::scratch::Scratch;
use super::selection::{Item, ItemValue};
use crate::program::{NodeId, Program, RuleIx, Source, Which};
use crate::rule::{Phase, Variable};
use crate::scan::Groups;
use crate::transform::{Changed, Context, Transformation};

/// One step of an evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The rules of a phase begin.
    Phase(Phase),
    /// `allow` has let this phase pass.
    PhaseAllowed(Phase),
    /// A link of a rule begins; the head is link 0.
    Link {
        /// The rule.
        rule: RuleIx,
        /// The link.
        link: usize,
    },
    /// A rule is left out: a `ctl` has removed it, or a rule before it jumps over it or ends the phase.
    LeftOut {
        /// The rule.
        rule: RuleIx,
        /// Why.
        why: LeftOut,
    },
    /// The operator of the link that runs has looked at a value.
    Tested(Test),
    /// `capture` has stored a group in TX.
    Captured {
        /// 0 to 9.
        group: usize,
        /// The text.
        text: Vec<u8>,
    },
    /// `setvar`, or `setenv` with [`Variable::Env`]. `None`: the entry was removed.
    Set {
        /// The collection.
        collection: Variable,
        /// The key, as the rule writes it.
        key: Vec<u8>,
        /// The new value.
        value: Option<Vec<u8>>,
    },
    /// The link that began last is over.
    LinkEnd {
        /// The rule.
        rule: RuleIx,
        /// The link.
        link: usize,
        /// Whether it matched at some value.
        matched: bool,
    },
    /// All links of a rule have matched.
    Matched {
        /// The rule.
        rule: RuleIx,
        /// Whether its disruptive action was taken.
        acted: bool,
    },
}

/// Why a rule is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftOut {
    /// A `ctl` has removed it.
    Ctl,
    /// The rule before said `skip` or `skipAfter`.
    Jump,
    /// The rule before said `allow`.
    Allow,
    /// An operator or the governor has turned it off.
    Switch,
}

/// A value that an operator has looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// What it is called, such as `ARGS:id`.
    pub name: Vec<u8>,
    /// Its variable.
    pub variable: Variable,
    /// The value before any transformation.
    pub value: Vec<u8>,
    /// Each transformation with the value after it.
    pub stages: Vec<(Transformation, Vec<u8>)>,
    /// The operator's parameter, macros expanded; `None` if there are none in it.
    pub parameter: Option<Vec<u8>>,
    /// Whether the link matches at this value.
    pub matched: bool,
    /// What the operator found in the value: the whole match, then the groups that took part; `@rxGlobal` goes on with the next
    /// match. Empty if the operator does not say, or need not: see the planner's option `spans`.
    pub spans: Vec<(usize, usize)>,
    /// Fuel spent so far.
    pub fuel: u64,
}

impl Test {
    /// The value that the operator has looked at.
    pub fn tested(&self) -> &[u8] {
        self.stages.last().map_or(&self.value, |(_, value)| value)
    }
}

/// The steps of one evaluation, at most [`Trace::MOST`].
#[derive(Debug, Default)]
pub struct Trace {
    events: Vec<Event>,
    /// What an operator that looks for every match has found so far.
    found: Vec<(usize, usize)>,
}

impl Trace {
    /// Steps that are kept; later ones are not.
    pub const MOST: usize = 1 << 20;

    /// The steps, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Notes the groups of one match of several.
    pub(super) fn found(&mut self, groups: &Groups) {
        if self.found.len() < Self::MOST {
            self.found.extend((0..Groups::COUNT).filter_map(|group| groups.get(group)));
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.events.len() < Self::MOST {
            self.events.push(event);
        }
    }
}

impl Scratch {
    /// Notes a step if somebody listens.
    pub(super) fn note(&mut self, event: impl FnOnce() -> Event) {
        if let Some(trace) = &mut self.trace {
            trace.push(event());
        }
    }
}

/// What `visit` knows of a value that has been tested.
pub(super) struct Visit<'a> {
    pub(super) item: &'a Item,
    /// The targets of the link, which name counts.
    pub(super) targets: &'a [Source],
    /// The transformations that led to the tested value.
    pub(super) path: &'a [NodeId],
    pub(super) test: &'a crate::program::Test,
    pub(super) buffer: BufferId,
    pub(super) matched: Option<Captured>,
    pub(super) fuel: u64,
}

/// Notes a test. The transformations are applied once more, so that every stage can be told.
#[cold]
pub(super) fn tested(visit: &Visit<'_>, program: &Program, scratch: &mut Scratch) {
    let slice = match visit.item.value {
        ItemValue::Cell(_, slice) | ItemValue::Once(slice) | ItemValue::Count(slice, _) => slice,
    };
    let value = scratch.memory.get(slice).to_vec();
    let context = Context { unicode_map: program.ruleset.settings.unicode_map.as_deref() };
    let mut stages = Vec::with_capacity(visit.path.len());
    let mut now = value.clone();
    for node in visit.path {
        let Some((_, step)) = program.nodes.get(node.index()).and_then(|node| node.step) else { continue };
        let mut out = Vec::new();
        if step.apply(&now, &mut out, &context) == Changed::Yes {
            now = out;
        }
        stages.push((step, now.clone()));
    }
    let mut name = Vec::new();
    let found =
        Match { variable: visit.item.variable, member: visit.item.member, value: scratch.buffers.slice(visit.buffer) };
    full_name(&found, &scratch.memory, &mut name);
    if let ItemValue::Count(_, target) = visit.item.value {
        let which = visit.targets.get(target as usize).map(|source| &source.which);
        let key = match which {
            Some(Which::Key(key)) => Some(&**key),
            Some(Which::Tx(key)) => program.tx_keys.get(key.index()).map(|key| &**key),
            Some(Which::Regex(id)) => program.patterns.get(id.index()).map(|plan| &*plan.pattern.text),
            Some(Which::All) | None => None,
        };
        if let Some(key) = key {
            name.push(b':');
            name.extend_from_slice(key);
        }
    }
    let parameter = match visit.test {
        crate::program::Test::Text(_, text)
        | crate::program::Test::Number(_, text)
        | crate::program::Test::RxExpanded { text, .. }
            if text.constant().is_none() =>
        {
            Some(scratch.expanded.clone())
        }
        _ => None,
    };
    let found = scratch.trace.as_mut().map(|trace| std::mem::take(&mut trace.found)).unwrap_or_default();
    let spans = match visit.matched {
        Some(Captured::Groups) if !found.is_empty() => found,
        Some(Captured::Groups) => (0..10).filter_map(|group| scratch.groups.get(group)).collect(),
        _ => Vec::new(),
    };
    let test = Test {
        name,
        variable: visit.item.variable,
        value,
        stages,
        parameter,
        matched: visit.matched.is_some(),
        spans,
        fuel: visit.fuel,
    };
    scratch.note(|| Event::Tested(test));
}
