//! An application: the rules, log and choices for the messages that name it, and what becomes of one message.

use super::config::{Bodies, Config, Site};
use super::counters::{OfApplication, Side};
use super::length::{self, Came};
use super::message::{Request, Response};
use super::verdict::Verdict;
use super::waiting::Waiting;
use crate::governor::{Report, Shed};
use crate::host::audit::AuditLog;
use crate::host::exchange::{Chunk, Refusal, ResponsePlan, Uninspected, Unread};
use crate::host::inspect::Inspector;
use crate::host::serve::incident::Incident;
use crate::host::serve::ledger::Ledger;
use crate::host::serve::{self, ErrorLog, ServeError};
use crate::waf::Waf;
use std::sync::Arc;
use std::time::Instant;

/// Why rules see a body error.
const CUT: &str = "The body is longer than what HAProxy's buffer holds.";
/// The same where nobody has said how long it is.
const UNMEASURED: &str = "The body has no length, and may be longer than what came.";

/// What all its messages share.
pub(super) struct Application {
    name: String,
    pub(super) waf: Waf,
    ledger: Arc<Ledger>,
    /// Its choices about bodies, for the site and for its routes.
    choices: serve::Config,
    bodies: Bodies,
    /// Its requests wait for their responses.
    responses: bool,
    waiting: Waiting<Waits>,
    pub(super) counters: OfApplication,
}

/// A request that has passed, until its response comes.
pub(super) struct Waits {
    incident: Incident,
    method: Vec<u8>,
}

