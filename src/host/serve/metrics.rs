//! What the proxy itself has counted, for `/metrics`: what became of its logs' lines.

use super::log::ErrorLog;
use crate::governor::Exposition;
use crate::host::audit::{AuditCounts, AuditLog};

/// The counters of a proxy. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ServeMetrics {
    pub(super) audit: Option<AuditLog>,
    pub(super) log: ErrorLog,
    #[cfg(feature = "otlp")]
    pub(super) otlp: Option<super::otlp::Otlp>,
}

impl ServeMetrics {
    /// Writes them down. Series are there from the start on, also those of a log that is off.
    pub fn expose(&self, text: &mut Exposition) {
        let AuditCounts { written, bytes, over_rate, over_queue, failed } =
            self.audit.as_ref().map(AuditLog::counts).unwrap_or_default();
        let counts = [("written", written), ("over_rate", over_rate), ("over_queue", over_queue), ("failed", failed)];
        let help = "Records of the audit log, by what became of them.";
        let mut records = text.family("fusewall_audit_records_total", "counter", help);
        for (outcome, count) in counts {
            records.sample(&[("outcome", outcome)], count);
        }
        text.family("fusewall_audit_written_bytes_total", "counter", "Bytes of the records that were written.")
            .sample(&[], bytes);
        text.family("fusewall_log_lines_lost_total", "counter", "Lines of the error log that nobody took in time.")
            .sample(&[], self.log.lost());
        #[cfg(feature = "otlp")]
        if let Some(otlp) = &self.otlp {
            otlp.expose(text);
        }
    }
}
