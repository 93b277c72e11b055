//! What a rollout adds to one exchange: the other ruleset's opinion, or a record to ask it later.

use super::recorded::Recorded;
use super::second::Second;
use super::trial::{Ended, Other, Part, Trial};
use crate::engine::{self, Interruption, Step, Tried};
use crate::rule::Phase;
use crate::store::rollout::{Outcome, Source, Stage};
use std::net::IpAddr;
use std::sync::Arc;

/// How an exchange takes part in a rollout.
pub(in crate::waf) struct Beside {
    trial: Arc<Trial>,
    /// Microseconds since 1970.
    at: u64,
    part: Option<(IpAddr, Stage)>,
    second: Option<Second>,
    recorded: Option<Box<Recorded>>,
    /// The head says that a body follows (RFC 9112, section 6.3).
    announced: bool,
    /// All of the request has been told.
    told: bool,
    logged: bool,
}

impl Beside {
    /// An exchange that begins while a rollout is under way.
    pub(in crate::waf) fn new(trial: Arc<Trial>, at: u64) -> Beside {
        Beside { trial, at, part: None, second: None, recorded: None, announced: false, told: false, logged: false }
    }

    /// Now the client is known, and with it what part the exchange takes.
    pub(in crate::waf) fn connect(&mut self, generation: u64, id: &str, client: (IpAddr, u16), server: (IpAddr, u16)) {
        self.part = None;
        match self.trial.part(generation, client.0) {
            None => {}
            Some(Part::Both(stage)) => {
                self.second = self.trial.second(id);
                self.part = Some((client.0, stage));
            }
            Some(Part::Afterwards(stage)) => {
                self.recorded = Some(Box::new(Recorded::between(client, server)));
                self.part = Some((client.0, stage));
            }
        }
    }

    /// Tells the other ruleset what the first one is told.
    pub(in crate::waf) fn tell(
        &mut self,
        call: impl FnOnce(&mut engine::Transaction),
        record: impl FnOnce(&mut Recorded),
    ) {
        if let Some(second) = &mut self.second {
            second.ask((), call);
        }
        if let Some(recorded) = &mut self.recorded {
            record(recorded);
        }
    }

    /// A header field of the request.
    pub(in crate::waf) fn header(&mut self, name: &[u8], value: &[u8]) {
        self.announced |= name.eq_ignore_ascii_case(b"transfer-encoding")
            || (name.eq_ignore_ascii_case(b"content-length") && value.trim_ascii() != b"0");
    }

    /// A phase begins: what is told later is not part of what came before.
    pub(in crate::waf) fn begin(&mut self, phase: Phase) {
        self.told |= phase == Phase::RequestBody;
        self.logged |= phase == Phase::Logging;
    }

    /// The rest of a request that was turned away.
    pub(in crate::waf) fn rest(&mut self, chunk: &[u8]) {
        self.tell(
            |tx| {
                tx.write_request_body(chunk);
            },
            |recorded| recorded.body(chunk),
        );
        self.told = true;
    }

    /// Whether the other ruleset can still be told of a request that was turned away.
    pub(in crate::waf) fn wants_rest(&self) -> bool {
        self.part.is_some() && !self.told
    }

    /// Goes on with the other ruleset, if it is asked at the same time.
    pub(in crate::waf) fn step(&mut self, fuel: u64) -> Step {
        match &mut self.second {
            Some(second) => second.ask(Step::Done(None), |tx| tx.step(fuel)),
            None => Step::Done(None),
        }
    }

    /// The other ruleset, if it is the one that decides: the candidate of a canary, unless it has failed, or lets pass what the first
    /// one blocks. As [`combined`](crate::store::rollout::combined) has it.
    pub(in crate::waf) fn deciding(&self, first_blocks: bool) -> Option<&engine::Transaction> {
        let other = self.second.as_ref()?.told()?;
        let loosens = first_blocks && other.interruption().is_none();
        (!loosens || self.trial.waived).then_some(other)
    }

    /// What both together have come to.
    pub(in crate::waf) fn decided(&self, first: Option<Interruption>) -> Option<Interruption> {
        match self.deciding(first.is_some()) {
            Some(other) => other.interruption(),
            None => first,
        }
    }

    /// The other ruleset, if it is asked at the same time and has not failed.
    pub(in crate::waf) fn other(&self) -> Option<&engine::Transaction> {
        self.second.as_ref()?.told()
    }

    /// Fuel that the other ruleset has spent on the request's own time.
    pub(in crate::waf) fn fuel(&self) -> u64 {
        self.second.as_ref().map_or(0, Second::fuel)
    }

    /// How the verdict names it.
    pub(in crate::waf) fn tried(&self) -> Option<Tried> {
        self.part.map(|(_, stage)| self.trial.tried(stage))
    }

    /// The exchange is over; `first` is what the first ruleset has come to. What broke off is no observation.
    pub(in crate::waf) fn end(mut self, id: &str, first: impl FnOnce() -> Outcome) {
        let Some((client, stage)) = self.part.filter(|_| self.logged) else { return };
        let other = match (self.second.take(), self.recorded.take()) {
            (Some(second), _) => Other::Asked(Outcome::of(second.told().map(engine::Transaction::verdict).as_ref())),
            (None, Some(recorded)) => Other::ToAsk { recorded, at: self.at },
            (None, None) => return,
        };
        let whole = self.told || !self.announced;
        let (id, source) = (id.to_owned(), Source::from(client));
        self.trial.leave(Ended { id, source, stage, whole, first: first(), other });
    }
}
