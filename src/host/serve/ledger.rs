//! What all exchanges of a host share: the engine, and the logs that they are written to.

use super::ServeError;
use super::config::Config;
use super::incident::{Incident, quoted};
use super::log::ErrorLog;
use super::metrics::ServeMetrics;
use crate::governor::{Identity, Report, Shed};
use crate::host::audit::{AuditLog, AuditLogError};
use crate::host::exchange::{BodyPolicy, Ends, RequestHead};
use crate::host::inspect::Inspector;
use crate::rule::AuditEngine;
use crate::waf::Waf;
use std::sync::Arc;
use std::time::Duration;

/// The end waits for the audit log as long as this, and for the collector.
const FLUSH: Duration = Duration::from_secs(5);

pub(in crate::host) struct Ledger {
    pub(in crate::host) inspector: Inspector,
    pub(in crate::host) log: ErrorLog,
    pub(in crate::host) audit: Option<AuditLog>,
    #[cfg(feature = "otlp")]
    pub(super) otlp: Option<super::otlp::Otlp>,
}

impl Ledger {
    /// # Errors
    /// The place that the rules name for the audit log cannot be used, or what the configuration names for a collector.
    pub(in crate::host) fn open(config: &Config, waf: Waf, log: ErrorLog) -> Result<Arc<Self>, ServeError> {
        let inspector = Inspector::new(waf.clone(), &config.inspection.limits);
        Self::over(config, &waf, inspector, log)
    }

    /// The same with an inspector that shares something with others.
    pub(in crate::host) fn over(
        config: &Config,
        waf: &Waf,
        inspector: Inspector,
        log: ErrorLog,
    ) -> Result<Arc<Self>, ServeError> {
        let audit = audit_log(config, waf, &log).map_err(ServeError::AuditLog)?;
        #[cfg(feature = "otlp")]
        let otlp = {
            let lines = log.clone();
            super::otlp::Otlp::start(&config.otlp, move |line| lines.line(line))?
        };
        Ok(Arc::new(Ledger {
            inspector,
            log,
            audit,
            #[cfg(feature = "otlp")]
            otlp,
        }))
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

    /// What became of the lines and records.
    pub(in crate::host) fn metrics(&self) -> ServeMetrics {
        ServeMetrics {
            audit: self.audit.clone(),
            log: self.log.clone(),
            #[cfg(feature = "otlp")]
            otlp: self.otlp.clone(),
        }
    }

    /// Writes what waits, before the process may end.
    pub(in crate::host) async fn flush(&self) {
        if let Some(audit) = self.audit.clone() {
            let _ = tokio::task::spawn_blocking(move || audit.flush(FLUSH)).await;
        }
        #[cfg(feature = "otlp")]
        if let Some(otlp) = &self.otlp {
            otlp.flush(FLUSH).await;
        }
    }
}

/// The audit log that the rules describe, if they name a place for one.
fn audit_log(config: &Config, waf: &Waf, log: &ErrorLog) -> Result<Option<AuditLog>, AuditLogError> {
    let loaded = waf.loaded();
    let settings = &loaded.program().ruleset.settings.audit;
    if settings.path.is_none() && settings.storage_dir.is_none() {
        if settings.engine != AuditEngine::Off {
            tracing::warn!("SecAuditEngine is on, but SecAuditLog names no file: no audit log is written");
        }
        return Ok(None);
    }
    let report = log.clone();
    let form = config.audit_form.unwrap_or_else(|| settings.format.into());
    AuditLog::open_in(settings, form, config.audit.clone(), move |line| report.line(line.to_owned())).map(Some)
}
