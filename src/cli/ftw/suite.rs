//! Test files in the schema of go-ftw: YAML to typed tests.
//!
//! Keys of `input`, `output` and `log` that are not known here are errors: a misspelt expectation would be one that always holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Deserializer};

/// All tests below a folder, in order of the file names.
#[derive(Debug, Clone, Default)]
pub struct Suite {
    /// The tests.
    pub tests: Vec<Test>,
}

/// One test: stages that are sent one after the other.
#[derive(Debug, Clone)]
pub struct Test {
    /// The rule that it is about.
    pub rule: u64,
    /// Its number among the tests of the rule.
    pub number: u64,
    /// The stages.
    pub stages: Vec<Stage>,
}

impl Test {
    /// How go-ftw names it: rule and number.
    pub fn name(&self) -> String {
        format!("{}-{}", self.rule, self.number)
    }
}

/// One request and what must come of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Stage {
    /// The request.
    pub input: Input,
    /// The expectations.
    #[serde(default)]
    pub output: Output,
    #[serde(default, rename = "description")]
    _description: Option<serde::de::IgnoredAny>,
}

/// The request of a stage. Absent fields have go-ftw's defaults.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// The server's address: a literal, or a name that stands for this machine.
    pub dest_addr: Option<String>,
    /// The server's port, 80 by default.
    pub port: Option<u16>,
    /// `http` or `https`; without effect, because nothing is sent over a network.
    pub protocol: Option<String>,
    /// The method, `GET` by default. May be anything.
    pub method: Option<String>,
    /// The request target, `/` by default. May be anything.
    pub uri: Option<String>,
    /// The version, `HTTP/1.1` by default. May be anything.
    pub version: Option<String>,
    /// Header fields; sent in order of their names.
    #[serde(deserialize_with = "scalars")]
    pub headers: BTreeMap<String, String>,
    /// Header fields that are sent in this order; `headers` are ignored if there are any.
    pub ordered_headers: Vec<Header>,
    /// The body, a Go template.
    pub data: Option<String>,
    /// The body in base64.
    pub encoded_data: Option<String>,
    /// Whether `Content-Type`, `Connection` and `Content-Length` are added; true by default.
    pub autocomplete_headers: Option<bool>,
    /// The opposite of `autocomplete_headers`, from an older schema.
    pub stop_magic: Option<bool>,
    /// The whole request in base64, sent as it is.
    pub encoded_request: Option<String>,
    /// Which host go-ftw's own marker requests go to; without effect, because there are none.
    pub virtual_host_mode: Option<bool>,
}

/// A header field of `ordered_headers`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What must come of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// The status of the response.
    pub status: Option<u16>,
    /// A pattern that the response matches.
    pub response_contains: Option<String>,
    /// What the log says.
    pub log: Log,
    /// A pattern that a log line matches; older spelling of `log.match_regex`.
    pub log_contains: Option<String>,
    /// A pattern that no log line matches; older spelling of `log.no_match_regex`.
    pub no_log_contains: Option<String>,
    /// Whether the client gets something that is no HTTP response.
    pub expect_error: Option<bool>,
    /// Asks for a second try when lines of a log file come late; without effect, because there is no file to wait for.
    pub retry_once: Option<bool>,
    /// Whether the one rule of `log.expect_ids` must be the only one.
    pub isolated: bool,
}

/// What the log must say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Rules that are logged.
    pub expect_ids: Vec<u64>,
    /// Rules that are not.
    pub no_expect_ids: Vec<u64>,
    /// A pattern that a line matches.
    pub match_regex: Option<String>,
    /// A pattern that no line matches.
    pub no_match_regex: Option<String>,
}

impl Output {
    /// Whether the server's HTTP parser is meant to refuse the request, before any rule decides: the "front end" column. No rule
    /// can be meant, because the suite runs in detection mode.
    pub fn is_about_front_end(&self) -> bool {
        self.status == Some(400) || self.expect_error == Some(true)
    }
}

#[derive(Deserialize)]
struct FileContent {
    #[serde(default)]
    rule_id: Option<u64>,
    #[serde(default)]
    tests: Vec<TestContent>,
}

#[derive(Deserialize)]
struct TestContent {
    #[serde(default)]
    test_id: Option<u64>,
    stages: Vec<Stage>,
}

