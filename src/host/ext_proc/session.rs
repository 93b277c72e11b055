//! One exchange on its stream: which message runs which phase, and what each outcome makes of the answers.
//!
//! How long something is held back depends on how Envoy sends it. Buffered bodies wait in Envoy, full-duplex ones here, heads included.
//! Of a streamed one the head has gone on already: request bodies are held here all the same, and go on in the place of their last piece;
//! response bodies are watched, and their last piece waits for the verdict.

use super::Site;
use super::answer;
use super::counters::{Counter, Outcome};
use super::flow::{Flow, Hold, Modes, Side, duplex, whole};
use super::head::{self, Attributes};
use super::messages::{BodySendMode, HttpHeaders, ProcessingRequest, ProcessingResponse, Request};
use crate::governor::Shed;
use crate::host::exchange::{Ends, Refusal, RequestHead, ResponsePlan, Uninspected};
use crate::host::inspect::{Fault, Stop};
use crate::host::serve::forward;
use crate::host::serve::incident::Incident;
use std::sync::Arc;

/// Answers to one message, in order.
pub(super) type Answers = Vec<ProcessingResponse>;

/// Why a stream goes no further.
pub(super) enum Halt {
    /// The client is turned away: the last answer, and what it comes to.
    TurnedAway(Box<ProcessingResponse>, Outcome),
    /// The messages contradict each other, or Envoy is configured in a way that cannot be inspected.
    Protocol(&'static str),
}

/// Why a message does not go on.
pub(super) enum Trouble {
    Stop(Stop),
    Shed(Box<(Shed, Ends, RequestHead)>),
    Protocol(&'static str),
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Trouble::Stop(stop)
    }
}

pub(super) struct Session {
    pub(super) site: Arc<Site>,
    pub(super) incident: Option<Incident>,
    /// How bodies come; streamed, as long as nobody has said it.
    pub(super) modes: Modes,
    /// Whether Envoy has said it.
    told: bool,
    pub(super) request: Flow,
    pub(super) response: Flow,
    /// The lengths that the heads declare for their bodies.
    pub(super) declared: [Option<u64>; 2],
    /// Bytes of the response body that were shown to the engine and have gone on.
    pub(super) watched: u64,
    /// Whether the request asks to leave HTTP, and how far it has come.
    pub(super) upgrade: Upgrade,
    /// The upstream's status, once it is known.
    status: u16,
    /// Nobody waits for answers.
    observing: bool,
    /// Nothing more is inspected: what would have been refused was merely observed.
    observed: bool,
}

impl Session {
    pub(super) fn new(site: &Arc<Site>) -> Session {
        Session {
            site: Arc::clone(site),
            incident: None,
            modes: Modes { request: BodySendMode::Streamed, response: BodySendMode::Streamed },
            told: false,
            request: Flow::Expected,
            response: Flow::Expected,
            declared: [None, None],
            watched: 0,
            upgrade: Upgrade::Unasked,
            status: 0,
            observing: false,
            observed: false,
        }
    }

    /// Whether the rest of a request body is waited for.
    pub(super) fn awaits_body(&self) -> bool {
        matches!(self.request, Flow::Held(_)) && !self.observing
    }

    /// Whether everything was inspected that there was to inspect: nothing of a request that Envoy has answered without showing it.
    pub(super) fn complete(&self) -> bool {
        match &self.incident {
            Some(incident) => incident.exchange.finished(),
            None => matches!(self.request, Flow::Over),
        }
    }

    /// Takes a message.
    ///
    /// # Errors
    /// [`Halt`]: there is at most one more answer.
    pub(super) async fn take(&mut self, message: ProcessingRequest) -> Result<Answers, Halt> {
        self.observing |= message.observability_mode;
        match self.part(message).await {
            Ok(_) if self.observing => Ok(Answers::new()),
            Ok(answers) => Ok(answers),
            Err(Trouble::Protocol(why)) => Err(Halt::Protocol(why)),
            Err(trouble) if self.observing => {
                self.observe(trouble).await;
                Ok(Answers::new())
            }
            Err(Trouble::Shed(shed)) => Err(self.shed(&shed.0, shed.1, &shed.2)),
            Err(Trouble::Stop(stop)) => Err(self.turn_away(stop).await),
        }
    }

