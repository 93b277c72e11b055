//! The mode of the engine: weaker for a while.

use super::log::logged;
use super::site::{Site, problem, rules};
use fusewall::store::RuleSource;
use serde_json::json;

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_weaker_mode_ends_by_itself() {
    let site = Site::start();
    assert_eq!(site.get("/v1/mode").done(), json!({ "mode": "on", "ends_in_seconds": null, "set_by": null }));
    let off = site.put("/v1/mode", r#"{"mode":"off","for_seconds":60}"#).done();
    assert_eq!((&off["mode"], &off["ends_in_seconds"]), (&"off".into(), &60.into()));
    assert!(off["set_by"].as_str().unwrap().contains("uid "));
    assert!(!site.refuses("first1"));
    site.clock.advance(59 * SECOND);
    assert_eq!(site.get("/v1/mode").done()["ends_in_seconds"], 1);
    assert!(!site.refuses("first1"));
    site.clock.advance(SECOND);
    // Nobody asks: it ends all the same.
    logged(&["INFO", "a weaker mode has ended", "was=\"off\""]);
    assert!(site.refuses("first1"));
    assert_eq!(site.get("/v1/mode").done()["mode"], "on");
}

#[test]
fn it_survives_other_rules_and_ends_then() {
    let site = Site::start();
    site.put("/v1/mode", r#"{"mode":"detection_only"}"#).done();
    site.waf.replace(&RuleSource::Text { name: "next.conf".into(), text: rules("next") }).unwrap();
    assert!(!site.refuses("next1"));
    assert_eq!(site.get("/v1/mode").done()["ends_in_seconds"], 900, "a quarter of an hour if nothing is said");
    site.clock.advance(900 * SECOND);
    assert_eq!(site.get("/v1/mode").done()["mode"], "on");
    assert!(site.refuses("next1"));
}

#[test]
fn on_is_at_once_and_the_later_one_counts() {
    let site = Site::start();
    site.put("/v1/mode", r#"{"mode":"off","for_seconds":10}"#).done();
    site.put("/v1/mode", r#"{"mode":"on"}"#).done();
    assert!(site.refuses("first1"));
    site.put("/v1/mode", r#"{"mode":"off","for_seconds":10}"#).done();
    site.put("/v1/mode", r#"{"mode":"detection_only","for_seconds":1000}"#).done();
    site.clock.advance(20 * SECOND);
    assert_eq!(site.get("/v1/mode").done()["ends_in_seconds"], 980, "the end of the first one is none of this one");
}

#[test]
fn a_weaker_mode_is_no_permanent_one() {
    let site = Site::start();
    for body in [
        r#"{"mode":"off","for_seconds":0}"#,
        r#"{"mode":"off","for_seconds":86401}"#,
        r#"{"mode":"off","for_seconds":-1}"#,
        r#"{"mode":"on","for_seconds":5}"#,
        r#"{"mode":"Off"}"#,
        r#"{}"#,
    ] {
        assert_eq!(site.put("/v1/mode", body).problem(), problem(400, "body"), "{body}");
    }
    assert!(site.refuses("first1"));
    assert_eq!(site.put("/v1/mode", r#"{"mode":"off","for_seconds":86400}"#).done()["ends_in_seconds"], 86_400);
}
