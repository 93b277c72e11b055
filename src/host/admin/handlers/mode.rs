//! The strongest mode in which the engine runs. A weaker one ends by itself: nobody forgets to turn protection on again.

use super::super::call::{Answer, Call};
use super::super::desk::Desk;
use super::super::problem::Problem;
use crate::rule::EngineMode;
use serde::{Deserialize, Serialize};

/// Seconds that a weaker mode holds if nothing is said: long enough to look at an outage.
const USUAL_SECS: u64 = 15 * 60;
/// Seconds that it may hold.
const MOST_SECS: u64 = 24 * 60 * 60;
const SECOND: u64 = 1_000_000_000;

/// A weaker mode, until when and by whom.
#[derive(Debug)]
pub(in super::super) struct Temporary {
    mode: EngineMode,
    /// By the clock of the desk, nanoseconds.
    ends: u64,
    by: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    On,
    DetectionOnly,
    Off,
}

impl From<EngineMode> for Mode {
    fn from(mode: EngineMode) -> Mode {
        match mode {
            EngineMode::On => Mode::On,
            EngineMode::DetectionOnly => Mode::DetectionOnly,
            EngineMode::Off => Mode::Off,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    mode: Mode,
    for_seconds: Option<u64>,
}

#[derive(Serialize)]
struct Now {
    mode: Mode,
    ends_in_seconds: Option<u64>,
    set_by: Option<String>,
}

/// `GET /v1/mode`.
pub(in super::super) fn get(desk: &Desk, _: &Call) -> Result<Answer, Problem> {
    desk.tick();
    Ok(Answer::json(&now(desk)))
}

/// `PUT /v1/mode`.
pub(in super::super) fn set(desk: &Desk, call: &Call) -> Result<Answer, Problem> {
    let Wanted { mode, for_seconds } = call.json()?;
    let engine = match mode {
        Mode::On => EngineMode::On,
        Mode::DetectionOnly => EngineMode::DetectionOnly,
        Mode::Off => EngineMode::Off,
    };
    let seconds = for_seconds.unwrap_or(USUAL_SECS);
    if matches!(mode, Mode::On) && for_seconds.is_some() {
        let detail = "`for_seconds` is for weaker modes: `on` stays until somebody changes it";
        return Err(Problem::new(400, "body", detail));
    }
    if !(1..=MOST_SECS).contains(&seconds) {
        let detail =
            format!("`for_seconds`: expected 1 to {MOST_SECS}, found {seconds}: a weaker mode is no permanent one");
        return Err(Problem::new(400, "body", detail));
    }
    let did = {
        let mut temporary = desk.temporary();
        desk.waf.set_strongest_mode(engine);
        let ends = desk.clock.nanos().saturating_add(seconds * SECOND);
        let weaker = Temporary { mode: engine, ends, by: call.peer.to_string() };
        *temporary = (engine != EngineMode::On).then_some(weaker);
        match engine {
            EngineMode::On => "the rules say the mode again".to_owned(),
            mode => format!("the mode is {} at most, for {seconds} s", mode_name(mode)),
        }
    };
    Ok(Answer::json(&now(desk)).did(did))
}

/// Leaves the mode to the rules again, if it has been weaker for long enough.
pub(in super::super) fn expire(desk: &Desk, now: u64) {
    let mut temporary = desk.temporary();
    if let Some(ended) = temporary.take_if(|temporary| temporary.ends <= now) {
        desk.waf.set_strongest_mode(EngineMode::On);
        let (was, generation) = (mode_name(ended.mode), desk.waf.generation().number);
        tracing::info!(
            set_by = ended.by,
            was,
            generation,
            "admin: a weaker mode has ended; the rules say the mode again"
        );
    }
}

fn now(desk: &Desk) -> Now {
    let temporary = desk.temporary();
    let (_, strongest) = desk.waf.switched_off();
    // Whoever embeds the engine may have set another one.
    let ours = temporary.as_ref().filter(|temporary| temporary.mode == strongest);
    let left = |temporary: &Temporary| temporary.ends.saturating_sub(desk.clock.nanos()).div_ceil(SECOND);
    Now { mode: strongest.into(), ends_in_seconds: ours.map(left), set_by: ours.map(|ours| ours.by.clone()) }
}

/// As answers and metrics call it.
pub(super) const fn mode_name(mode: EngineMode) -> &'static str {
    match mode {
        EngineMode::On => "on",
        EngineMode::DetectionOnly => "detection_only",
        EngineMode::Off => "off",
    }
}
