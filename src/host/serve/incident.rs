//! One exchange together with its log lines. Whatever ends the exchange, also a client that goes away, its matches are logged.

use super::ledger::Ledger;
use crate::governor::Report;
use crate::host::exchange::{Exchange, RequestHead, Unruled};
use crate::rule::Phase;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

/// Bytes of the target that a log line quotes.
const QUOTED_BYTES: usize = 512;

pub(in crate::host) struct Incident {
    pub(in crate::host) exchange: Exchange,
    ledger: Arc<Ledger>,
    client: SocketAddr,
    host: Vec<u8>,
    target: Vec<u8>,
    /// What the client gets; 0: nothing.
    status: u16,
    /// The host's own reason to turn the request away.
    refused: Option<(u16, Phase, String)>,
    logged: usize,
    closed: bool,
}

impl Incident {
    pub(super) fn new(ledger: &Arc<Ledger>, exchange: Exchange, client: SocketAddr, head: &RequestHead) -> Self {
        Incident {
            exchange,
            ledger: Arc::clone(ledger),
            client,
            host: head.values("host").next().unwrap_or_default().to_vec(),
            target: head.target.clone(),
            status: 0,
            refused: None,
            logged: 0,
            closed: false,
        }
    }

    /// Runs phase 5 and logs what is not logged yet.
    pub(in crate::host) async fn close(&mut self) {
        if !self.exchange.finished() {
            self.exchange.finish();
            // Phase 5 never refuses.
            let _ = self.ledger.inspector.run(&mut self.exchange).await;
        }
        self.log();
    }

    /// Says with which status the client is answered.
    pub(in crate::host) fn answered(&mut self, status: u16) {
        self.status = status;
    }

    /// Remembers for the log that the host itself refused.
    pub(in crate::host) fn refused(&mut self, status: u16, reason: &str) {
        self.refused.get_or_insert_with(|| (status, self.exchange.phase(), reason.to_owned()));
    }

    /// The fields that end a line, without what rules hide.
    fn place(&self) -> String {
        let text = |bytes: &[u8]| quoted(&self.exchange.hidden(bytes));
        let (host, target, id) = (text(&self.host), text(&self.target), self.exchange.incident_id());
        format!("[hostname \"{host}\"] [uri \"{target}\"] [unique_id \"{id}\"]")
    }

    /// In the form of a rule's line, so that tools that read those find it.
    fn log_denial(&self, status: u16, phase: Phase, reason: &str) {
        self.ledger.log.line(format!(
            "[client {}] ModSecurity: Access denied with code {status} (phase {}). {reason} {}",
            self.client.ip(),
            phase.number(),
            self.place(),
        ));
    }

    fn log(&mut self) {
        if let Some((status, phase, reason)) = self.refused.take() {
            self.log_denial(status, phase, &reason);
        }
        let (lines, seen) = self.exchange.log_lines(self.logged);
        for line in lines {
            self.ledger.log.line(format!("[client {}] {line}", self.client.ip()));
        }
        self.logged = seen;
        if self.closed {
            return;
        }
        self.closed = true;
        if let Some(Unruled { status, phase, reason, report }) = self.exchange.unruled() {
            match report.map(Report::admit) {
                None => self.log_denial(status, phase, reason),
                Some(Some(left_out)) => self.log_denial(status, phase, &format!("{reason}{left_out}")),
                Some(None) => {}
            }
        }
        let names = self.exchange.passed_unseen();
        if !names.is_empty() {
            self.ledger.log.line(format!(
                "[client {}] Fusewall: passed without inspection: {} {}",
                self.client.ip(),
                names.join(", "),
                self.place(),
            ));
        }
        self.exchange.answered(self.status);
        if let Some(audit) = self.ledger.audit.as_ref().filter(|_| self.exchange.is_relevant(self.status)) {
            audit.write(|| self.exchange.audit_record(self.status));
        }
    }
}

impl Drop for Incident {
    fn drop(&mut self) {
        if !self.closed {
            self.ledger.inspector.abandon(&mut self.exchange);
            self.log();
        }
    }
}

/// Bytes as they may stand between quotes in a log line.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes.iter().take(QUOTED_BYTES) {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(byte.into());
            }
            b' '..=b'~' => text.push(byte.into()),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn no_client_byte_ends_the_quote_or_the_line() {
        assert_eq!(quoted(b"/a\"]\r\n[id \"1\"\\\xff"), "/a\\\"]\\x0d\\x0a[id \\\"1\\\"\\\\\\xff");
        assert_eq!(quoted(&[b'a'; 10_000]).len(), 512);
    }
}
