//! D20: nothing, correctly applied. In October 2025 the record that went live was empty.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, own_rules};
use crate::limits::Limits;
use crate::store::RuleSource;
use crate::waf::Waf;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D20",
    outage: "AWS, 19 October 2025: an empty record went live",
    injected: "rulesets that are empty, or of which everything has been removed",
    must_hold: "each is an error at a start and at a reload, unless it was asked for; what is in service stays",
    run,
};

const EMPTY: &[(&str, &str)] = &[
    ("no text", ""),
    ("comments", "# SecAction \"id:1,phase:1,pass\"\n"),
    ("settings", "SecRuleEngine On\nSecRequestBodyAccess On\n"),
    ("a marker", "SecMarker END\n"),
    ("an include of nothing", "IncludeOptional absent/*.conf\n"),
    ("all removed by id", "SecAction \"id:1,phase:1,pass\"\nSecRuleRemoveById 1-9\n"),
    ("all removed by tag", "SecAction \"id:1,phase:1,pass,tag:'a'\"\nSecRuleRemoveByTag a\n"),
    ("all removed by message", "SecAction \"id:1,phase:1,pass,msg:'a'\"\nSecRuleRemoveByMsg a\n"),
];

fn run(_setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let waf = own_rules("SecAction \"id:1,phase:1,pass\"", Limits::default())?;
    for (what, text) in EMPTY {
        let builder = || Waf::builder().rules_text("empty.conf", *text);
        let refused = |report: &crate::store::LoadReport| report.diagnostics.has("E0912");
        found.hold(builder().build().is_err_and(|report| refused(&report)), || format!("{what}: it starts"));
        let source = RuleSource::Text { name: "empty.conf".into(), text: (*text).into() };
        found.hold(waf.replace(&source).is_err_and(|report| refused(&report)), || format!("{what}: it is promoted"));
        found.hold(builder().allow_empty().build().is_ok(), || format!("{what}: it cannot be asked for"));
    }
    found.note("rulesets", EMPTY.len());
    found.note("generation", waf.generation().number);
    found.hold(waf.generation().number == 1, || "something else is in service".to_owned());
    Ok(found)
}
