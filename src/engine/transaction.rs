//! One request and its response: the verbs that a host calls, in the order of the exchange.

mod ask;
mod bodies;
mod budget;
mod log;
mod tell;

use super::collections;
use super::cursor::Cursor;
use super::env::{Env, Resolver};
use super::eval::{self, Progress};
use super::persist::Collections;
use super::prepare;
use super::scratch::Scratch;
use super::trace::Event;
use super::upload::{UploadSink, Writing};
use super::verdict::{Interruption, InterruptionAction, Policy, Reason, RulePolicy};
use crate::http::{BodyParser, Descriptors, coding::Decoding, nested::Nested};
use crate::meter::{Exhausted, Meter};
use crate::program::{Loaded, Switches};
use crate::rule::{AllowScope, EngineMode, LimitAction, Phase, Variable};
use std::sync::Arc;

/// Fuel after which a long step looks at the switches again: about a tenth of a millisecond.
const QUANTUM: u64 = 64 << 10;

/// How far a call to [`Transaction::step`] got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The phase is under way: call again, now or later, on this thread or another.
    Pending,
    /// The phase is over.
    Done(Option<Interruption>),
}

/// What runs when [`Transaction::step`] is called.
enum Stage {
    /// Nothing.
    Idle,
    /// The values of this phase are to be made.
    Prepare(Phase),
    /// The content codings of this phase's body are being undone.
    Decode(Phase, Box<Decoding>),
    /// The request body is being parsed.
    Parse(Box<BodyParser>),
    /// The uploaded files are being stored.
    Store(Box<Writing>),
    /// The documents inside the values of the request are being read.
    Nested(Box<Nested>),
    /// The rules of this phase run.
    Rules(Phase),
}

/// An evaluation. Can be abandoned at any point, and paused between any two steps.
///
/// Calls follow the exchange: connection, request line, headers, [`process_request_headers`], body,
/// [`process_request_body`], response headers, [`process_response_headers`], response body, [`process_response_body`],
/// [`process_logging`]. Phases that were left out run before a later one, but for phase 5: it runs alone.
///
/// [`process_request_headers`]: Transaction::process_request_headers
/// [`process_request_body`]: Transaction::process_request_body
/// [`process_response_headers`]: Transaction::process_response_headers
/// [`process_response_body`]: Transaction::process_response_body
/// [`process_logging`]: Transaction::process_logging
pub struct Transaction {
    loaded: Arc<Loaded>,
    scratch: Box<Scratch>,
    meter: Meter,
    cursor: Cursor,
    stage: Stage,
    /// The phase that [`Transaction::start`] asked for.
    target: Option<Phase>,
    /// Phases 1-4 that are over.
    finished: usize,
    logged: bool,
    /// Phase 5 ran out of budget: some of its rules did not run.
    logging_cut: bool,
    allowed: Option<AllowScope>,
    policy: Policy,
    rule_policy: RulePolicy,
    /// Fuel up to which the meter goes for the sake of a reserve, whatever the request's size has earned.
    reserved: u64,
    generation: u64,
    /// The status that the client got.
    answered: Option<u16>,
    inspected: u64,
    fuel_by_phase: [u64; 5],
    headers: usize,
    header_bytes: usize,
}

impl Transaction {
    /// A transaction on `loaded`, with the memory of an earlier one.
    pub fn new(loaded: Arc<Loaded>, mut scratch: Box<Scratch>, env: Arc<dyn Env>, unique_id: &str) -> Transaction {
        scratch.reset(loaded.program());
        scratch.env = env;
        scratch.state.started = scratch.now();
        scratch.state.unique_id.push_str(unique_id);
        let mut transaction = Transaction {
            loaded,
            scratch,
            meter: Meter::new(0),
            cursor: Cursor::default(),
            stage: Stage::Idle,
            target: None,
            finished: 0,
            logged: false,
            logging_cut: false,
            allowed: None,
            policy: Policy::Block,
            rule_policy: RulePolicy::Match,
            reserved: 0,
            generation: 0,
            answered: None,
            inspected: 0,
            fuel_by_phase: [0; 5],
            headers: 0,
            header_bytes: 0,
        };
        transaction.grant(0);
        let _ = prepare::keep(&mut transaction.scratch, Variable::UniqueId, unique_id.as_bytes());
        transaction
    }

    /// What happens when the budget of the request is spent.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// What happens when the budget of a rule is spent.
    pub fn set_rule_policy(&mut self, policy: RulePolicy) {
        self.rule_policy = policy;
    }

    /// What may be turned off while requests are under way; without it nothing is.
    pub fn set_switches(&mut self, switches: Arc<Switches>) {
        self.scratch.switches = Some(switches);
        if self.scratch.is_behind() {
            self.scratch.follow_switches();
        }
    }

    /// Where persistent collections are kept; without it each request finds none.
    pub fn set_collections(&mut self, collections: Arc<dyn Collections>) {
        self.scratch.collections = collections;
    }

    /// Who answers `@rbl`; without one it never matches.
    pub fn set_resolver(&mut self, resolver: Arc<dyn Resolver>) {
        self.scratch.resolver = Some(resolver);
    }

