//! Nothing of one tenant's request can be seen by another's, though both use the same memory.

use crate::{builder, request, tenants, text};
use fusewall::Waf;
use fusewall::engine::FixedEnv;
use fusewall::engine::persist::{Collections, Committed, Record, RecordId, Unavailable, Update};
use fusewall::store::MemoryCollections;
use std::sync::{Arc, Mutex};

/// Rules that leave traces wherever a request can leave any, for requests that say so, and log all that is there for every request.
const RULES: &str = r#"
SecRule ARGS:mark "@rx ^(s.)(c.*)$" "id:1,phase:1,pass,capture,setvar:tx.left=%{MATCHED_VAR},setvar:tx.score=+7,initcol:global=g,initcol:ip=%{REMOTE_ADDR},setvar:global.left=%{MATCHED_VAR},setvar:ip.left=%{MATCHED_VAR},ctl:ruleRemoveById=4,ctl:ruleRemoveTargetById=5;ARGS:b,ctl:auditLogParts=+E,sanitiseArg:b,severity:2"
SecAction "id:2,phase:1,pass,log,initcol:global=g,initcol:ip=%{REMOTE_ADDR},msg:'tx %{tx.left} %{tx.score} %{tx.0} %{tx.1} %{tx.2} ip %{ip.left} global %{global.left} matched %{MATCHED_VAR} %{MATCHED_VAR_NAME} highest %{HIGHEST_SEVERITY} mark %{ARGS.mark} rule %{RULE.id}'"
SecRule TX|GLOBAL|IP|ARGS|REQUEST_HEADERS|MATCHED_VARS "@contains secret" "id:3,phase:1,deny,log,status:418"
SecAction "id:4,phase:1,pass,log,msg:'four'"
SecRule ARGS "@streq b" "id:5,phase:1,pass,log,msg:'five',logdata:'%{MATCHED_VAR}'"
"#;

/// All that a request without a mark is told.
fn seen(waf: &Waf) -> String {
    let (mut exchange, ended) = request(waf, "/?b=b");
    exchange.process_logging();
    let verdict = exchange.verdict().expect("no failure");
    format!("{ended:?} {:?} {:?} {:?}", exchange.error_log_lines(0), verdict.rules, verdict.fuel)
        .replace(exchange.unique_id(), "ID")
}

#[test]
fn what_a_request_leaves_behind_is_not_seen_by_another_tenant() {
    let tenants = tenants();
    let rules = text("site.conf", RULES);
    let (a, b) = (tenants.add("a", &rules).expect("it loads"), tenants.add("b", &rules).expect("it loads"));
    assert!(Arc::ptr_eq(&a.loaded(), &b.loaded()), "both use the same pool");
    // As it is in memory that nobody has used before.
    let fresh = seen(&b);
    assert!(fresh.contains("four") && fresh.contains("five"), "{fresh}");
    for _ in 0..20 {
        let (mut exchange, ended) = request(&a, "/?mark=secret&b=b");
        assert_eq!(ended.expect("its own rule sees it").status, 418);
        exchange.process_logging();
        drop(exchange);
        assert_eq!(seen(&b), fresh);
    }
    // The tenant itself sees what it has kept.
    assert!(seen(&a).contains("global secret"), "{}", seen(&a));
}

#[test]
fn memory_at_rest_holds_no_store_of_a_tenant_that_is_gone() {
    let store = Arc::new(MemoryCollections::new(&fusewall::Limits::default()));
    let weak = Arc::downgrade(&store);
    let given = Mutex::new(Some(store));
    let tenants = builder()
        .adjust(move |name, waf| match given.lock().unwrap().take().filter(|_| name == "a") {
            Some(store) => waf.env(FixedEnv::default()).collections(Given(store)),
            None => waf.env(FixedEnv::default()),
        })
        .build()
        .expect("a thread");
    let rules = text("site.conf", RULES);
    let a = tenants.add("a", &rules).expect("it loads");
    let _b = tenants.add("b", &rules).expect("it loads");
    drop(request(&a, "/?mark=secret"));
    drop(a);
    tenants.remove("a");
    assert!(weak.upgrade().is_none(), "the pool still holds it");
}

struct Given(Arc<MemoryCollections>);

impl Collections for Given {
    fn load(&self, id: &RecordId<'_>, now: u64) -> Result<Option<Record>, Unavailable> {
        self.0.load(id, now)
    }

    fn commit(&self, id: &RecordId<'_>, update: &Update<'_>, now: u64) -> Result<Committed, Unavailable> {
        self.0.commit(id, update, now)
    }
}
