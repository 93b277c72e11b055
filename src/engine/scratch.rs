//! All mutable memory of one evaluation: made once per worker, reused for every request.

use super::buffers::Buffers;
use super::caches::Caches;
use super::env::{Env, FixedEnv, Resolver};
use super::expanded::Patterns;
use super::matched::Matched;
use super::memory::Memory;
use super::persist::{Collections, Forgetful, Opened};
use super::record::MatchRecord;
use super::sanitise::Marks;
use super::selection::Selections;
use super::sieve::Sieved;
use super::trace::{LeftOut, Trace};
use super::tx::Tx;
use super::upload::Uploads;
use super::values::Values;
use super::verdict::{Exhaustion, Interruption};
use crate::geo::Place;
use crate::http::{BodyParser, Descriptors, Report, nested::Nested};
use crate::program::{Program, RuleIx, RuleSetId, Source, Switches, weaker};
use crate::rule::{AuditEngine, AuditParts, BodyProcessor, EngineMode, LimitAction, Variable, XmlIntoArgs};
use crate::scan;
use std::sync::Arc;

/// Bytes that each growing part keeps for the next request: above what requests without a long body need.
const KEPT: usize = 256 << 10;

/// The memory of one evaluation. Belongs to one program; cleared between requests.
pub struct Scratch {
    pub(super) memory: Memory,
    pub(super) buffers: Buffers,
    pub(super) values: Values,
    pub(super) selections: Selections,
    pub(super) sieved: Sieved,
    pub(super) tx: Tx,
    /// GLOBAL, IP, RESOURCE, SESSION and USER, as far as they are initialised.
    pub(super) opened: Opened,
    /// What `setenv` has set.
    pub(super) environment: Vec<(Box<[u8]>, Vec<u8>)>,
    /// Uploaded files, as far as they are stored.
    pub(super) uploads: Uploads,
    /// What Protobuf messages look like.
    pub(super) descriptors: Option<Arc<Descriptors>>,
    /// Who answers `@rbl`.
    pub(super) resolver: Option<Arc<dyn Resolver>>,
    /// What the last `@geoLookup` has found: GEO.
    pub(super) geo: Option<Place>,
    pub(super) matched: Matched,
    pub(super) caches: Caches,
    /// Patterns that were known only when their macros were expanded.
    pub(super) patterns: Patterns,
    pub(super) groups: scan::Groups,
    /// Buffers for texts in the making.
    pub(super) text: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) expanded: Vec<u8>,
    /// What operators and the governor turn while requests are under way, and the epoch that this one has followed.
    pub(super) switches: Option<Arc<Switches>>,
    pub(super) epoch: u64,
    /// Rules that a ctl or a switch has removed, as a bit set.
    pub(super) removed: BitSet,
    /// Targets that a ctl has removed, and the rules they concern.
    pub(super) narrowed: Vec<(RuleSetId, Source)>,
    pub(super) narrowed_rules: BitSet,
    /// The request's budget is spent and it was not refused: only critical rules still run.
    pub(super) critical: bool,
    /// Fuel that each rule has spent.
    pub(super) rule_fuel: Vec<u64>,
    pub(super) records: Vec<MatchRecord>,
    /// What logs must not show.
    pub(super) marks: Marks,
    pub(super) report: Report,
    pub(super) flags: Flags,
    pub(super) state: State,
    /// What happens, for those who have asked.
    pub(super) trace: Option<Box<Trace>>,
    pub(super) env: Arc<dyn Env>,
    pub(super) collections: Arc<dyn Collections>,
    /// What stands there until the host says where collections are kept.
    forgetful: Arc<dyn Collections>,
    /// Room for the parser of the next body.
    pub(super) parser: Option<Box<BodyParser>>,
    /// Room for the reader of the next request's documents inside values.
    pub(super) nested: Option<Box<Nested>>,
}

/// A set of small numbers.
#[derive(Debug, Default)]
pub(super) struct BitSet(Vec<u64>);

impl BitSet {
    pub(super) fn clear(&mut self, size: usize) {
        self.0.clear();
        self.0.resize(size.div_ceil(64), 0);
    }

    pub(super) fn insert(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// Adds what is in the words of another one.
    pub(super) fn add(&mut self, words: impl Iterator<Item = u64>) {
        self.0.iter_mut().zip(words).for_each(|(word, more)| *word |= more);
    }

    pub(super) fn contains(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }
}

/// What was not inspected, or not in full.
#[derive(Debug, Default)]
pub(super) struct Flags {
    notes: Vec<&'static str>,
}

impl Flags {
    pub(super) fn note(&mut self, what: &'static str) {
        if !self.notes.contains(&what) {
            self.notes.push(what);
        }
    }

