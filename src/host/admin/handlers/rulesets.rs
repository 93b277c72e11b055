//! Rulesets: what is in service, what waits, and how one comes and goes. Whatever fails leaves what is in service where it is.

use super::super::call::{Answer, Call};
use super::super::desk::Desk;
use super::super::problem::Problem;
use super::generation::About;
use super::shelf::{Kept, unknown};
use crate::diag::json::JsonDiagnostic;
use crate::files::MemoryFiles;
use crate::host::serve::behind;
use crate::lang::seclang::codes;
use crate::plan;
use crate::store::{LoadReport, NothingToRollBackTo, Refused, RuleSource, is_bundle};
use crate::waf::{NotPromoted, Staged};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

/// The text of the `.minisig` file of an uploaded bundle, in base64.
const SIGNATURE: &str = "fusewall-signature";

/// What an uploaded ruleset is called in findings.
const BUNDLE: &str = "upload.fwb";
const TEXT: &str = "upload.conf";

#[derive(Serialize)]
struct Rulesets {
    in_service: About,
    /// What a rollback goes back to, the latest first.
    previous: Vec<About>,
    staged: Vec<Waiting>,
    /// What is recorded on disk, the latest first.
    history: Vec<Recorded>,
    history_error: Option<String>,
}

#[derive(Serialize)]
struct Recorded {
    #[serde(flatten)]
    generation: About,
    pinned: bool,
}

/// Something staged.
#[derive(Serialize)]
struct Waiting {
    id: String,
    digest: String,
    serial: Option<u64>,
    rules: usize,
    /// The generation that was in service when it was loaded.
    base: u64,
    staged_by: String,
    ends_in_seconds: u64,
}

#[derive(Serialize)]
struct Uploaded {
    #[serde(flatten)]
    staged: Waiting,
    /// As `fusewall check --json` has them.
    diagnostics: Vec<JsonDiagnostic>,
    cost: Cost,
}

/// What its requests cost at most.
#[derive(Serialize)]
struct Cost {
    max_request_fuel: u64,
    fuel_per_kib: u64,
    requests: Vec<RequestCost>,
}

#[derive(Serialize)]
struct RequestCost {
    bytes: usize,
    fuel: u64,
    effective_fuel: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    expected: u64,
}

/// `GET /v1/rulesets`.
pub(in super::super) fn list(desk: &Desk, _: &Call) -> Result<Answer, Problem> {
    desk.tick();
    let mut generations = desk.waf.generations().into_iter().map(About::from);
    let in_service = generations.next().unwrap_or_else(|| desk.waf.generation().into());
    let (history, history_error) = match desk.waf.history() {
        Ok(entries) => (entries, None),
        Err(problem) => (Vec::new(), Some(problem.to_string())),
    };
    let recorded =
        history.into_iter().map(|entry| Recorded { generation: entry.generation.into(), pinned: entry.pinned });
    let now = desk.clock.nanos();
    let staged = desk.shelf().all().map(|kept| waiting(kept, now)).collect();
    let (previous, history) = (generations.collect(), recorded.collect());
    Ok(Answer::json(&Rulesets { in_service, previous, staged, history, history_error }))
}

fn waiting(kept: &Kept, now: u64) -> Waiting {
    let release = kept.staged.release();
    Waiting {
        id: kept.id.clone(),
        digest: release.content().to_string(),
        serial: release.serial(),
        rules: release.loaded().program().ruleset.rules.len(),
        base: kept.staged.base(),
        staged_by: kept.by.clone(),
        ends_in_seconds: kept.ends_in_seconds(now),
    }
}

/// What an upload says that it is.
enum Sent {
    /// A compiled bundle, and its signature.
    Bundle(Vec<u8>),
    /// SecLang.
    Text,
}

/// Whether the head is one of an upload that could be taken: before a byte of the body is read.
pub(in super::super) fn may_upload(desk: &Desk, head: &HeaderMap) -> Result<(), Problem> {
    sent(desk, head).map(|_| ())
}

