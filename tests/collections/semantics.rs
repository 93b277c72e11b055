//! What rules do to collections, and what they see of it.

use crate::site::{Site, seen};
use fusewall::engine::persist::{Collections, Committed, Record, RecordId, Unavailable, Update};
use fusewall::{Limits, Policy};

const INIT: &str = r#"SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}""#;

/// Phase 1 initialises IP and runs `actions` where the query says `do`; phase 2 looks at `text`.
fn rules(actions: &str, text: &str) -> String {
    format!(
        r#"
        {INIT}
        SecRule ARGS:do "@unconditionalMatch" "id:2,phase:1,pass,nolog,{actions}"
        SecAction "id:3,phase:2,pass,nolog,setvar:'tx.seen={text}'"
        "#
    )
}

/// Seconds, whether the request acts, what it sees.
type Steps<'a> = &'a [(u64, bool, &'a str)];

#[test]
fn what_lasts_and_for_how_long() {
    let table: &[(&str, &str, &str, Steps<'_>)] = &[
        ("counters count on", "setvar:ip.n=+1", "%{ip.n}", &[(0, true, "1"), (1, true, "2"), (2, false, "2")]),
        ("down as well, below 0 too", "setvar:ip.n=-2", "%{ip.n}", &[(0, true, "-2"), (1, true, "-4")]),
        ("texts stay", "setvar:ip.t=%{ARGS.do}", "%{ip.t}", &[(0, true, "1"), (1, false, "1")]),
        ("names have no case", "setvar:IP.Name=a", "%{Ip.NAME}", &[(0, true, "a"), (1, false, "a")]),
        ("names may hold macros", "setvar:'ip.n_%{ARGS.do}=+5'", "%{ip.n_1}", &[(0, true, "5"), (1, true, "10")]),
        ("an entry can be removed", "setvar:ip.n=1,setvar:!ip.n", "[%{ip.n}]", &[(0, true, "[]"), (1, false, "[]")]),
        (
            "an expiry counts from the action, and setvar leaves it",
            "setvar:ip.n=+1,expirevar:ip.m=60,setvar:ip.m=1",
            "%{ip.n}%{ip.m}",
            &[(0, true, "11"), (59, false, "11"), (60, false, "1"), (61, true, "21")],
        ),
        (
            "each expirevar begins anew",
            "setvar:ip.n=+1,expirevar:ip.n=60",
            "[%{ip.n}]",
            &[(0, true, "[1]"), (59, true, "[2]"), (118, true, "[3]"), (178, false, "[]")],
        ),
        (
            "seconds may be a macro",
            "setvar:ip.n=1,expirevar:ip.n=%{ARGS.do}0",
            "[%{ip.n}]",
            &[(0, true, "[1]"), (9, false, "[1]"), (10, false, "[]")],
        ),
        (
            "a record ends after SecCollectionTimeout without a change",
            "setvar:ip.n=+1",
            "[%{ip.n}]",
            &[(0, true, "[1]"), (3599, true, "[2]"), (7198, false, "[2]"), (7199, false, "[]")],
        ),
        (
            "or after its own TIMEOUT",
            "setvar:ip.n=+1,setvar:ip.timeout=10",
            "%{ip.timeout} [%{ip.n}]",
            &[(0, true, "10 [1]"), (9, false, "10 [1]"), (10, false, "3600 []")],
        ),
        (
            "deprecatevar takes off what is due, however often it runs",
            "deprecatevar:ip.n=2/10,setvar:ip.n=+1",
            "%{ip.n}",
            &[(0, true, "1"), (4, true, "2"), (8, true, "3"), (11, true, "2"), (15, true, "3"), (20, true, "2")],
        ),
        (
            "and stops at 0",
            "setvar:ip.m=+0,deprecatevar:ip.n=5/1,setvar:ip.n=+3",
            "%{ip.n}",
            &[(0, true, "3"), (1, true, "3"), (100, true, "3")],
        ),
        (
            "IS_NEW is of this request",
            "setvar:ip.n=1",
            "%{ip.is_new}",
            &[(0, false, "1"), (1, true, "1"), (2, false, "0"), (3, true, "0")],
        ),
        (
            "updates are counted by requests that change something",
            "setvar:ip.n=+1,setvar:ip.m=+1,expirevar:ip.n=5",
            "%{ip.update_counter} %{ip.update_rate}",
            &[(0, true, "0 0"), (10, true, "1 6"), (11, false, "2 10"), (60, false, "2 2")],
        ),
        (
            "times are seconds since 1970",
            "setvar:ip.n=1",
            "%{ip.create_time} %{ip.last_update_time}",
            &[(0, true, "1000000 "), (5, true, "1000000 1000000"), (6, false, "1000000 1000005")],
        ),
        (
            "what every record has cannot be changed",
            "setvar:ip.key=x,setvar:ip.is_new=7,setvar:!ip.update_counter",
            "%{ip.key} %{ip.is_new} %{ip.update_counter}",
            &[(0, true, "192.0.2.1 1 0"), (1, false, "192.0.2.1 1 0")],
        ),
        (
            "a collection is initialised once",
            "initcol:ip=other,setvar:ip.n=+1",
            "%{ip.key} %{ip.n}",
            &[(0, true, "192.0.2.1 1"), (1, true, "192.0.2.1 2")],
        ),
        (
            "what is not initialised has nothing and keeps nothing",
            "setvar:global.n=1,expirevar:global.n=5,deprecatevar:global.n=1/1",
            "[%{global.n}%{global.is_new}]",
            &[(0, true, "[]"), (1, true, "[]")],
        ),
        (
            "TX does not outlive its request",
            "setvar:tx.n=+1,expirevar:tx.n=5",
            "%{tx.n}",
            &[(0, true, "1"), (1, true, "1"), (2, false, "")],
        ),
    ];
    for (name, actions, text, steps) in table {
        let site = Site::new(&rules(actions, text));
        for (second, acts, expected) in *steps {
            let target = if *acts { "/?do=1" } else { "/" };
            assert_eq!(site.seen(*second, target), *expected, "{name}, at {second} s");
        }
    }
}

#[test]
fn records_are_told_apart_by_collection_key_and_application() {
    let rules = r#"
        SecAction "id:1,phase:1,pass,nolog,initcol:ip=a,initcol:global=a,setsid:a,setuid:%{ARGS.u},setrsc:a"
        SecAction "id:2,phase:1,pass,nolog,setvar:ip.n=+1,setvar:global.n=+10,setvar:session.n=+100,setvar:user.n=+1000"
        SecAction "id:3,phase:1,pass,nolog,setvar:resource.n=+10000"
        SecAction "id:4,phase:2,pass,nolog,setvar:'tx.seen=%{ip.n} %{global.n} %{session.n} %{user.n} %{resource.n}'"
        SecAction "id:5,phase:2,pass,nolog,setvar:'tx.seen=%{tx.seen} %{SESSIONID} %{USERID}'"
    "#;
    let site = Site::new(rules);
    assert_eq!(site.seen(0, "/?u=x"), "1 10 100 1000 10000 a x");
    assert_eq!(site.seen(0, "/?u=y"), "2 20 200 1000 20000 a y");
    // Sessions, users and resources belong to an application; addresses and the world do not.
    let application = fusewall::store::RuleSource::Text {
        name: "other.conf".to_owned(),
        text: format!("SecRuleEngine On\nSecWebAppId other\n{rules}"),
    };
    site.waf.replace(&application).expect("the rules load");
    assert_eq!(site.seen(0, "/?u=x"), "3 30 100 1000 10000 a x");
    assert_eq!(site.seen(0, "/?u=x"), "4 40 200 2000 20000 a x");
}

#[test]
fn a_whole_collection_can_be_looked_at_and_counted() {
    let site = Site::new(&format!(
        r#"
        {INIT}
        SecRule &IP:n "@eq 0" "id:2,phase:1,pass,log"
        SecAction "id:3,phase:1,pass,nolog,setvar:ip.n=5,setvar:ip.m=6"
        SecRule IP "@streq 6" "id:4,phase:1,pass,log,logdata:'%{{MATCHED_VAR_NAME}}'"
        SecRule IP:/^[a-m]$/|!IP:m "@streq 6" "id:5,phase:1,pass,log"
        SecRule &IP "@eq %{{ARGS.count}}" "id:6,phase:1,pass,log"
        SecRule &SESSION "@eq 0" "id:7,phase:1,pass,log"
        SecRule IP:absent "!@streq x" "id:8,phase:1,pass,log"
        "#
    ));
    let first = site.get(0, 1, "/?count=8");
    assert_eq!(first.records().iter().map(|record| record.rule.0).collect::<Vec<_>>(), [2, 4, 6, 7]);
    assert_eq!(first.records()[1].data, "IP:m");
    let second = site.get(1, 1, "/?count=9");
    assert_eq!(second.records().iter().map(|record| record.rule.0).collect::<Vec<_>>(), [4, 6, 7]);
}

#[test]
fn a_phase_commits_what_it_has_changed() {
    let site = Site::new(&format!(
        r#"
        {INIT}
        SecAction "id:2,phase:1,pass,nolog,setvar:ip.n=+1"
        SecAction "id:3,phase:2,pass,nolog,setvar:ip.n=+10,setvar:'tx.seen=%{{ip.n}}'"
        "#
    ));
    // Two requests that stay open in phase 2.
    let mut slow: Vec<_> = (0..2).map(|_| site.begin(0, 1, "/")).collect();
    for exchange in &mut slow {
        assert_eq!(exchange.process_request_headers(), None);
    }
    assert_eq!(site.seen(1, "/"), "13", "both count already");
    for (exchange, expected) in slow.iter_mut().zip(["11", "12"]) {
        exchange.process_request_body();
        assert_eq!(seen(exchange), expected, "each sees its own copy");
    }
    assert_eq!(site.seen(1, "/"), "44", "and all of it is added up");
}

#[test]
fn ends_of_all_kinds_commit() {
    let rules = r#"
        SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR},setvar:ip.n=+1,setvar:'tx.seen=%{ip.n}'"
        SecRule ARGS:end "@streq deny" "id:2,phase:1,deny"
        SecRule ARGS:end "@streq allow" "id:3,phase:1,allow"
        SecRule ARGS:end "@streq off" "id:4,phase:1,pass,ctl:ruleEngine=Off"
        SecRule ARGS:end "@rx (?:a+b)+c" "id:5,phase:1,pass,t:none"
        SecRule ARGS:end "@rx (?:x+y)+z" "id:6,phase:1,pass,setvar:ip.n=+%{ARGS.late},setvar:ip.n=-%{ARGS.late}"
        SecAction "id:7,phase:1,pass,nolog,setvar:tx.end=1"
    "#;
    let mut limits = Limits::default();
    limits.fuel_rule = 20_000;
    let site = Site::with(rules, limits, |builder| builder.policy(Policy::Block));
    for (at, end) in ["deny", "allow", "off", ""].into_iter().enumerate() {
        assert_eq!(site.seen(0, &format!("/?end={end}")), (at + 1).to_string(), "{end}");
    }
    // A request that exhausts its budget is counted.
    let heavy = site.get(0, 1, &format!("/?end={}bc", "a".repeat(30_000)));
    assert!(heavy.verdict().unwrap().exhausted.is_some());
    assert_eq!(site.seen(0, "/"), "6");
    // And one that is left alone in the middle of a phase.
    let mut left = site.begin(0, 1, "/?end=b");
    left.start(fusewall::Phase::RequestHeaders);
    while seen(&left).is_empty() {
        assert_eq!(left.step(1), fusewall::Step::Pending);
    }
    drop(left);
    assert_eq!(site.seen(0, "/"), "8");
}

#[test]
fn pausing_changes_nothing() {
    let rules = rules("setvar:ip.n=+1,deprecatevar:ip.n=1/3,expirevar:ip.n=50", "%{ip.n}");
    let (whole, paused) = (Site::new(&rules), Site::new(&rules));
    for second in [0, 1, 5, 9, 70] {
        let expected = whole.get(second, 1, "/?do=1");
        let mut exchange = paused.begin(second, 1, "/?do=1");
        for phase in [fusewall::Phase::RequestBody, fusewall::Phase::Logging] {
            exchange.start(phase);
            while exchange.step(1) == fusewall::Step::Pending {}
        }
        assert_eq!((seen(&exchange), exchange.verdict()), (seen(&expected), expected.verdict()));
    }
}

#[test]
fn a_store_that_does_not_answer_is_a_note_and_nothing_else() {
    struct Dead;
    impl Collections for Dead {
        fn load(&self, _: &RecordId<'_>, _: u64) -> Result<Option<Record>, Unavailable> {
            Err(Unavailable)
        }
        fn commit(&self, _: &RecordId<'_>, _: &Update<'_>, _: u64) -> Result<Committed, Unavailable> {
            Err(Unavailable)
        }
    }
    let rules = rules("setvar:ip.n=+1", "%{ip.n} %{FUSEWALL_COLLECTION_LIMIT}");
    let site = Site::with(&rules, Limits::default(), |builder| builder.collections(Dead));
    let exchange = site.get(0, 1, "/?do=1");
    assert_eq!(seen(&exchange), "1 store unavailable");
    let verdict = exchange.verdict().unwrap();
    assert_eq!((verdict.interruption, verdict.collections), (None, vec!["store unavailable"]));
}
