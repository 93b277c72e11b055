//! A ruleset that comes step by step, and what is held in service.

use super::log::logged;
use super::site::{Site, problem, rules};
use serde_json::{Value, json};

fn site() -> Site {
    Site::with(|config| config.unsigned_uploads = true)
}

fn begin(site: &Site, word: &str, expected: u64) -> Value {
    let id = site.text(&rules(word)).done()["id"].clone();
    site.post("/v1/rollout", &json!({ "id": id, "expected": expected }).to_string()).done()["contest"].clone()
}

#[test]
fn a_candidate_is_approved_stage_by_stage() {
    let site = site();
    assert_eq!(site.get("/v1/rollout").done(), json!({ "rollout": null, "held": null }));
    let contest = begin(&site, "second", 1);
    let candidate = contest["candidate"].as_u64().unwrap();
    assert_eq!(site.get("/v1/rollout").done()["rollout"]["stage"], "shadow");
    assert!(site.refuses("first1") && !site.refuses("second1"));
    let id = site.text(&rules("third")).done()["id"].clone();
    let another = site.post("/v1/rollout", &json!({ "id": id, "expected": 1 }).to_string());
    assert_eq!(
        (another.problem(), &another.json()["contest"]["candidate"]),
        (problem(409, "under-way"), &candidate.into())
    );
    // Three parts of the canary, then all.
    for stage in ["canary", "canary", "canary", "promoted"] {
        assert_eq!(site.post("/v1/rollout/approve", "").done()["decision"]["to"]["stage"], stage);
    }
    assert!(!site.refuses("first1") && site.refuses("second1"));
    assert_eq!(site.waf.generation().number, candidate);
    logged(&["INFO", "admin: rollout approved: promoted: approved", "uid "]);
    assert_eq!(site.post("/v1/rollout/abort", "").done()["decision"]["to"]["stage"], "rolled-back");
    assert!(site.refuses("first1"));
    assert_eq!(site.post("/v1/rollout/abort", "").problem(), problem(409, "no-rollout"));
}

#[test]
fn what_is_held_stays() {
    let site = site();
    let candidate = begin(&site, "patch", 1)["candidate"].as_u64().unwrap();
    let hold = |generation: u64, why: &str| {
        site.post("/v1/rollout/hold", &json!({ "generation": generation, "why": why }).to_string())
    };
    assert_eq!(hold(77, "who knows").problem(), problem(409, "stale"));
    assert_eq!(hold(candidate, "").problem(), problem(400, "body"));
    assert_eq!(hold(candidate, "virtual patch").done()["held"]["why"], "virtual patch");
    assert!(site.refuses("patch1"), "past all gates");
    let expected = json!({ "expected": candidate }).to_string();
    assert_eq!(site.post("/v1/rulesets/rollback", &expected).problem(), problem(409, "held"));
    let id = site.text(&rules("other")).done()["id"].clone();
    let promote = format!("/v1/rulesets/{}/promote", id.as_str().unwrap());
    assert_eq!(site.post(&promote, &expected).problem(), problem(409, "held"));
    assert!(site.refuses("patch1"));
    let release = |generation: u64| {
        let body = json!({ "generation": generation }).to_string();
        site.send("DELETE", "/v1/rollout/hold", &[], body.as_bytes())
    };
    assert_eq!(release(1).problem(), problem(409, "held"));
    assert_eq!(release(candidate).done()["held"], Value::Null);
    site.post(&promote, &expected).done();
    assert!(site.refuses("other1"));
}

#[test]
fn a_rollout_that_makes_no_sense_does_not_begin() {
    let site = site();
    let id = site.text(&rules("second")).done()["id"].clone();
    let begin = |more: Value| {
        let mut body = json!({ "id": id, "expected": 1 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        site.post("/v1/rollout", &body.to_string()).problem()
    };
    assert_eq!(begin(json!({ "gates": { "min_sources": 1 } })), problem(400, "body"), "too few");
    assert_eq!(begin(json!({ "gates": { "min_source": 1 } })), problem(400, "body"), "no such gate");
    assert_eq!(begin(json!({ "journal": "/tmp/x" })), problem(400, "body"), "it names no files");
    assert_eq!(begin(json!({ "expected": 9 })), problem(409, "stale"));
    assert_eq!(begin(json!({ "id": "nothing" })), problem(404, "not-staged"));
    assert_eq!(site.get("/v1/rollout").done()["rollout"], Value::Null);
}
