//! Equal rulesets are one, different ones are not, and what nobody uses goes.

use crate::{is_refused, refusing, tenants, text};
use fusewall::engine::FixedEnv;
use fusewall::files::MemoryFiles;
use fusewall::limits::Limits;
use fusewall::plan::{Ceilings, Options};
use fusewall::store::{Capabilities, Releases, RuleSource};
use fusewall::{Tenants, Waf, WafBuilder};
use std::sync::Arc;

fn site(domain: &Arc<Releases>) -> WafBuilder {
    let rules = "SecRuleEngine On\nSecRule ARGS \"@contains evil\" \"id:1,phase:1,deny\"\n";
    Waf::builder().env(FixedEnv::default()).rules_text("site.conf", rules).releases(domain.clone())
}

fn is_same(a: &Waf, b: &Waf) -> bool {
    Arc::ptr_eq(&a.loaded(), &b.loaded())
}

#[test]
fn equal_rulesets_are_compiled_once_and_different_ones_are_not_mixed_up() {
    let tenants = tenants();
    let add = |name: &str, word: &str| tenants.add(name, &refusing(word)).expect("it loads");
    let (a, b, c) = (add("a", "evil"), add("b", "evil"), add("c", "worse"));
    assert!(is_same(&a, &b) && !is_same(&a, &c));
    assert_eq!(a.generation().content, b.generation().content);
    let counts = tenants.releases();
    assert_eq!((counts.compiled, counts.shared, counts.in_use), (2, 1, 2));
    assert!(is_refused(&b, "/?q=evil") && !is_refused(&c, "/?q=evil") && is_refused(&c, "/?q=worse"));
    // Switches belong to one of them.
    a.switch_off(&fusewall::Switch::Ruleset);
    assert!(!is_refused(&a, "/?q=evil") && is_refused(&b, "/?q=evil"));
}

#[test]
fn equal_folders_are_equal_rulesets() {
    let rules = "SecRule ARGS \"@pmFromFile words.data\" \"id:1,phase:1,deny\"\nInclude more/*.conf\n";
    let mut files = MemoryFiles::new();
    for (tenant, words) in [("a", "evil\n"), ("b", "evil\n"), ("c", "worse\n")] {
        files = files
            .with(format!("/srv/tenants/{tenant}/site.conf"), rules)
            .with(format!("/srv/tenants/{tenant}/words.data"), words)
            .with(format!("/srv/tenants/{tenant}/more/1.conf"), "SecAction \"id:2,phase:1,pass,nolog\"\n");
    }
    let tenants = crate::builder().files(files).build().expect("a thread");
    let add = |name: &str| tenants.add(name, &RuleSource::Paths(vec!["site.conf".into()])).expect("it loads");
    let (a, b, c) = (add("a"), add("b"), add("c"));
    assert!(is_same(&a, &b) && !is_same(&a, &c));
    // Nobody sees where they are: rules name their file as seen from the folder.
    assert_eq!(&*b.loaded().program().ruleset.rules[0].file, "site.conf");
    assert!(is_refused(&c, "/?q=worse") && !is_refused(&b, "/?q=worse"));
}

#[test]
fn everything_that_decides_what_rules_mean_decides_whether_they_are_shared() {
    let domain = Arc::new(Releases::new());
    let first = site(&domain).build().expect("it loads");
    assert!(is_same(&first, &site(&domain).build().expect("it loads")));
    let ceilings = Ceilings { rule_fuel: Some(1 << 40), ..Ceilings::default() };
    let mut limits = Limits::default();
    limits.fuel_rule = 1_000_000;
    let others: [(&str, WafBuilder); 6] = [
        ("limits", site(&domain).limits(limits)),
        ("options", site(&domain).planner(Options { spans: !Options::default().spans, ..Options::default() })),
        (
            "capabilities",
            site(&domain)
                .rules_text("site.conf", "SecAction \"id:1,phase:1,pass\"")
                .capabilities(Capabilities::tenant("/srv")),
        ),
        ("ceilings", site(&domain).ceilings(ceilings)),
        ("emptiness", site(&domain).allow_empty()),
        ("another domain", site(&Arc::new(Releases::new()))),
    ];
    for (what, builder) in others {
        let other = builder.build().unwrap_or_else(|report| panic!("{what}: {report}"));
        assert!(!is_same(&first, &other), "{what}");
    }
    // The same rules, with and without the rights to say more.
    let rules = "SecAction \"id:1,phase:1,pass\"";
    let all = site(&domain).rules_text("site.conf", rules).build().expect("it loads");
    let tenant = site(&domain).rules_text("site.conf", rules).capabilities(Capabilities::tenant("/srv"));
    assert!(!is_same(&all, &tenant.build().expect("it loads")));
}

