//! What the host asks: interruption, records, bodies, the verdict.

use super::Transaction;
use crate::engine::missing;
use crate::engine::prepare;
use crate::engine::record::MatchRecord;
use crate::engine::trace::{Event, Trace};
use crate::engine::upload::NotStored;
use crate::engine::verdict::{Exhaustion, Interruption, Score, Verdict};
use crate::http::coding::{self, Undecodable};
use crate::ops::numeric;
use crate::program::{Loaded, RuleIx};
use crate::rule::{EngineMode, LimitAction, RuleId, Variable};
use std::sync::Arc;

/// Rules that a verdict names when a budget ran dry.
const DEAREST: usize = 3;

impl Transaction {
    /// What has ended the exchange, if anything has.
    pub fn interruption(&self) -> Option<Interruption> {
        self.scratch.state.interruption.clone()
    }

    /// Whether the request body will be looked at.
    pub fn inspects_request_body(&self) -> bool {
        self.scratch.state.mode != EngineMode::Off && self.scratch.state.request_body_access
    }

    /// Whether the response body will be looked at: access is on and the media type is one of the configured.
    pub fn inspects_response_body(&self) -> bool {
        if self.scratch.state.mode == EngineMode::Off || !self.scratch.state.response_body_access {
            return false;
        }
        let media = prepare::scalar(&self.scratch, Variable::ResponseContentType);
        let types = &self.loaded.program().ruleset.settings.response_body_mime_types;
        types.iter().any(|known| media.eq_ignore_ascii_case(known.as_bytes()))
    }

    /// The request body as it was received, as far as it was kept: what a host sends on. What rules saw of a body with content
    /// codings is [`decoded_request_body`](Self::decoded_request_body).
    pub fn request_body(&self) -> &[u8] {
        &self.scratch.memory.request_body.received
    }

    /// The request body as it was inspected: without its content codings.
    pub fn decoded_request_body(&self) -> &[u8] {
        self.scratch.memory.request_body.inspected()
    }

    /// The response body as it was received, as far as it was kept.
    pub fn response_body(&self) -> &[u8] {
        &self.scratch.memory.response_body.received
    }

    /// The response body as it was inspected: without its content codings.
    pub fn decoded_response_body(&self) -> &[u8] {
        self.scratch.memory.response_body.inspected()
    }

