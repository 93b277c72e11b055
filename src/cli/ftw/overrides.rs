//! Declared deviations: go-ftw's platform overrides. Each replaces the expectations of tests by others and says why.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::suite::{Output, Suite};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileContent {
    #[serde(default, rename = "version")]
    _version: Option<serde::de::IgnoredAny>,
    #[serde(default, rename = "meta")]
    _meta: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    test_overrides: Vec<Override>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Override {
    rule_id: u64,
    /// Empty: all tests of the rule.
    #[serde(default)]
    test_ids: Vec<u64>,
    /// Empty: all stages. Counted from 0.
    #[serde(default)]
    stage_ids: Vec<usize>,
    #[serde(default)]
    reason: String,
    #[serde(default, rename = "retry_once")]
    _retry_once: Option<bool>,
    output: Output,
}

/// A stage whose expectations were replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overridden {
    /// The test's name.
    pub test: String,
    /// The stage, counted from 0.
    pub stage: usize,
    /// Why.
    pub reason: String,
}

/// Replaces expectations as a file says, and lists what was replaced.
///
/// # Errors
/// If the file cannot be read, or an override has no reason or is about no stage of the suite: a stale deviation.
pub fn apply(path: &Path, suite: &mut Suite) -> Result<Vec<Overridden>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    apply_text(&text, suite).with_context(|| format!("overrides of {}", path.display()))
}

fn apply_text(text: &str, suite: &mut Suite) -> Result<Vec<Overridden>> {
    let content: FileContent = serde_saphyr::from_str(text)?;
    let mut overridden = Vec::new();
    for entry in content.test_overrides {
        let mut output = entry.output;
        output.modernise();
        let reason = entry.reason.trim();
        ensure!(!reason.is_empty(), "the override of {} gives no reason", entry.rule_id);
        let mut missing = entry.test_ids.clone();
        let before = overridden.len();
        for test in suite.tests.iter_mut().filter(|test| test.rule == entry.rule_id) {
            if !entry.test_ids.is_empty() && !entry.test_ids.contains(&test.number) {
                continue;
            }
            missing.retain(|&number| number != test.number);
            let name = test.name();
            for (stage, place) in test.stages.iter_mut().enumerate() {
                if entry.stage_ids.is_empty() || entry.stage_ids.contains(&stage) {
                    place.output = output.clone();
                    overridden.push(Overridden { test: name.clone(), stage, reason: reason.to_owned() });
                }
            }
        }
        if !missing.is_empty() || overridden.len() == before {
            bail!("the override of {} {missing:?} is about no stage of the suite", entry.rule_id);
        }
    }
    Ok(overridden)
}

#[cfg(test)]
mod tests {
    use super::super::suite::{Input, Stage, Test};
    use super::*;

    fn suite() -> Suite {
        let stage: Stage = serde_saphyr::from_str("{input: {}, output: {log: {expect_ids: [7]}}}").unwrap();
        let test = |rule, number| Test { rule, number, stages: vec![stage.clone(), stage.clone()] };
        let Input { .. } = stage.input;
        Suite { tests: vec![test(1, 1), test(1, 2), test(2, 1)] }
    }

    #[test]
    fn expectations_are_replaced_and_listed() {
        let mut suite = suite();
        let text = "
version: v0.0.0
meta: {engine: e, platform: p, annotations: [{purpose: x}]}
test_overrides:
  - {rule_id: 1, test_ids: [2], stage_ids: [1], reason: 'because ', output: {status: 400}}
  - {rule_id: 2, reason: so, output: {log_contains: x}}";
        let listed = apply_text(text, &mut suite).unwrap();
        let names: Vec<_> =
            listed.iter().map(|entry| (entry.test.as_str(), entry.stage, entry.reason.as_str())).collect();
        assert_eq!(names, [("1-2", 1, "because"), ("2-1", 0, "so"), ("2-1", 1, "so")]);
        let replaced = &suite.tests[1].stages[1].output;
        assert_eq!((replaced.status, replaced.log.expect_ids.len()), (Some(400), 0));
        assert_eq!(suite.tests[1].stages[0].output.log.expect_ids, [7]);
        assert_eq!(suite.tests[2].stages[0].output.log.match_regex.as_deref(), Some("x"));
    }

    #[test]
    fn stale_or_silent_overrides_are_errors() {
        for entry in [
            "{rule_id: 1, test_ids: [1], output: {}}",
            "{rule_id: 3, reason: x, output: {}}",
            "{rule_id: 1, test_ids: [1, 9], reason: x, output: {}}",
            "{rule_id: 1, stage_ids: [5], reason: x, output: {}}",
            "{rule_id: 1, reason: x, ignore: true, output: {}}",
        ] {
            assert!(apply_text(&format!("test_overrides: [{entry}]"), &mut suite()).is_err(), "{entry}");
        }
    }
}
