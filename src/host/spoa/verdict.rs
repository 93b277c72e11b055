//! What HAProxy is told: variables of its transaction, which its configuration turns into an answer.

use super::answers::{Setting, Variable};
use super::config::Variables;
use crate::engine::Reason;
use crate::host::exchange::{Exchange, Refusal};

/// What HAProxy itself sets for an error of an agent that the protocol has no number for: 256 + 99.
const UNKNOWN_ERROR: u64 = 355;

/// The status that stands beside `drop`, for a configuration that cannot close a connection.
const DROPPED: u16 = 403;

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The exchange with this id may go on.
    Pass(String),
    /// It may not.
    Refuse {
        id: String,
        action: &'static str,
        status: u16,
        /// Where a redirect leads to.
        location: Vec<u8>,
        /// The rule that has refused; 0: none has.
        rule: u64,
    },
    /// The message cannot be judged: HAProxy does what its configuration says about errors of agents.
    Failed,
}

impl Verdict {
    /// Of an exchange that goes no further.
    pub(super) fn refuse(exchange: &Exchange, refusal: &Refusal) -> Verdict {
        let rule = match exchange.interruption().map(|ended| ended.reason) {
            Some(Reason::Rule(rule)) => rule.0,
            _ => 0,
        };
        let id = exchange.incident_id().to_owned();
        match refusal {
            Refusal::Page(status) => Verdict::deny(id, *status, rule),
            // Macros may have put into it what is the client's, and HAProxy writes it into a header field as it is.
            Refusal::Redirect { location, .. } if location.iter().any(u8::is_ascii_control) => {
                Verdict::deny(id, DROPPED, rule)
            }
            Refusal::Redirect { status, location } => {
                Verdict::Refuse { id, action: "redirect", status: *status, location: location.clone(), rule }
            }
            Refusal::Drop => Verdict::Refuse { id, action: "drop", status: DROPPED, location: Vec::new(), rule },
        }
    }

    /// Of a request that is turned away with a status.
    pub(super) fn deny(id: String, status: u16, rule: u64) -> Verdict {
        Verdict::Refuse { id, action: "deny", status, location: Vec::new(), rule }
    }

    /// The status that the client gets, if it is turned away.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Verdict::Refuse { status, .. } => Some(*status),
            Verdict::Pass(_) | Verdict::Failed => None,
        }
    }

    /// A redirect that does not fit into an answer of so many bytes becomes a denial.
    pub(super) fn within(self, bytes: usize) -> Verdict {
        match self {
            Verdict::Refuse { id, status: _, location, rule, .. } if location.len() > bytes => {
                Verdict::deny(id, DROPPED, rule)
            }
            other => other,
        }
    }

    /// As variables.
    pub(super) fn variables<'v>(&'v self, names: &'v Variables) -> Vec<Variable<'v>> {
        let number = |name: &'v str, number: u64| Variable { name, value: Setting::Number(number) };
        let text = |name: &'v str, text: &'v [u8]| Variable { name, value: Setting::Text(text) };
        match self {
            Verdict::Pass(id) => vec![text(&names.id, id.as_bytes()), number(&names.fail, 0)],
            Verdict::Refuse { id, action, status, location, rule } => vec![
                text(&names.id, id.as_bytes()),
                number(&names.fail, 1),
                text(&names.action, action.as_bytes()),
                number(&names.status, (*status).into()),
                text(&names.data, location),
                number(&names.rule, *rule),
            ],
            Verdict::Failed => vec![number(&names.error, UNKNOWN_ERROR)],
        }
    }
}
