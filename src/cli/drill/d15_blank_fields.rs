//! D15: a policy with blank fields. In June 2025 one was copied to every region within seconds, and brought each process down.

use super::Drill;
use super::report::Findings;
use super::setting::Setting;
use crate::cli::requests::Prepared;
use crate::engine::{FixedEnv, Reason};
use crate::files::{Files, MemoryFiles};
use crate::lang::seclang::{examples, fields};
use crate::plan::bounds;
use crate::program::{Program, verify};
use crate::store::{DiskFiles, builtin_files};
use crate::waf::Waf;
use anyhow::Context;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D15",
    outage: "Google Cloud, 12 June 2025: a policy with blank fields crashed everything",
    injected: "rules that use every name there is, and those asked for, with each field blank or gone in turn; programs that lack a table",
    must_hold: "refused with an error that says where; or it evaluates, within its certificate",
    run,
};

/// What examples need that stands before them.
const BEFORE: &str = "SecRuleEngine On\nSecRequestBodyAccess On\nSecDataset names `\nalpha\n`\nSecDataset nets `\n192.0.2.1\n`\n\
                      SecAction \"id:700001,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:tx.limit=3\"\n";

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let mut tally = Tally::default();
    let whole = load("examples.conf", &every_name().concat(), examples::files());
    found.hold(whole.is_ok(), || {
        format!(
            "rules of the drill do not load:\n{}",
            whole.as_ref().err().map(ToString::to_string).unwrap_or_default()
        )
    });
    for (number, unit) in every_name().iter().enumerate() {
        let every = setting.size(5, 1);
        let lacking = fields::lacking(unit).into_iter().skip(number % every).step_by(every);
        for text in lacking {
            tally.try_one("examples.conf", &text, &examples::files(), &mut found);
        }
    }
    found.note("fields_of_examples", tally.all());
    if !setting.short {
        asked_for(setting, &mut tally, &mut found)?;
    }
    found.note("refused", tally.refused);
    found.note("harmless_and_warned_of", tally.warned);
    found.note("harmless", tally.harmless);
    found.hold(tally.refused > 0 && tally.harmless > 0, || "nothing was tried".to_owned());
    programs(setting, &mut found)?;
    Ok(found)
}

/// Directives and rules that use each name of the tables.
fn every_name() -> Vec<String> {
    let mut ids = 1000..;
    let mut rule = |targets: &str, operator: &str, actions: &str| {
        let id = ids.next().unwrap_or_default();
        format!("SecRule {targets} \"{operator}\" \"id:{id},phase:2,pass,nolog{actions}\"\n")
    };
    let mut all: Vec<String> = examples::directives().filter(|line| !line.starts_with("SecRemoteRules ")).collect();
    all.extend(examples::operators().map(|operator| rule("ARGS|REMOTE_ADDR", &operator, "")));
    all.extend(examples::variables().map(|variable| rule(&variable, "@contains alpha", "")));
    all.extend(examples::transformations().map(|step| rule("ARGS:p", "@streq alpha", &format!(",{step}"))));
    all.extend(examples::actions().map(|action| rule("ARGS:p", "@rx (al)pha", &format!(",{action}"))));
    let chain = rule("ARGS:p|!ARGS:q|&ARGS|ARGS:/^a/", "!@rx ^$", ",chain,setvar:tx.a=1,msg:'a',tag:'b'");
    all.push(chain + "SecRule TX:a \"@eq %{tx.limit}\" \"t:none,setvar:ip.count=+%{tx.a}\"\n");
    all
}

fn load(name: &str, text: &str, files: impl Files + Send + Sync + 'static) -> Result<Waf, crate::store::LoadReport> {
    let builder = Waf::builder().env(FixedEnv::default()).files(files).allow_empty();
    builder.rules_text(name, format!("{BEFORE}{text}")).build()
}

/// What became of the texts.
#[derive(Default)]
struct Tally {
    refused: usize,
    warned: usize,
    harmless: usize,
}

impl Tally {
    fn all(&self) -> usize {
        self.refused + self.warned + self.harmless
    }

    /// Loads a text; if it loads, evaluates requests.
    fn try_one<F: Files + Clone + Send + Sync + 'static>(
        &mut self,
        name: &str,
        text: &str,
        files: &F,
        found: &mut Findings,
    ) {
        let loaded = catch_unwind(AssertUnwindSafe(|| load(name, text, files.clone())));
        match loaded {
            Err(_) => found.hold(false, || format!("loading panics: {text}")),
            Ok(Err(report)) => {
                self.refused += 1;
                let told = report.diagnostics.iter().any(|found| found.code.starts_with('E') && found.span.is_some());
                found.hold(told, || format!("refused, and nobody knows where: {text}: {report}"));
            }
            Ok(Ok(waf)) => {
                let is_warned = !waf.report().without_notes().diagnostics.is_empty();
                *(if is_warned { &mut self.warned } else { &mut self.harmless }) += 1;
                if let Err(why) = evaluate(&waf) {
                    found.hold(false, || format!("{why:#}: {text}"));
                }
            }
        }
    }
}

