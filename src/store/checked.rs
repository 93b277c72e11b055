//! What may go into service: a ruleset that was verified and has evaluated an exchange. There is no other way to make one, so what was
//! looked at and what decides are the same.

use crate::diag::Diagnostic;
use crate::engine::{FixedEnv, Scratch, Transaction};
use crate::lang::seclang::codes;
use crate::plan::Ceilings;
use crate::program::{Loaded, verify};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A ruleset that has passed every check. Whoever has it has the very program that was checked, not a copy.
#[derive(Debug, Clone)]
pub(super) struct Checked(Arc<Loaded>);

impl Checked {
    /// Verifies a program, compares it with the ceilings, and evaluates an exchange with it.
    ///
    /// # Errors
    /// What was found.
    pub(super) fn new(loaded: Loaded, ceilings: Option<Ceilings>) -> Result<Checked, Vec<Diagnostic>> {
        if let Err(fault) = verify(loaded.program()) {
            let message = format!("the compiled ruleset is inconsistent: {fault}");
            return Err(vec![Diagnostic::error(codes::INCONSISTENT, None, message)]);
        }
        let exceeded = ceilings.map(|ceilings| ceilings.exceeded(loaded.program())).unwrap_or_default();
        if !exceeded.is_empty() {
            return Err(exceeded);
        }
        let loaded = Arc::new(loaded);
        if !probe(&loaded) {
            let error = Diagnostic::error(codes::PROBE, None, "the compiled ruleset fails on a plain request");
            return Err(vec![error.help("this is a fault of the engine: report it together with the rules")]);
        }
        Ok(Checked(loaded))
    }

    /// The program and its automata.
    pub(super) fn loaded(&self) -> &Arc<Loaded> {
        &self.0
    }
}

/// Evaluates a plain exchange in a throw-away scratch: a ruleset that cannot take it must never go live.
fn probe(loaded: &Arc<Loaded>) -> bool {
    catch_unwind(AssertUnwindSafe(|| {
        let scratch = Box::new(Scratch::new(loaded.program()));
        let mut probe = Transaction::new(loaded.clone(), scratch, Arc::new(FixedEnv::default()), "probe");
        probe.process_connection([192, 0, 2, 1].into(), 40000, [192, 0, 2, 2].into(), 80);
        probe.process_request_line(b"POST", b"/?probe=1", b"HTTP/1.1");
        probe.add_request_header(b"Host", b"probe.example");
        probe.add_request_header(b"Content-Type", b"application/x-www-form-urlencoded");
        probe.process_request_headers();
        probe.write_request_body(b"name=value");
        probe.process_request_body();
        probe.add_response_header(b"Content-Type", b"text/html");
        probe.process_response_headers(200, b"HTTP/1.1");
        probe.write_response_body(b"<p>probe</p>");
        probe.process_response_body();
        probe.process_logging();
        probe.verdict()
    }))
    .is_ok()
}
