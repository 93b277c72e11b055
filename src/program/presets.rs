//! Stretches of rules that do the same in every request: no test, no log, no jump, nothing but constants into TX. Rulesets begin with
//! them (in CRS about forty rules set what others read). What they do together is worked out when the program is loaded.

use super::{KeyId, Program, RuleIx, SetStep, Step};
use crate::rule::Disruptive;

/// Shorter stretches are not worth it.
const RULES: usize = 2;

/// What a stretch of rules does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preset {
    /// The position of its first rule in the schedule of its phase.
    pub first: usize,
    /// The position behind its last rule.
    pub next: usize,
    /// The rules and what each charges to its own account.
    pub rules: Vec<(RuleIx, u64)>,
    /// What they set, in order: key, and where the value ends in `text`.
    pub sets: Vec<(KeyId, usize)>,
    /// The values.
    pub text: Vec<u8>,
    /// The sum of what the rules charge to their own accounts.
    pub fuel: u64,
}

impl Preset {
    /// The stretches of each phase, in order.
    pub(super) fn all(program: &Program) -> [Vec<Preset>; 5] {
        std::array::from_fn(|phase| {
            let schedule = program.schedule.get(phase).map(Vec::as_slice).unwrap_or_default();
            let mut presets = Vec::new();
            let mut preset = Preset::default();
            for (position, rule) in schedule.iter().enumerate() {
                if preset.take(*rule, program) {
                    preset.next = position + 1;
                } else {
                    presets.push(std::mem::take(&mut preset));
                    (preset.first, preset.next) = (position + 1, position + 1);
                }
            }
            presets.push(preset);
            presets.retain(|preset| preset.rules.len() >= RULES);
            presets
        })
    }

    /// Adds a rule, if it does the same in every request.
    fn take(&mut self, rule: RuleIx, program: &Program) -> bool {
        let Some(planned) = program.rules.get(rule.index()).filter(|planned| planned.jump.is_none()) else {
            return false;
        };
        if !only_acts(program, rule) || planned.links.iter().any(|link| link.look.is_some()) {
            return false;
        }
        let limits = &program.limits;
        let longest = limits.macro_bytes.min(limits.tx_value_bytes);
        let mut sets = Vec::new();
        for step in planned.links.iter().flat_map(|link| &link.actions) {
            let Step::SetTx(key, SetStep::Set(text)) = step else { return false };
            let Some(value) = text.constant().filter(|value| value.len() <= longest) else { return false };
            sets.push((*key, value));
        }
        let fuel = sets.iter().map(|(_, value)| Step::SET.of(value.len())).sum();
        if fuel > limits.fuel_rule {
            return false;
        }
        for (key, value) in sets {
            self.text.extend_from_slice(value);
            self.sets.push((key, self.text.len()));
        }
        self.rules.push((rule, fuel));
        self.fuel += fuel;
        true
    }
}

/// Whether nothing comes of a full match of a rule but what its actions do.
pub(super) fn only_acts(program: &Program, rule: RuleIx) -> bool {
    program.source(rule).is_some_and(|rule| {
        rule.disruptive == Disruptive::Pass && !rule.log && !rule.auditlog && rule.severity.is_none()
    })
}
