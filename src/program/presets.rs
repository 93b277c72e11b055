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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Waf;

    /// The stretches of phase 1: positions, and what they set.
    fn presets(rules: &str) -> Vec<(usize, usize, Vec<String>)> {
        let waf = Waf::builder().rules_text("rules.conf", rules).build().unwrap();
        let presets = Preset::all(waf.loaded().program()).into_iter().next().unwrap();
        let shown = |preset: Preset| {
            let starts = [0].into_iter().chain(preset.sets.iter().map(|(_, end)| *end));
            let values = starts.zip(&preset.sets).map(|(start, (_, end))| &preset.text[start..*end]);
            let values = values.map(|value| String::from_utf8_lossy(value).into_owned()).collect();
            (preset.first, preset.next, values)
        };
        presets.into_iter().map(shown).collect()
    }

    #[test]
    fn only_rules_that_always_do_the_same_are_taken() {
        let rules = r#"
            SecAction "id:1,phase:1,nolog,pass,setvar:tx.a=1,setvar:tx.b=2"
            SecAction "id:2,phase:1,nolog,pass,setvar:tx.a=3"
        "#;
        let sets = ["1", "2", "3"].map(str::to_owned).to_vec();
        assert_eq!(presets(rules), [(0, 2, sets.clone())]);
        for other in [
            "SecAction \"id:3,phase:1,log,pass,setvar:tx.c=1\"",
            "SecAction \"id:3,phase:1,nolog,auditlog,pass,setvar:tx.c=1\"",
            "SecAction \"id:3,phase:1,nolog,pass,severity:2,setvar:tx.c=1\"",
            "SecAction \"id:3,phase:1,nolog,deny,setvar:tx.c=1\"",
            "SecAction \"id:3,phase:1,nolog,allow,setvar:tx.c=1\"",
            "SecAction \"id:3,phase:1,nolog,pass,setvar:tx.c=%{REMOTE_ADDR}\"",
            "SecAction \"id:3,phase:1,nolog,pass,setvar:tx.c=+1\"",
            "SecAction \"id:3,phase:1,nolog,pass,setvar:!tx.c\"",
            "SecAction \"id:3,phase:1,nolog,pass,ctl:ruleEngine=Off\"",
            "SecRule ARGS:x \"@rx a\" \"id:3,phase:1,nolog,pass,setvar:tx.c=1\"",
        ] {
            let after = "SecAction \"id:4,phase:1,nolog,pass,setvar:tx.d=1\"";
            assert_eq!(presets(&format!("{rules}\n{other}\n{after}")), [(0, 2, sets.clone())], "{other}");
        }
    }
}
