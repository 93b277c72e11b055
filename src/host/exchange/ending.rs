//! Phase 5, and what logs are made from.

use super::Exchange;
use crate::engine::{AuditRecord, MatchRecord};
use crate::rule::{AuditSettings, Phase};

impl Exchange {
    /// Everything is known: starts phase 5, which never refuses.
    pub fn finish(&mut self) {
        self.finished = true;
        self.start(Phase::Logging);
    }

    /// Whether [`finish`](Exchange::finish) was called.
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// The matches so far that go to the error log, after the first `seen` records; and how many records there are.
    pub fn log_lines(&self, seen: usize) -> (Vec<String>, usize) {
        (self.tx.error_log_lines(seen), self.tx.records().len())
    }

    /// The same as records, for hosts that write lines of their own.
    pub fn logged_records(&self, seen: usize) -> (Vec<MatchRecord>, usize) {
        (self.tx.logged_records(seen), self.tx.records().len())
    }

    /// How the audit log of this exchange's rules is to be written.
    pub fn audit_settings(&self) -> &AuditSettings {
        self.tx.audit_settings()
    }

    /// Tells the status that the client got in the end.
    pub fn answered(&mut self, status: u16) {
        self.tx.set_answered(status);
    }

    /// The audit record, given the status that the client got; `None` if the exchange does not belong into the audit log. To be
    /// asked for after [`finish`](Exchange::finish).
    pub fn audit_record(&self, status: u16) -> Option<AuditRecord> {
        self.tx.audit_record(status)
    }

    /// Whether the exchange belongs into the audit log, given the status that the client got.
    pub fn is_relevant(&self, status: u16) -> bool {
        self.tx.is_relevant(status)
    }

    /// A text of the exchange with asterisks over what rules hide.
    pub fn hidden(&self, text: &[u8]) -> Vec<u8> {
        self.tx.hidden(text)
    }

    /// The id that the client's page and the log share.
    pub fn incident_id(&self) -> &str {
        self.tx.unique_id()
    }
}
