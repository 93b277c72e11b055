//! Whether the process lives, and whether its rules are those that it was told to run.

use super::super::OPENAPI;
use super::super::call::{Answer, Call};
use super::super::desk::Desk;
use super::super::problem::Problem;
use crate::waf::Health;
use http::StatusCode;
use serde::Serialize;
use std::sync::atomic::Ordering;

#[derive(Serialize)]
struct Alive {
    status: &'static str,
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    degraded: bool,
    why: Option<String>,
    generation: u64,
}

/// `GET /healthz`: somebody answers.
pub(in super::super) fn alive(_: &Desk, _: &Call) -> Result<Answer, Problem> {
    Ok(Answer::json(&Alive { status: "ok" }))
}

/// `GET /readyz`: a ruleset is in service, and the process does not end. Another ruleset than was asked for is still one.
pub(in super::super) fn ready(desk: &Desk, _: &Call) -> Result<Answer, Problem> {
    let (why, generation) = match desk.waf.health() {
        Health::Healthy => (None, desk.waf.generation()),
        Health::Degraded { why, generation } => (Some(why.to_string()), generation),
    };
    let ready = !desk.ending.load(Ordering::Relaxed);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let answer = Ready { ready, degraded: why.is_some(), why, generation: generation.number };
    Ok(Answer::json(&answer).status(status))
}

/// `GET /v1/openapi.json`.
pub(in super::super) fn document(_: &Desk, _: &Call) -> Result<Answer, Problem> {
    Ok(Answer::other("application/json", OPENAPI))
}