    /// What the messages of Protobuf and gRPC bodies look like; without it their fields are named by numbers.
    pub fn set_descriptors(&mut self, descriptors: Arc<Descriptors>) {
        self.scratch.descriptors = Some(descriptors);
    }

    /// Where uploaded files are stored, as far as the rules want it; without it they are not.
    pub fn set_uploads(&mut self, sink: Arc<dyn UploadSink>) {
        self.scratch.uploads.sink = Some(sink);
    }

    /// The generation that the verdict names.
    pub fn set_generation(&mut self, generation: u64) {
        self.generation = generation;
    }

    /// The status that the client got in the end, where the host knows it better than the engine: what decides which stored files
    /// are relevant, as for the audit record.
    pub fn set_answered(&mut self, status: u16) {
        self.answered = Some(status);
    }

    /// Gives the memory back for the next request. Commits what an unfinished phase has changed in persistent collections: a
    /// client that goes away is counted all the same. Uploaded files stay or go, as the rules say.
    pub fn into_scratch(mut self) -> Box<Scratch> {
        collections::commit(&mut self.scratch);
        if self.keeps_uploads(self.answered.unwrap_or_else(|| self.last_status())) {
            self.scratch.uploads.keep();
        }
        self.scratch.rest();
        self.scratch
    }

    /// Runs phase 1 to its end.
    pub fn process_request_headers(&mut self) -> Option<Interruption> {
        self.finish(Phase::RequestHeaders)
    }

    /// Runs phase 2 to its end.
    pub fn process_request_body(&mut self) -> Option<Interruption> {
        self.finish(Phase::RequestBody)
    }

    /// Takes the status and runs phase 3 to its end.
    pub fn process_response_headers(&mut self, status: u16, version: &[u8]) -> Option<Interruption> {
        self.set_response_status(status, version);
        self.finish(Phase::ResponseHeaders)
    }

    /// Runs phase 4 to its end.
    pub fn process_response_body(&mut self) -> Option<Interruption> {
        self.finish(Phase::ResponseBody)
    }

    /// Runs phase 5. It runs also after an interruption, and never interrupts.
    pub fn process_logging(&mut self) {
        self.finish(Phase::Logging);
    }

    fn finish(&mut self, phase: Phase) -> Option<Interruption> {
        self.start(phase);
        loop {
            if let Step::Done(interruption) = self.step(u64::MAX) {
                return interruption;
            }
        }
    }

    /// Asks for a phase; [`step`](Self::step) runs it. Earlier phases that were left out run first.
    pub fn start(&mut self, phase: Phase) {
        self.target = Some(phase);
        if matches!(self.stage, Stage::Idle) {
            self.next_stage();
        }
    }

    /// Runs on for about `fuel`, or to the end of the phase that was asked for.
    pub fn step(&mut self, fuel: u64) -> Step {
        // A step of nothing would never end.
        let end = self.meter.spent().saturating_add(fuel.max(1));
        loop {
            if self.scratch.is_behind() && !matches!(self.stage, Stage::Rules(_)) {
                self.follow_switches();
            }
            let pause_at = end.min(self.meter.spent().saturating_add(QUANTUM));
            let phase = match &self.stage {
                Stage::Idle => {
                    self.target = None;
                    return Step::Done(self.interruption());
                }
                Stage::Prepare(phase) | Stage::Decode(phase, _) | Stage::Rules(phase) => *phase,
                Stage::Parse(_) | Stage::Store(_) | Stage::Nested(_) => Phase::RequestBody,
            };
            let before = self.meter.spent();
            let outcome = self.advance(phase, pause_at);
            if let Some(place) = self.fuel_by_phase.get_mut(phase.index()) {
                *place += self.meter.spent() - before;
            }
            match outcome {
                Ok(true) => {}
                Ok(false) if self.meter.spent() < end => {}
                Ok(false) => return Step::Pending,
                Err(exhausted) => self.exhausted(exhausted, phase),
            }
        }
    }

    /// One stage further. `false`: paused.
    fn advance(&mut self, phase: Phase, pause_at: u64) -> Result<bool, Exhausted> {
        match &mut self.stage {
            Stage::Idle => Ok(true),
            Stage::Prepare(_) => {
                self.prepare(phase)?;
                Ok(self.meter.spent() < pause_at)
            }
            Stage::Decode(..) => {
                self.decode()?;
                Ok(self.meter.spent() < pause_at)
            }
            Stage::Parse(_) => {
                self.parse()?;
                Ok(self.meter.spent() < pause_at)
            }
            Stage::Store(_) => {
                self.store_uploads()?;
                Ok(self.meter.spent() < pause_at)
            }
            Stage::Nested(_) => {
                self.read_nested()?;
                Ok(self.meter.spent() < pause_at)
            }
            Stage::Rules(_) => {
                let progress =
                    eval::run(phase, &mut self.cursor, pause_at, &self.loaded, &mut self.scratch, &mut self.meter)?;
                match progress {
                    Progress::Pending => return Ok(false),
                    Progress::Done => {}
                    Progress::Allowed(scope) => self.allowed = Some(scope),
                }
                self.end_phase(phase);
                Ok(true)
            }
        }
    }

