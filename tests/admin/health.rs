//! Health and metrics, as probes and monitoring read them.

use super::site::{Site, builder, get};
use fusewall::governor::{Governor, GovernorConfig};
use fusewall::{HistoryConfig, Waf};
use serde_json::json;
use std::collections::HashSet;

#[test]
fn a_process_is_ready_until_it_ends() {
    let site = Site::start();
    assert_eq!(site.get("/healthz").done(), json!({ "status": "ok" }));
    let ready = json!({ "ready": true, "degraded": false, "why": null, "generation": 1 });
    assert_eq!(site.get("/readyz").done(), ready);
    site.admin.as_ref().unwrap().ending();
    let ending = site.get("/readyz");
    assert_eq!((ending.status, &ending.json()["ready"]), (503, &false.into()));
    assert_eq!(site.get("/healthz").status, 200);
}

#[test]
fn a_degraded_process_still_protects_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let builder = || Waf::builder().history(HistoryConfig::new(folder.path().join("history")).settle_millis(0));
    drop(builder().rules_text("good.conf", super::site::rules("first")).build().unwrap());
    let degraded = builder().rules_text("bad.conf", "SecRul").build().unwrap();
    let site = Site::of(degraded, |_| {});
    let ready = site.get("/readyz");
    assert_eq!((ready.status, &ready.json()["degraded"]), (200, &true.into()));
    assert!(ready.json()["why"].as_str().unwrap().contains("the configured rules do not load"), "{}", ready.text());
    assert!(site.get("/metrics").text().contains("\nfusewall_degraded 1\n"));
    let listed = site.get("/v1/rulesets").done();
    assert_eq!((&listed["in_service"]["origin"], &listed["history"][0]["pinned"]), (&"restored".into(), &false.into()));
}

#[test]
fn metrics_count_requests_by_what_became_of_them() {
    let governor = Governor::new(&GovernorConfig::default());
    let site = Site::of(builder().tenant(governor.tenant("a\"b", 1)).build().unwrap(), |_| {});
    for value in ["first1", "both", "harmless"] {
        drop(get(&site.waf, value));
    }
    site.put("/v1/rules/2", r#"{"enabled":false}"#).done();
    site.put("/v1/mode", r#"{"mode":"off"}"#).done();
    let reply = site.get("/metrics");
    assert_eq!(reply.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = reply.text();
    for line in [
        "fusewall_requests_total{action=\"deny\"} 2",
        "fusewall_requests_total{action=\"pass\"} 1",
        "fusewall_requests_total{action=\"internal_error\"} 0",
        "fusewall_switches_off{kind=\"rule\"} 1",
        "fusewall_strongest_mode{mode=\"off\"} 1",
        "fusewall_strongest_mode{mode=\"on\"} 0",
        "fusewall_ruleset_generation 1",
        "fusewall_ruleset_rules 2",
        "fusewall_degraded 0",
        "fusewall_tenant_shed_total{tenant=\"a\\\"b\",reason=\"client\"} 0",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} in\n{text}");
    }
    let digest = site.waf.generation().content;
    assert!(
        text.contains(&format!("fusewall_ruleset_info{{serial=\"\",digest=\"{digest}\",generation=\"1\"")),
        "{text}"
    );
}

#[test]
fn every_family_has_one_header_and_every_series_is_there_once() {
    let site = Site::start();
    let text = site.get("/metrics").text();
    let (mut families, mut series) = (HashSet::new(), HashSet::new());
    let mut family = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(kind != "histogram" || name.ends_with("_seconds"), "a histogram is of base units: {line}");
            let help = format!("# HELP {name} ");
            assert!(text.lines().any(|line| line.starts_with(&help) && line.len() > help.len()), "{name} has no help");
            assert!(families.insert(name.to_owned()), "{name} has two headers");
            family = name.to_owned();
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let name_alone = name.split('{').next().unwrap();
            let parts = ["", "_bucket", "_sum", "_count"];
            let own = parts.iter().any(|part| name_alone.strip_suffix(part) == Some(family.as_str()));
            assert!(own && name_alone.starts_with("fusewall_"), "{line}");
            assert!(value.parse::<f64>().is_ok() && series.insert(name.to_owned()), "{line}");
        }
    }
    assert!(families.len() >= 10);
}
