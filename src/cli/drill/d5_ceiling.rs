//! D5: a test suite that sees hits and misses sees no CPU. Ceilings do, before a rule is in service.

use super::Drill;
use super::report::Findings;
use super::setting::Setting;
use crate::lang::seclang::codes;
use crate::plan::{Ceilings, cost};
use crate::store::{DiskFiles, LoadReport, Loading, RuleSource, load};
use std::fmt::Write;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D5",
    outage: "Cloudflare, 2 July 2019: the tests of the rules saw what matched, not what it cost",
    injected: "a ruleset with one dear rule, loaded under a ceiling for each rule",
    must_hold: "refused, with an error that names the rule, its place and its dearest part; loaded without that rule",
    run,
};

const DEAR: u64 = 4711;
/// Each byte may begin a match, and sixty places in the repeat are alive at once.
const PART: &str = ".{60}";

/// Twenty ordinary rules and, on the line that is answered, one dear one.
fn rules(dear: bool) -> (String, usize) {
    let mut text = "SecRuleEngine On\n".to_owned();
    for id in 1..=20 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "SecRule ARGS \"@contains word{id}\" \"id:{id},phase:2,deny,t:lowercase\"");
    }
    let line = text.lines().count() + 1;
    if dear {
        let _ = writeln!(text, "SecRule ARGS|REQUEST_COOKIES \"@rx [a-z]{PART}[^a]z\" \"id:{DEAR},phase:2,deny\"");
    }
    (text, line)
}

fn loaded(text: String, ceilings: Option<Ceilings>) -> Result<u64, LoadReport> {
    let source = RuleSource::Text { name: "drill.conf".to_owned(), text };
    let (loaded, _) = load(&source, &DiskFiles, &Loading { ceilings, ..Loading::default() })?;
    Ok(cost(loaded.program()).rules.first().map_or(0, |dearest| dearest.max_fuel))
}

fn run(_: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let fails = |report: LoadReport| anyhow::anyhow!("rules of the drill do not load:\n{report}");
    let ordinary = loaded(rules(false).0, None).map_err(fails)?;
    let dear = loaded(rules(true).0, None).map_err(fails)?;
    let ceiling = 2 * ordinary;
    found.note("ordinary_rule_fuel", ordinary);
    found.note("dear_rule_fuel", dear);
    found.note("max_rule_fuel", ceiling);
    found.hold(dear > ceiling, || format!("the dear rule is priced at {dear}, the others at {ordinary} at most"));

    let ceilings = Some(Ceilings { rule_fuel: Some(ceiling), ..Ceilings::default() });
    found.hold(loaded(rules(false).0, ceilings).is_ok(), || "ordinary rules are refused, too".to_owned());
    let (text, line) = rules(true);
    let Err(report) = loaded(text, ceilings) else {
        found.hold(false, || format!("rules that may cost {dear} fuel load under a ceiling of {ceiling}"));
        return Ok(found);
    };
    let told = report.json();
    let errors: Vec<_> = told.iter().filter(|told| told.code == codes::CEILING).collect();
    let message = errors.iter().map(|told| told.message.clone()).collect::<Vec<_>>().join("; ");
    let named = errors.len() == 1 && message.contains(&format!("rule {DEAR} "));
    found.hold(named, || format!("the error does not name rule {DEAR} alone: {message}"));
    let place = errors.first().and_then(|told| told.line);
    found.hold(place == Some(line as u32), || format!("the error is at line {place:?}, the rule at {line}"));
    let shown = report.render(false);
    found.hold(shown.contains(PART), || format!("the error does not name the dear part {PART}: {shown}"));
    found.note("error", message);
    Ok(found)
}
