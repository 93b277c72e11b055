//! The result of a run, for machines and for people.

use std::fmt;

use serde::Serialize;

use super::overrides::Overridden;

/// How many stages of a kind there are and how many passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Tally {
    /// Stages that were run.
    pub stages: usize,
    /// Stages that passed.
    pub passed: usize,
}

impl Tally {
    /// Counts one more stage.
    pub(super) fn count(&mut self, passed: bool) {
        self.stages += 1;
        self.passed += usize::from(passed);
    }
}

/// A stage that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The test's name; with the stage's number, from 1, if it has several.
    pub test: String,
    /// What was expected and what came instead.
    pub why: String,
}

/// The result of a run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Stages that are about the rules, `stages` and `passed`.
    #[serde(flatten)]
    pub engine: Tally,
    /// Every stage that failed, of either kind.
    pub failed: Vec<Failure>,
    /// Stages that expect the server's parser to refuse the request.
    pub front_end: Tally,
    /// Stages whose request the server's parser has refused, as expected or not: no rule has seen it.
    #[serde(serialize_with = "count")]
    pub refused: Vec<String>,
    /// Stages whose expectations an overrides file replaced.
    #[serde(serialize_with = "count")]
    pub overrides: Vec<Overridden>,
}

fn count<T, S: serde::Serializer>(all: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(all.len() as u64)
}

impl Report {
    /// Whether every stage passed.
    pub fn is_clean(&self) -> bool {
        self.failed.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Failure { test, why } in &self.failed {
            writeln!(f, "FAILED {test}: {why}")?;
        }
        for Overridden { test, stage, reason } in &self.overrides {
            writeln!(f, "OVERRIDDEN {test} stage {}: {}", stage + 1, reason.replace('\n', " "))?;
        }
        if !self.refused.is_empty() {
            writeln!(f, "REFUSED {}", self.refused.join(" "))?;
        }
        writeln!(f, "{:<10} {:>7} {:>7} {:>7}", "", "stages", "passed", "failed")?;
        for (name, tally) in [("engine", self.engine), ("front end", self.front_end)] {
            let Tally { stages, passed } = tally;
            writeln!(f, "{name:<10} {stages:>7} {passed:>7} {:>7}", stages - passed)?;
        }
        writeln!(f, "{:<10} {:>7}", "refused", self.refused.len())?;
        write!(f, "{:<10} {:>7}", "overrides", self.overrides.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            engine: Tally { stages: 10, passed: 9 },
            failed: vec![Failure { test: "920100-1".into(), why: "expected 920100".into() }],
            front_end: Tally { stages: 2, passed: 2 },
            refused: vec!["1-1".into(); 3],
            overrides: vec![Overridden { test: "1-1".into(), stage: 0, reason: "so\nit is".into() }],
        }
    }

    #[test]
    fn machines_read_the_documented_keys() {
        assert_eq!(
            serde_json::to_string(&report()).unwrap(),
            r#"{"stages":10,"passed":9,"failed":[{"test":"920100-1","why":"expected 920100"}],"front_end":{"stages":2,"passed":2},"refused":3,"overrides":1}"#
        );
    }

    #[test]
    fn people_read_a_table() {
        let expected = "\
FAILED 920100-1: expected 920100
OVERRIDDEN 1-1 stage 1: so it is
REFUSED 1-1 1-1 1-1
            stages  passed  failed
engine          10       9       1
front end        2       2       0
refused          3
overrides        1";
        assert_eq!(report().to_string(), expected);
    }
}
