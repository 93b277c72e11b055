//! `PERF_*`: what phases and rules cost, in microseconds.
//!
//! No clock: fuel is converted at its nominal rate, so that the same request gives the same numbers on every machine and in every
//! replay. Phases count when they are over, rules when they have run; nothing is read from or written to a store, and nothing is
//! collected, so those parts are 0.

use super::scratch::Scratch;
use crate::meter::FUEL_PER_MICROSECOND;
use crate::program::Loaded;
use crate::rule::{RuleId, Variable};

/// The value of a `PERF_*` scalar; `None` for any other variable.
pub(super) fn micros(variable: Variable, phase_fuel: &[u64; 5]) -> Option<u64> {
    let [p1, p2, p3, p4, p5] = phase_fuel.map(|fuel| fuel / FUEL_PER_MICROSECOND);
    Some(match variable {
        Variable::PerfCombined => p1 + p2 + p3 + p4 + p5,
        Variable::PerfPhase1 => p1,
        Variable::PerfPhase2 => p2,
        Variable::PerfPhase3 => p3,
        Variable::PerfPhase4 => p4,
        Variable::PerfPhase5 => p5,
        Variable::PerfLogging | Variable::PerfGc | Variable::PerfSread | Variable::PerfSwrite => 0,
        _ => return None,
    })
}

/// `PERF_ALL`.
pub(super) fn summary(phase_fuel: &[u64; 5]) -> String {
    let [p1, p2, p3, p4, p5] = phase_fuel.map(|fuel| fuel / FUEL_PER_MICROSECOND);
    let combined = p1 + p2 + p3 + p4 + p5;
    format!("combined={combined}, p1={p1}, p2={p2}, p3={p3}, p4={p4}, p5={p5}, sr=0, sw=0, l=0, gc=0")
}

/// `PERF_RULES`: the rules that have taken `SecRulePerfTime` or more. The rule that runs is not among them: what it has spent so far
/// depends on where the evaluation was paused.
pub(super) fn rules<'a>(loaded: &'a Loaded, scratch: &'a Scratch) -> impl Iterator<Item = (RuleId, u64)> + 'a {
    let ruleset = &loaded.program().ruleset;
    let least = ruleset.settings.rule_perf_time;
    let running = scratch.state.rule.map(|rule| rule.index());
    ruleset
        .rules
        .iter()
        .zip(&scratch.rule_fuel)
        .enumerate()
        .filter(move |(at, (_, fuel))| least > 0 && **fuel > 0 && Some(*at) != running)
        .map(|(_, (rule, fuel))| (rule.id, fuel / FUEL_PER_MICROSECOND))
        .filter(move |(_, micros)| *micros >= least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_add_up() {
        let fuel = [3_000, 30_000, 0, 999, 1_000_000].map(|micros| micros * FUEL_PER_MICROSECOND);
        assert_eq!(micros(Variable::PerfCombined, &fuel), Some(1_033_999));
        let phases = [
            Variable::PerfPhase1,
            Variable::PerfPhase2,
            Variable::PerfPhase3,
            Variable::PerfPhase4,
            Variable::PerfPhase5,
        ];
        assert_eq!(phases.map(|phase| micros(phase, &fuel)), [3_000, 30_000, 0, 999, 1_000_000].map(Some));
        assert_eq!(micros(Variable::Duration, &fuel), None);
        assert!(summary(&fuel).starts_with("combined=1033999, p1=3000, p2=30000, p3=0, p4=999, p5=1000000"));
    }
}
