//! What an OpenTelemetry collector is told of a request that was turned away, whoever turned it away.

use super::super::otlp::{Refused, TraceContext};
use super::{Incident, quoted};
use crate::engine::Reason;
use crate::host::exchange::RequestHead;
use crate::rule::Phase;
use std::time::SystemTime;

/// What has to be kept for it beside the rest.
pub(super) struct Export {
    method: Vec<u8>,
    trace: Option<TraceContext>,
    /// The host's own reason, and when it was.
    own: Option<(Phase, String)>,
}

impl Export {
    pub(super) fn new(head: &RequestHead) -> Export {
        let trace = head.values("traceparent").next().and_then(TraceContext::parse);
        Export { method: head.method.clone(), trace, own: None }
    }

    /// The host itself has refused.
    pub(super) fn refused(&mut self, phase: Phase, reason: &str) {
        self.own.get_or_insert_with(|| (phase, reason.to_owned()));
    }
}

impl Incident {
    /// Hands a refusal over. To be called once, when everything is known.
    pub(super) fn export(&self) {
        let (Some(otlp), Some(export)) = (&self.proxy.otlp, &self.export) else { return };
        if self.exchange.refusal().is_some() || export.own.is_some() {
            otlp.send(|| self.told(export));
        }
    }

    fn told(&self, export: &Export) -> Refused {
        let text = |bytes: &[u8]| quoted(&self.exchange.hidden(bytes));
        let ended = self.exchange.interruption();
        let rule = ended.as_ref().and_then(|ended| match ended.reason {
            Reason::Rule(rule) => Some(rule),
            _ => None,
        });
        let record = rule.and_then(|rule| {
            let (records, _) = self.exchange.logged_records(0);
            records.into_iter().rfind(|record| record.rule == rule)
        });
        let own = export.own.as_ref();
        let unruled = self.exchange.unruled().map(|unruled| unruled.reason.to_owned());
        let verdict = self.exchange.verdict();
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Refused {
            at: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            id: self.exchange.incident_id().to_owned(),
            client: self.client,
            method: text(&export.method),
            host: text(&self.host),
            target: text(&self.target),
            status: self.status,
            action: ended.as_ref().map_or("deny", |ended| ended.action.name()),
            phase: ended.as_ref().map(|ended| ended.phase).or(own.map(|own| own.0)).map_or(0, Phase::number),
            rule: rule.map(|rule| rule.0),
            message: record
                .map(|record| record.message)
                .or(unruled)
                .or(own.map(|own| own.1.clone()))
                .unwrap_or_default(),
            fuel: verdict.as_ref().map_or(0, |verdict| verdict.fuel),
            generation: verdict.map_or(0, |verdict| verdict.generation),
            trace: export.trace.clone(),
        }
    }
}
