//! `fusewall drill`: outages that others had, injected here. One file per drill; each says what it injects, what must hold, what
//! it has measured, and if something did not hold, what and by how much.
//!
//! A drill proves something only if it can fail: each guard can be taken out of the build (`--cfg fusewall_without="meter"` and
//! its like), and `.ci/guards` wants to see the drills of that guard fail then.
//!
//! | guard | what it does | drills |
//! |---|---|---|
//! | `linear` | patterns are searched in linear time | D1, D21 |
//! | `meter` | the meter trips | D2, D4 |
//! | `ceiling` | a load that may cost too much is refused | D2, D5 |
//! | `quarantine` | rules that are dear for many go off | D3 |
//! | `switches` | what is switched off is off for requests under way | D6 |
//! | `kept` | the generation before stays compiled | D7 |
//! | `fall_back` | a tenant whose rules fail gets those before | D8 |
//! | `gates` | a candidate that concerns too many is refused | D9 |
//! | `shedding` | requests beyond the CPU share are turned away | D9 |
//! | `entries` | a list has a limit | D10 |
//! | `duplicates` | entries that stand twice are removed | D10 |
//! | `missing` | data that cannot be had is told from data that is empty | D11 |
//! | `reports` | reports of failures are limited | D12 |
//! | `disabled` | rules that act at once look whether one of them is off | D13 |
//! | `memory` | what is kept of a body grows no further than its limit | D14 |
//! | `fields` | a program is verified | D15 |
//! | `history` | what was in service outlives the process | D16 |
//! | `queue` | the queue of reloads is bounded | D17 |
//! | `sharing` | equal rules are compiled once | D17 |
//! | `contract` | rules that look at what the host never tells are found | D18 |
//! | `compare` | a plan is put into service over what it was made against | D19 |
//! | `empty` | a ruleset without a rule is refused | D20 |
//! | `request_memory` | what a request may hold is limited | D22 |
//! | `freed` | generations go when nobody can go back to them | D23 |

mod d10_alternating_files;
mod d11_missing_data;
mod d12_reports;
mod d13_disabled_rules;
mod d14_larger_bodies;
mod d15_blank_fields;
mod d16_poisoned_start;
mod d17_herd;
mod d18_contract;
mod d19_stale_plans;
mod d1_dear_regex;
mod d20_empty_ruleset;
mod d21_every_pattern;
mod d22_heavy_bodies;
mod d23_reloads;
mod d2_many_rules;
mod d3_watching_rule;
mod d4_canary;
mod d5_ceiling;
mod d6_kill_switch;
mod d7_rollback;
mod d8_one_of_many;
mod d9_lost_condition;
pub(super) mod pumps;
mod report;
mod setting;
mod traffic;

use super::rules::RulesArgs;
use super::say;
use report::{Answer, Findings};
use setting::Setting;
use std::process::ExitCode;

/// Arguments of `drill`.
#[derive(Debug, clap::Args)]
pub struct DrillArgs {
    /// Which drills, by name; without any: all
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    rules: RulesArgs,
    /// A few seconds each at most, on less input
    #[arg(long)]
    short: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// One outage, and how it is tried here.
struct Drill {
    name: &'static str,
    /// What happened to whom.
    outage: &'static str,
    injected: &'static str,
    must_hold: &'static str,
    /// Injects and measures. An error counts as not held.
    run: fn(&Setting<'_>) -> anyhow::Result<Findings>,
}

/// All drills, in order.
const DRILLS: &[Drill] = &[
    d1_dear_regex::DRILL,
    d2_many_rules::DRILL,
    d3_watching_rule::DRILL,
    d4_canary::DRILL,
    d5_ceiling::DRILL,
    d6_kill_switch::DRILL,
    d7_rollback::DRILL,
    d8_one_of_many::DRILL,
    d9_lost_condition::DRILL,
    d10_alternating_files::DRILL,
    d11_missing_data::DRILL,
    d12_reports::DRILL,
    d13_disabled_rules::DRILL,
    d14_larger_bodies::DRILL,
    d15_blank_fields::DRILL,
    d16_poisoned_start::DRILL,
    d17_herd::DRILL,
    d18_contract::DRILL,
    d19_stale_plans::DRILL,
    d20_empty_ruleset::DRILL,
    d21_every_pattern::DRILL,
    d22_heavy_bodies::DRILL,
    d23_reloads::DRILL,
];

/// Runs the command.
///
/// # Errors
/// A name that no drill has, an answer that cannot be written.
pub fn run(args: &DrillArgs) -> anyhow::Result<ExitCode> {
    let chosen = chosen(&args.names)?;
    let setting = Setting::new(&args.rules, args.short);
    let mut answers = Vec::with_capacity(chosen.len());
    for drill in chosen {
        let found = (drill.run)(&setting).unwrap_or_else(|error| Findings::failed(&error));
        let answer = Answer::new(drill, found);
        if !args.json {
            answer.print(drill)?;
        }
        answers.push(answer);
    }
    if args.json {
        say(serde_json::to_string(&answers)?)?;
    }
    Ok(ExitCode::from(u8::from(!answers.iter().all(|answer| answer.held))))
}

/// The drills of these names; without any, all.
fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static Drill>> {
    for name in names {
        let known = || DRILLS.iter().map(|drill| drill.name).collect::<Vec<_>>().join(", ");
        let is_known = DRILLS.iter().any(|drill| drill.name.eq_ignore_ascii_case(name));
        anyhow::ensure!(is_known, "there is no drill `{name}`: those known are {}", known());
    }
    let is_chosen = |drill: &&Drill| names.is_empty() || names.iter().any(|name| drill.name.eq_ignore_ascii_case(name));
    Ok(DRILLS.iter().filter(is_chosen).collect())
}