    /// Notes that data was not there which a rule has asked for.
    pub(super) fn miss(&mut self, what: &'static str) {
        // Without this guard D11 must be seen to fail.
        if !cfg!(fusewall_without = "missing") {
            self.note(what);
        }
    }

    pub(super) fn uninspected(&self) -> &[&'static str] {
        &self.notes
    }
}

/// What rules can switch, and what has been decided.
#[derive(Debug)]
pub(super) struct State {
    pub(super) mode: EngineMode,
    /// The strongest mode that the switches leave: `ctl:ruleEngine` cannot go beyond it.
    pub(super) strongest: EngineMode,
    pub(super) request_body_access: bool,
    pub(super) response_body_access: bool,
    pub(super) request_body_limit: u64,
    pub(super) request_body_limit_action: LimitAction,
    pub(super) response_body_limit: u64,
    pub(super) processor: Option<BodyProcessor>,
    pub(super) force_request_body: bool,
    pub(super) xml_into_args: XmlIntoArgs,
    /// Who has read the request body to its end, without an error and without leaving anything out.
    pub(super) body_read: Option<BodyProcessor>,
    pub(super) audit: AuditEngine,
    pub(super) audit_parts: AuditParts,
    pub(super) highest_severity: u8,
    pub(super) exhausted: Option<Exhaustion>,
    pub(super) interruption: Option<Interruption>,
    /// The rule that runs.
    pub(super) rule: Option<RuleIx>,
    /// A rule with auditlog has matched.
    pub(super) relevant: bool,
    /// Microseconds since 1970 at the start.
    pub(super) started: u64,
    pub(super) unique_id: String,
    /// Fuel of the phases that are over: what PERF_PHASE1 to PERF_PHASE5 tell.
    pub(super) phase_fuel: [u64; 5],
}

impl Scratch {
    /// Memory for evaluations of a program.
    pub fn new(program: &Program) -> Scratch {
        let mut scratch = Scratch {
            memory: Memory::with_limit(program.limits.request_memory),
            buffers: Buffers::default(),
            values: Values::default(),
            selections: Selections::default(),
            sieved: Sieved::default(),
            tx: Tx::default(),
            opened: Opened::default(),
            environment: Vec::new(),
            uploads: Uploads::default(),
            descriptors: None,
            resolver: None,
            geo: None,
            matched: Matched::default(),
            caches: Caches::new(program.patterns.len()),
            patterns: Patterns::default(),
            groups: scan::Groups::default(),
            text: Vec::new(),
            name: Vec::new(),
            expanded: Vec::new(),
            switches: None,
            epoch: 0,
            removed: BitSet::default(),
            narrowed: Vec::new(),
            narrowed_rules: BitSet::default(),
            critical: false,
            rule_fuel: Vec::new(),
            records: Vec::new(),
            marks: Marks::default(),
            report: Report::default(),
            flags: Flags::default(),
            state: State {
                mode: EngineMode::Off,
                strongest: EngineMode::On,
                request_body_access: false,
                response_body_access: false,
                request_body_limit: 0,
                request_body_limit_action: LimitAction::Reject,
                response_body_limit: 0,
                processor: None,
                force_request_body: false,
                xml_into_args: XmlIntoArgs::Off,
                body_read: None,
                audit: AuditEngine::Off,
                audit_parts: AuditParts::DEFAULT,
                highest_severity: 255,
                exhausted: None,
                interruption: None,
                rule: None,
                relevant: false,
                started: 0,
                unique_id: String::new(),
                phase_fuel: [0; 5],
            },
            trace: None,
            env: Arc::new(FixedEnv::default()),
            collections: Arc::new(Forgetful),
            forgetful: Arc::new(Forgetful),
            parser: None,
            nested: None,
        };
        scratch.reset(program);
        scratch
    }

