//! What became of the streams, for monitoring. Labels have few values: none that a client or a ruleset could multiply.

use crate::governor::Exposition;
use std::sync::atomic::{AtomicU64, Ordering};

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was inspected that there was to inspect, and nothing was refused.
    Passed,
    /// The client got a refusal.
    Refused,
    /// The response was refused when its head had left already: Envoy cut it.
    CutOff,
    /// There was no CPU left for the request.
    Shed,
    /// Envoy ended the stream before the exchange was at its end: a client that went away, a `message_timeout`, a response that is not
    /// sent here.
    Abandoned,
    /// Messages that contradict each other, or are too long, or in a mode that is not spoken.
    Protocol,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 6] =
        [Outcome::Passed, Outcome::Refused, Outcome::CutOff, Outcome::Shed, Outcome::Abandoned, Outcome::Protocol];

    /// As metrics call it.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Refused => "refused",
            Outcome::CutOff => "cut_off",
            Outcome::Shed => "shed",
            Outcome::Abandoned => "abandoned",
            Outcome::Protocol => "protocol_error",
        }
    }
}

/// What an operator should look after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Requests without `source.address` among their attributes: rules see 0.0.0.0.
    Anonymous,
    /// Request bodies that rules look at and Envoy does not send.
    UnsentRequestBodies,
    /// The same of responses.
    UnsentResponseBodies,
    /// Responses that came before the end of their request's body, of which the rest is held back.
    EarlyAnswers,
    /// Errors that Envoy has answered itself, to requests that it did not show.
    AnswersOfEnvoy,
    /// Refusals that `observability_mode` kept from happening.
    Observed,
}

impl Counter {
    /// All of them.
    pub const ALL: [Counter; 6] = [
        Counter::Anonymous,
        Counter::UnsentRequestBodies,
        Counter::UnsentResponseBodies,
        Counter::EarlyAnswers,
        Counter::AnswersOfEnvoy,
        Counter::Observed,
    ];

    /// As metrics call it.
    pub const fn name(self) -> &'static str {
        match self {
            Counter::Anonymous => "no_source_address",
            Counter::UnsentRequestBodies => "request_body_not_sent",
            Counter::UnsentResponseBodies => "response_body_not_sent",
            Counter::EarlyAnswers => "early_answer",
            Counter::AnswersOfEnvoy => "answer_of_envoy",
            Counter::Observed => "observed_refusal",
        }
    }
}

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Counters {
    begun: AtomicU64,
    ended: [AtomicU64; Outcome::ALL.len()],
    noted: [AtomicU64; Counter::ALL.len()],
}

impl Counters {
    pub(super) fn begin(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self, outcome: Outcome) {
        if let Some(count) = self.ended.get(outcome as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn add(&self, counter: Counter) {
        if let Some(count) = self.noted.get(counter as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Streams that ended in this way.
    pub fn streams(&self, outcome: Outcome) -> u64 {
        self.ended.get(outcome as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// How often this has happened.
    pub fn noted(&self, counter: Counter) -> u64 {
        self.noted.get(counter as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Streams that run.
    pub fn open(&self) -> u64 {
        let ended: u64 = Outcome::ALL.into_iter().map(|outcome| self.streams(outcome)).sum();
        self.begun.load(Ordering::Relaxed).saturating_sub(ended)
    }

    /// As Prometheus reads it.
    pub fn expose(&self, text: &mut Exposition) {
        text.gauge("fusewall_ext_proc_streams_open", "Streams of Envoy that run.", self.open());
        let mut streams =
            text.family("fusewall_ext_proc_streams_total", "counter", "Streams of Envoy that ended, by how they did.");
        for outcome in Outcome::ALL {
            streams.sample(&[("outcome", outcome.name())], self.streams(outcome));
        }
        let help = "What should not happen with Envoy configured as docs/envoy.md says.";
        let mut notes = text.family("fusewall_ext_proc_notes_total", "counter", help);
        for counter in Counter::ALL {
            notes.sample(&[("kind", counter.name())], self.noted(counter));
        }
    }
}
