//! D18: twenty-one fields declared, twenty supplied. In July 2024 the validator and the interpreter did not look at the same thing.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, own};
use crate::engine::{Answer, Env, EnvVariable, Resolver};
use crate::limits::Limits;
use crate::rule::{Field, Supplies};
use crate::store::{DiskUploads, LoadReport, RuleSource};
use crate::waf::{Waf, WafBuilder};
use anyhow::Context;
use std::sync::Arc;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D18",
    outage: "CrowdStrike, 19 July 2024: 21 fields declared, 20 supplied; what was validated was not what ran",
    injected: "rules that look at each field that a host may supply, on hosts that supply all others",
    must_hold: "each is found at every load, by rule and field; a strict host refuses it; what was verified and probed is what decides",
    run,
};

/// Rules that look at a field, each in its own way.
fn rules(field: Field) -> &'static [&'static str] {
    match field {
        Field::Connection => &[
            "SecRule REMOTE_ADDR \"@ipMatch 192.0.2.1\" \"id:7,phase:1,deny\"",
            "SecRule SERVER_PORT \"@eq 80\" \"id:7,phase:1,deny\"",
            "SecAction \"id:7,phase:1,pass,initcol:ip=%{REMOTE_ADDR}\"",
        ],
        Field::RequestBody => &[
            "SecRule REQUEST_BODY \"@contains a\" \"id:7,phase:2,deny\"",
            "SecRule ARGS_POST:a \"@contains a\" \"id:7,phase:2,deny\"",
            "SecRule &FILES \"@gt 3\" \"id:7,phase:2,deny\"",
        ],
        Field::ResponseHeaders => &[
            "SecRule RESPONSE_STATUS \"@rx ^5\" \"id:7,phase:3,deny\"",
            "SecRule ARGS \"@contains a\" \"id:7,phase:4,deny,chain\"\nSecRule RESPONSE_HEADERS:Server \"@contains a\"",
        ],
        Field::ResponseBody => &["SecRule RESPONSE_BODY \"@contains a\" \"id:7,phase:4,deny\""],
        Field::StoredUploads => &["SecRule FILES_TMPNAMES \"@endsWith .php\" \"id:7,phase:2,deny\""],
        Field::BlockLists => &["SecRule REMOTE_ADDR \"@rbl bl.example.org\" \"id:7,phase:1,deny\""],
        Field::Environment => &[
            "SecRule ENV:ABSENT \"@streq a\" \"id:7,phase:1,deny\"",
            "SecRule ARGS \"@streq a\" \"id:7,phase:2,deny,logdata:'%{ENV.ABSENT}'\"",
        ],
    }
}

/// A resolver that knows nothing.
struct Silent;

impl Resolver for Silent {
    fn answer(&self, _: &str) -> Answer {
        Answer::NotListed
    }
}

/// An environment with one variable.
struct Named([EnvVariable; 1]);

impl Env for Named {
    fn epoch_micros(&self) -> u64 {
        0
    }

    fn variables(&self) -> &[EnvVariable] {
        &self.0
    }
}

/// A host that supplies everything, and one environment variable of this name.
fn complete(text: &str, variable: &str) -> WafBuilder {
    let variable = EnvVariable { name: variable.as_bytes().into(), value: Box::default() };
    own(text).env(Named([variable])).resolver(Silent).uploads(DiskUploads::new())
}

/// The same without one field.
fn lacking(field: Field, text: &str, strict: bool) -> WafBuilder {
    let supplies = if strict { Supplies::all().strict() } else { Supplies::all() };
    let builder = complete(text, "PRESENT");
    // Without limits for them nobody stores files or asks lists, and the reader says so once.
    let limits = Limits { upload_bytes: 1 << 20, block_lists: 4, ..Limits::default() };
    builder.limits(limits).supplies(if field == Field::Environment { supplies } else { supplies.without(field) })
}

/// Whether a report says which rule looks at which field in vain.
fn tells(report: &LoadReport, code: &str, field: Field) -> bool {
    report.diagnostics.iter().any(|found| {
        let help = found.help.as_deref().unwrap_or_default();
        let named = found.message.contains("rule 7 ") && found.message.contains(field.name());
        found.code == code && found.span.is_some() && named && help.contains("it supplies ")
    })
}

fn is_told(report: &LoadReport) -> bool {
    ["W0916", "E0917"].iter().any(|code| report.diagnostics.has(code))
}

fn loads(builder: WafBuilder) -> anyhow::Result<Waf> {
    builder.build().map_err(|report| anyhow::anyhow!("rules of the drill do not load:\n{report}"))
}

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let mut tried = 0;
    for field in Field::ALL {
        for text in rules(field) {
            tried += 1;
            let name = field.name();
            let waf = loads(complete(text, "ABSENT"))?;
            found.hold(!is_told(waf.report()), || format!("{name}: {text}: found where it is supplied"));
            let waf = loads(lacking(field, text, false))?;
            found.hold(tells(waf.report(), "W0916", field), || format!("{name}: {text}: no warning"));

            let refused = lacking(field, text, true).build().err();
            found.hold(refused.is_some_and(|report| tells(&report, "E0917", field)), || {
                format!("{name}: {text}: a strict host starts")
            });
            let waf = loads(lacking(field, "SecAction \"id:1,phase:1,pass\"", true))?;
            let source = RuleSource::Text { name: "drill.conf".into(), text: format!("SecRuleEngine On\n{text}") };
            let staged = waf.stage(&source).err();
            found.hold(staged.is_some_and(|report| tells(&report, "E0917", field)), || {
                format!("{name}: {text}: a strict host stages it")
            });
            let replaced = waf.replace(&source).err();
            found.hold(replaced.is_some_and(|report| tells(&report, "E0917", field)), || {
                format!("{name}: {text}: a strict host takes it")
            });
            found.hold(waf.generation().number == 1, || format!("{name}: something else is in service"));
        }
    }
    found.note("fields", Field::ALL.len());
    found.note("rules", tried);
    unmodified(setting, &mut found)?;
    same_program(setting, &mut found)?;
    Ok(found)
}

/// The ruleset that was asked for has no errors on a host that supplies little, and nothing is found where all is supplied.
fn unmodified(setting: &Setting<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let whole = setting.ruleset()?;
    found.hold(!is_told(whole.report()), || "rules that look at what is supplied are found".to_owned());
    let little = Supplies::all().without(Field::ResponseBody).without(Field::ResponseHeaders);
    let waf = setting.ruleset_supplied(little)?;
    let warned = waf.report().diagnostics.iter().filter(|found| found.code == "W0916").count();
    found.note("ruleset", setting.ruleset_name());
    found.note("warnings_without_responses", warned);
    Ok(())
}

/// What is staged, is in service, and is gone back to is one and the same program, in the same memory.
fn same_program(setting: &Setting<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let waf = loads(own("SecAction \"id:1,phase:1,pass\""))?;
    let first = waf.loaded();
    let staged = waf.stage(&setting.source()).map_err(|report| anyhow::anyhow!("the rules do not load:\n{report}"))?;
    let checked = staged.release().loaded().clone();
    waf.promote(staged).context("nobody was faster")?;
    let decides = waf.loaded();
    let same = Arc::ptr_eq(&checked, &decides) && Arc::ptr_eq(checked.program(), decides.program());
    found.hold(same, || "what decides is not what was verified and probed".to_owned());
    waf.roll_back().context("the rules before are kept")?;
    found.hold(Arc::ptr_eq(&first, &waf.loaded()), || "what was gone back to is another program".to_owned());
    found.note("same_program", same);
    Ok(())
}
