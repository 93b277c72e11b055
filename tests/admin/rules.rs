//! Kill switches and prices.

use super::site::{Site, builder, get, problem};
use fusewall::governor::QuarantineConfig;
use serde_json::json;

const OFF: &str = r#"{"enabled":false}"#;
const ON: &str = r#"{"enabled":true}"#;

#[test]
fn rules_tags_and_the_ruleset_go_off_and_on() {
    let site = Site::start();
    assert!(site.refuses("first1") && site.refuses("both"));
    assert_eq!(site.put("/v1/rules/1", OFF).done(), json!({ "enabled": false, "rules": 1, "generation": 1 }));
    assert!(!site.refuses("first1") && site.refuses("both"));
    assert_eq!(site.put("/v1/tags/WORD", OFF).done()["rules"], 2);
    assert!(!site.refuses("both"));
    let off = json!({ "rules": [1], "tags": ["word"], "ruleset": false, "mode": "on" });
    assert_eq!(site.get("/v1/switches").done(), off);
    site.put("/v1/rules/1", ON).done();
    assert!(!site.refuses("first1"), "its tag is off");
    site.put("/v1/tags/word", ON).done();
    assert!(site.refuses("first1") && site.refuses("both"));
    assert_eq!(site.put("/v1/tags/owasp%2FWord%20List", OFF).done()["rules"], 1, "a tag with a slash and a space");
    assert!(!site.refuses("first1"));
    site.put("/v1/tags/owasp%2Fword%20list", ON).done();
    site.put("/v1/ruleset", OFF).done();
    assert!(!site.refuses("first1") && !site.refuses("both"));
    assert_eq!(site.get("/v1/switches").done()["ruleset"], true);
    site.put("/v1/ruleset", ON).done();
    assert!(site.refuses("both"));
    assert_eq!(site.put("/v1/rules/99", OFF).done()["rules"], 0, "a later ruleset may have it");
    assert_eq!(site.put("/v1/rules/x", OFF).problem(), problem(400, "path"));
    assert_eq!(site.put("/v1/rules/18446744073709551616", OFF).problem(), problem(400, "path"));
}

#[test]
fn there_are_not_any_number_of_switches() {
    let site = Site::start();
    for tag in 0..1000 {
        site.waf.switch_off(&fusewall::Switch::Tag(format!("t{tag}")));
    }
    assert_eq!(site.put("/v1/rules/1", OFF).problem(), problem(409, "too-many-switches"));
    assert!(site.refuses("first1"));
    site.put("/v1/tags/T7", OFF).done();
    site.put("/v1/tags/t7", ON).done();
    site.put("/v1/rules/1", OFF).done();
}

#[test]
fn each_rule_has_its_price_and_what_it_has_spent() {
    let site = Site::start();
    let costs = site.get("/v1/rules/cost").done();
    assert_eq!((&costs["counted"], costs["rules"].as_array().unwrap().len()), (&false.into(), 2));
    assert!(costs["rules"].as_array().unwrap().iter().all(|rule| rule["evaluations"].is_null()));

    let counting = builder().quarantine(QuarantineConfig::default()).build().unwrap();
    let site = Site::of(counting, |_| {});
    site.put("/v1/rules/2", OFF).done();
    for _ in 0..10 {
        drop(get(&site.waf, "first12345"));
    }
    let costs = site.get("/v1/rules/cost").done();
    let rule = |id: u64| costs["rules"].as_array().unwrap().iter().find(|rule| rule["id"] == id).unwrap().clone();
    assert_eq!(
        (&rule(1)["evaluations"], &rule(1)["breaker"], &rule(1)["enabled"]),
        (&10.into(), &"closed".into(), &true.into())
    );
    assert!(rule(1)["fuel_share"].as_f64().unwrap() > 0.9, "{costs}");
    assert_eq!((&rule(2)["evaluations"], &rule(2)["enabled"]), (&0.into(), &false.into()));
}