    /// The rest of a request body did not come in time.
    pub(super) async fn late(&mut self) -> Halt {
        self.turn_away(Stop::Fault(Fault::Refuse(408, "The request body took too long."))).await
    }

    async fn part(&mut self, message: ProcessingRequest) -> Result<Answers, Trouble> {
        let ProcessingRequest { request, attributes, protocol_config, .. } = message;
        let Some(part) = request else { return Err(Trouble::Protocol("A message has no part.")) };
        if let (false, Some(config)) = (self.told, protocol_config) {
            self.modes = Modes::of(config.request_body_mode, config.response_body_mode)
                .ok_or(Trouble::Protocol("A body mode is not spoken here. docs/envoy.md names those that are."))?;
            self.told = true;
        }
        if self.observed {
            return Ok(Answers::new());
        }
        match part {
            Request::RequestHeaders(head) => self.request_head(head, &Attributes::of(&attributes)).await,
            Request::RequestBody(body) => self.piece(Side::Request, body).await,
            Request::RequestTrailers(_) => self.trailers(Side::Request).await,
            Request::ResponseHeaders(head) => self.response_head(head).await,
            Request::ResponseBody(body) => self.piece(Side::Response, body).await,
            Request::ResponseTrailers(_) => self.trailers(Side::Response).await,
        }
    }

    async fn request_head(&mut self, message: HttpHeaders, told: &Attributes<'_>) -> Result<Answers, Trouble> {
        if !matches!((&self.request, &self.response), (Flow::Expected, Flow::Expected)) {
            return Err(Trouble::Protocol("A request's head comes after other parts."));
        }
        if told.client().is_none() {
            self.site.counters.add(Counter::Anonymous);
        }
        let (head, objection) = head::request(message.headers.unwrap_or_default(), told);
        let (config, ledger) = (&self.site.config.site, &self.site.ledger);
        let mut ends = told.ends();
        ends.client = forward::client(&config.trusted_proxies, ends.client, &head);
        let incident = match ledger.incident(&head, ends, config.body_policy(&head.target)) {
            Ok(incident) => self.incident.insert(incident),
            Err(shed) => return Err(Trouble::Shed(Box::new((shed, ends, head)))),
        };
        let exchange = &mut incident.exchange;
        ledger.inspector.head(exchange, &head).await?;
        if let Some(reason) = objection {
            return Err(Stop::Fault(Fault::Refuse(400, reason)).into());
        }
        if let Some(refusal) = exchange.check_coding(&head) {
            incident.refused(415, "The request body has a Content-Encoding, which is not decoded.");
            return Err(Stop::Refused(refusal).into());
        }
        self.upgrade = Upgrade::asked(&head, &config.upstream.upgrades);
        self.declared = [head::declared(&head.headers), None];
        let bodiless = message.end_of_stream || self.upgrade != Upgrade::Unasked;
        let wanted = !bodiless && exchange.inspects_request_body();
        if wanted && self.modes.request != BodySendMode::None {
            self.request = Flow::Held(Hold::new(ledger.inspector.share()));
            return Ok(if duplex(self.modes.request) { Answers::new() } else { vec![answer::head(Side::Request)] });
        }
        if wanted {
            exchange.skipped(Uninspected::RequestBodyRest);
            self.site.counters.add(Counter::UnsentRequestBodies);
        }
        exchange.end_request_body();
        self.run().await?;
        self.request = if message.end_of_stream { Flow::Over } else { Flow::Passing };
        let answer = answer::head(Side::Request);
        // What comes before an upgrade is agreed to is looked at, unless Envoy would wait for its end.
        let unread = self.upgrade == Upgrade::Unasked || whole(self.modes.request);
        if message.end_of_stream || !unread || !self.may_override(Side::Request) {
            return Ok(vec![answer]);
        }
        self.modes.request = BodySendMode::None;
        Ok(vec![self.with_response_mode(answer, self.modes.response)])
    }