fn sent(desk: &Desk, head: &HeaderMap) -> Result<Sent, Problem> {
    let media_type = head.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match media_type.split(';').next().unwrap_or_default().trim() {
        "application/octet-stream" => {
            let Some(signature) = head.get(SIGNATURE) else {
                let detail = "a bundle is taken with its signature: the text of its .minisig file, in base64, as `Fusewall-Signature`";
                return Err(Problem::new(403, "unsigned", detail));
            };
            let wrong = || Problem::new(400, "signature", "`Fusewall-Signature`: expected the .minisig file in base64");
            STANDARD.decode(signature.as_bytes()).map(Sent::Bundle).map_err(|_| wrong())
        }
        "text/plain" if desk.config.unsigned_uploads => Ok(Sent::Text),
        "text/plain" => {
            let detail = "rules as text are signed by nobody: upload a signed bundle, or set `admin.unsigned_uploads`";
            Err(Problem::new(403, "unsigned", detail))
        }
        other => {
            let detail = format!(
                "Content-Type `{other:.100}`: expected application/octet-stream (a bundle) or text/plain (SecLang)"
            );
            Err(Problem::new(415, "media-type", detail))
        }
    }
}

/// The turn to load a ruleset: one at a time.
pub(in super::super) fn turn(desk: &Desk) -> Result<OwnedSemaphorePermit, Problem> {
    desk.loads.clone().try_acquire_owned().map_err(|_| {
        Problem::new(429, "busy", "another ruleset is being loaded: one at a time, try again when it is done")
    })
}

/// `POST /v1/rulesets`. Nothing that was sent reaches the files of this machine.
pub(in super::super) fn upload(desk: &Desk, call: &Call) -> Result<Answer, Problem> {
    let staged = match sent(desk, &call.head)? {
        Sent::Bundle(signature) => {
            // What is none would be read as rules, which nobody has signed.
            if !is_bundle(&call.body) {
                return Err(Problem::new(
                    422,
                    "no-bundle",
                    "the body is no compiled bundle: `fusewall compile` makes one",
                ));
            }
            let files = MemoryFiles::new().with(BUNDLE, &call.body[..]).with(format!("{BUNDLE}.minisig"), signature);
            load(desk, RuleSource::Paths(vec![BUNDLE.into()]), Some(files))?
        }
        Sent::Text => {
            let text = String::from_utf8(call.body.to_vec());
            let text = text.map_err(|_| Problem::new(422, "not-text", "the rules are not UTF-8"))?;
            load(desk, RuleSource::Text { name: TEXT.into(), text }, Some(MemoryFiles::new()))?
        }
    };
    put(desk, call, staged)
}

/// `POST /v1/rulesets/reload`: what the configured files hold now.
pub(in super::super) fn reload(desk: &Desk, call: &Call) -> Result<Answer, Problem> {
    let _turn = turn(desk)?;
    put(desk, call, load(desk, desk.source.clone(), None)?)
}

/// Loads rules, those of the host's files or those that were sent, on a thread that takes nothing from the requests.
fn load(desk: &Desk, source: RuleSource, sent: Option<MemoryFiles>) -> Result<Result<Staged, LoadReport>, Problem> {
    let waf = desk.waf.clone();
    let work = move || match sent {
        Some(files) => waf.stage_among(&source, &files),
        None => waf.stage(&source),
    };
    let thread = behind("fusewall-stage", work).map_err(|error| Problem::new(503, "no-thread", error.to_string()))?;
    thread.join().map_err(|_| Problem::new(500, "internal", "loading the rules has failed inside the engine"))
}

fn put(desk: &Desk, call: &Call, staged: Result<Staged, LoadReport>) -> Result<Answer, Problem> {
    let staged = staged.map_err(|report| refused(&report))?;
    fresh(desk, &staged)?;
    let (diagnostics, cost) = (staged.report().json(), certificate(&staged));
    let now = desk.clock.nanos();
    let kept = desk.shelf().put(staged, call.peer.to_string(), now);
    let staged = waiting(&kept, now);
    let did = format!("staged {} ({} rules)", staged.id, staged.rules);
    Ok(Answer::json(&Uploaded { staged, diagnostics, cost }).status(StatusCode::CREATED).did(did))
}

/// Rules that do not load, with everything that was found.
fn refused(report: &LoadReport) -> Problem {
    let (errors, found) = (report.diagnostics.errors(), report.json());
    let first = found.iter().find(|found| found.severity == crate::diag::Severity::Error);
    let first = first.map(|found| format!("{}: {}", found.code, found.message)).unwrap_or_default();
    let problem = if report.diagnostics.has(codes::UNSIGNED) {
        Problem::new(403, "unsigned", first)
    } else {
        Problem::new(422, "does-not-load", format!("the rules do not load, {errors} errors; {first}"))
    };
    problem.with("errors", errors).with("diagnostics", found)
}