/// Evaluates a few requests, within what they were certified to cost.
fn evaluate(waf: &Waf) -> anyhow::Result<()> {
    let form = b"p=alpha&q=192.0.2.1&a=4111111111111111".to_vec();
    let body = b"{\"p\":\"alpha\",\"list\":[1,2,{\"q\":\"%41\"}]}".to_vec();
    let requests = [
        Prepared::new("get".to_owned(), "/a/b.php?p=alpha&q=%61lpha%zz&a=1", None),
        Prepared::new("form".to_owned(), "/", Some(("application/x-www-form-urlencoded", form))),
        Prepared::new("json".to_owned(), "/", Some(("application/json", body))),
    ];
    let loaded = waf.loaded();
    let certified = bounds(&loaded);
    for request in requests {
        let transaction = request.evaluate(waf);
        let verdict = transaction.verdict().context("internal error")?;
        let failed = verdict.interruption.as_ref().is_some_and(|ended| ended.reason == Reason::InternalError);
        anyhow::ensure!(!failed, "internal error");
        let most = certified(request.bytes()).fuel;
        anyhow::ensure!(verdict.fuel <= most, "{} cost {} fuel, certified are {most}", request.id(), verdict.fuel);
    }
    Ok(())
}

/// The rules that were asked for, one by one, where they stand.
fn asked_for(setting: &Setting<'_>, tally: &mut Tally, found: &mut Findings) -> anyhow::Result<()> {
    let before = tally.all();
    let loaded = setting.ruleset()?.loaded();
    let names: BTreeSet<_> = loaded.program().ruleset.rules.iter().map(|rule| rule.file.clone()).collect();
    let builtin = setting.ruleset_name() == "built-in rules";
    let (_, memory): (_, MemoryFiles) = builtin_files();
    for name in names {
        let path = Path::new(&*name);
        let bytes = if builtin { memory.read(path) } else { DiskFiles.read(path) };
        let text = String::from_utf8_lossy(&bytes.with_context(|| format!("{name} cannot be read"))?).into_owned();
        for (number, unit) in fields::units(&text).iter().enumerate() {
            // Each rule has a hundred fields, and compiling its pattern takes its time: some of each.
            for text in fields::lacking(unit).into_iter().skip(number % EVERY).step_by(EVERY) {
                match builtin {
                    true => tally.try_one(&name, &text, &memory, found),
                    false => tally.try_one(&name, &text, &DiskFiles, found),
                }
            }
        }
    }
    found.note("ruleset", setting.ruleset_name());
    found.note("fields_of_the_ruleset", tally.all() - before);
    Ok(())
}

/// Of the fields of rulesets that were asked for, one in so many.
const EVERY: usize = 11;

/// What a program lacks.
type Loss = (&'static str, fn(&mut Program));

const LOSSES: &[Loss] = &[
    ("its rules", |program| program.rules.clear()),
    ("its last rule", |program| drop(program.rules.pop())),
    ("the links of its rules", |program| program.rules.iter_mut().for_each(|rule| rule.links.clear())),
    ("what its rules mean", |program| Arc::make_mut(&mut program.ruleset).rules.clear()),
    ("what its last rule means", |program| drop(Arc::make_mut(&mut program.ruleset).rules.pop())),
    ("its schedule", |program| program.schedule.iter_mut().for_each(Vec::clear)),
    ("the last rule of its schedule", |program| {
        program.schedule.iter_mut().for_each(|phase| phase.truncate(phase.len().saturating_sub(1)))
    }),
    ("its selections", |program| program.selections.clear()),
    ("its last selection", |program| drop(program.selections.pop())),
    ("its pipelines", |program| program.nodes.clear()),
    ("its last pipeline", |program| drop(program.nodes.pop())),
    ("its operators", |program| program.tests.clear()),
    ("its last operator", |program| drop(program.tests.pop())),
    ("its patterns", |program| program.patterns.clear()),
    ("its last pattern", |program| drop(program.patterns.pop())),
    ("its literals", |program| program.literals.clear()),
    ("its phrase lists", |program| program.phrases.clear()),
    ("its sieves", |program| program.sieves = Default::default()),
    ("its TX keys", |program| program.tx_keys.clear()),
    ("its last TX key", |program| drop(program.tx_keys.pop())),
    ("its sets of rules", |program| program.rule_sets.clear()),
];

/// A compiled ruleset that lacks something does not pass: what checks it knows what it needs.
fn programs(setting: &Setting<'_>, found: &mut Findings) -> anyhow::Result<()> {
    let examples = load("examples.conf", &every_name().concat(), examples::files());
    let examples = examples.map_err(|report| anyhow::anyhow!("rules of the drill do not load:\n{report}"))?;
    let mut refused = 0;
    for waf in [examples, setting.ruleset()?] {
        let loaded = waf.loaded();
        for (what, lose) in LOSSES {
            let mut program = Program::clone(loaded.program());
            lose(&mut program);
            let passes = program != **loaded.program() && verify(&program).is_ok();
            refused += usize::from(!passes);
            found.hold(!passes, || format!("a program passes that lacks {what}"));
        }
    }
    found.note("programs_refused", refused);
    Ok(())
}
