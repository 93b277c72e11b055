//! HAProxy before the suite that every host must pass.

use super::agent::{Running, waf};
use super::haproxy::{Site, documented};
use super::suite::{self, Ability, Host, Upstream};
use std::net::SocketAddr;

/// What HAProxy leaves to no agent: it waits for bodies as far as its buffer goes (`option http-buffer-request`), asks for them itself, and
/// shows of responses what it has when their heads come.
const LACKS: &[Ability] = &[
    Ability::EarlyVerdict,
    Ability::LateContinue,
    Ability::LongRequestBodies,
    Ability::StreamedRequests,
    Ability::ResponseBodies,
    Ability::Http10,
];

fn agent() -> Running {
    Running::start_with(vec![waf(suite::RULES)], |config| config.responses = true)
}

/// The page's configuration, without waiting for the bodies of responses: event streams could not be read so, and those that can are
/// held as a whole.
fn site(agent: &Running, upstream: SocketAddr, buffer: usize) -> Option<Site> {
    let (spoe, haproxy) = documented();
    let haproxy: Vec<_> = haproxy.lines().filter(|line| !line.contains("wait-for-body")).collect();
    // HAProxy 2.6 sends chunks to clients that do not know them.
    let old = "    http-request send-spoe-group fusewall requests\n    http-request deny deny_status 400 if HTTP_1.0\n";
    let haproxy = haproxy.join("\n").replace("    http-request send-spoe-group fusewall requests\n", old);
    Site::start(&spoe.replace(" body=res.body", ""), &haproxy, agent.address, upstream, buffer)
}

#[test]
fn haproxy_passes_the_suite() {
    let (agent, upstream) = (agent(), Upstream::start());
    let Some(site) = site(&agent, upstream.address, 16_384) else { return };
    suite::passes(&Host { name: "HAProxy", address: site.address, upstream: &upstream, lacks: LACKS });
}

/// Run by `.ci/hosts`: a table of what the agent adds to the time of a request. The buffers are so large that a body of 1 MB is inspected.
#[test]
#[ignore = "measures; .ci/hosts runs it"]
fn figures() {
    let (agent, upstream) = (agent(), Upstream::start());
    let Some(site) = site(&agent, upstream.address, 1_700_000) else { return };
    let bare = "frontend web\n mode http\n bind :80\n default_backend site\n";
    let bare = Site::start("", bare, agent.address, upstream.address, 1_700_000).expect("another haproxy");
    let host = Host { name: "HAProxy", address: site.address, upstream: &upstream, lacks: &[] };
    println!("{}", suite::figures::figures(&host, bare.address));
}
