//! The processor under a real Envoy: the suite that every host must pass, in each mode, and what happens without the processor.

use super::client::{ask, get, post};
use super::envoy::{self, BUFFERED, DUPLEX, Envoy, Filter, PARTIAL, STREAMED};
use super::processor::{Processor, eventually};
use super::suite::{Ability, Host, RULES, Upstream, figures, passes};
use fusewall::host::ext_proc::Counter;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

/// What no processor can do: Envoy closes no connection for it, and sends `100 Continue` before it asks.
const OF_ENVOY: &[Ability] = &[Ability::Drop, Ability::LateContinue];

fn suite_passes(name: &'static str, filter: Filter, lacks: &[Ability]) {
    let Some(binary) = envoy::find() else { return };
    let upstream = Upstream::start();
    let processor = Processor::with(RULES, |_| {});
    let envoy = Envoy::start(binary, upstream.address, Some((processor.address, filter)));
    passes(&Host { name, address: envoy.address, upstream: &upstream, lacks });
    let ended: Vec<String> =
        processor.log().into_iter().filter(|line| line.contains("a stream of Envoy is ended")).collect();
    assert!(ended.is_empty(), "{ended:#?}");
    assert_eq!(envoy.statistic("spurious_msgs_received"), 0, "{}", envoy.log());
}

#[test]
fn full_duplex_passes() {
    suite_passes("Envoy, FULL_DUPLEX_STREAMED", DUPLEX, OF_ENVOY);
}

#[test]
fn buffered_passes() {
    suite_passes("Envoy, BUFFERED", BUFFERED, OF_ENVOY);
}

/// The head of a request has left before the verdict on its body, and so has that of a response: no mode for the suite.
#[test]
fn streamed_judges_what_it_sees() {
    let Some(binary) = envoy::find() else { return };
    let upstream = Upstream::start();
    let processor = Processor::with(RULES, |_| {});
    let envoy = Envoy::start(binary, upstream.address, Some((processor.address, STREAMED)));
    let form = "application/x-www-form-urlencoded";
    let long = |end: &str| format!("q={}{end}", "a".repeat(1_000_000));
    let posted = |body: &str| post(envoy.address, "/form", form, body.as_bytes()).status;
    assert_eq!([posted("q=a"), posted("q=attack-body")], [200, 403]);
    assert_eq!([posted(&long("")), posted(&long("attack-body"))], [200, 403]);
    assert_eq!(get(envoy.address, "/page").status, 200);
    let leak = ask(envoy.address, "GET", "/leak-at-the-end", "", b"");
    assert!(leak.map_or(true, |answer| !answer.text.contains("leak-secret")), "its last piece does not leave");
}

#[test]
fn what_envoy_answers_itself_is_left_to_it() {
    let Some(binary) = envoy::find() else { return };
    let upstream = Upstream::start();
    for filter in [BUFFERED, STREAMED, DUPLEX] {
        let processor = Processor::with(RULES, |_| {});
        let envoy = Envoy::start(binary, upstream.address, Some((processor.address, filter)));
        let mut client = TcpStream::connect(envoy.address).expect("Envoy listens");
        client.write_all(b"GET /page HTTP/1.1\r\nConnection: close\r\n\r\n").expect("a request without a host");
        let mut answer = String::new();
        let _ = client.read_to_string(&mut answer);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{}: {answer}", filter.request);
        assert_eq!(processor.noted(Counter::AnswersOfEnvoy), 1);
        assert_eq!(envoy.statistic("streams_failed"), 0, "{}", envoy.log());
    }
}

/// A site, and the processor that it asks, which may go away and come back.
struct Site<'u> {
    envoy: Envoy,
    _upstream: &'u Upstream,
}

impl Site<'_> {
    fn start<'u>(binary: &Path, upstream: &'u Upstream, processor: &Processor, filter: Filter) -> Site<'u> {
        let envoy = Envoy::start(binary, upstream.address, Some((processor.address, filter)));
        Site { envoy, _upstream: upstream }
    }

    fn statuses(&self) -> [u16; 2] {
        ["/page", "/page?q=attack-head"].map(|target| get(self.envoy.address, target).status)
    }
}

#[test]
fn without_the_processor_requests_fail_or_pass_as_declared_and_it_may_come_back() {
    let Some(binary) = envoy::find() else { return };
    let upstream = Upstream::start();
    for (more, without, statistic) in [
        ("", [500, 500], "streams_failed"),
        ("              failure_mode_allow: true\n", [200, 200], "failure_mode_allowed"),
    ] {
        let processor = Processor::with(RULES, |_| {});
        let address = processor.address;
        let site = Site::start(binary, &upstream, &processor, Filter { more, ..DUPLEX });
        assert_eq!(site.statuses(), [200, 403]);
        drop(processor);
        assert_eq!(site.statuses(), without);
        assert!(site.envoy.statistic(statistic) >= 2, "it is counted");
        let _again = Processor::with(RULES, |config| config.site.listen = vec![address]);
        // Envoy waits a little before it connects anew.
        eventually(|| site.statuses() == [200, 403], || site.envoy.log());
    }
}

#[test]
fn a_processor_that_does_not_answer_in_time_is_no_verdict() {
    let Some(binary) = envoy::find() else { return };
    let upstream = Upstream::start();
    // Connections wait there to be accepted, and nobody does.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let change = ("message_timeout: 5s", "message_timeout: 0.05s");
    let envoy = Envoy::changed(binary, upstream.address, (address, BUFFERED), change);
    let site = Site { envoy, _upstream: &upstream };
    assert_eq!(site.statuses(), [504, 504]);
    assert!(site.envoy.statistic("message_timeouts") >= 2);
}

#[test]
fn a_body_longer_than_envoys_buffer_is_a_body_error() {
    let Some(binary) = envoy::find() else { return };
    let upstream = Upstream::start();
    let processor = Processor::with(RULES, |_| {});
    let (form, long) = ("application/x-www-form-urlencoded", format!("q={}", "a".repeat(300_000)));
    let change = ("buffer_limit_bytes: 2000000", "buffer_limit_bytes: 100000");
    let partial = Envoy::changed(binary, upstream.address, (processor.address, PARTIAL), change);
    assert_eq!(post(partial.address, "/form", form, b"q=a").status, 200);
    assert_eq!(post(partial.address, "/form", form, b"q=attack-body").status, 403);
    let cut = ask(partial.address, "POST", "/form", &format!("Content-Type: {form}\r\n"), long.as_bytes());
    assert_eq!(cut.expect("an answer").status, 400);
    processor.logged(&["passed without inspection: request-body-rest"]);
}

/// What the filter adds, in full-duplex and in buffered mode: `.ci/hosts` prints it.
#[test]
#[ignore = "measures"]
fn figures_of_envoy() {
    let Some(binary) = envoy::find() else { return };
    let upstream = Upstream::start();
    let processor = Processor::with(RULES, |_| {});
    let bare = Envoy::start(binary, upstream.address, None);
    for (name, filter) in [("Envoy, FULL_DUPLEX_STREAMED", DUPLEX), ("Envoy, BUFFERED", BUFFERED)] {
        let envoy = Envoy::start(binary, upstream.address, Some((processor.address, filter)));
        let host = Host { name, address: envoy.address, upstream: &upstream, lacks: OF_ENVOY };
        println!("{}", figures::figures(&host, bare.address));
    }
}
