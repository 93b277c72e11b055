//! Rules with such patterns: what is known at load, what a request pays, and what happens where a pattern is none.

use fusewall::engine::{FixedEnv, Policy};
use fusewall::meter::Scope;
use fusewall::{Limits, Phase, Step, Transaction, Waf};

fn waf(rules: &str, limits: Limits) -> Waf {
    let builder = Waf::builder().env(FixedEnv::default()).policy(Policy::Block).limits(limits);
    let built = builder.rules_text("rules.conf", format!("SecRuleEngine On\n{rules}")).build();
    built.unwrap_or_else(|report| panic!("{report}"))
}

/// Takes a request through phase 1, in steps of so much fuel.
fn run(waf: &Waf, query: &str, quantum: u64) -> Transaction {
    let mut transaction = waf.transaction_with_id("exchange");
    transaction.process_request_line(b"GET", format!("/?{query}").as_bytes(), b"HTTP/1.1");
    transaction.start(Phase::RequestHeaders);
    while transaction.step(quantum) == Step::Pending {}
    transaction
}

fn logged(transaction: &Transaction) -> Vec<u64> {
    transaction.verdict().expect("the engine does not fail").rules.iter().map(|id| id.0).collect()
}

/// The lines of the report that are warnings of W0718.
fn warnings(waf: &Waf) -> usize {
    waf.report().to_string().lines().filter(|line| line.starts_with("warning[W0718]")).count()
}

#[test]
fn a_rule_with_a_back_reference_ends_with_its_budget() {
    let rules = r#"SecRule ARGS:x "@rx ^(?:(a+)\1?)*(?!b)b" "id:1,phase:1,deny""#;
    let mut limits = Limits::default();
    limits.fuel_rule = 100_000;
    let waf = waf(rules, limits);
    assert_eq!(warnings(&waf), 1);
    assert_eq!(logged(&run(&waf, "x=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", u64::MAX)), [0; 0]);
    let transaction = run(&waf, &format!("x={}b", "a".repeat(40)), u64::MAX);
    let verdict = transaction.verdict().expect("the engine does not fail");
    // What refuses counts as a match then.
    assert_eq!(verdict.interruption.map(|interruption| interruption.status), Some(403));
    assert_eq!(verdict.exhausted.map(|exhausted| exhausted.scope), Some(Scope::Rule));
    assert!(verdict.fuel < 120_000, "{}", verdict.fuel);
}

