//! An application whose share of CPU is spent.

use super::agent::{RULES, Running};
use super::peer::{Peer, Typed, get, text};
use fusewall::Waf;
use fusewall::governor::{Governor, GovernorConfig, ManualClock};
use std::sync::Arc;

/// More than any burst and any debt.
const ALL: u64 = 1_000_000_000_000;

#[test]
fn requests_over_the_share_are_refused_before_a_rule_sees_them_and_served_again_later() {
    let clock = Arc::new(ManualClock::default());
    let config = GovernorConfig { share: Some(0.5), cores: 1, ..GovernorConfig::default() };
    let tenant = Governor::with_clock(&config, Arc::clone(&clock)).tenant("site", 1);
    let waf = Waf::builder().rules_text("a.conf", RULES).tenant(Arc::clone(&tenant)).build().expect("the rules load");
    let agent = Running::start_with(vec![waf], |_| {});
    let mut peer = Peer::connect(agent.address);
    assert_eq!(peer.ask(&get("q=1"))["fail"], Typed::Number(0));
    assert!(tenant.metrics().fuel > 0);

    tenant.account(None).settle(ALL);
    let shed = peer.ask(&get("q=<script>"));
    assert_eq!([&shed["fail"], &shed["status"], &shed["ruleid"]], [1, 503, 0].map(Typed::Number).each_ref());
    assert_eq!(shed["action"], text("deny"));
    agent.logged(&["code 503", "CPU share", "[client 192.0.2.1]"]);
    assert_eq!(tenant.metrics().shed_tenants, 1);

    clock.advance(5_000_000_000);
    assert_eq!(peer.ask(&get("q=1"))["fail"], Typed::Number(0));
    assert_eq!(peer.ask(&get("q=<script>"))["status"], Typed::Number(403));
}
