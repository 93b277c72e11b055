//! A site whose share of CPU is spent.

use super::grpc::{Connection, get, status};
use super::processor::{Processor, RULES};
use fusewall::Waf;
use fusewall::governor::{Governor, GovernorConfig, ManualClock};
use fusewall::host::ext_proc::Outcome;
use std::sync::Arc;

/// More than any burst and any debt.
const ALL: u64 = 1_000_000_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_over_the_share_are_refused_before_a_rule_sees_them_and_served_again_later() {
    let clock = Arc::new(ManualClock::default());
    let config = GovernorConfig { share: Some(0.5), cores: 1, ..GovernorConfig::default() };
    let tenant = Governor::with_clock(&config, Arc::clone(&clock)).tenant("site", 1);
    let waf =
        Waf::builder().rules_text("test.conf", RULES).tenant(Arc::clone(&tenant)).build().expect("rules that load");
    let processor = Processor::of(waf, |_| {});
    let mut connection = Connection::open(processor.address).await;
    let mut stream = connection.process().await;
    stream.send(get("/"));
    assert!(stream.answer().await.is_some());
    stream.close();
    assert_eq!(stream.ended().await, Some(0));

    tenant.account(None).settle(ALL);
    let mut stream = connection.process().await;
    stream.send(get("/?a=attack"));
    let refusal = stream.refusal().await;
    assert_eq!(status(&refusal), 503);
    let fields = refusal.headers.expect("fields").set_headers.into_iter().filter_map(|set| set.header);
    let after: Vec<String> = fields
        .filter(|field| field.key == "retry-after")
        .map(|field| field.raw_value)
        .map(|value| String::from_utf8_lossy(&value).into_owned())
        .collect();
    assert!(
        matches!(after[..], [ref seconds] if seconds.parse::<u64>().is_ok_and(|seconds| (1..=60).contains(&seconds))),
        "{after:?}"
    );
    processor.ended(Outcome::Shed, 1);
    processor.logged(&["code 503", "CPU share"]);

    clock.advance(5_000_000_000);
    let mut stream = connection.process().await;
    stream.send(get("/?a=attack"));
    assert_eq!(status(&stream.refusal().await), 403);
}
