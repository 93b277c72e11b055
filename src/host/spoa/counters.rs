//! What the agent has counted, as text for Prometheus. No label has a value that a client or HAProxy could choose.

use super::agent::Applications;
use super::length::Came;
use super::status::Status;
use crate::governor::Exposition;
use crate::waf::{Counts, Health};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Which of the two messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

impl Side {
    const ALL: [Side; 2] = [Side::Request, Side::Response];

    const fn name(self) -> &'static str {
        match self {
            Side::Request => "request",
            Side::Response => "response",
        }
    }
}

/// A counter that goes up.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Of one application.
#[derive(Debug, Default)]
pub(super) struct OfApplication {
    messages: [Counter; 2],
    nanos: [Counter; 2],
    bodies: [[Counter; 3]; 2],
    /// Transactions that a response message has ended.
    pub(super) answered: Counter,
    /// Those whose response has not come in time.
    pub(super) expired: Counter,
    /// Those for whose responses there was no place.
    pub(super) unkept: Counter,
    /// Responses whose requests nobody knows.
    pub(super) unknown: Counter,
}

impl OfApplication {
    pub(super) fn message(&self, side: Side, time: Duration) {
        let [message, nanos] = [&self.messages, &self.nanos].map(|counters| side.of(counters));
        message.add(1);
        nanos.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn body(&self, side: Side, came: Came) {
        let [whole, cut, unmeasured] = side.of(&self.bodies);
        match came {
            Came::Whole => whole.add(1),
            Came::Cut => cut.add(1),
            Came::Unmeasured => unmeasured.add(1),
        }
    }
}

impl Side {
    fn of<T>(self, [request, response]: &[T; 2]) -> &T {
        match self {
            Side::Request => request,
            Side::Response => response,
        }
    }
}

/// Of the agent.
#[derive(Debug, Default)]
pub(super) struct OfAgent {
    /// Connections that were accepted.
    pub(super) connections: Counter,
    /// Connections that have ended.
    pub(super) ended: Counter,
    /// Connections that only looked whether somebody answers.
    pub(super) health_checks: Counter,
    disconnects: [Counter; Status::ALL.len()],
    /// Messages of a name that is not configured.
    pub(super) unknown_messages: Counter,
    /// Messages for an application that is not configured.
    pub(super) unknown_applications: Counter,
    /// Messages without what is needed.
    pub(super) bad_arguments: Counter,
}

impl OfAgent {
    /// A connection was ended by the agent.
    pub(super) fn disconnect(&self, status: Status) {
        let counters = Status::ALL.iter().zip(&self.disconnects);
        counters.filter(|(own, _)| **own == status).for_each(|(_, counter)| counter.add(1));
    }

    fn open(&self) -> u64 {
        self.connections.get().saturating_sub(self.ended.get())
    }
}

/// Everything.
pub(super) fn expose(agent: &OfAgent, applications: &Applications) -> String {
    let mut text = Exposition::default();
    text.gauge("fusewall_spoa_connections", "Open connections of HAProxy.", agent.open());
    text.family("fusewall_spoa_connections_total", "counter", "Connections of HAProxy.")
        .sample(&[], agent.connections.get());
    text.family("fusewall_spoa_health_checks_total", "counter", "Health checks of HAProxy.")
        .sample(&[], agent.health_checks.get());
    let mut family = text.family("fusewall_spoa_disconnects_total", "counter", "Connections that the agent has ended.");
    for (status, counter) in Status::ALL.iter().zip(&agent.disconnects) {
        family.sample(&[("status", status.name())], counter.get());
    }
    text.family("fusewall_spoa_unusable_messages_total", "counter", "Messages that could not be judged.")
        .sample(&[("reason", "unknown_message")], agent.unknown_messages.get())
        .sample(&[("reason", "unknown_application")], agent.unknown_applications.get())
        .sample(&[("reason", "arguments")], agent.bad_arguments.get());
    let mut family = text.family("fusewall_requests_total", "counter", "Inspected requests, by what became of them.");
    for application in applications.all() {
        let Counts { passed, denied, dropped, redirected, exhausted, failed } = application.waf.counts();
        let counts = [
            ("pass", passed),
            ("deny", denied),
            ("drop", dropped),
            ("redirect", redirected),
            ("exhausted", exhausted),
            ("internal_error", failed),
        ];
        for (action, count) in counts {
            family.sample(&[("application", application.name()), ("action", action)], count);
        }
    }
    let mut family = text.family("fusewall_spoa_messages_total", "counter", "Messages that were answered.");
    for application in applications.all() {
        for side in Side::ALL {
            let count = side.of(&application.counters.messages).get();
            family.sample(&[("application", application.name()), ("message", side.name())], count);
        }
    }
    let mut family = text.family("fusewall_spoa_message_seconds_total", "counter", "Time until they were answered.");
    for application in applications.all() {
        for side in Side::ALL {
            let seconds = side.of(&application.counters.nanos).get() as f64 / 1e9;
            family.sample(&[("application", application.name()), ("message", side.name())], seconds);
        }
    }
    let mut family = text.family("fusewall_spoa_bodies_total", "counter", "Bodies, against the length announced.");
    for application in applications.all() {
        for side in Side::ALL {
            for (came, counter) in Came::ALL.iter().zip(side.of(&application.counters.bodies)) {
                let labels = [("application", application.name()), ("message", side.name()), ("came", came.name())];
                family.sample(&labels, counter.get());
            }
        }
    }
    let mut family = text.family("fusewall_spoa_transactions_waiting", "gauge", "Requests that wait for responses.");
    for application in applications.all() {
        family.sample(&[("application", application.name())], application.waiting());
    }
    let mut family = text.family("fusewall_spoa_transactions_total", "counter", "What became of those that waited.");
    for application in applications.all() {
        let own = &application.counters;
        let outcomes = [
            ("answered", &own.answered),
            ("expired", &own.expired),
            ("unkept", &own.unkept),
            ("unknown", &own.unknown),
        ];
        for (outcome, counter) in outcomes {
            family.sample(&[("application", application.name()), ("outcome", outcome)], counter.get());
        }
    }
    rulesets(applications, &mut text);
    if let Some(tenant) = applications.all().find_map(|application| application.waf.tenant()) {
        tenant.governor().metrics().expose(&mut text);
    }
    text.finish()
}

/// What is in service, and what has become of audit records.
fn rulesets(applications: &Applications, text: &mut Exposition) {
    let mut family = text.family("fusewall_ruleset_info", "gauge", "The ruleset in service.");
    for application in applications.all() {
        let about = application.waf.generation();
        let (digest, generation) = (about.content.to_string(), about.number.to_string());
        family.sample(&[("application", application.name()), ("digest", &digest), ("generation", &generation)], 1);
    }
    let mut family = text.family("fusewall_degraded", "gauge", "1 if other rules are in service than configured.");
    for application in applications.all() {
        let degraded = matches!(application.waf.health(), Health::Degraded { .. });
        family.sample(&[("application", application.name())], u8::from(degraded));
    }
    let mut family = text.family("fusewall_audit_records_total", "counter", "What became of audit records.");
    for application in applications.all() {
        let Some(counts) = application.audit_log().map(|log| log.counts()) else { continue };
        let outcomes = [
            ("written", counts.written),
            ("over_rate", counts.over_rate),
            ("over_queue", counts.over_queue),
            ("failed", counts.failed),
        ];
        for (outcome, count) in outcomes {
            family.sample(&[("application", application.name()), ("outcome", outcome)], count);
        }
    }
}
