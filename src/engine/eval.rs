//! The evaluation of one phase: rules in order, links, values; pausing between any two of them.

use super::act;
use super::buffers::{BufferId, Source};
use super::cursor::Cursor;
use super::operator::{self, Captured, Tested};
use super::record::{self, MatchRecord};
use super::scratch::Scratch;
use super::selection::{self, Item, ItemValue, resolve};
use super::sieve;
use super::trace::{self, Event, LeftOut};
use super::verdict::{Interruption, InterruptionAction, Reason};
use crate::meter::{Exhausted, Meter, Price, Scope};
use crate::program::{KeyId, Link, Loaded, Look, NodeId, Preset, Program, RuleIx};
use crate::rule::{AllowScope, Disruptive, EngineMode, Phase};

/// Entering a rule.
const ENTER: u64 = 8;
/// Looking at one value for one rule.
const VISIT: u64 = 8;
/// Storing a captured group.
const CAPTURE: Price = Price::new(8, 128);
/// The tag of a record whose rule counts as matching because its budget is spent.
const BUDGET_TAG: &str = "fusewall/budget";
/// The work arena is emptied between rules above this size: what is needed again is computed (and charged) again.
const WORK_BYTES: usize = 24 << 20;
/// So are the tables of buffers.
const BUFFER_BYTES: usize = 16 << 20;

/// How far a call to [`run`] got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Paused: call again.
    Pending,
    /// The phase is over.
    Done,
    /// The phase is over, and `allow` reaches further.
    Allowed(AllowScope),
}

/// What a link came to.
enum LinkEnd {
    Pending,
    Hit,
    Miss,
}