    /// Whether a body with these values of `Content-Encoding` will be decoded, or has no coding.
    ///
    /// # Errors
    /// Why it will not: it is then inspected as it is, and flagged.
    pub fn decodes<'a>(&self, values: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Undecodable> {
        coding::codings(values, self.loaded.program().limits.content_codings).map(|_| ())
    }

    /// Whether response bodies of the configured media types will be looked at.
    pub fn response_body_access(&self) -> bool {
        self.scratch.state.mode != EngineMode::Off && self.scratch.state.response_body_access
    }

    /// What happens when the request body is longer than its limit; overrides `SecRequestBodyLimitAction`.
    pub fn set_request_body_limit_action(&mut self, action: LimitAction) {
        self.scratch.state.request_body_limit_action = action;
    }

    /// Bytes that are allocated for head, bodies and values, in use or not.
    pub fn memory(&self) -> usize {
        self.scratch.memory()
    }

    /// Data that rules have asked for and that was not there because something is broken: [`missing::BROKEN`], with the reason where
    /// there is one.
    pub fn missing(&self) -> impl Iterator<Item = (&'static str, Option<&NotStored>)> {
        let notes = self.scratch.flags.uninspected().iter().chain(self.scratch.opened.notes());
        let broken = notes.filter(|note| missing::BROKEN.contains(*note));
        broken.map(move |note| (*note, self.scratch.uploads.failed.as_ref().filter(|_| *note == missing::UPLOAD)))
    }

    /// Notes in the verdict that the host lets something pass without inspection.
    pub fn note_uninspected(&mut self, what: &'static str) {
        self.scratch.flags.note(what);
    }

    /// What was not inspected so far, or not in full.
    pub fn uninspected(&self) -> &[&'static str] {
        self.scratch.flags.uninspected()
    }

    /// The rules that matched and log, in order.
    pub fn records(&self) -> &[MatchRecord] {
        &self.scratch.records
    }

    /// The transaction's id: what a block page shows and every log line carries.
    pub fn unique_id(&self) -> &str {
        &self.scratch.state.unique_id
    }

    /// Whether the engine would act on this transaction, only watch it, or leave it alone.
    pub fn mode(&self) -> EngineMode {
        self.scratch.state.mode
    }

    /// Environment variables that rules have set for the host (`setenv`).
    pub fn environment(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.scratch.environment.iter().map(|(name, value)| (&**name, value.as_slice()))
    }

    /// A TX entry, by name without case.
    pub fn tx(&self, name: &str) -> Option<&[u8]> {
        self.tx_in_lower_case(&name.to_ascii_lowercase())
    }

    fn tx_in_lower_case(&self, name: &str) -> Option<&[u8]> {
        let key = self.scratch.tx.find(&self.loaded, name.as_bytes())?;
        self.scratch.tx.get(key)
    }

    /// Notes every step from now on, for [`trace`](Self::trace). It costs time and memory, but neither fuel nor meaning.
    pub fn record_trace(&mut self) {
        self.scratch.trace = Some(Box::default());
    }

    /// The steps since [`record_trace`](Self::record_trace); none if that was not asked for.
    pub fn trace(&self) -> &[Event] {
        self.scratch.trace.as_deref().map(Trace::events).unwrap_or_default()
    }

    /// The first budget that ran dry, if one has.
    pub fn exhaustion(&self) -> Option<Exhaustion> {
        self.scratch.state.exhausted
    }

    /// Fuel spent so far.
    pub fn fuel(&self) -> u64 {
        self.meter.spent()
    }

    /// Bytes of request and answer so far: what the budget has grown by.
    pub fn inspected(&self) -> u64 {
        self.inspected
    }

    /// The ruleset.
    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// What each rule has spent of its own, by its index.
    pub fn rule_fuel(&self) -> &[u64] {
        &self.scratch.rule_fuel
    }

    /// The rule that runs, if one does: after a panic, the one that has panicked.
    pub fn running_rule(&self) -> Option<RuleIx> {
        self.scratch.state.rule.filter(|_| self.cursor.entered)
    }

    /// The rules that spent most fuel of their own, dearest first.
    pub fn dearest_rules(&self, most: usize) -> Vec<(RuleId, u64)> {
        let mut spent: Vec<_> = self
            .scratch
            .rule_fuel
            .iter()
            .zip(&self.loaded.program().ruleset.rules)
            .filter(|(fuel, _)| **fuel > 0)
            .map(|(fuel, rule)| (rule.id, *fuel))
            .collect();
        spent.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        spent.truncate(most);
        spent
    }

    /// The outcome so far.
    pub fn verdict(&self) -> Verdict {
        let score = |name: &str| self.tx_in_lower_case(name).map(numeric::integer);
        let inbound = score("blocking_inbound_anomaly_score").or_else(|| score("inbound_anomaly_score"));
        let outbound = score("blocking_outbound_anomaly_score").or_else(|| score("outbound_anomaly_score"));
        Verdict {
            interruption: self.interruption(),
            rules: self.scratch.records.iter().filter(|record| record.log).map(|record| record.rule).collect(),
            score: Score { inbound: inbound.unwrap_or(0), outbound: outbound.unwrap_or(0) },
            fuel: self.meter.spent(),
            fuel_by_phase: self.fuel_by_phase,
            exhausted: self.scratch.state.exhausted,
            uninspected: self.scratch.flags.uninspected().to_vec(),
            collections: self.scratch.opened.notes().to_vec(),
            generation: self.generation,
            epoch: self.scratch.epoch,
            shed_level: 0,
            dearest: if self.scratch.state.exhausted.is_some() { self.dearest_rules(DEAREST) } else { Vec::new() },
            tried: None,
        }
    }
}