#[test]
fn groups_inside_a_look_around_cost_the_budget_only_where_they_are_read() {
    let rule = |actions: &str| {
        let rule = format!(r#"SecRule ARGS:x "@rx (?=(a+)b)." "id:1,phase:1,pass{actions}""#);
        warnings(&waf(&rule, Limits::default()))
    };
    assert_eq!(rule(""), 0);
    assert_eq!(rule(",capture"), 0);
    assert_eq!(rule(",capture,msg:'%{tx.1}'"), 1);
}

#[test]
fn macros_that_are_known_make_an_ordinary_pattern() {
    let action = |condition: &str| format!("{condition} \"id:1,phase:1,pass,nolog,setvar:'tx.list=a|b'\"\n");
    let rule = r#"SecRule ARGS:x "@rx ^(?:%{tx.list})$" "id:2,phase:1,pass,log""#;
    let known = waf(&(action("SecAction") + rule), Limits::default());
    let unknown = waf(&(action("SecRule &ARGS \"@ge 0\"") + rule), Limits::default());
    assert_eq!((warnings(&known), warnings(&unknown)), (0, 1));
    let engines = |waf: &Waf| waf.loaded().program().patterns.len();
    assert_eq!((engines(&known), engines(&unknown)), (1, 0));
    for (query, hit) in [("x=a", true), ("x=b", true), ("x=a|b", false), ("x=", false)] {
        for waf in [&known, &unknown] {
            assert_eq!(logged(&run(waf, query, u64::MAX)).contains(&2), hit, "{query}");
        }
    }
    // A pattern that a rule changes between two values is not known.
    let changed = r#"SecRule ARGS "@rx ^%{tx.list}$" "id:2,phase:1,pass,log,setvar:tx.list=c""#;
    let changed = waf(&(action("SecAction") + changed), Limits::default());
    assert_eq!(warnings(&changed), 1);
}

#[test]
fn a_request_pays_for_its_pattern_again_and_for_no_other() {
    let rules = r#"
        SecRule ARGS:x "@rx ^(%{ARGS.p})+$" "id:1,phase:1,pass,log,capture,setvar:tx.found=%{tx.1}"
        SecRule ARGS:x "@rxGlobal (%{ARGS.p})" "id:2,phase:1,pass,log,capture,setvar:tx.last=%{tx.1}"
        SecRule ARGS:x "!@rx %{ARGS.p}" "id:3,phase:1,pass,log"
    "#;
    let waf = waf(rules, Limits::default());
    assert_eq!(warnings(&waf), 3);
    let fuel = |query: &str, quantum: u64| {
        let transaction = run(&waf, query, quantum);
        let verdict = transaction.verdict().expect("the engine does not fail");
        let tx = |name: &str| transaction.tx(name).map(|value| String::from_utf8_lossy(value).into_owned());
        (logged(&transaction), verdict.fuel, tx("found"), tx("last"))
    };
    let first = fuel("p=a%7Cb&x=abba", u64::MAX);
    assert_eq!((first.0.as_slice(), first.2.as_deref(), first.3.as_deref()), (&[1, 2][..], Some("a"), Some("a")));
    assert_eq!(fuel("p=a%7Cb&x=abba", u64::MAX), first, "kept");
    for other in ["c", "d", "e", "f", "(g", "a{1000}{1000}"] {
        fuel(&format!("p={other}&x=abba"), u64::MAX);
    }
    assert_eq!(fuel("p=a%7Cb&x=abba", u64::MAX), first, "forgotten");
    for quantum in [1, 77, 5000] {
        assert_eq!(fuel("p=a%7Cb&x=abba", quantum), first, "{quantum}");
    }
    let long = format!("p=a%7Cb&x={}c", "ab".repeat(10_000));
    assert_eq!(fuel(&long, 1), fuel(&long, u64::MAX));
    // What is too large has the same price every time, too.
    let large = fuel("p=(?:(?:a%7B900%7D)%7B900%7D)&x=a", u64::MAX);
    assert_eq!(fuel("p=(?:(?:a%7B900%7D)%7B900%7D)&x=a", u64::MAX), large);
    assert_eq!(fuel("p=zz&x=abba", u64::MAX).0, [3]);
}

#[test]
fn a_pattern_that_a_client_makes_too_large_does_not_switch_its_rule_off() {
    let rules = r#"SecRule ARGS:x "@rx (?:evil|%{ARGS.y})" "id:1,phase:1,deny""#;
    let waf = waf(rules, Limits::default());
    let long = "a".repeat(5000);
    for y in ["b", "%28%3F%3Aa%7B999%7D%29%7B99%7D", &long] {
        let transaction = run(&waf, &format!("x=evil&y={y}"), u64::MAX);
        assert!(transaction.interruption().is_some(), "{y}");
    }
}

#[test]
fn what_is_no_pattern_does_not_match_and_is_named() {
    let waf = waf(r#"SecRule ARGS:x "@rx a%{ARGS.p}" "id:1,phase:1,pass,log""#, Limits::default());
    let uninspected = |query: &str| {
        let transaction = run(&waf, query, u64::MAX);
        (logged(&transaction), transaction.verdict().expect("the engine does not fail").uninspected)
    };
    assert_eq!(uninspected("p=b&x=ab"), (vec![1], vec![]));
    assert_eq!(uninspected("x=a"), (vec![1], vec![]), "nothing is a pattern");
    for query in ["p=(b&x=ab", "p=%5B&x=ab", "p=**&x=ab"] {
        assert_eq!(uninspected(query), (vec![], vec!["pattern"]), "{query}");
    }
}
