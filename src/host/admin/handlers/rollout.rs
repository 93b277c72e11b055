//! A ruleset that comes into service step by step, and what is held in service meanwhile (`docs/rollout.md`).

use super::super::call::{Answer, Call};
use super::super::desk::Desk;
use super::super::problem::Problem;
use super::rulesets::{fresh, stale, waiting_for};
use super::shelf::unknown;
use crate::store::Refused;
use crate::store::rollout::{Contest, Decision, Gates, Pinned, Plan};
use crate::waf::{NoRollout, NotBegun, NotHeld, RolloutConfig, RolloutStatus};
use http::StatusCode;
use serde::{Deserialize, Serialize};

/// Bytes of a reason.
const WHY_BYTES: usize = 500;

#[derive(Serialize)]
struct Now {
    /// The one under way, or the last one.
    rollout: Option<RolloutStatus>,
    /// What stays in service until somebody lets go of it.
    held: Option<Pinned>,
}

#[derive(Serialize)]
struct Decided {
    /// None if there was nothing to decide.
    decision: Option<Decision>,
}

#[derive(Serialize)]
struct Begun {
    contest: Contest,
}

/// What a rollout may be told here: it names no files.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    id: String,
    expected: u64,
    #[serde(default)]
    plan: Plan,
    #[serde(default)]
    gates: Gates,
    #[serde(default)]
    waive_loosening: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Hold {
    generation: u64,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    generation: u64,
}

/// `GET /v1/rollout`.
pub(in super::super) fn get(desk: &Desk, _: &Call) -> Result<Answer, Problem> {
    Ok(Answer::json(&Now { rollout: desk.waf.rollout(), held: desk.waf.held() }))
}

/// `POST /v1/rollout`: something staged becomes the candidate.
pub(in super::super) fn begin(desk: &Desk, call: &Call) -> Result<Answer, Problem> {
    let Begin { id, expected, plan, gates, waive_loosening } = call.json()?;
    desk.tick();
    let staged = waiting_for(desk, &id).ok_or_else(|| unknown(&id))?;
    fresh(desk, &staged)?;
    let config = RolloutConfig { plan, gates, waive_loosening, ..RolloutConfig::default() };
    let contest = desk.waf.begin_rollout(staged.onto(expected), config).map_err(|error| match error {
        NotBegun::UnderWay(contest) => Problem::new(409, "under-way", error.to_string()).with("contest", contest),
        NotBegun::Refused(Refused::Stale { planned, current }) => stale(planned, current),
        NotBegun::Misdeclared(_) => Problem::new(400, "body", error.to_string()),
        NotBegun::Pinned(_) => Problem::new(409, "held", error.to_string()),
        _ => Problem::new(409, "refused", error.to_string()),
    })?;
    desk.shelf().remove(&id);
    let did = format!("rollout of {id} as generation {}", contest.candidate);
    Ok(Answer::json(&Begun { contest }).status(StatusCode::CREATED).did(did))
}

/// `POST /v1/rollout/approve`.
pub(in super::super) fn approve(desk: &Desk, _: &Call) -> Result<Answer, Problem> {
    decided("approved", desk.waf.approve_rollout())
}

/// `POST /v1/rollout/abort`.
pub(in super::super) fn abort(desk: &Desk, _: &Call) -> Result<Answer, Problem> {
    decided("aborted", desk.waf.abort_rollout())
}

fn decided(what: &str, decision: Result<Option<Decision>, NoRollout>) -> Result<Answer, Problem> {
    let decision = decision.map_err(|none| Problem::new(409, "no-rollout", none.to_string()))?;
    let came = decision.as_ref().map_or_else(|| "nothing to decide".to_owned(), ToString::to_string);
    Ok(Answer::json(&Decided { decision }).did(format!("rollout {what}: {came}")))
}

/// `POST /v1/rollout/hold`.
pub(in super::super) fn hold(desk: &Desk, call: &Call) -> Result<Answer, Problem> {
    let Hold { generation, why } = call.json()?;
    if why.is_empty() || why.len() > WHY_BYTES {
        let detail =
            format!("`why`: expected a reason of 1 to {WHY_BYTES} bytes, for whoever wonders why nothing changes");
        return Err(Problem::new(400, "body", detail));
    }
    desk.waf.hold_in_service(generation, &why).map_err(|error| match error {
        NotHeld::Unknown { current, .. } => Problem::new(409, "stale", error.to_string()).with("current", current),
        _ => Problem::new(409, "held", error.to_string()),
    })?;
    get(desk, call).map(|answer| answer.did(format!("generation {generation} is held: {why}")))
}

/// `DELETE /v1/rollout/hold`.
pub(in super::super) fn release(desk: &Desk, call: &Call) -> Result<Answer, Problem> {
    let Release { generation } = call.json()?;
    desk.waf.release_hold(generation).map_err(|pinned| Problem::new(409, "held", pinned.to_string()))?;
    get(desk, call).map(|answer| answer.did(format!("generation {generation} is no longer held")))
}