    /// Forgets the request before; keeps the memory.
    pub(super) fn reset(&mut self, program: &Program) {
        self.memory.clear();
        self.buffers.clear();
        self.values.clear();
        self.selections.clear(program.selections.len());
        self.sieved.clear();
        self.tx.reset(program);
        self.opened.clear();
        self.environment.clear();
        self.uploads.clear();
        self.collections = self.forgetful.clone();
        self.descriptors = None;
        self.resolver = None;
        self.geo = None;
        self.matched.clear();
        self.caches.next_request();
        self.patterns.clear();
        self.switches = None;
        self.epoch = 0;
        self.removed.clear(program.rules.len());
        self.narrowed.clear();
        self.narrowed_rules.clear(program.rules.len());
        self.critical = false;
        self.rule_fuel.clear();
        self.rule_fuel.resize(program.rules.len(), 0);
        self.records.clear();
        self.marks.clear();
        self.report = Report::default();
        self.flags.notes.clear();
        self.trace = None;
        let settings = &program.ruleset.settings;
        let state = &mut self.state;
        state.mode = settings.engine;
        state.strongest = EngineMode::On;
        state.request_body_access = settings.request_body_access;
        state.response_body_access = settings.response_body_access;
        state.request_body_limit = settings.request_body_limit;
        state.request_body_limit_action = settings.request_body_limit_action;
        state.response_body_limit = settings.response_body_limit;
        state.processor = None;
        state.force_request_body = false;
        state.xml_into_args = settings.xml_into_args;
        state.body_read = None;
        state.audit = settings.audit.engine;
        state.audit_parts = settings.audit.parts;
        state.highest_severity = 255;
        state.exhausted = None;
        state.interruption = None;
        state.rule = None;
        state.relevant = false;
        state.started = 0;
        state.unique_id.clear();
        state.phase_fuel = [0; 5];
    }

    /// Forgets what grows with a request, and gives back what is more than an ordinary one needs: a pool of these must not keep
    /// the memory of the longest bodies that were ever seen.
    ///
    /// Nor does it keep what belongs to whoever the request was for: the next one may be somebody else's.
    pub(super) fn rest(&mut self) {
        self.opened.clear();
        self.environment.clear();
        self.collections = self.forgetful.clone();
        (self.descriptors, self.resolver, self.geo, self.switches, self.trace) = (None, None, None, None, None);
        self.state.unique_id.clear();
        self.memory.clear();
        self.memory.shrink_to(KEPT);
        self.buffers.clear();
        self.buffers.shrink_to(KEPT);
        self.sieved.shrink_to(KEPT);
        [&mut self.text, &mut self.name, &mut self.expanded].into_iter().for_each(|text| text.shrink_to(KEPT));
        self.tx.rest();
        self.values.clear();
        self.values.shrink_to(KEPT);
        self.selections.clear(0);
        self.selections.shrink_to(4 * KEPT);
        self.records.clear();
        self.uploads.clear();
        self.caches.rest();
        self.patterns.rest();
    }

    /// Bytes that the next request finds allocated for heads, bodies and values.
    pub fn memory(&self) -> usize {
        self.memory.allocated()
    }

    /// Microseconds since 1970, as the host's clock says.
    pub(super) fn now(&self) -> u64 {
        self.env.epoch_micros()
    }

    /// Seconds since 1970: the unit of persistent collections.
    pub(super) fn seconds(&self) -> u64 {
        self.now() / 1_000_000
    }

    /// Whether a switch was turned since the last [`follow_switches`](Self::follow_switches).
    #[inline]
    pub(super) fn is_behind(&self) -> bool {
        // Without this guard D6 must be seen to fail.
        !cfg!(fusewall_without = "switches")
            && self.switches.as_ref().is_some_and(|switches| switches.epoch() != self.epoch)
    }

    /// Who has removed a rule.
    pub(super) fn why_removed(&self, rule: RuleIx) -> LeftOut {
        let switched = self.switches.as_ref().is_some_and(|switches| switches.is_off(rule));
        if switched { LeftOut::Switch } else { LeftOut::Ctl }
    }

    /// Obeys the switches as they are now. What they have removed stays removed for this request.
    #[cold]
    pub(super) fn follow_switches(&mut self) {
        let Some(switches) = &self.switches else { return };
        self.epoch = switches.epoch();
        self.removed.add(switches.off());
        self.state.strongest = switches.strongest();
        self.state.mode = weaker(self.state.mode, self.state.strongest);
    }

    /// Whether the rule that runs has been turned off meanwhile, or its outcome is to be taken for unknown.
    pub(super) fn is_doubted(&self, rule: RuleIx) -> bool {
        self.epoch != 0 && self.switches.as_ref().is_some_and(|switches| switches.is_doubted(rule))
    }

    /// Gives a scalar its value.
    pub(super) fn set_scalar(&mut self, variable: Variable, slice: super::memory::Slice) {
        self.values.set(variable, slice);
        self.buffers.forget(variable);
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").field("memory", &self.memory.len()).finish_non_exhaustive()
    }
}
