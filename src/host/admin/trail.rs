//! Who has changed what, and who was refused, in the log of the process.

use super::call::Answer;
use super::problem::Problem;
use super::service::Line;
use crate::governor::Report;
use std::fmt;
use std::sync::atomic::Ordering;

/// A request that was answered: what has changed something is told.
pub(super) fn done(line: &Line, what: &str, before: u64, answer: &Answer) {
    line.desk.tally.answered.fetch_add(1, Ordering::Relaxed);
    let Some(did) = &answer.did else { return };
    let generation = line.desk.waf.generation().number;
    let caller = caller(line);
    tracing::info!(caller, request = %Quoted(what), from_generation = before, generation, "admin: {}", Quoted(did));
}

/// A request that was refused.
pub(super) fn refused(line: &Line, what: &str, problem: &Problem) {
    line.desk.tally.refused.fetch_add(1, Ordering::Relaxed);
    if let Some(left_out) = Report::Admin.admit() {
        let (caller, generation) = (caller(line), line.desk.waf.generation().number);
        let Problem { status, detail, code, .. } = problem;
        let detail = Quoted(detail);
        tracing::warn!(caller, request = %Quoted(what), generation, status, code, "admin: refused: {detail}{left_out}");
    }
}

fn caller(line: &Line) -> String {
    line.peer.as_ref().map_or_else(|| line.identity.to_string(), ToString::to_string)
}

/// What a caller has written, on one line and of a bounded length.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().take(500).try_for_each(|letter| match letter.is_control() {
            true => write!(f, "{}", letter.escape_default()),
            false => fmt::Write::write_char(f, letter),
        })
    }
}
