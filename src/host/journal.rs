//! What exchanges leave in the logs, for hosts that pass lines on to a function.

use super::audit::AuditLog;
use super::exchange::{Exchange, Unruled};
use crate::governor::{Report, Shed};
use crate::rule::Phase;
use std::sync::OnceLock;

/// The error log and the audit log of a host.
pub struct Journal {
    /// What is called with every line of the error log.
    log: Box<dyn Fn(&str) + Send + Sync>,
    audit: OnceLock<AuditLog>,
}

impl Journal {
    /// A journal whose error log is `log`, which must not block.
    pub fn new(log: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Journal { log: Box::new(log), audit: OnceLock::new() }
    }

    /// A journal that logs to the `tracing` target `fusewall::error_log`.
    pub fn traced() -> Self {
        Journal::new(|line| tracing::warn!(target: "fusewall::error_log", "{line}"))
    }

    /// Writes what belongs into the audit log to this one; the first that is given stays.
    pub fn set_audit_log(&self, audit: AuditLog) {
        self.audit.get_or_init(|| audit);
    }

    /// Logs that the host itself refuses a request, for a reason that is not a rule's.
    pub fn refused(&self, exchange: &Exchange, status: u16, reason: &str) {
        self.denied(status, exchange.phase(), reason, exchange.incident_id());
    }

    /// Logs that a request with this id was shed.
    pub fn shed(&self, shed: &Shed, id: &str) {
        if let Some(left_out) = Report::Shed.admit() {
            self.denied(shed.status, Phase::RequestHeaders, &format!("{shed}{left_out}"), id);
        }
    }

    /// Logs what is to be said of an exchange after its phase 5; to be called once. `status` is what the client got, 0 if
    /// nothing.
    pub fn close(&self, exchange: &mut Exchange, status: u16) {
        for line in exchange.log_lines(0).0 {
            (self.log)(&line);
        }
        let id = exchange.incident_id();
        if let Some(Unruled { status, phase, reason, report }) = exchange.unruled() {
            match report.map(Report::admit) {
                None => self.denied(status, phase, reason, id),
                Some(Some(left_out)) => self.denied(status, phase, &format!("{reason}{left_out}"), id),
                Some(None) => {}
            }
        }
        let names = exchange.passed_unseen();
        if !names.is_empty() {
            (self.log)(&format!("Fusewall: passed without inspection: {} [unique_id \"{id}\"]", names.join(", ")));
        }
        exchange.answered(status);
        if let Some(audit) = self.audit.get().filter(|_| exchange.is_relevant(status)) {
            audit.write(|| exchange.audit_record(status));
        }
    }

    fn denied(&self, status: u16, phase: Phase, reason: &str, id: &str) {
        let phase = phase.number();
        (self.log)(&format!(
            "ModSecurity: Access denied with code {status} (phase {phase}). {reason} [unique_id \"{id}\"]"
        ));
    }
}
