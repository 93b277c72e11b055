//! Fusewall in a proxy that is built with [Pingora](https://docs.rs/pingora).
//!
//! A [`WafFilter`] has a method for each filter of [`ProxyHttp`](pingora::proxy::ProxyHttp) that takes part; the proxy calls them
//! from its own. What belongs to one request is in a [`WafContext`], which goes into the proxy's `CTX`.
//! `examples/gateway.rs` is a whole proxy.
//!
//! | filter | what happens |
//! |---|---|
//! | [`request_filter`](WafFilter::request_filter) | phases 1 and 2. The body is read to its end first: nothing goes upstream before |
//! | [`upstream_request_filter`](WafFilter::upstream_request_filter) | takes out what means this hop only, so that the origin answers what was asked |
//! | [`response_filter`](WafFilter::response_filter) | phase 3 |
//! | [`response_body_filter`](WafFilter::response_body_filter) | phase 4. The body is held, the head has left: a refusal cuts the connection |
//! | [`fail_to_proxy`](WafFilter::fail_to_proxy) | the page for a response that was refused before its head left |
//! | [`logging`](WafFilter::logging) | phase 5, error log and audit log |
//!
//! Phases 1 to 3 and 5 pause between turns, so that a long body does not hold up other requests. Phase 4 cannot, since its
//! filter is a plain function: on a runtime with several threads it tells the runtime that it will take long.
//!
//! | file | does |
//! |---|---|
//! | `context` | one exchange, logged however it ends |
//! | `request` | phases 1 and 2 |
//! | `replayed` | a session whose body has been read, and is read again |
//! | `response` | phases 3 and 4 |
//! | `page` | what a client gets that is turned away |

mod context;
mod page;
mod replayed;
mod request;
mod response;

pub use context::WafContext;

use fusewall::Waf;
use fusewall::host::InspectionLimits;
use fusewall::host::audit::AuditLog;
use fusewall::host::exchange::BodyPolicy;
use fusewall::host::inspect::Inspector;
use fusewall::host::journal::Journal;
use std::sync::Arc;

/// What a proxy calls from its filters. Clones share everything.
#[derive(Clone)]
pub struct WafFilter {
    shared: Arc<Shared>,
}

struct Shared {
    inspector: Inspector,
    policy: BodyPolicy,
    journal: Journal,
}

impl WafFilter {
    /// A filter with the default limits. It refuses bodies that cannot be inspected and logs to the `tracing` target
    /// `fusewall::error_log`.
    pub fn new(waf: Waf) -> Self {
        Self::of(waf, BodyPolicy::default(), &InspectionLimits::default(), Journal::traced())
    }

    /// A filter with choices of its own. `log` gets every line of the error log; it must not block.
    pub fn with(
        waf: Waf,
        policy: BodyPolicy,
        limits: &InspectionLimits,
        log: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        Self::of(waf, policy, limits, Journal::new(log))
    }

    fn of(waf: Waf, policy: BodyPolicy, limits: &InspectionLimits, journal: Journal) -> Self {
        WafFilter { shared: Arc::new(Shared { inspector: Inspector::new(waf, limits), policy, journal }) }
    }

    /// Writes what belongs into the audit log to this one; the first that is given stays.
    #[must_use]
    pub fn audit_log(self, audit: AuditLog) -> Self {
        self.shared.journal.set_audit_log(audit);
        self
    }
}
