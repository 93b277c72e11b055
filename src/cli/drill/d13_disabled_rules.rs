//! D13: a rule that is off and acts all the same. In December 2025 a kill switch took a rule with one certain action out, and what came
//! behind the rules broke over it.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, own};
use crate::cli::requests::Prepared;
use crate::engine::persist::Forgetful;
use crate::engine::{Exhaustion, Interruption, Reason, Score, Step};
use crate::lang::seclang::examples;
use crate::program::RuleIx;
use crate::rule::{EngineMode, Phase, RuleId};
use crate::waf::{Switch, Transaction, Waf};
use anyhow::Context;

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D13",
    outage: "Cloudflare, 5 December 2025: a kill switch on a rule with an `execute` action broke what came behind it",
    injected: "a rule with each action in each place, turned off in every way there is: by directives, by ctl, by switches, between any two steps",
    must_hold: "all of it evaluates, and the verdict is that of the rules without the rule",
    run,
};

/// The rule that is turned off.
const SUBJECT: RuleId = RuleId(10);

/// What the `off` of a request turns off by `ctl`.
const CONTROLS: &[(&str, &str)] = &[
    ("id", "ruleRemoveById=10"),
    ("tag", "ruleRemoveByTag=subject"),
    ("message", "ruleRemoveByMsg=subject"),
    ("targets", "ruleRemoveTargetById=10;ARGS"),
];

/// Directives that turn the rule off when it is loaded.
const DIRECTIVES: &[&str] = &["SecRuleRemoveById 10", "SecRuleRemoveByTag subject", "SecRuleRemoveByMsg subject"];

/// In which place of a rule an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In a rule that looks for something.
    Rule,
    /// In one that always acts, and logs.
    Action,
    /// In one that always acts and says nothing: rules like it beside it are run in one stretch.
    Stretch,
    /// In the first rule of a chain.
    Head,
    /// In the second one.
    Link,
}

impl Place {
    const ALL: [Place; 5] = [Place::Rule, Place::Action, Place::Stretch, Place::Head, Place::Link];

    /// The rule with an action, over two lines whatever it is.
    fn subject(self, phase: u8, action: &str) -> String {
        let head = format!("id:10,phase:{phase},pass,tag:'subject',msg:'subject'");
        match self {
            Place::Rule => format!("SecRule ARGS:p \"@rx (a+)b\" \"{head},{action}\"\n#\n"),
            Place::Action => format!("SecAction \"{head},{action}\"\n#\n"),
            Place::Stretch => format!("SecAction \"{head},nolog,setvar:tx.sum=9,{action}\"\n#\n"),
            Place::Head => {
                format!(
                    "SecRule ARGS:p \"@rx (a+)b\" \"{head},chain,{action}\"\nSecRule ARGS:q \"@streq c\" \"t:none\"\n"
                )
            }
            Place::Link => {
                format!(
                    "SecRule ARGS:p \"@rx (a+)b\" \"{head},chain\"\nSecRule ARGS:q \"@streq c\" \"t:none,{action}\"\n"
                )
            }
        }
    }

    /// The same up to the second link, which finds nothing: where a switch is turned between the two, the first has acted.
    fn half(self, phase: u8, action: &str) -> String {
        self.subject(phase, action).replace("@streq c", "@streq never")
    }
}

/// A rule that never matches in the place of the subject, which skips count.
fn placeholder(phase: u8) -> String {
    format!("SecRule ARGS:p \"@streq never\" \"id:10,phase:{phase},pass,nolog\"\n#\n")
}

/// A ruleset around a subject. What matches later tells of everything that the subject may have done.
fn around(phase: u8, subject: &str, behind: &str) -> String {
    let mut text = format!("SecDefaultAction \"phase:{phase},log,auditlog,deny,status:406\"\n");
    text += "SecAction \"id:1,phase:1,nolog,pass,initcol:ip=%{REMOTE_ADDR},setvar:tx.sum=0\"\n";
    for (number, (name, control)) in (2..).zip(CONTROLS) {
        text += &format!("SecRule ARGS:off \"@streq {name}\" \"id:{number},phase:1,nolog,pass,ctl:{control}\"\n");
    }
    text += &format!("SecRule ARGS:skip \"@streq 1\" \"id:8,phase:{phase},nolog,pass,skip:2\"\n");
    text += &format!("SecAction \"id:9,phase:{phase},nolog,pass,setvar:tx.before=1\"\n");
    text += subject;
    text += &format!("SecAction \"id:11,phase:{phase},nolog,pass,setvar:tx.after=1\"\nSecMarker NEAR\n");
    text += &format!(
        "SecRule ARGS:p \"@contains aa\" \"id:21,phase:{phase},pass,log,tag:'later',msg:'later',logdata:'%{{MATCHED_VAR}} %{{tx.0}}'\"\n"
    );
    text += &format!(
        "SecRule TX:sum \"@eq 2\" \"id:22,phase:{phase},{},msg:'later'\"\n",
        if phase < 5 { "deny" } else { "pass" }
    );
    text += "SecMarker END\n";
    text += "SecAction \"id:31,phase:5,pass,log,msg:'%{tx.before} %{tx.after} %{tx.sum} %{tx.flag} %{tx.text} %{tx.1} %{tx.aab}',\
             logdata:'%{ip.count} %{HIGHEST_SEVERITY} %{ENV.seen} %{SESSIONID} %{USERID}'\"\n";
    text + behind
}