    async fn response_head(&mut self, message: HttpHeaders) -> Result<Answers, Trouble> {
        if matches!(self.request, Flow::Expected) {
            return self.answer_of_envoy(message);
        }
        if !matches!(self.response, Flow::Expected) {
            return Err(Trouble::Protocol("A response has more than one head."));
        }
        if matches!(self.request, Flow::Held(_)) {
            // An answer that did not wait for the body, by the upstream or by Envoy. What was held stays where it is.
            self.site.counters.add(Counter::EarlyAnswers);
            self.judge(Side::Request).await?;
            self.request = Flow::Withheld;
        }
        let (status, fields) = head::response(message.headers.unwrap_or_default());
        self.status = status.ok_or(Trouble::Protocol("A response has no status."))?;
        self.declared[1] = head::declared(&fields);
        let incident = self.incident.as_mut().ok_or(ENDED)?;
        let named = fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        incident.exchange.response(self.status, b"HTTP/1.1", named);
        self.run().await?;
        let incident = self.incident.as_mut().ok_or(ENDED)?;
        incident.answered(self.status);
        let exchange = &mut incident.exchange;
        let mut plan = ResponsePlan::Pass;
        if self.upgrade.is_agreed(self.status) {
            self.upgrade = Upgrade::Agreed;
            self.modes.request = if duplex(self.modes.request) { self.modes.request } else { BodySendMode::None };
            exchange.skipped(Uninspected::Tunnel);
        } else if !message.end_of_stream {
            let field = |name| head::field(&fields, name);
            plan = exchange.response_plan(field(b"content-type"), field(b"content-encoding"));
        }
        let mode = self.modes.response;
        if plan != ResponsePlan::Pass && mode == BodySendMode::None {
            exchange.skipped(Uninspected::ResponseBodyRest);
            self.site.counters.add(Counter::UnsentResponseBodies);
            plan = ResponsePlan::Pass;
        }
        let answer = answer::head(Side::Response);
        match plan {
            ResponsePlan::Pass => {
                self.judge(Side::Response).await?;
                self.response = if message.end_of_stream { Flow::Over } else { Flow::Passing };
                let costs = !message.end_of_stream && self.may_override(Side::Response);
                Ok(vec![if costs { self.with_response_mode(answer, BodySendMode::None) } else { answer }])
            }
            ResponsePlan::Watch => {
                self.response = Flow::Watched;
                let waits = whole(mode) && self.may_override(Side::Response);
                Ok(vec![if waits { self.with_response_mode(answer, BodySendMode::Streamed) } else { answer }])
            }
            ResponsePlan::Hold if mode == BodySendMode::Streamed => {
                self.response = Flow::Watched;
                Ok(vec![answer])
            }
            ResponsePlan::Hold => {
                self.response = Flow::Held(Hold::new(self.site.ledger.inspector.share()));
                Ok(if duplex(mode) { Answers::new() } else { vec![answer] })
            }
        }
    }

    /// A response without a request is Envoy's own: to what it could not read, or what a filter before this one has refused. Errors go
    /// on, since nothing has reached an upstream; anything else is a request that should have come here.
    fn answer_of_envoy(&mut self, message: HttpHeaders) -> Result<Answers, Trouble> {
        let (status, _) = head::response(message.headers.unwrap_or_default());
        if !status.is_some_and(|status| (400..600).contains(&status)) {
            return Err(Trouble::Protocol("A response comes before its request: set request_header_mode to SEND."));
        }
        self.site.counters.add(Counter::AnswersOfEnvoy);
        self.request = Flow::Over;
        self.response = if message.end_of_stream { Flow::Over } else { Flow::Passing };
        Ok(vec![answer::head(Side::Response)])
    }

    /// Whether Envoy would take another mode for this body: not if none comes, and not in full duplex.
    fn may_override(&self, side: Side) -> bool {
        let modes = [self.modes.request, self.modes.response];
        self.told && self.modes.at(side) != BodySendMode::None && !modes.into_iter().any(duplex)
    }

    fn with_response_mode(&self, answer: ProcessingResponse, mode: BodySendMode) -> ProcessingResponse {
        answer::with_modes(answer, self.modes.request, mode)
    }