impl Suite {
    /// Loads all `.yaml` and `.yml` files below a folder, or one file.
    ///
    /// # Errors
    /// Names the file that cannot be read or is not a test file.
    pub fn load(path: &Path) -> Result<Self> {
        let mut files = Vec::new();
        collect(path, &mut files)?;
        files.sort();
        let mut suite = Suite::default();
        for file in files {
            let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let tests = parse(&text, &file).with_context(|| format!("{} is not a test file", file.display()))?;
            suite.tests.extend(tests);
        }
        if suite.tests.is_empty() {
            bail!("no tests below {}", path.display());
        }
        Ok(suite)
    }

    /// Number of stages.
    pub fn stages(&self) -> usize {
        self.tests.iter().map(|test| test.stages.len()).sum()
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))? {
        let path = entry?.path();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if path.is_dir() || is_yaml {
            collect(&path, files)?;
        }
    }
    Ok(())
}

/// The tests of one file. A file of comments alone has none.
fn parse(text: &str, file: &Path) -> Result<Vec<Test>> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Vec::new());
    }
    let content: FileContent = serde_saphyr::from_str(text)?;
    let rule = content.rule_id.or_else(|| number_in(file)).context("neither the file nor its name gives a rule id")?;
    let tests = content.tests.into_iter().zip(1..).map(|(test, position)| {
        let mut stages = test.stages;
        stages.iter_mut().for_each(|stage| stage.output.modernise());
        Test { rule, number: test.test_id.filter(|&id| id != 0).unwrap_or(position), stages }
    });
    Ok(tests.collect())
}

/// The first number in a file's name: go-ftw's fallback for a missing `rule_id`.
fn number_in(file: &Path) -> Option<u64> {
    let name = file.file_name()?.to_str()?;
    name.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

impl Output {
    /// Moves the older spellings to where the newer ones are.
    pub(super) fn modernise(&mut self) {
        let Output { log, log_contains, no_log_contains, .. } = self;
        if log.expect_ids.is_empty() && log.match_regex.is_none() {
            log.match_regex = log_contains.take();
        }
        if log.no_expect_ids.is_empty() && log.no_match_regex.is_none() {
            log.no_match_regex = no_log_contains.take();
        }
    }
}

/// A map whose values may be any scalar: `Content-Length: 7` means the text.
fn scalars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let map: Option<BTreeMap<String, Option<String>>> = Option::deserialize(deserializer)?;
    Ok(map.unwrap_or_default().into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Test>> {
        parse(text, Path::new("tests/920100.yaml"))
    }

    #[test]
    fn a_test_file_becomes_typed_tests() {
        let text = r#"
meta: {author: "someone"}
rule_id: 942100
tests:
  - test_id: 3
    desc: two stages
    stages:
      - input: {uri: "/?a=\t", headers: {B: "x", A: 7, C: }, data: "a=b"}
        output: {log: {expect_ids: [942100]}}
      - input: {version: ""}
        output: {status: 400, no_log_contains: 'id "1"'}
  - stages: []
"#;
        let tests = read(text).unwrap();
        assert_eq!(tests.iter().map(Test::name).collect::<Vec<_>>(), ["942100-3", "942100-2"]);
        let [first, second] = tests[0].stages.as_slice() else { panic!() };
        assert_eq!(first.input.uri.as_deref(), Some("/?a=\t"));
        let headers: Vec<_> = first.input.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, [("A", "7"), ("B", "x"), ("C", "")]);
        assert_eq!(second.input.version.as_deref(), Some(""));
        assert_eq!(second.output.log.no_match_regex.as_deref(), Some("id \"1\""));
        assert!(second.output.is_about_front_end() && !first.output.is_about_front_end());
    }

    #[test]
    fn the_file_name_can_give_the_rule_and_comments_are_no_tests() {
        assert_eq!(read("tests: [{stages: []}]").unwrap()[0].rule, 920100);
        assert!(read("# nothing\n\n# here").unwrap().is_empty());
    }

    #[test]
    fn misspelt_expectations_are_errors() {
        for text in [
            "tests: [{stages: [{input: {}, output: {log: {expect_id: 1}}}]}]",
            "tests: [{stages: [{input: {}, output: {stat: 1}}]}]",
            "tests: [{stages: [{input: {methd: GET}}]}]",
            "tests: [{stages: [{output: {}}]}]",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
