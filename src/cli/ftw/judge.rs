//! Whether what came of a stage is what its test expects.

use anyhow::{Context, Result};
use regex_automata::nfa::thompson::{self, pikevm::PikeVM};
use regex_automata::util::syntax;

use super::exchange::Outcome;
use super::suite::Output;

/// A pattern of a test: bytes, ASCII classes, as in Go's `regexp` apart from Unicode classes.
pub(super) struct Pattern(PikeVM);

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn new(pattern: &str) -> Result<Self> {
        let pike = PikeVM::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(thompson::Config::new().utf8(false))
            .build(pattern);
        Ok(Pattern(pike.with_context(|| format!("`{pattern}` is not a pattern"))?))
    }

    /// Whether it matches anywhere.
    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        self.0.is_match(&mut self.0.create_cache(), text)
    }
}

/// What is wrong with an outcome; nothing if it is as expected.
///
/// A stage that expects an error is judged by its log too, if it says anything about it.
///
/// # Errors
/// If a pattern of the test cannot be compiled, or the test contradicts itself.
pub fn judge(expected: &Output, outcome: &Outcome) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    let log = &expected.log;
    if expected.isolated {
        anyhow::ensure!(log.expect_ids.len() == 1, "`isolated` needs exactly one id in `expect_ids`");
    }
    match (expected.expect_error.unwrap_or(false), outcome.has_head) {
        (true, true) => wrong.push("expected an answer that is no HTTP response".to_owned()),
        (false, false) => wrong.push("the answer is no HTTP response".to_owned()),
        _ => {}
    }
    if let Some(status) = expected.status.filter(|&status| status != outcome.response.status) {
        wrong.push(format!("expected status {status}, got {}", outcome.response.status));
    }
    if let Some(pattern) = set(&expected.response_contains)
        && !Pattern::new(pattern)?.is_match(&outcome.response.to_bytes())
    {
        wrong.push(format!("the response does not match `{pattern}`"));
    }
    let logged = |id: &u64| outcome.records.iter().any(|record| record.rule == *id);
    let missing: Vec<u64> = log.expect_ids.iter().copied().filter(|id| !logged(id)).collect();
    if !missing.is_empty() {
        wrong.push(format!("expected {}", list(&missing)));
    }
    let unwanted: Vec<u64> = log.no_expect_ids.iter().copied().filter(logged).collect();
    if !unwanted.is_empty() {
        wrong.push(format!("expected not {}", list(&unwanted)));
    }
    if expected.isolated && outcome.records.iter().any(|record| !log.expect_ids.contains(&record.rule)) {
        wrong.push(format!("expected only {}", list(&log.expect_ids)));
    }
    let line_of = |pattern: &str| -> Result<Option<&str>> {
        let pattern = Pattern::new(pattern)?;
        Ok(outcome.records.iter().map(|record| record.line.as_str()).find(|line| pattern.is_match(line.as_bytes())))
    };
    if let Some(pattern) = set(&log.match_regex)
        && line_of(pattern)?.is_none()
    {
        wrong.push(format!("no log line matches `{pattern}`"));
    }
    if let Some(pattern) = set(&log.no_match_regex)
        && let Some(line) = line_of(pattern)?
    {
        wrong.push(format!("a log line matches `{pattern}`: {}", shortened(line)));
    }
    Ok(wrong)
}

fn set(pattern: &Option<String>) -> Option<&str> {
    pattern.as_deref().filter(|pattern| !pattern.is_empty())
}

/// Rule ids for a person: each once, in order of appearance.
pub(super) fn list(ids: &[u64]) -> String {
    let mut seen: Vec<u64> = Vec::new();
    ids.iter().for_each(|id| {
        if !seen.contains(id) {
            seen.push(*id)
        }
    });
    match seen.as_slice() {
        [] => "nothing".to_owned(),
        ids => ids.iter().map(u64::to_string).collect::<Vec<_>>().join(" "),
    }
}

/// The start of a long text.
pub(super) fn shortened(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::backend::Response;
    use super::super::exchange::Record;
    use super::*;

    fn outcome(ids: &[u64]) -> Outcome {
        let record =
            |&rule: &u64| Record { rule, line: format!("ModSecurity: Warning. [id \"{rule}\"] [msg \"m\u{e9}\"]") };
        Outcome {
            response: Response::new(200, Vec::new(), b"Hello".to_vec()),
            has_head: true,
            refused: None,
            records: ids.iter().map(record).collect(),
        }
    }

    fn judged(yaml: &str, outcome: &Outcome) -> Vec<String> {
        judge(&serde_saphyr::from_str(yaml).unwrap(), outcome).unwrap()
    }

    #[test]
    fn expectations_that_hold() {
        for yaml in [
            "{}",
            "{status: 200, response_contains: '^HTTP/1.1 200(?s:.*)Hel+o$'}",
            "{log: {expect_ids: [1, 2], no_expect_ids: [3]}, retry_once: true}",
            "{log: {match_regex: '\\[id \"\\d\"\\] .*m\u{e9}', no_match_regex: '^id'}}",
        ] {
            assert_eq!(judged(yaml, &outcome(&[1, 2, 1])), Vec::<String>::new(), "{yaml}");
        }
        assert!(judged("{isolated: true, log: {expect_ids: [1]}}", &outcome(&[1, 1])).is_empty());
    }

    #[test]
    fn expectations_that_do_not() {
        for (yaml, why) in [
            ("{status: 403}", "expected status 403, got 200"),
            ("{response_contains: Bye}", "the response does not match `Bye`"),
            ("{log: {expect_ids: [1, 3, 4]}}", "expected 3 4"),
            ("{log: {no_expect_ids: [1, 3]}}", "expected not 1"),
            ("{log: {match_regex: nowhere}}", "no log line matches `nowhere`"),
            (
                "{log: {no_match_regex: 'id \"2\"'}}",
                "a log line matches `id \"2\"`: ModSecurity: Warning. [id \"2\"] [msg \"m\u{e9}\"]",
            ),
            ("{isolated: true, log: {expect_ids: [1]}}", "expected only 1"),
            ("{expect_error: true}", "expected an answer that is no HTTP response"),
        ] {
            assert_eq!(judged(yaml, &outcome(&[1, 2])), [why], "{yaml}");
        }
        let headless = Outcome { has_head: false, ..outcome(&[]) };
        assert_eq!(judged("{}", &headless), ["the answer is no HTTP response"]);
        assert_eq!(judged("{expect_error: true}", &headless), Vec::<String>::new());
    }

    #[test]
    fn tests_that_make_no_sense() {
        for yaml in ["{log: {match_regex: '('}}", "{isolated: true}"] {
            assert!(judge(&serde_saphyr::from_str(yaml).unwrap(), &outcome(&[])).is_err(), "{yaml}");
        }
    }
}