    /// Makes the values of a phase, then goes on to its rules (or to the body).
    fn prepare(&mut self, phase: Phase) -> Result<(), Exhausted> {
        let program = self.loaded.program().clone();
        self.scratch.state.rule = None;
        match phase {
            Phase::RequestHeaders => prepare::request(&program, &mut self.scratch, &mut self.meter)?,
            Phase::ResponseHeaders => prepare::response(&mut self.scratch, &mut self.meter)?,
            Phase::RequestBody | Phase::ResponseBody => return self.begin_body(phase),
            Phase::Logging => prepare::logging(&mut self.scratch, &mut self.meter)?,
        }
        self.enter_rules(phase);
        Ok(())
    }

    /// Whether the values of a phase have been made: what is told later is not among them.
    fn has_begun(&self, phase: Phase) -> bool {
        let runs = match &self.stage {
            Stage::Idle | Stage::Prepare(_) => false,
            Stage::Parse(_) | Stage::Store(_) | Stage::Nested(_) => phase == Phase::RequestBody,
            Stage::Decode(running, _) | Stage::Rules(running) => *running == phase,
        };
        runs || self.finished > phase.index()
    }

    /// The body has been parsed, as far as it is: its values are made and the rules of phase 2 begin, unless it is too long.
    fn body_is_read(&mut self) -> Result<(), Exhausted> {
        let report = &self.scratch.report;
        let whole = !report.error && !report.arguments_exceeded;
        self.scratch.state.body_read = self.scratch.state.processor.filter(|_| whole);
        let program = self.loaded.program().clone();
        let over = prepare::limit_without_files(&program, &mut self.scratch, &mut self.meter)?;
        prepare::body(&program, &mut self.scratch, &mut self.meter)?;
        if over && self.scratch.state.request_body_limit_action == LimitAction::Reject {
            self.refuse(413, Reason::BodyLimit, Phase::RequestBody);
        }
        if self.scratch.state.interruption.is_some() {
            self.end_phase(Phase::RequestBody);
        } else {
            self.enter_rules(Phase::RequestBody);
        }
        Ok(())
    }

    fn enter_rules(&mut self, phase: Phase) {
        // What `allow` lets through is prepared all the same: phase 5 may log it.
        let allowed = match self.allowed {
            Some(AllowScope::Transaction) => phase != Phase::Logging,
            Some(AllowScope::Request) => phase <= Phase::RequestBody,
            _ => false,
        };
        if allowed {
            self.scratch.note(|| Event::PhaseAllowed(phase));
            self.end_phase(phase);
            return;
        }
        self.scratch.note(|| Event::Phase(phase));
        let program = self.loaded.program();
        self.scratch.selections.clear(program.selections.len());
        self.scratch.sieved.clear();
        self.scratch.buffers.search(phase >= Phase::ResponseHeaders);
        (self.scratch.memory.tables.selections, self.scratch.memory.tables.sieved) = (0, 0);
        self.cursor = Cursor::default();
        self.stage = Stage::Rules(phase);
    }

    fn end_phase(&mut self, phase: Phase) {
        collections::commit(&mut self.scratch);
        match phase {
            Phase::Logging => self.logged = true,
            other => self.finished = other.index() + 1,
        }
        self.scratch.state.rule = None;
        let before: u64 = self.scratch.state.phase_fuel.iter().sum();
        if let Some(place) = self.scratch.state.phase_fuel.get_mut(phase.index()) {
            *place += self.meter.spent().saturating_sub(before);
        }
        // allow:phase ends with its phase, allow:request with phase 2.
        match self.allowed {
            Some(AllowScope::Phase) => self.allowed = None,
            Some(AllowScope::Request) if phase >= Phase::RequestBody => self.allowed = None,
            _ => {}
        }
        self.stage = Stage::Idle;
        self.next_stage();
    }

    /// The stage that leads towards the phase that was asked for.
    fn next_stage(&mut self) {
        let Some(target) = self.target else { return };
        if self.scratch.state.mode == EngineMode::Off {
            return;
        }
        if target == Phase::Logging {
            if !self.logged {
                self.reserve(self.loaded.program().limits.fuel_logging);
                self.stage = Stage::Prepare(Phase::Logging);
            }
            return;
        }
        let spent = self.scratch.state.interruption.is_some() || self.is_over();
        if self.finished <= target.index() && !spent {
            let Some(phase) = Phase::ALL.get(self.finished).copied() else { return };
            if phase > Phase::RequestHeaders && !self.scratch.critical {
                self.reserve(self.loaded.program().limits.fuel_phase);
            }
            self.stage = Stage::Prepare(phase);
        }
    }

    fn refuse(&mut self, status: u16, reason: Reason, phase: Phase) {
        if self.scratch.state.mode == EngineMode::On {
            let interruption = Interruption { action: InterruptionAction::Deny, status, reason, phase };
            self.scratch.state.interruption.get_or_insert(interruption);
        }
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("unique_id", &self.unique_id()).finish_non_exhaustive()
    }
}
