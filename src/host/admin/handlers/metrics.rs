//! `GET /metrics`: what monitoring reads every few seconds. Labels have few values: none that a client or a ruleset could multiply.

use super::super::call::{Answer, Call};
use super::super::desk::{Desk, Tally};
use super::super::problem::Problem;
use super::generation;
use super::mode::mode_name;
use crate::governor::{Exposition, MEDIA_TYPE};
use crate::rule::EngineMode;
use crate::waf::{Counts, Health, Switch};
use std::sync::atomic::Ordering;

pub(in super::super) fn metrics(desk: &Desk, _: &Call) -> Result<Answer, Problem> {
    desk.tick();
    let mut text = Exposition::default();
    ruleset(desk, &mut text);
    requests(desk, &mut text);
    switches(desk, &mut text);
    let Tally { answered, refused } = &desk.tally;
    let mut calls = text.family("fusewall_admin_requests_total", "counter", "Requests to the admin API.");
    for (outcome, count) in [("answered", answered), ("refused", refused)] {
        calls.sample(&[("outcome", outcome)], count.load(Ordering::Relaxed));
    }
    (desk.metrics)(&mut text);
    if let Some(tenant) = desk.waf.tenant() {
        tenant.governor().metrics().expose(&mut text);
    }
    Ok(Answer::other(MEDIA_TYPE, text.finish()))
}

/// What is in service.
fn ruleset(desk: &Desk, text: &mut Exposition) {
    let about = desk.waf.generation();
    let serial = about.serial.map(|serial| serial.to_string()).unwrap_or_default();
    let (digest, number) = (about.content.to_string(), about.number.to_string());
    let labels = [
        ("serial", serial.as_str()),
        ("digest", digest.as_str()),
        ("generation", number.as_str()),
        ("origin", generation::name(about.origin)),
    ];
    text.family("fusewall_ruleset_info", "gauge", "The ruleset in service.").sample(&labels, 1);
    let rules = desk.waf.loaded().program().ruleset.rules.len();
    text.gauge("fusewall_ruleset_rules", "Rules in it.", rules);
    text.gauge("fusewall_ruleset_generation", "Its generation.", about.number);
    let since = about.at as f64 / 1e6;
    text.gauge("fusewall_ruleset_since_seconds", "When it came into service, seconds since 1970.", since);
    let kept = desk.waf.generations().len().saturating_sub(1);
    text.gauge("fusewall_generations_kept", "Generations that can be rolled back to.", kept);
    text.gauge("fusewall_rulesets_staged", "Rulesets that wait to be put into service.", desk.shelf().all().count());
    let degraded = matches!(desk.waf.health(), Health::Degraded { .. });
    let help = "1 if other rules are in service than the process was told to run.";
    text.gauge("fusewall_degraded", help, u8::from(degraded));
}

/// Requests that were inspected, by what became of them.
fn requests(desk: &Desk, text: &mut Exposition) {
    let Counts { passed, denied, dropped, redirected, exhausted, failed } = desk.waf.counts();
    let counts = [
        ("pass", passed),
        ("deny", denied),
        ("drop", dropped),
        ("redirect", redirected),
        ("exhausted", exhausted),
        ("internal_error", failed),
    ];
    let mut family = text.family("fusewall_requests_total", "counter", "Inspected requests, by what became of them.");
    for (action, count) in counts {
        family.sample(&[("action", action)], count);
    }
}

/// What is off.
fn switches(desk: &Desk, text: &mut Exposition) {
    let (off, strongest) = desk.waf.switched_off();
    let count = |kind: fn(&Switch) -> bool| off.iter().filter(|switch| kind(switch)).count();
    text.family("fusewall_switches_off", "gauge", "Switches that an operator has turned off.")
        .sample(&[("kind", "rule")], count(|switch| matches!(switch, Switch::Rule(_))))
        .sample(&[("kind", "tag")], count(|switch| matches!(switch, Switch::Tag(_))))
        .sample(&[("kind", "ruleset")], count(|switch| matches!(switch, Switch::Ruleset)));
    let mut modes =
        text.family("fusewall_strongest_mode", "gauge", "1 for the strongest mode in which the engine runs.");
    for mode in [EngineMode::On, EngineMode::DetectionOnly, EngineMode::Off] {
        modes.sample(&[("mode", mode_name(mode))], u8::from(mode == strongest));
    }
    let quarantined = desk.waf.quarantined().len();
    text.gauge(
        "fusewall_rules_quarantined",
        "Rules that their circuit breakers have switched off, or try.",
        quarantined,
    );
}