    /// Runs phase 2 or 4; a response that passes is at its end for the logs.
    pub(super) async fn judge(&mut self, side: Side) -> Result<(), Trouble> {
        let exchange = &mut self.incident.as_mut().ok_or(ENDED)?.exchange;
        match side {
            Side::Request => exchange.end_request_body(),
            Side::Response => exchange.end_response_body(),
        }
        self.run().await?;
        if let (Side::Response, Some(incident)) = (side, &mut self.incident) {
            incident.close().await;
        }
        Ok(())
    }

    async fn run(&mut self) -> Result<(), Trouble> {
        let incident = self.incident.as_mut().ok_or(ENDED)?;
        match self.site.ledger.inspector.run(&mut incident.exchange).await {
            Some(refusal) => Err(Stop::Refused(refusal).into()),
            None => Ok(()),
        }
    }

    fn shed(&self, shed: &Shed, ends: Ends, head: &RequestHead) -> Halt {
        let id = self.site.ledger.shed(head, ends, shed);
        let (_, answer) = answer::refusal(&Refusal::Page(shed.status), &id, Some(shed.retry_after_secs));
        Halt::TurnedAway(Box::new(answer), Outcome::Shed)
    }

    async fn turn_away(&mut self, stop: Stop) -> Halt {
        // Envoy resets what it cannot answer any more.
        let head_has_left = matches!(self.response, Flow::Watched);
        let Some(incident) = &mut self.incident else { return Halt::Protocol(ENDED_TEXT) };
        let refusal = match stop {
            Stop::Refused(refusal) => refusal,
            Stop::Fault(Fault::Refuse(status, reason)) => {
                incident.refused(status, reason);
                incident.exchange.refuse(status)
            }
            Stop::Fault(Fault::Gone) => incident.exchange.refuse(400),
        };
        let (status, answer) = answer::refusal(&refusal, incident.exchange.incident_id(), None);
        if !head_has_left {
            incident.answered(status);
        }
        incident.close().await;
        Halt::TurnedAway(Box::new(answer), if head_has_left { Outcome::CutOff } else { Outcome::Refused })
    }

    /// What would have ended the exchange did not: the log says so beside the line that says what was found.
    async fn observe(&mut self, trouble: Trouble) {
        self.observed = true;
        self.site.counters.add(Counter::Observed);
        let Some(incident) = &mut self.incident else { return };
        if let Trouble::Stop(Stop::Fault(Fault::Refuse(status, reason))) = trouble {
            incident.refused(status, reason);
        }
        incident.close().await;
        let id = incident.exchange.incident_id();
        let line = format!("Fusewall: observability_mode: the request was not refused [unique_id \"{id}\"]");
        self.site.ledger.log.line(line);
    }
}

const ENDED_TEXT: &str = "A part comes before the request's head.";
pub(super) const ENDED: Trouble = Trouble::Protocol(ENDED_TEXT);

/// How far a request has come that asks to leave HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgrade {
    /// It does not ask.
    Unasked,
    /// By `Upgrade`, to be agreed to with 101.
    Asked,
    /// By `CONNECT`, to be agreed to with any success.
    Connect,
    /// The bytes on both sides are no more HTTP.
    Agreed,
}

impl Upgrade {
    /// By a request: to a known protocol, and without a body that two servers could read in two ways.
    fn asked(head: &RequestHead, known: &[String]) -> Upgrade {
        if head.method == b"CONNECT" {
            return Upgrade::Connect;
        }
        let framed = ["content-length", "transfer-encoding"].iter().any(|name| head.values(name).next().is_some());
        let is_known = |asked: &[u8]| known.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(asked));
        match head.values("upgrade").next() {
            Some(asked) if !framed && is_known(asked) => Upgrade::Asked,
            _ => Upgrade::Unasked,
        }
    }

    fn is_agreed(self, status: u16) -> bool {
        match self {
            Upgrade::Unasked => false,
            Upgrade::Asked => status == 101,
            Upgrade::Connect => (200..300).contains(&status),
            Upgrade::Agreed => true,
        }
    }
}
