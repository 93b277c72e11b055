//! What all exchanges of a host share: the engine, and the logs that they are written to.

use super::incident::{Incident, quoted};
use super::log::ErrorLog;
use crate::governor::{Identity, Report, Shed};
use crate::host::audit::{AuditLimits, AuditLog, AuditLogError};
use crate::host::exchange::{BodyPolicy, Ends, RequestHead};
use crate::host::inspect::{InspectionLimits, Inspector};
use crate::rule::AuditEngine;
use crate::waf::Waf;
use std::sync::Arc;

pub(in crate::host) struct Ledger {
    pub(in crate::host) inspector: Inspector,
    pub(in crate::host) log: ErrorLog,
    pub(in crate::host) audit: Option<AuditLog>,
}

impl Ledger {
    /// # Errors
    /// The place that the rules name for the audit log cannot be used.
    pub(in crate::host) fn open(
        waf: Waf,
        limits: &InspectionLimits,
        audit: AuditLimits,
        log: ErrorLog,
    ) -> Result<Arc<Self>, AuditLogError> {
        Self::over(&waf.clone(), Inspector::new(waf, limits), audit, log)
    }

    /// The same with an inspector that shares something with others.
    pub(in crate::host) fn over(
        waf: &Waf,
        inspector: Inspector,
        audit: AuditLimits,
        log: ErrorLog,
    ) -> Result<Arc<Self>, AuditLogError> {
        let audit = audit_log(audit, waf, &log)?;
        Ok(Arc::new(Ledger { inspector, log, audit }))
    }

    /// A new exchange, if there is CPU for it.
    pub(in crate::host) fn incident(
        self: &Arc<Self>,
        head: &RequestHead,
        ends: Ends,
        policy: BodyPolicy,
    ) -> Result<Incident, Shed> {
        self.incident_with_id(None, head, ends, policy)
    }

    /// The same with an id that the host has chosen, if it has.
    pub(in crate::host) fn incident_with_id(
        self: &Arc<Self>,
        id: Option<&str>,
        head: &RequestHead,
        ends: Ends,
        policy: BodyPolicy,
    ) -> Result<Incident, Shed> {
        let exchange = self.inspector.exchange_with_id(id, ends, policy)?;
        Ok(Incident::new(self, exchange, ends.client, head))
    }

    /// Logs a request that is shed; answers its id. No rule has seen it, so the log says no more of it than where it went.
    pub(in crate::host) fn shed(&self, head: &RequestHead, ends: Ends, shed: &Shed) -> Identity {
        let id = self.inspector.incident_id();
        if let Some(left_out) = Report::Shed.admit() {
            let path = head.target.split(|&byte| byte == b'?').next().unwrap_or_default();
            let (host, path) = (quoted(head.values("host").next().unwrap_or_default()), quoted(path));
            self.log.line(format!(
                "[client {}] ModSecurity: Access denied with code {} (phase 1). {shed}{left_out} [hostname \"{host}\"] [uri \"{path}\"] [unique_id \"{id}\"]",
                ends.client.ip(),
                shed.status,
            ));
        }
        id
    }
}

/// The audit log that the rules describe, if they name a place for one.
fn audit_log(limits: AuditLimits, waf: &Waf, log: &ErrorLog) -> Result<Option<AuditLog>, AuditLogError> {
    let loaded = waf.loaded();
    let settings = &loaded.program().ruleset.settings.audit;
    if settings.path.is_none() && settings.storage_dir.is_none() {
        if settings.engine != AuditEngine::Off {
            tracing::warn!("SecAuditEngine is on, but SecAuditLog names no file: no audit log is written");
        }
        return Ok(None);
    }
    let report = log.clone();
    AuditLog::open(settings, limits, move |line| report.line(line.to_owned())).map(Some)
}