/// Refuses what was signed before what is in service: an old bundle stays valid for ever, and rolling back is something else.
pub(super) fn fresh(desk: &Desk, staged: &Staged) -> Result<(), Problem> {
    let (current, offered) = (desk.waf.generation().serial, staged.release().serial());
    desk.waf
        .admits(staged)
        .map_err(|refused| Problem::new(409, "serial", refused.to_string()).with("serial", offered))?;
    match current.filter(|current| offered.is_none_or(|offered| offered < *current)) {
        None => Ok(()),
        Some(current) => {
            let has = offered.map_or("it has no serial".to_owned(), |offered| format!("its serial is {offered}"));
            let detail = format!("{has}, and {current} is in service: to go back, roll back");
            Err(Problem::new(409, "serial", detail).with("serial", offered).with("in_service", current))
        }
    }
}

fn certificate(staged: &Staged) -> Cost {
    let loaded = staged.release().loaded();
    let (program, bound) = (loaded.program(), plan::bounds(loaded));
    let cost = plan::cost(program);
    let requests = [1 << 10, 64 << 10].map(|bytes| {
        let fuel = bound(bytes).fuel;
        RequestCost { bytes, fuel, effective_fuel: fuel.min(program.limits.budget(bytes)) }
    });
    Cost { max_request_fuel: cost.max_request_fuel, fuel_per_kib: cost.fuel_per_kib, requests: requests.into() }
}

/// `POST /v1/rulesets/{id}/promote`.
pub(in super::super) fn promote(desk: &Desk, call: &Call) -> Result<Answer, Problem> {
    let Expected { expected } = call.json()?;
    desk.tick();
    let id = &call.name;
    let Some(staged) = waiting_for(desk, id) else {
        // Of two that promote the same, the slower one is late rather than wrong.
        let current = desk.waf.generation().number;
        return Err(if current == expected { unknown(id) } else { stale(expected, current) });
    };
    fresh(desk, &staged)?;
    let generation = desk.waf.promote(staged.onto(expected)).map_err(|error| match error {
        NotPromoted::Refused(Refused::Stale { planned, current }) => stale(planned, current),
        NotPromoted::NotRecorded(_) => Problem::new(503, "not-recorded", error.to_string()),
        NotPromoted::Pinned(_) => Problem::new(409, "held", error.to_string()),
        other => Problem::new(409, "refused", other.to_string()),
    })?;
    desk.shelf().remove(id);
    (desk.promoted)(&desk.waf);
    Ok(Answer::json(&About::from(generation)).did(format!("promoted {id}")))
}

/// `POST /v1/rulesets/rollback`.
pub(in super::super) fn roll_back(desk: &Desk, call: &Call) -> Result<Answer, Problem> {
    let Expected { expected } = call.json()?;
    let generation = desk.waf.roll_back_from(Some(expected)).map_err(|error| match error {
        NothingToRollBackTo::Refused(Refused::Stale { planned, current }) => stale(planned, current),
        NothingToRollBackTo::Pinned(_) => Problem::new(409, "held", error.to_string()),
        other => Problem::new(409, "refused", other.to_string()),
    })?;
    (desk.promoted)(&desk.waf);
    Ok(Answer::json(&About::from(generation)).did("rolled back"))
}

/// Something staged, by its id.
pub(super) fn waiting_for(desk: &Desk, id: &str) -> Option<Staged> {
    desk.shelf().find(id).map(|kept| kept.staged.clone())
}

/// Something else is in service than the caller has seen.
pub(super) fn stale(expected: u64, current: u64) -> Problem {
    let detail = format!("generation {expected} was expected, but generation {current} is in service: look again");
    Problem::new(409, "stale", detail).with("expected", expected).with("current", current)
}

#[derive(Serialize)]
struct Discarded {
    id: String,
}

/// `DELETE /v1/rulesets/{id}`.
pub(in super::super) fn discard(desk: &Desk, call: &Call) -> Result<Answer, Problem> {
    let kept = desk.shelf().remove(&call.name).ok_or_else(|| unknown(&call.name))?;
    let did = format!("discarded {}", kept.id);
    Ok(Answer::json(&Discarded { id: kept.id }).did(did))
}