/// Runs the rules of `phase` until they are done or the meter has counted `pause_at`.
pub(super) fn run(
    phase: Phase,
    cursor: &mut Cursor,
    pause_at: u64,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<Progress, Exhausted> {
    let program = loaded.program().as_ref();
    let Some(schedule) = program.schedule.get(phase.index()) else { return Ok(Progress::Done) };
    loop {
        if scratch.is_behind() {
            scratch.follow_switches();
            abandon(schedule, cursor, scratch);
        }
        // A rule that turns the engine off is still run to its end, paused or not.
        if scratch.state.mode == EngineMode::Off && !cursor.entered {
            return Ok(Progress::Done);
        }
        if !cursor.entered && screens(scratch) {
            if !sieve::run(phase, pause_at, loaded, scratch, meter)? {
                return Ok(Progress::Pending);
            }
            cursor.position = scratch.sieved.next_rule(cursor.position).unwrap_or(schedule.len());
        }
        let Some(&rule) = schedule.get(cursor.position) else { return Ok(Progress::Done) };
        if meter.spent() >= pause_at {
            return Ok(Progress::Pending);
        }
        if !cursor.entered
            && let Some(preset) = loaded.preset(phase.index(), cursor.position)
            && apply(preset, pause_at, scratch, meter)
        {
            cursor.go_to(preset.next);
            continue;
        }
        if !cursor.entered {
            meter.charge(ENTER)?;
            if scratch.removed.contains(rule.index()) {
                let why = scratch.why_removed(rule);
                scratch.note(|| Event::LeftOut { rule, why });
                cursor.go_to(cursor.position + 1);
                continue;
            }
            if scratch.critical && !program.rules.get(rule.index()).is_some_and(|planned| planned.critical) {
                cursor.go_to(cursor.position + 1);
                continue;
            }
            if is_crowded(scratch) {
                scratch.buffers.clear();
                scratch.memory.tables.buffers = 0;
                scratch.matched.rescue(&mut scratch.memory)?;
            }
            scratch.state.rule = Some(rule);
            scratch.matched.enter_rule();
            cursor.entered = true;
            cursor.narrowed = scratch.narrowed.len();
        }
        let spent = scratch.rule_fuel.get(rule.index()).copied().unwrap_or(0);
        // A rule that is over its budget ends without another test: only the request pays for its actions.
        let limit = if cursor.concluded { u64::MAX } else { program.limits.fuel_rule };
        meter.enter_rule(spent, limit);
        let ended = run_rule(rule, cursor, pause_at, loaded, scratch, meter);
        let spent = meter.leave_rule();
        if let Some(place) = scratch.rule_fuel.get_mut(rule.index()) {
            *place = spent;
        }
        match ended? {
            LinkEnd::Pending => return Ok(Progress::Pending),
            LinkEnd::Miss => cursor.go_to(cursor.position + 1),
            LinkEnd::Hit => {
                let jump = program.rules.get(rule.index()).and_then(|planned| planned.jump);
                let next = jump.unwrap_or(cursor.position + 1);
                for &rule in schedule.get(cursor.position + 1..next).unwrap_or_default() {
                    scratch.note(|| Event::LeftOut { rule, why: LeftOut::Jump });
                }
                cursor.go_to(next);
                if loaded.only_acts(rule) && scratch.state.interruption.is_none() {
                    continue;
                }
                let Some(source) = program.source(rule) else { continue };
                if scratch.state.mode == EngineMode::On && phase != Phase::Logging {
                    match source.disruptive {
                        Disruptive::Allow(scope) => {
                            for &rule in schedule.get(cursor.position..).unwrap_or_default() {
                                scratch.note(|| Event::LeftOut { rule, why: LeftOut::Allow });
                            }
                            return Ok(Progress::Allowed(scope));
                        }
                        _ if scratch.state.interruption.is_some() => return Ok(Progress::Done),
                        _ => {}
                    }
                }
            }
        }
    }
}

/// Whether values are looked at once for all rules: not where somebody looks on, nor where only a few rules are left to run.
fn screens(scratch: &Scratch) -> bool {
    scratch.trace.is_none() && !scratch.critical
}

/// Leaves the rule that is under way if a switch has just turned it off, or the engine.
fn abandon(schedule: &[RuleIx], cursor: &mut Cursor, scratch: &mut Scratch) {
    let Some(&rule) = schedule.get(cursor.position).filter(|_| cursor.entered) else { return };
    if scratch.removed.contains(rule.index()) || scratch.state.mode == EngineMode::Off {
        scratch.note(|| Event::LeftOut { rule, why: LeftOut::Switch });
        cursor.go_to(cursor.position + 1);
    }
}

/// Whether buffers are to be given up before the next rule.
fn is_crowded(scratch: &Scratch) -> bool {
    scratch.memory.work.len() > WORK_BYTES || scratch.buffers.memory() > BUFFER_BYTES
}

/// Does at once what a stretch of rules does one by one. Refuses wherever that might differ: where somebody looks on, a rule is
/// removed, or a budget or a pause comes in between.
fn apply(preset: &Preset, pause_at: u64, scratch: &mut Scratch, meter: &mut Meter) -> bool {
    let fuel = preset.fuel.saturating_add(ENTER * preset.rules.len() as u64);
    let after = meter.spent().saturating_add(fuel);
    // Without this guard D13 must be seen to fail.
    let whole = cfg!(fusewall_without = "disabled")
        || !preset.rules.iter().any(|(rule, _)| scratch.removed.contains(rule.index()));
    let alike = screens(scratch)
        && whole
        && !is_crowded(scratch)
        && after < pause_at
        && after <= meter.limit()
        && scratch.memory.admit(scratch.tx.memory() + preset.text.len()).is_ok();
    if !alike || meter.charge(fuel).is_err() {
        return false;
    }
    for (rule, fuel) in &preset.rules {
        if let Some(place) = scratch.rule_fuel.get_mut(rule.index()) {
            *place = place.saturating_add(*fuel);
        }
    }
    scratch.tx.preset(preset);
    scratch.state.rule = preset.rules.last().map(|(rule, _)| *rule);
    scratch.matched.enter_rule();
    true
}

fn run_rule(
    rule: RuleIx,
    cursor: &mut Cursor,
    pause_at: u64,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<LinkEnd, Exhausted> {
    let Some(planned) = loaded.program().rules.get(rule.index()) else { return Ok(LinkEnd::Miss) };
    while let Some(link) = planned.links.get(cursor.link) {
        if cursor.concluded {
            conclude(link, cursor.matched, loaded, scratch, meter)?;
            cursor.next_link();
            continue;
        }
        let at = cursor.link;
        if cursor.begins_link() {
            scratch.note(|| Event::Link { rule, link: at });
        }
        match run_link(rule, link, cursor, pause_at, loaded, scratch, meter)? {
            LinkEnd::Pending => return Ok(LinkEnd::Pending),
            LinkEnd::Miss => {
                scratch.note(|| Event::LinkEnd { rule, link: at, matched: false });
                return Ok(LinkEnd::Miss);
            }
            LinkEnd::Hit => {
                scratch.note(|| Event::LinkEnd { rule, link: at, matched: true });
                cursor.next_link();
            }
        }
    }
    full_match(rule, cursor.concluded, loaded, scratch, meter)?;
    Ok(LinkEnd::Hit)
}

/// What a link does whose outcome is not known, because the rule is over its budget: it counts as a match. Its actions run once,
/// unless they did already.
fn conclude(
    link: &Link,
    matched: bool,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    if !matched {
        for step in &link.actions {
            act::run(step, loaded, scratch, meter)?;
        }
    }
    Ok(())
}

fn run_link(
    rule: RuleIx,
    link: &Link,
    cursor: &mut Cursor,
    pause_at: u64,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<LinkEnd, Exhausted> {
    let Some(look) = &link.look else {
        for step in &link.actions {
            act::run(step, loaded, scratch, meter)?;
        }
        return Ok(LinkEnd::Hit);
    };
    let slot = look.sieve.filter(|_| screens(scratch));
    if slot.is_some_and(|slot| scratch.sieved.excludes(slot)) {
        return Ok(LinkEnd::Miss);
    }
    if scratch.is_doubted(rule) {
        return Err(Exhausted { scope: Scope::Rule });
    }
    if !cursor.resolved {
        resolve(look.selection, loaded, scratch, meter)?;
        cursor.resolved = true;
        if slot.is_some() {
            // Those that the sieve has let through are looked for among all of them.
            meter.charge(scratch.selections.places().len() as u64)?;
        }
    }
    loop {
        if let Some(slot) = slot {
            cursor.item = scratch.sieved.next_item(slot, cursor.item, scratch.selections.places());
        }
        let item = scratch.selections.item(cursor.item, &scratch.memory, &scratch.values);
        let Some(item) = item else { break };
        if cursor.testing.is_none() {
            if meter.spent() >= pause_at {
                return Ok(LinkEnd::Pending);
            }
            if cursor.stage == 0 {
                meter.charge(VISIT)?;
                if scratch.narrowed_rules.contains(rule.index())
                    && is_narrowed(rule, look, &item, cursor.narrowed, loaded, scratch, meter)?
                {
                    cursor.next_item();
                    continue;
                }
            }
        }
        match visit(link, look, &item, cursor, pause_at, loaded, scratch, meter)? {
            LinkEnd::Pending => return Ok(LinkEnd::Pending),
            LinkEnd::Hit => cursor.matched = true,
            LinkEnd::Miss => {}
        }
        cursor.next_item();
    }
    if cursor.matched {
        return Ok(LinkEnd::Hit);
    }
    // Only a rule that has seen all values can speak for others.
    if let Some(slot) = slot.filter(|_| !scratch.narrowed_rules.contains(rule.index())) {
        scratch.sieved.missed(slot, loaded.program());
    }
    Ok(LinkEnd::Miss)
}

/// Whether one of the first `known` `ctl:ruleRemoveTarget...` has taken this value away from the rule. What a rule removes is
/// removed from the next rule on.
fn is_narrowed(
    rule: RuleIx,
    look: &Look,
    item: &Item,
    known: usize,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    let selection = loaded.program().selections.get(look.selection.index());
    let targets = selection.map(|selection| selection.targets.as_slice()).unwrap_or_default();
    let narrowed = std::mem::take(&mut scratch.narrowed);
    let mut found = Ok(false);
    for (set, source) in narrowed.iter().take(known) {
        let rules = loaded.program().rule_sets.get(set.index()).map(Vec::as_slice).unwrap_or_default();
        found = meter.charge(VISIT).and_then(|()| {
            Ok(source.variable == item.variable
                && rules.binary_search(&rule).is_ok()
                && selection::selects(source, item, targets, loaded, scratch, meter)?)
        });
        if found != Ok(false) {
            break;
        }
    }
    scratch.narrowed = narrowed;
    found
}

/// Tests one value: after the whole pipeline, or (multiMatch) before it and after each step that changes it.
#[expect(clippy::too_many_arguments, reason = "the evaluation's state is handed down, not bundled into one object")]
fn visit(
    link: &Link,
    look: &Look,
    item: &Item,
    cursor: &mut Cursor,
    pause_at: u64,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<LinkEnd, Exhausted> {
    let program = loaded.program().as_ref();
    let Some(test) = program.tests.get(look.test.index()) else { return Ok(LinkEnd::Miss) };
    let path = program.nodes.get(look.node.index()).map(|node| node.path.as_slice()).unwrap_or_default();
    let stages = if look.multi_match { path.len() + 1 } else { 1 };
    let mut hit = false;
    while cursor.stage < stages {
        let buffer = match cursor.testing {
            Some(buffer) => buffer,
            None => {
                let node = if look.multi_match { node_at(path, cursor.stage) } else { look.node };
                let before = cursor.previous.filter(|_| look.multi_match);
                let buffer = transformed(item, node, before, program, scratch, meter)?;
                if cursor.previous == Some(buffer) {
                    cursor.stage += 1;
                    continue;
                }
                cursor.scan = Default::default();
                buffer
            }
        };
        let quantum = pause_at.saturating_sub(meter.spent()).max(4096);
        let tested = operator::run(test, buffer, &mut cursor.scan, quantum, loaded, scratch, meter)?;
        let captured = match tested {
            Tested::Pending => {
                cursor.testing = Some(buffer);
                return Ok(LinkEnd::Pending);
            }
            Tested::Hit(captured) if !look.negated => Some(captured),
            Tested::Miss if look.negated => Some(Captured::Nothing),
            Tested::Hit(_) | Tested::Miss => None,
        };
        cursor.testing = None;
        if scratch.trace.is_some() {
            let path = if look.multi_match { path.get(..cursor.stage).unwrap_or(path) } else { path };
            let targets = program.selections.get(look.selection.index()).map(|selection| selection.targets.as_slice());
            let targets = targets.unwrap_or_default();
            let visit = trace::Visit { item, targets, path, test, buffer, matched: captured, fuel: meter.spent() };
            trace::tested(&visit, program, scratch);
        }
        if let Some(captured) = captured {
            hit = true;
            cursor.matched = true;
            on_match(link, look, item, buffer, captured, loaded, scratch, meter)?;
        }
        cursor.previous = Some(buffer);
        cursor.stage += 1;
    }
    Ok(if hit { LinkEnd::Hit } else { LinkEnd::Miss })
}

fn node_at(path: &[NodeId], stage: usize) -> NodeId {
    stage.checked_sub(1).and_then(|at| path.get(at)).copied().unwrap_or(NodeId::ROOT)
}

/// The value at a node. `before` is what the stage before gave: a value of this moment goes on from there, because nobody
/// else keeps its buffers.
fn transformed(
    item: &Item,
    node: NodeId,
    before: Option<BufferId>,
    program: &Program,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<BufferId, Exhausted> {
    let mut source = Source { program, memory: &mut scratch.memory, meter };
    match item.value {
        ItemValue::Cell(cell, slice) => scratch.buffers.of_cell(cell, slice, node, &mut source),
        ItemValue::Once(slice) | ItemValue::Count(slice, _) => {
            if let Some(before) = before {
                return scratch.buffers.next(before, node, &mut source);
            }
            let root = scratch.buffers.add(slice, &mut source)?;
            scratch.buffers.of_buffer(root, node, &mut source)
        }
    }
}

/// A link has matched at one value.
#[expect(clippy::too_many_arguments, reason = "the evaluation's state is handed down, not bundled into one object")]
fn on_match(
    link: &Link,
    look: &Look,
    item: &Item,
    buffer: BufferId,
    captured: Captured,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let limit = loaded.program().limits.matched_vars;
    scratch.matched.push(item.variable, item.member, buffer, &scratch.buffers, limit);
    if link.capture && !look.negated {
        capture(buffer, captured, loaded.program(), scratch, meter)?;
    }
    for step in &link.actions {
        act::run(step, loaded, scratch, meter)?;
    }
    Ok(())
}

/// Stores TX:0-9; groups that did not take part are unset.
fn capture(
    buffer: BufferId,
    captured: Captured,
    program: &Program,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let most = program.limits.capture_bytes;
    let whole = scratch.buffers.slice(buffer);
    for group in 0..10 {
        let key = KeyId::new(group);
        let (slice, range) = match captured {
            Captured::Nothing => (whole, None),
            Captured::Groups => (whole, scratch.groups.get(group)),
            Captured::Text(slice) => (slice, (group == 0).then(|| (0, scratch.memory.get(slice).len()))),
        };
        match range {
            None => scratch.tx.unset(key),
            Some((start, end)) => {
                let end = end.min(start + most);
                meter.charge_rule(CAPTURE.of(end - start))?;
                let text = scratch.memory.get(slice).get(start..end).unwrap_or_default();
                scratch.tx.set(key, text);
                if let Some(trace) = &mut scratch.trace {
                    trace.push(Event::Captured { group, text: text.to_vec() });
                }
            }
        }
    }
    Ok(())
}

/// All links have matched: one log record, one disruptive action.
fn full_match(
    rule: RuleIx,
    concluded: bool,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let program = loaded.program();
    if loaded.only_acts(rule) && scratch.trace.is_none() {
        return Ok(());
    }
    let (Some(source), Some(planned)) = (program.source(rule), program.rules.get(rule.index())) else { return Ok(()) };
    if let Some(severity) = source.severity {
        scratch.state.highest_severity = scratch.state.highest_severity.min(severity.0);
    }
    let acts = scratch.state.mode == EngineMode::On && source.phase != Phase::Logging;
    let interruption = match &source.disruptive {
        Disruptive::Pass | Disruptive::Allow(_) => None,
        Disruptive::Deny => Some(InterruptionAction::Deny),
        Disruptive::Drop => Some(InterruptionAction::Drop),
        Disruptive::Redirect(_) => {
            let mut url = Vec::new();
            if let Some(text) = &planned.redirect {
                super::expand::expand(text, &mut url, loaded, scratch, meter)?;
            }
            Some(InterruptionAction::Redirect(url))
        }
    };
    scratch.state.relevant |= source.auditlog;
    let taken = interruption.filter(|_| acts);
    let acted = taken.is_some() && scratch.state.interruption.is_none();
    scratch.note(|| Event::Matched { rule, acted });
    if source.log || source.auditlog {
        let mut record = record::make(rule, taken.as_ref(), loaded, scratch, meter)?;
        if concluded {
            record.tags.push(BUDGET_TAG.to_owned());
        }
        keep(record, program, scratch);
    }
    if let Some(action) = taken
        && scratch.state.interruption.is_none()
    {
        scratch.state.interruption =
            Some(Interruption { action, status: source.status, reason: Reason::Rule(source.id), phase: source.phase });
    }
    Ok(())
}

fn keep(record: MatchRecord, program: &Program, scratch: &mut Scratch) {
    if scratch.records.len() < program.limits.match_records {
        scratch.records.push(record);
    } else {
        scratch.flags.note("match records");
    }
}

/// The rule whose budget ran dry.
pub(super) fn blamed(exhausted: Exhausted, scratch: &Scratch, program: &Program) -> Option<crate::rule::RuleId> {
    let in_rule = exhausted.scope == Scope::Rule || scratch.state.rule.is_some();
    scratch.state.rule.filter(|_| in_rule).and_then(|rule| program.source(rule)).map(|rule| rule.id)
}
