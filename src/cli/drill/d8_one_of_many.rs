//! D8: one of many. In June 2021 the valid configuration of one customer brought a fault to light that took everybody else down, and
//! it took 39 minutes to find out whose.

use super::Drill;
use super::report::Findings;
use super::setting::{Setting, millis};
use crate::cli::requests::Prepared;
use crate::engine::persist::{Collections, Committed, Forgetful, Record, RecordId, Unavailable, Update};
use crate::engine::{FixedEnv, Reason};
use crate::store::{Origin, RuleSource};
use crate::waf::{Health, Tenants, Waf};
use anyhow::Context;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Event, Level, Metadata, Subscriber};

/// The drill.
pub const DRILL: Drill = Drill {
    name: "D8",
    outage: "Fastly, 8 June 2021: a valid configuration of one customer took down all others",
    injected: "one of 1,000 tenants loads valid rules that make the engine fail when they are evaluated",
    must_hold: "nobody else notices; within one request it is told which tenant, rule and generation; that tenant has its rules before again",
    run,
};

const BASE: &str = "SecRuleEngine On\nSecRule ARGS \"@contains evil\" \"id:1,phase:1,deny\"\n";
const OWN: &str = "SecRule ARGS \"@contains worse\" \"id:100,phase:1,deny\"\n";
const FAULTY: &str = "SecAction \"id:200,phase:1,pass,nolog,initcol:global=faulty\"\n";
/// Who loads them.
const WHO: &str = "t500";

/// Fails for one record, inside of the engine.
struct Fails;

impl Collections for Fails {
    fn load(&self, id: &RecordId<'_>, now: u64) -> Result<Option<Record>, Unavailable> {
        assert!(id.key != b"faulty", "injected by a drill");
        Forgetful.load(id, now)
    }

    fn commit(&self, id: &RecordId<'_>, update: &Update<'_>, now: u64) -> Result<Committed, Unavailable> {
        Forgetful.commit(id, update, now)
    }
}

fn source(name: &str, text: &str) -> RuleSource {
    RuleSource::Text { name: name.into(), text: text.into() }
}

fn run(_setting: &Setting<'_>) -> anyhow::Result<Findings> {
    let mut found = Findings::default();
    let tenants = Tenants::builder("tenants")
        .base(source("base.conf", BASE))
        .adjust(|_, waf| waf.env(FixedEnv::default()).collections(Fails))
        .build()?;
    let mut others = Vec::new();
    for name in (0..1000).map(|number| format!("t{number}")) {
        let waf = tenants.add(&name, &source("site.conf", OWN))?;
        if name != WHO {
            others.push(waf);
        }
    }
    let victim = tenants.get(WHO).context("it was added")?;
    let before = victim.loaded();
    let outcome = tenants.reload(WHO, source("site.conf", &format!("{OWN}{FAULTY}")))?.wait();
    found.hold(outcome.is_in_service(), || format!("valid rules were not taken: {outcome:?}"));
    let faulty = victim.generation().number;

    // One request, with silence but for what the engine itself tells.
    let told = Told::default();
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    let first = tracing::subscriber::with_default(told.clone(), || answer(&victim, "/"));
    let took = begun.elapsed();
    let mut wrong_others = 0;
    for other in &others {
        wrong_others += usize::from(answer(other, "/") != Answered::Passed);
        wrong_others += usize::from(answer(other, "/?q=worse") != Answered::Refused);
    }
    let again = [answer(&victim, "/"), answer(&victim, "/?q=worse"), answer(&victim, "/?q=evil")];
    std::panic::set_hook(hook);

    let told = told.0.lock().unwrap_or_else(PoisonError::into_inner).join("\n");
    let names = [format!("tenant=\"{WHO}\""), "rule=200".to_owned(), format!("generation={faulty}")];
    found.note("tenants", tenants.len());
    found.note("rulesets_in_memory", tenants.releases().in_use);
    found.note("request_that_failed_ms", millis(took));
    found.note("wrong_answers_of_others", wrong_others);
    found.hold(first == Answered::Failed, || format!("the fault was not tried: {first:?}"));
    found.hold(wrong_others == 0, || format!("{wrong_others} answers of 999 other tenants are wrong"));
    found.hold(names.iter().all(|name| told.contains(name)), || format!("told was `{told}`, not {}", names.join(", ")));
    found.hold(again == [Answered::Passed, Answered::Refused, Answered::Refused], || {
        format!("after one request: {again:?}")
    });
    let back = matches!(victim.generation().origin, Origin::RolledBack(_)) && Arc::ptr_eq(&victim.loaded(), &before);
    found.hold(back, || {
        format!("generation {} is in service, {:?}", victim.generation().number, victim.generation().origin)
    });
    found.hold(matches!(victim.health(), Health::Degraded { .. }), || "it is not said to be degraded".to_owned());
    Ok(found)
}

#[derive(Debug, PartialEq, Eq)]
enum Answered {
    Passed,
    Refused,
    Failed,
}

fn answer(waf: &Waf, target: &str) -> Answered {
    let exchange = Prepared::new("drill".to_owned(), target, None).evaluate(waf);
    match exchange.interruption() {
        None => Answered::Passed,
        Some(ended) if ended.reason == Reason::InternalError => Answered::Failed,
        Some(_) => Answered::Refused,
    }
}

/// Errors that were told, with their fields.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        *self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Subscriber for Told {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &SpanRecord<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        event.record(&mut Line(&mut line));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