fn load(text: &str) -> Result<Waf, crate::store::LoadReport> {
    own(text).collections(Forgetful).build()
}

fn run(setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let mut count = Count::default();
    for phase in setting.size(2..=2, 1..=5) {
        let without = load(&around(phase, &placeholder(phase), "")).context("the rules without the rule")?;
        let left_out = load(&around(phase, "#\n#\n", "")).context("the rules that leave it out")?;
        for place in Place::ALL {
            for action in examples::actions() {
                let subject = place.subject(phase, &action);
                // Actions that only the first rule of a chain can have, or none in phase 5.
                let Ok(with) = load(&around(phase, &subject, "")) else {
                    count.impossible += 1;
                    continue;
                };
                let half = load(&around(phase, &place.half(phase, &action), "")).context("half of a chain")?;
                let trial =
                    Trial { name: format!("{action}, {place:?}, phase {phase}"), place, with, without: &without, half };
                trial.while_loaded(&mut count, &mut found)?;
                trial.in_the_middle(setting.size(3, 1), &mut count, &mut found)?;
                for directive in DIRECTIVES.iter().take(setting.size(1, usize::MAX)) {
                    let removed = load(&around(phase, &subject, directive)).context("the rules without one removed")?;
                    for request in requests("") {
                        let same = outcome(request.evaluate(&removed))? == outcome(request.evaluate(&left_out))?;
                        count.evaluations += 1;
                        found.hold(same, || format!("{}: {directive} leaves something of it", trial.name));
                    }
                }
            }
        }
    }
    found.note("rules", count.rules);
    found.note("combinations_that_do_not_load", count.impossible);
    found.note("evaluations", count.evaluations);
    found.note("turned_off_in_the_middle", count.middles);
    found.note("actions", examples::actions().count());
    found.hold(count.rules > 0 && count.middles > 0, || "nothing was tried".to_owned());
    Ok(found)
}

#[derive(Default)]
struct Count {
    rules: usize,
    impossible: usize,
    evaluations: usize,
    middles: usize,
}

/// One action in one place.
struct Trial<'a> {
    name: String,
    place: Place,
    with: Waf,
    without: &'a Waf,
    /// With a chain whose second link finds nothing.
    half: Waf,
}

