//! The rules in `examples/rate-limit.conf` do what they say.

use crate::site::Site;

#[test]
fn the_eleventh_request_within_a_minute_is_refused() {
    let rules = include_str!("../../examples/rate-limit.conf");
    let site = Site::new(rules);
    assert!(site.waf.report().diagnostics.is_empty(), "{}", site.waf.report());
    for (at, second) in [0, 3, 3, 10, 20, 30, 31, 32, 33, 59].into_iter().enumerate() {
        assert_eq!(site.get(second, 1, "/").interruption(), None, "request {}", at + 1);
    }
    let refused = site.get(59, 1, "/").interruption().expect("the eleventh is refused");
    assert_eq!(refused.status, 429);
    assert_eq!(site.get(59, 2, "/").interruption(), None, "other clients are not");
    assert_eq!(site.get(60, 1, "/").interruption(), None, "another minute begins");
}

#[test]
fn requests_that_are_held_open_count_as_well() {
    let site = Site::new(include_str!("../../examples/rate-limit.conf"));
    let mut open = Vec::new();
    let mut refused = 0;
    for _ in 0..30 {
        let mut exchange = site.begin(0, 1, "/");
        refused += usize::from(exchange.process_request_headers().is_some());
        open.push(exchange);
    }
    assert_eq!(refused, 20);
}
