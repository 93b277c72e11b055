//! Kill switches: rules, tags and the whole ruleset, off and on; and what each rule costs.

use super::super::call::{Answer, Call};
use super::super::desk::Desk;
use super::super::problem::Problem;
use super::mode::mode_name;
use crate::governor::State;
use crate::plan;
use crate::program::RuleIx;
use crate::rule::RuleId;
use crate::waf::Switch;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Switches that may be off at one time: each is tried on every rule of a ruleset that comes into service.
const MOST_SWITCHES: usize = 1000;
/// Bytes of a tag.
const TAG_BYTES: usize = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    enabled: bool,
}

#[derive(Serialize)]
struct Turned {
    enabled: bool,
    /// How many rules of the ruleset in service are concerned.
    rules: usize,
    generation: u64,
}

#[derive(Serialize)]
struct Switches {
    rules: Vec<u64>,
    tags: Vec<String>,
    ruleset: bool,
    mode: &'static str,
}

/// `PUT /v1/rules/{id}`.
pub(in super::super) fn one(desk: &Desk, call: &Call) -> Result<Answer, Problem> {
    let id = call.name.parse().map_err(|_| {
        let detail = format!("`{:.200}` is no rule id: expected a number, as in /v1/rules/942100", call.name);
        Problem::new(400, "path", detail)
    })?;
    turn(desk, call, &Switch::Rule(RuleId(id)))
}

/// `PUT /v1/tags/{tag}`.
pub(in super::super) fn tagged(desk: &Desk, call: &Call) -> Result<Answer, Problem> {
    if call.name.len() > TAG_BYTES {
        return Err(Problem::new(400, "path", format!("a tag has {TAG_BYTES} bytes at most")));
    }
    // Tags have no case: `/v1/switches` knows each by one name.
    turn(desk, call, &Switch::Tag(call.name.to_ascii_lowercase()))
}

/// `PUT /v1/ruleset`.
pub(in super::super) fn all(desk: &Desk, call: &Call) -> Result<Answer, Problem> {
    turn(desk, call, &Switch::Ruleset)
}

fn turn(desk: &Desk, call: &Call, switch: &Switch) -> Result<Answer, Problem> {
    let Wanted { enabled } = call.json()?;
    let waf = &desk.waf;
    let rules = if enabled {
        waf.switch_on(switch)
    } else {
        let (off, _) = waf.switched_off();
        if off.len() >= MOST_SWITCHES && !off.contains(switch) {
            let detail = format!("{MOST_SWITCHES} switches are off already: turn some on, or switch off by tag");
            return Err(Problem::new(409, "too-many-switches", detail));
        }
        waf.switch_off(switch)
    };
    let what = match switch {
        Switch::Rule(id) => format!("rule {}", id.0),
        Switch::Tag(tag) => format!("rules tagged `{tag}`"),
        Switch::Ruleset => "all rules".to_owned(),
    };
    let state = if enabled { "on" } else { "off" };
    let turned = Turned { enabled, rules, generation: waf.generation().number };
    Ok(Answer::json(&turned).did(format!("{what}: {state}, {rules} rules in service")))
}

/// `GET /v1/switches`.
pub(in super::super) fn list(desk: &Desk, _: &Call) -> Result<Answer, Problem> {
    let (off, strongest) = desk.waf.switched_off();
    let mut switches = Switches { rules: Vec::new(), tags: Vec::new(), ruleset: false, mode: mode_name(strongest) };
    for switch in off {
        match switch {
            Switch::Rule(id) => switches.rules.push(id.0),
            Switch::Tag(tag) => switches.tags.push(tag),
            Switch::Ruleset => switches.ruleset = true,
        }
    }
    Ok(Answer::json(&switches))
}

#[derive(Serialize)]
struct Costs {
    generation: u64,
    /// What a request with 64 KiB in one value may cost, in fuel.
    max_request_fuel: u64,
    fuel_per_kib: u64,
    /// Whether evaluations are counted: `governor.quarantine`.
    counted: bool,
    rules: Vec<RuleCost>,
}

#[derive(Serialize)]
struct RuleCost {
    id: u64,
    per_call: u64,
    per_byte: f64,
    /// At 64 KiB in one value.
    max_fuel: u64,
    /// Whether an operator has left it on.
    enabled: bool,
    /// Of its circuit breaker.
    breaker: Option<&'static str>,
    evaluations: Option<u64>,
    fuel: Option<u64>,
    /// Its part of the fuel of all rules, 0 to 1.
    fuel_share: Option<f64>,
}

/// `GET /v1/rules/cost`: the dearest first, by price.
pub(in super::super) fn cost(desk: &Desk, _: &Call) -> Result<Answer, Problem> {
    let waf = &desk.waf;
    let (generation, loaded, switches) = (waf.generation().number, waf.loaded(), waf.switches());
    let program = loaded.program();
    let accounts: HashMap<u64, _> = waf.rule_accounts().into_iter().map(|of| (of.rule.0, of)).collect();
    let spent: u64 = accounts.values().map(|of| of.account.fuel).fold(0, u64::saturating_add);
    let index: HashMap<u64, usize> =
        program.ruleset.rules.iter().enumerate().map(|(at, rule)| (rule.id.0, at)).collect();
    let cost = plan::cost(program);
    let rules = cost.rules.iter().map(|rule| {
        let id = rule.id.0;
        let of = accounts.get(&id);
        RuleCost {
            id,
            per_call: rule.price.per_call,
            per_byte: rule.price.per_kib as f64 / 1024.0,
            max_fuel: rule.max_fuel,
            enabled: index.get(&id).is_none_or(|at| !switches.is_killed(RuleIx::new(*at))),
            breaker: of.map(|of| breaker(of.state)),
            evaluations: of.map(|of| of.account.evaluations),
            fuel: of.map(|of| of.account.fuel),
            fuel_share: of.map(|of| of.account.fuel as f64 / spent.max(1) as f64),
        }
    });
    Ok(Answer::json(&Costs {
        generation,
        max_request_fuel: cost.max_request_fuel,
        fuel_per_kib: cost.fuel_per_kib,
        counted: !accounts.is_empty(),
        rules: rules.collect(),
    }))
}

const fn breaker(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open => "open",
        State::HalfOpen => "half_open",
    }
}