impl Application {
    pub(super) fn new(
        config: &Config,
        site: Site,
        waf: Waf,
        inspector: Inspector,
        log: ErrorLog,
    ) -> Result<Self, ServeError> {
        let ledger = Ledger::over(&config.shared, &waf, inspector, log)?;
        Ok(Application {
            name: if site.name.is_empty() { "default".to_owned() } else { site.name },
            waf,
            ledger,
            choices: config.shared.clone(),
            bodies: site.bodies,
            responses: site.responses,
            waiting: Waiting::new(config.limits.transactions, config.timeouts.transaction),
            counters: OfApplication::default(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn audit_log(&self) -> Option<&AuditLog> {
        self.ledger.audit.as_ref()
    }

    /// How many requests wait for their responses.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.count()
    }

    /// Phases 1 and 2. `frame` is the longest frame of HAProxy, bytes.
    pub(super) async fn request(&self, request: Request<'_>, frame: u32) -> Verdict {
        let policy = self.choices.body_policy(&request.head.target);
        let mut incident = match self.ledger.incident_with_id(request.id, &request.head, request.ends, policy) {
            Ok(incident) => incident,
            Err(shed) => return self.shed(&request, &shed),
        };
        if let Some(refusal) = self.inspect_request(&mut incident, &request, frame).await {
            return refused(incident, &refusal).await;
        }
        let id = incident.exchange.incident_id().to_owned();
        match self.responses {
            true => self.keep(&id, Waits { incident, method: request.head.method }).await,
            false => incident.close().await,
        }
        Verdict::Pass(id)
    }

    async fn inspect_request(&self, incident: &mut Incident, request: &Request<'_>, frame: u32) -> Option<Refusal> {
        let Request { head, body, .. } = request;
        incident.exchange.begin(head);
        if let Some(refusal) = self.ledger.inspector.run(&mut incident.exchange).await {
            return Some(refusal);
        }
        // HAProxy passes it on, and servers may read no further (RFC 9110, section 5.5).
        if head.headers.iter().any(|(_, value)| value.contains(&0)) {
            incident.refused(400, "A header field holds a zero byte.");
            return Some(incident.exchange.refuse(400));
        }
        if let Some(refusal) = incident.exchange.check_coding(head) {
            incident.refused(415, "The request body has a Content-Encoding, which is not decoded.");
            return Some(refusal);
        }
        let came = length::of_request(&head.method, &head.version, &head.headers, body, frame);
        self.counters.body(Side::Request, came);
        if incident.exchange.inspects_request_body() {
            if let Chunk::Refused(refusal) = incident.exchange.request_body_chunk(body) {
                return Some(refusal);
            }
            match (came, self.bodies) {
                (Came::Cut, Bodies { cut: Unread::Refuse, .. }) => incident.exchange.fail_request_body(CUT),
                (Came::Cut, _) => incident.exchange.skipped(Uninspected::RequestBodyRest),
                (Came::Unmeasured, Bodies { unmeasured: Unread::Refuse, .. }) => {
                    incident.exchange.fail_request_body(UNMEASURED);
                }
                (Came::Whole | Came::Unmeasured, _) => {}
            }
        }
        incident.exchange.end_request_body();
        self.ledger.inspector.run(&mut incident.exchange).await
    }

    /// Lets a request wait. One that finds no place ends without its response.
    async fn keep(&self, id: &str, waits: Waits) {
        let left = match self.waiting.keep(id, waits, Instant::now()) {
            Ok(None) => return,
            // Two requests of one id: the response can only be the second one's.
            Ok(Some(before)) => before,
            Err(none) => none,
        };
        self.counters.unkept.add(1);
        left.end_without_response().await;
    }

    /// Phases 3 to 5.
    pub(super) async fn response(&self, response: Response<'_>) -> Verdict {
        let Some(Waits { mut incident, method }) = response.id.and_then(|id| self.waiting.take(id)) else {
            self.counters.unknown.add(1);
            self.tell_unknown(response.id);
            return Verdict::Failed;
        };
        self.counters.answered.add(1);
        if let Some(refusal) = self.inspect_response(&mut incident, &method, &response).await {
            return refused(incident, &refusal).await;
        }
        incident.answered(response.status);
        incident.close().await;
        Verdict::Pass(incident.exchange.incident_id().to_owned())
    }

    async fn inspect_response(
        &self,
        incident: &mut Incident,
        method: &[u8],
        response: &Response<'_>,
    ) -> Option<Refusal> {
        let Response { status, version, headers, body, .. } = response;
        let exchange = &mut incident.exchange;
        exchange.response(*status, version, headers.iter().map(|(name, value)| (&name[..], &value[..])));
        if let Some(refusal) = self.ledger.inspector.run(exchange).await {
            return Some(refusal);
        }
        let came = length::of_response(method, *status, headers, body);
        self.counters.body(Side::Response, came);
        let field = |name: &[u8]| {
            let named = headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
            named.map(|(_, value)| &value[..])
        };
        if *status == 101 {
            exchange.skipped(Uninspected::Tunnel);
        } else if exchange.response_plan(field(b"content-type"), field(b"content-encoding")) != ResponsePlan::Pass {
            if let Chunk::Refused(refusal) = exchange.response_body_chunk(body) {
                return Some(refusal);
            }
            // HAProxy has no more of it now, and will not ask again.
            if came != Came::Whole {
                exchange.skipped(Uninspected::ResponseBodyRest);
            }
        }
        exchange.end_response_body();
        self.ledger.inspector.run(exchange).await
    }

    /// Ends what has waited for too long.
    pub(super) async fn sweep(&self, now: Instant) {
        for waits in self.waiting.expired(now) {
            self.counters.expired.add(1);
            waits.end_without_response().await;
        }
    }

    /// Ends everything that waits.
    pub(super) async fn end(&self) {
        for waits in self.waiting.all() {
            waits.end_without_response().await;
        }
    }

    /// The answer to a request that is shed.
    fn shed(&self, request: &Request<'_>, shed: &Shed) -> Verdict {
        let id = self.ledger.shed(&request.head, request.ends, shed);
        Verdict::deny(id.to_string(), shed.status, 0)
    }

    fn tell_unknown(&self, id: Option<&str>) {
        let Some(left_out) = Report::Upstream.admit() else { return };
        let (application, left_out) = (&self.name, left_out.count());
        match (self.responses, id) {
            (false, _) => tracing::error!(
                application,
                left_out,
                "a response message came, but `responses` is not set: HAProxy is told an error"
            ),
            (true, None) => {
                tracing::error!(
                    application,
                    left_out,
                    "a response message has no usable `id`: HAProxy is told an error"
                );
            }
            (true, Some(id)) => tracing::warn!(
                application,
                id,
                left_out,
                "a response message came for a request that is not known, or not any more: HAProxy is told an error"
            ),
        }
    }
}

impl Waits {
    async fn end_without_response(mut self) {
        self.incident.exchange.skipped(Uninspected::Response);
        self.incident.close().await;
    }
}

/// Ends an exchange that goes no further.
async fn refused(mut incident: Incident, refusal: &Refusal) -> Verdict {
    let verdict = Verdict::refuse(&incident.exchange, refusal);
    incident.answered(verdict.status().unwrap_or(0));
    incident.close().await;
    verdict
}
