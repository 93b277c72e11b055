//! Ceilings: rules that may cost too much are refused before they are in service, by `fusewall check` and by a load, in the same
//! words.

use fusewall::Waf;
use fusewall::diag::Diagnostic;
use fusewall::lang::seclang::codes;
use fusewall::plan::{Ceilings, cost};
use fusewall::store::{LoadReport, RuleSource};
use serde_json::Value;
use std::process::Command;

const CHEAP: &str = "SecRule ARGS \"@contains cheap\" \"id:1,phase:2,deny\"\n";
const DEAR: &str = "SecRule ARGS|!ARGS:x \"@rx [a-z].{60}[^a]z\" \"id:2,phase:2,deny,t:none,t:lowercase\"\n";

const RULE: Ceilings = Ceilings { request_fuel: None, fuel_per_kib: None, rule_fuel: Some(1_000_000) };

fn built(text: &str, ceilings: Ceilings) -> Result<Waf, LoadReport> {
    Waf::builder().rules_text("rules.conf", text).ceilings(ceilings).build()
}

fn errors(report: &LoadReport) -> Vec<Diagnostic> {
    report.diagnostics.iter().filter(|found| found.code == codes::CEILING).cloned().collect()
}

#[test]
fn a_load_over_a_ceiling_is_refused_at_the_rule_and_its_dearest_part() {
    assert!(built(CHEAP, RULE).is_ok());
    assert!(built(&format!("{CHEAP}{DEAR}"), Ceilings::default()).is_ok());
    let report = built(&format!("{CHEAP}{DEAR}"), RULE).expect_err("it is refused");
    let [error] = errors(&report).try_into().expect("one error");
    assert!(error.message.starts_with("rule 2 may cost "), "{error:?}");
    assert!(error.message.ends_with(" fuel, allowed are 1000000"), "{error:?}");
    for part in
        ["`@rx` on `ARGS|!ARGS:x` after `t:lowercase`", " per call and ", "`.{60}` (characters 6 to 10 of the pattern)"]
    {
        assert!(error.label.contains(part), "{part}: {}", error.label);
    }
    assert_eq!(report.json().iter().find(|told| told.code == codes::CEILING).and_then(|told| told.line), Some(2));
}

#[test]
fn the_whole_ruleset_has_ceilings_too() {
    let text = format!("{CHEAP}{DEAR}");
    let waf = built(&text, Ceilings::default()).unwrap_or_else(|report| panic!("{report}"));
    let priced = cost(waf.loaded().program());
    let exact = Ceilings {
        request_fuel: Some(priced.max_request_fuel),
        fuel_per_kib: Some(priced.fuel_per_kib),
        rule_fuel: priced.rules.first().map(|rule| rule.max_fuel),
    };
    assert!(built(&text, exact).is_ok());
    let less = |most: Option<u64>| most.map(|most| most - 1);
    let one = Ceilings { request_fuel: less(exact.request_fuel), ..exact };
    let other = Ceilings { fuel_per_kib: less(exact.fuel_per_kib), ..exact };
    for (ceilings, message) in [(one, "a request may cost "), (other, "a KiB may cost ")] {
        let [error] = errors(&built(&text, ceilings).expect_err("it is refused")).try_into().expect("one error");
        assert!(error.message.starts_with(message) && error.label.starts_with("the dearest is rule 2: "), "{error:?}");
    }
}

#[test]
fn what_is_in_service_stays_when_other_rules_are_over_a_ceiling() {
    let waf = built(CHEAP, RULE).unwrap_or_else(|report| panic!("{report}"));
    let before = waf.loaded();
    let source = RuleSource::Text { name: "other.conf".to_owned(), text: DEAR.to_owned() };
    assert_eq!(errors(&waf.replace(&source).expect_err("it is refused")).len(), 1);
    assert!(std::sync::Arc::ptr_eq(&before, &waf.loaded()));
}

#[test]
fn a_pattern_that_only_a_budget_bounds_is_told_so() {
    let rule = "SecRule ARGS \"@rx (a+)b\\1\" \"id:3,phase:2,deny\"";
    let [error] = errors(&built(rule, RULE).expect_err("it is refused")).try_into().expect("one error");
    assert!(error.label.contains("the whole budget of the rule"), "{error:?}");
    assert!(error.help.is_some_and(|help| help.contains("back-reference at character 6")));
}

#[test]
fn check_says_the_same_and_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules.conf");
    std::fs::write(&rules, format!("{CHEAP}{DEAR}")).expect("a file");
    let check = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_fusewall"))
            .args(["check", "--json", "--rules"])
            .arg(&rules)
            .args(arguments)
            .output()
            .expect("it runs");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        (output.status.code(), answer)
    };
    let (status, answer) = check(&["--max-rule-fuel", "1000000000"]);
    assert_eq!((status, &answer["ok"], &answer["ceilings"]), (Some(0), &true.into(), &Value::Array(Vec::new())));
    let (status, answer) = check(&["--max-rule-fuel", "1000000"]);
    assert_eq!((status, &answer["ok"]), (Some(1), &false.into()));
    let report = built(&format!("{CHEAP}{DEAR}"), RULE).expect_err("it is refused");
    let message = errors(&report).into_iter().map(|error| error.message).collect::<Vec<_>>();
    assert_eq!(answer["ceilings"], Value::from(message));
    let found = answer["diagnostics"].as_array().and_then(|found| found.last()).expect("a finding");
    assert_eq!((&found["code"], &found["line"]), (&codes::CEILING.into(), &2.into()));
    // The certificate stays readable.
    assert_eq!(answer["cost"]["rules"][0]["id"], 2);
}

#[test]
fn a_configuration_is_checked_with_the_rules_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let check =
        || Command::new(env!("CARGO_BIN_EXE_fusewall")).args(["check", "--config", &path("a.toml")]).output().unwrap();
    std::fs::write(path("a.conf"), "SecAction \"id:1,phase:1,pass\"\n").unwrap();
    std::fs::write(path("a.toml"), format!("rules = ['{}']\n", path("a.conf"))).unwrap();
    let good = check();
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stderr));
    assert!(String::from_utf8_lossy(&good.stdout).contains("ok: 1 rules"));
    std::fs::write(path("a.conf"), "SecRul").unwrap();
    assert_eq!(check().status.code(), Some(1));
    std::fs::write(path("a.toml"), "listn = []\n").unwrap();
    let wrong = check();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("listn"), "the key is named");
}