#[test]
fn a_ceiling_is_not_passed_by_what_somebody_else_has_loaded() {
    let domain = Arc::new(Releases::new());
    let dear = r#"SecRule ARGS "@rx (?:ab?c{1,200}){1,20}d" "id:1,phase:2,deny,capture""#;
    let builder = || Waf::builder().rules_text("dear.conf", dear).releases(domain.clone());
    let _kept = builder().build().expect("it loads without a ceiling");
    let ceilings = Ceilings { rule_fuel: Some(1000), ..Ceilings::default() };
    assert!(builder().ceilings(ceilings).build().is_err());
}

#[test]
fn the_rules_of_the_engine_are_shared_by_all_domains() {
    let builtin = || Waf::builder().rules_builtin().releases(Arc::new(Releases::new())).build().expect("they load");
    assert!(is_same(&builtin(), &builtin()));
}

#[test]
fn findings_are_told_to_everybody_who_loads_the_same() {
    let domain = Arc::new(Releases::new());
    let load = || {
        let rules = "SecRuleEngine On\nSecRuleRemoveById 77\nSecAction \"id:1,phase:1,pass\"\n";
        Waf::builder().rules_text("site.conf", rules).releases(domain.clone()).build().expect("it loads")
    };
    let (a, b) = (load(), load());
    assert!(a.report().render(false).contains("W0705"));
    assert_eq!(a.report().render(false), b.report().render(false));
}

#[test]
fn two_loads_at_once_compile_once() {
    let domain = Arc::new(Releases::new());
    let rules: String = (1..60)
        .map(|id| format!("SecRule ARGS \"@rx (?i)w{id}[a-z]{{2,9}}(?:x|y{id})\" \"id:{id},phase:2,deny\"\n"))
        .collect();
    let load =
        || Waf::builder().rules_text("site.conf", rules.clone()).releases(domain.clone()).build().expect("it loads");
    let wafs: Vec<Waf> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert!(wafs.iter().all(|waf| is_same(waf, &wafs[0])));
    assert_eq!((domain.counts().compiled, domain.counts().shared), (1, 7));
}

#[test]
fn rules_that_do_not_load_are_shared_with_nobody_and_hold_nobody_up() {
    let domain = Arc::new(Releases::new());
    let load =
        || Waf::builder().rules_text("site.conf", "SecRule ARGS \"@rx (\" \"id:1\"").releases(domain.clone()).build();
    let refused = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).filter(Result::is_err).count()
    });
    assert_eq!((refused, domain.counts().compiled, domain.counts().in_use), (4, 0, 0));
}

#[test]
fn what_nobody_uses_goes() {
    let tenants = tenants();
    let waf = tenants.add("a", &refusing("evil")).expect("it loads");
    let gone = Arc::downgrade(&waf.loaded());
    drop(waf);
    assert!(tenants.remove("a") && tenants.get("a").is_none() && !tenants.remove("a"));
    assert!(gone.upgrade().is_none());
    assert_eq!(tenants.releases().in_use, 0);
}

#[test]
fn names_are_those_of_folders_and_stand_once() {
    let tenants = tenants();
    for name in ["", ".", "..", ".hidden", "a/b", "../a", "a\\b", "a b", "ä", &"a".repeat(65)] {
        let refused = tenants.add(name, &refusing("evil")).expect_err("no name");
        assert!(refused.to_string().contains("is no name"), "{name}: {refused}");
    }
    tenants.add("Shop-1.example", &refusing("evil")).expect("a name");
    let again = tenants.add("Shop-1.example", &refusing("evil")).expect_err("it is there");
    assert!(again.to_string().contains("already"));
    let broken = tenants.add("broken", &text("site.conf", "SecRule")).expect_err("it does not load");
    assert!(broken.to_string().contains("E0203"), "{broken}");
    assert_eq!(tenants.names().iter().map(|name| &**name).collect::<Vec<_>>(), ["Shop-1.example"]);
}

#[test]
fn the_base_stands_before_the_rules_of_tenants_and_may_do_everything() {
    let base = text(
        "base.conf",
        "SecRuleEngine On\nSecAuditLogType Serial\nSecRule ARGS \"@contains base\" \"id:100,phase:1,deny\"\nSecRule ARGS \"@contains chained\" \"id:101,phase:1,deny,chain\"\n",
    );
    let tenants = Tenants::builder("/srv/tenants").base(base).build().expect("a thread");
    let waf = tenants.add("a", &refusing("evil")).expect("it loads");
    assert!(is_refused(&waf, "/?q=base") && is_refused(&waf, "/?q=evil"));
    // A chain of the base does not go on in the rules of a tenant.
    assert_eq!(waf.loaded().program().ruleset.rules.len(), 3);
    let without = Tenants::builder("/srv/tenants").build().expect("a thread");
    let off = without.add("a", &refusing("evil")).expect("it loads");
    assert!(!is_refused(&off, "/?q=evil"), "without a base the engine is off");
}
