//! A site whose share of CPU is spent.

use super::site::{Site, Upstream};
use fusewall::Waf;
use fusewall::governor::{Governor, GovernorConfig, ManualClock, Tenant};
use fusewall::meter::FUEL_PER_MICROSECOND;
use std::net::IpAddr;
use std::sync::Arc;

/// A millisecond of CPU, in fuel.
const MILLI: u64 = 1_000 * FUEL_PER_MICROSECOND;
/// More than any burst and any debt.
const ALL: u64 = 1_000_000_000_000;

struct Governed {
    clock: Arc<ManualClock>,
    tenant: Arc<Tenant>,
    upstream: Upstream,
    site: Site,
}

async fn governed() -> Governed {
    let clock = Arc::new(ManualClock::default());
    let config = GovernorConfig { share: Some(0.5), cores: 1, ..GovernorConfig::default() };
    let tenant = Governor::with_clock(&config, Arc::clone(&clock)).tenant("site", 1);
    let rules = Waf::builder().rules_text("host.conf", include_str!("../data/host.conf"));
    let waf = rules.tenant(Arc::clone(&tenant)).build().expect("the rules load");
    let upstream = Upstream::start().await;
    let site = Site::start_with(waf, Some(&upstream), |_| {}).await;
    Governed { clock, tenant, upstream, site }
}

fn spend(tenant: &Arc<Tenant>, client: [u8; 4], fuel: u64) {
    tenant.admit(Some(IpAddr::from(client))).expect("let in").settle(fuel);
}

#[tokio::test]
async fn a_request_of_a_tenant_over_its_part_gets_503_and_goes_no_further() {
    let Governed { clock, tenant, upstream, site } = governed().await;
    assert_eq!(site.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    assert_eq!(tenant.metrics().admitted, 1);
    assert!(tenant.metrics().fuel > 0);

    tenant.account(None).settle(ALL);
    let mut client = site.connect().await;
    client.write("POST /second?secret=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody").await;
    let reply = client.reply().await;
    assert_eq!(reply.status, 503);
    let seconds: u64 = reply.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((1..=60).contains(&seconds));
    let id = reply.text().trim_end().rsplit(' ').next().expect("an id").to_owned();
    assert_eq!(id.len(), 28);
    let line = site.logged(&["code 503", "CPU share", "[uri \"/second\"]", &id, "[client 127.0.0.1]"]).await;
    // No rule could say what is to be hidden of it.
    assert!(!line.contains("secret"));
    assert_eq!(upstream.received().len(), 1);
    let metrics = tenant.metrics();
    assert_eq!((metrics.admitted, metrics.shed_tenants, metrics.shed_clients), (2, 1, 0));

    clock.advance(5_000_000_000);
    assert_eq!(site.send("GET /third HTTP/1.1\r\nHost: a\r\n\r\n").await.status, 200);
    assert_eq!(upstream.received().len(), 2);
}

#[tokio::test]
async fn the_dear_client_gets_429_and_others_are_served() {
    let Governed { clock, tenant, site, .. } = governed().await;
    for network in 1..10 {
        spend(&tenant, [192, 0, network, 1], 100_000);
    }
    spend(&tenant, [127, 0, 0, 1], 60 * MILLI);
    clock.advance(250_000_000);
    // Most of the burst is spent, by nobody in particular.
    tenant.account(None).settle(49 * MILLI);
    spend(&tenant, [192, 0, 1, 1], 100_000);
    let reply = site.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!(reply.status, 429, "{reply:?}");
    assert!(reply.header("retry-after").is_some());
    site.logged(&["code 429", "too dear"]).await;
    assert!(tenant.admit(Some([192, 0, 2, 1].into())).is_ok());
}