impl Trial<'_> {
    /// Turned off before the request, or by a rule of it.
    fn while_loaded(&self, count: &mut Count, found: &mut Findings) -> anyhow::Result<()> {
        count.rules += 1;
        let mut compare = |how: &str, off: &str, turn: &dyn Fn(bool)| -> anyhow::Result<()> {
            for request in requests(off) {
                turn(true);
                let (is, ought) = (outcome(request.evaluate(&self.with)), outcome(request.evaluate(self.without)));
                turn(false);
                let (is, ought) = (is.with_context(|| format!("{}, {how}", self.name))?, ought?);
                count.evaluations += 1;
                found.hold(is == ought, || format!("{}, {how}: {is:?} instead of {ought:?}", self.name));
            }
            Ok(())
        };
        for (name, control) in CONTROLS {
            // What always acts has no targets that could be taken away.
            if *name != "targets" || !matches!(self.place, Place::Action | Place::Stretch) {
                compare(control, name, &|_| {})?;
            }
        }
        for switch in [Switch::Rule(SUBJECT), Switch::Tag("subject".to_owned())] {
            compare("switched off", "", &|off| turn(&self.with, &switch, off))?;
        }
        let rule = rule_of(&self.with)?;
        compare("in quarantine", "", &|off| self.with.switches().quarantine(rule, off))?;

        // With everything off nothing is left to compare with but nothing.
        for request in requests("") {
            for mode in [EngineMode::Off, EngineMode::DetectionOnly] {
                self.with.set_strongest_mode(mode);
                let is = outcome(request.evaluate(&self.with));
                self.with.set_strongest_mode(EngineMode::On);
                let is = is.with_context(|| format!("{}, {mode:?}", self.name))?;
                let passes = is.interruption.is_none() && (mode != EngineMode::Off || is.rules.is_empty());
                found.hold(passes, || format!("{}, {mode:?}: {is:?}", self.name));
            }
            turn(&self.with, &Switch::Ruleset, true);
            let is = outcome(request.evaluate(&self.with));
            turn(&self.with, &Switch::Ruleset, false);
            let is = is.with_context(|| format!("{}, all rules", self.name))?;
            found
                .hold(is.interruption.is_none() && is.rules.is_empty(), || format!("{}, all rules: {is:?}", self.name));
            count.evaluations += 3;
        }
        Ok(())
    }

    /// Turned off between two steps: the rule has acted or has not, or the first link of its chain has.
    fn in_the_middle(&self, every: usize, count: &mut Count, found: &mut Findings) -> anyhow::Result<()> {
        let Some(request) = requests("").into_iter().next() else { return Ok(()) };
        let whole = [&self.with, self.without, &self.half];
        let whole = whole.map(|waf| stepped(waf, &request, usize::MAX, &|| {}));
        let rule = rule_of(&self.with)?;
        let mut at = 0;
        loop {
            let switches = self.with.switches();
            let ways: [(&str, &dyn Fn(bool)); 4] = [
                ("the rule", &|off| turn(&self.with, &Switch::Rule(SUBJECT), off)),
                ("the rule, in quarantine", &|off| switches.quarantine(rule, off)),
                ("all rules", &|off| turn(&self.with, &Switch::Ruleset, off)),
                ("the engine", &|off| self.with.set_strongest_mode(if off { EngineMode::Off } else { EngineMode::On })),
            ];
            let mut over = false;
            for (number, (what, turn)) in ways.into_iter().enumerate() {
                let is = stepped(&self.with, &request, at, &|| turn(true));
                turn(false);
                let (is, ended) = is.with_context(|| format!("{}, {what} after {at} steps", self.name))?;
                over |= ended;
                count.middles += 1;
                let known = whole.iter().flatten().any(|(one, _)| *one == is);
                found.hold(number > 1 || known, || format!("{}, {what} after {at} steps: {is:?}", self.name));
            }
            if over {
                return Ok(());
            }
            at += every;
        }
    }
}

fn turn(waf: &Waf, switch: &Switch, off: bool) {
    if off {
        waf.switch_off(switch);
    } else {
        waf.switch_on(switch);
    }
}

fn rule_of(waf: &Waf) -> anyhow::Result<RuleIx> {
    let loaded = waf.loaded();
    let rule = loaded.program().ruleset.rules.iter().position(|rule| rule.id == SUBJECT);
    rule.map(RuleIx::new).context("the rule is there")
}

/// Requests at which the rule matches, does not, and is skipped.
fn requests(off: &str) -> [Prepared; 3] {
    ["p=aab&q=c&skip=0", "p=zzz&q=z&skip=0", "p=aab&q=c&skip=1"]
        .map(|query| Prepared::new("drill".to_owned(), &format!("/?{query}&off={off}"), None))
}

/// Evaluates in steps, doing something after `at` of them. Answers also whether there were no more.
fn stepped(waf: &Waf, request: &Prepared, at: usize, turn: &dyn Fn()) -> anyhow::Result<(Outcome, bool)> {
    let mut transaction = request.begin(waf);
    transaction.start(Phase::RequestBody);
    let mut steps = 0;
    loop {
        if steps == at {
            turn();
        }
        steps += 1;
        if transaction.step(1) != Step::Pending {
            break;
        }
    }
    transaction.process_logging();
    Ok((outcome(transaction)?, steps <= at))
}

/// All that somebody may see of an evaluation, but for what it costs.
#[derive(Debug, PartialEq)]
struct Outcome {
    interruption: Option<Interruption>,
    rules: Vec<RuleId>,
    score: Score,
    exhausted: Option<Exhaustion>,
    uninspected: Vec<&'static str>,
    collections: Vec<&'static str>,
    lines: Vec<String>,
    environment: Vec<(Vec<u8>, Vec<u8>)>,
    relevant: bool,
}

/// What an evaluation came to, down to its log lines and its audit record.
///
/// # Errors
/// The engine has failed.
fn outcome(transaction: Transaction) -> anyhow::Result<Outcome> {
    let verdict = transaction.verdict().context("internal error")?;
    let failed = verdict.interruption.as_ref().is_some_and(|ended| ended.reason == Reason::InternalError);
    anyhow::ensure!(!failed, "internal error");
    // What comes behind the rules has to come to an end, too.
    let _ = transaction.audit_record(403).map(|record| (record.to_json(), record.to_native()));
    Ok(Outcome {
        interruption: verdict.interruption,
        rules: verdict.rules,
        score: verdict.score,
        exhausted: verdict.exhausted,
        uninspected: verdict.uninspected,
        collections: verdict.collections,
        lines: transaction.error_log_lines(0),
        environment: transaction.environment().map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
        relevant: transaction.is_relevant(200),
    })
}
