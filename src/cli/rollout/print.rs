//! The answers of the admin API, for people.

use super::super::say;
use serde_json::Value;
use std::io;

/// Rules that people see; machines see all.
const SHOWN: usize = 20;

pub(super) fn status(rulesets: &Value, switches: &Value) -> io::Result<()> {
    say(format_args!("in service: {}", generation(&rulesets["in_service"])))?;
    for before in list(&rulesets["previous"]) {
        say(format_args!("rollback goes to: {}", generation(before)))?;
    }
    for staged in list(&rulesets["staged"]) {
        say(format_args!("staged: {}", one_staged(staged)))?;
    }
    for recorded in list(&rulesets["history"]) {
        let pinned = if recorded["pinned"] == true { ", pinned" } else { "" };
        say(format_args!("recorded: {}{pinned}", generation(recorded)))?;
    }
    if let Some(problem) = rulesets["history_error"].as_str() {
        say(format_args!("the history cannot be used: {problem}"))?;
    }
    for rule in list(&switches["rules"]) {
        say(format_args!("off: rule {rule}"))?;
    }
    for tag in list(&switches["tags"]) {
        say(format_args!("off: rules tagged {}", text(tag)))?;
    }
    if switches["ruleset"] == true {
        say("off: all rules")?;
    }
    Ok(())
}

/// The rollout under way or the last one, and what is held.
pub(super) fn rollout(answer: &Value) -> io::Result<()> {
    let held = &answer["held"];
    if held.is_object() {
        say(format_args!("held in service: generation {}: {}", held["generation"], text(&held["why"])))?;
    }
    let now = &answer["rollout"];
    if !now.is_object() {
        return Ok(());
    }
    let (live, candidate) = (&now["contest"]["live"], &now["contest"]["candidate"]);
    let over = if now["over"] == true { ", over" } else { "" };
    let sources = &now["figures"]["sources"];
    say(format_args!("rollout of generation {candidate} over {live}: {}{over}, {sources} networks seen", stage(now)))?;
    for gate in list(&now["gates"]).iter().filter(|gate| gate["finding"] != "passed") {
        say(format_args!(
            "  gate {}: {} (seen {}, limit {})",
            gate["gate"],
            text(&gate["finding"]),
            gate["seen"],
            gate["limit"]
        ))?;
    }
    match now["problem"].as_str() {
        Some(problem) => say(format_args!("  {problem}")),
        None => Ok(()),
    }
}

/// What was decided about a rollout.
pub(super) fn decision(decided: &Value) -> io::Result<()> {
    match decided.is_object() {
        true => {
            say(format_args!("{} -> {} ({})", stage(&decided["from"]), stage(&decided["to"]), text(&decided["why"])))
        }
        false => say("there was nothing to decide"),
    }
}

/// A stage, with its share in millionths in hundredths.
fn stage(value: &Value) -> String {
    match value["share"].as_f64() {
        Some(share) => format!("{} {} %", text(&value["stage"]), share / 10_000.0),
        None => text(&value["stage"]).to_owned(),
    }
}

/// A generation in a line.
pub(super) fn generation(about: &Value) -> String {
    let digest: String = text(&about["digest"]).chars().take(16).collect();
    let serial = about["serial"].as_u64().map(|serial| format!(", serial {serial}")).unwrap_or_default();
    let of = about["of"].as_u64().map(|of| format!(" {of}")).unwrap_or_default();
    let origin = text(&about["origin"]).replace('_', " ");
    format!("generation {} ({digest}{serial}), {origin}{of}", about["generation"])
}

fn one_staged(staged: &Value) -> String {
    let serial = staged["serial"].as_u64().map(|serial| format!("serial {serial}, ")).unwrap_or_default();
    format!(
        "{} ({serial}{} rules), by {}, made against generation {}, dropped in {} s",
        text(&staged["id"]),
        staged["rules"],
        text(&staged["staged_by"]),
        staged["base"],
        staged["ends_in_seconds"],
    )
}

pub(super) fn staged(answer: &Value) -> io::Result<()> {
    findings(answer);
    say(format_args!("staged {}", one_staged(answer)))?;
    let cost = &answer["cost"];
    say(format_args!(
        "a request with 64 KiB in one value: {} fuel; each KiB more: {}",
        cost["max_request_fuel"], cost["fuel_per_kib"]
    ))
}

pub(super) fn turned(answer: &Value) -> io::Result<()> {
    let state = if answer["enabled"] == true { "on" } else { "off" };
    say(format_args!("{} rules of generation {} are {state}", answer["rules"], answer["generation"]))
}

pub(super) fn mode(answer: &Value) -> io::Result<()> {
    let mode = text(&answer["mode"]).replace('_', " ");
    match (mode.as_str(), answer["ends_in_seconds"].as_u64()) {
        ("on", _) => say("mode: as the rules say"),
        (mode, Some(seconds)) => {
            say(format_args!("mode: {mode} at most, for {seconds} s more, set by {}", text(&answer["set_by"])))
        }
        (mode, None) => say(format_args!("mode: {mode} at most")),
    }
}

pub(super) fn costs(answer: &Value) -> io::Result<()> {
    let optional = |value: &Value| value.as_u64().map_or("-".to_owned(), |number| number.to_string());
    say(format_args!(
        "{:>10}  {:>14}  {:>12}  {:>14}  breaker",
        "rule", "64 KiB a value", "evaluations", "fuel spent"
    ))?;
    let rules = list(&answer["rules"]);
    for rule in rules.iter().take(SHOWN) {
        let breaker = if rule["enabled"] == false { "switched off" } else { rule["breaker"].as_str().unwrap_or("-") };
        say(format_args!(
            "{:>10}  {:>14}  {:>12}  {:>14}  {breaker}",
            rule["id"].to_string(),
            rule["max_fuel"].to_string(),
            optional(&rule["evaluations"]),
            optional(&rule["fuel"]),
        ))?;
    }
    match rules.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => say(format_args!("and {more} more rules: --json has them")),
    }
}

/// To standard error.
pub(super) fn problem(problem: &Value) {
    findings(problem);
    eprintln!("fusewall: refused ({}): {}", problem["status"], text(&problem["detail"]));
}

/// Warnings and errors in rules, each in a line.
fn findings(answer: &Value) {
    for found in list(&answer["diagnostics"]).iter().filter(|found| found["severity"] != "note") {
        let place = match (found["file"].as_str(), found["line"].as_u64()) {
            (Some(file), Some(line)) => format!("{file}:{line}: "),
            _ => String::new(),
        };
        let (severity, code, message) = (text(&found["severity"]), text(&found["code"]), text(&found["message"]));
        eprintln!("{place}{severity}[{code}]: {message}");
        if let Some(help) = found["help"].as_str() {
            eprintln!("  help: {help}");
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
