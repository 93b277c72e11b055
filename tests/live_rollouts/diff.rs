//! What a shadow run reports is what `fusewall diff` finds.

#[path = "../traffic/mod.rs"]
mod traffic;

use super::*;
use fusewall::store::rollout::{Comparison, Outcome};
use traffic::Request;

/// Sends it as a host does that also reads on when a request was turned away.
fn drive(waf: &Waf, request: &Request) -> Outcome {
    let mut transaction = waf.transaction_with_id(&request.id);
    transaction.process_connection(request.client, 40000, Ipv4Addr::LOCALHOST.into(), 80);
    transaction.process_request_line(&request.method, &request.target, &request.version);
    for (name, value) in &request.headers {
        transaction.add_request_header(name, value);
    }
    if transaction.process_request_headers().is_some() {
        transaction.rest_of_request_body(&request.body);
    } else if transaction.write_request_body(&request.body).is_some() {
        transaction.rest_of_request_body(&[]);
    } else {
        transaction.process_request_body();
    }
    transaction.process_logging();
    Outcome::of(transaction.verdict().as_ref())
}

/// The Core Rule Set, and a copy of it that is stricter in one place and blind in another.
fn rulesets() -> Option<(WafBuilder, RuleSource)> {
    let setup = traffic::setup("crs-pl1")?;
    let changed = format!(
        "Include {}\nSecRuleRemoveById 942100\nSecRule REQUEST_HEADERS:User-Agent \"@contains a\" \"id:77,phase:1,deny,status:429,log,msg:'a'\"",
        setup.display()
    );
    let builder = Waf::builder().env(FixedEnv::default()).rules_path(&setup);
    Some((
        builder,
        RuleSource::Text { name: setup.with_file_name("changed.conf").display().to_string(), text: changed },
    ))
}

#[test]
fn a_shadow_run_reports_what_an_offline_comparison_finds() {
    let Some((builder, changed)) = rulesets() else { return };
    // All of them in the long form.
    let step = if std::env::var_os("FUSEWALL_SHADOW").is_some() { 1 } else { 40 };
    let corpora = ["benign", "attacks", "evasions"].map(|name| traffic::sampled(name, step));
    let requests: Vec<_> = corpora.into_iter().flatten().flatten().collect();
    if requests.is_empty() {
        return;
    }
    let live = builder.build().expect("the rules load");
    let staged = live.stage(&changed).expect("the rules load");
    // Offline, each with counters of its own.
    let alone = |source: &RuleSource| {
        let waf = Waf::builder().env(FixedEnv::default()).rules_builtin().build().expect("it loads");
        waf.replace(source).expect("the rules load");
        waf
    };
    let setup = traffic::setup("crs-pl1").expect("it was there");
    let [a, b] = [alone(&RuleSource::Paths(vec![setup])), alone(&changed)];
    let mut offline = Comparison::new(10_000);
    for request in &requests {
        offline.add(&request.id, &drive(&a, request), &drive(&b, request));
    }
    let config = RolloutConfig { every_request: true, queue_bytes: 1 << 30, ..RolloutConfig::default() };
    live.begin_rollout(staged, config).expect("it begins");
    for (at, request) in requests.iter().enumerate() {
        drive(&live, request);
        if at % 1000 == 999 {
            wait_until(&live, |status| status.comparison.requests as usize == at + 1);
        }
    }
    let shadow = wait_until(&live, |status| status.comparison.requests as usize == requests.len());
    assert_eq!((shadow.left_out, shadow.incomplete), (0, 0));
    let offline = offline.figures();
    assert!(offline.changes > 10 && offline.newly_blocked > 0, "there is something to report");
    traffic::say(&format!(
        "{} requests: {} verdicts change ({} newly blocked, {} newly passed), {} in the shadow",
        offline.requests, offline.changes, offline.newly_blocked, offline.newly_passed, shadow.comparison.changes
    ));
    assert_eq!(shadow.comparison, offline);
}
