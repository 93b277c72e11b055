//! Requests that fail at the same time.

use super::*;
use fusewall::FallBack;
use fusewall::engine::persist::{Collections, Committed, Forgetful, Record, RecordId, Unavailable, Update};
use fusewall::store::Origin;

/// A store that fails.
struct Fails;

impl Collections for Fails {
    fn load(&self, _: &RecordId<'_>, _: u64) -> Result<Option<Record>, Unavailable> {
        std::panic::resume_unwind(Box::new("injected by a test"))
    }

    fn commit(&self, id: &RecordId<'_>, update: &Update<'_>, now: u64) -> Result<Committed, Unavailable> {
        Forgetful.commit(id, update, now)
    }
}

/// Generation 2 fails at every request that says so.
fn faulty() -> Waf {
    let waf = builder().collections(Fails).fall_back_on_fault(FallBack::default()).build().expect("it loads");
    let text = "SecRuleEngine On\nSecRule ARGS \"@streq fault\" \"id:9,phase:1,pass,nolog,initcol:global=faulty\"\n";
    let staged = waf.stage(&RuleSource::Text { name: "faulty.conf".into(), text: text.into() }).expect("it loads");
    waf.promote(staged).expect("nothing hinders");
    waf
}

#[test]
fn requests_that_fail_together_bring_back_one_generation() {
    in_every_order(|| {
        let waf = faulty();
        let fault = || beside(&waf, |waf| _ = refuses(waf.transaction(), "fault"));
        join([fault(), fault()]);
        assert_eq!((waf.generation().number, waf.generation().origin), (3, Origin::RolledBack(1)));
        assert_eq!(waf.generations().len(), 1);
    });
}

#[test]
fn a_fault_does_not_replace_what_is_held() {
    in_every_order(|| {
        let waf = faulty();
        let fault = beside(&waf, |waf| _ = refuses(waf.transaction(), "fault"));
        let holds = beside(&waf, |waf| {
            if waf.hold_in_service(2, "an emergency").is_ok() {
                (0..3).for_each(|_| assert_eq!(waf.generation().number, 2, "it was held"));
            }
        });
        join([fault, holds]);
        assert!(waf.held().is_none_or(|held| held.generation == waf.generation().number));
    });
}
