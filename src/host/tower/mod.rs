//! A [`tower::Layer`] that inspects what passes through a hyper, axum or tonic service.
//!
//! The inner service sees a request only after phase 2, and what it sees is what was inspected: the body arrives in one piece.
//! Its response leaves after phase 4, or at once if its body is not inspected. A refused request never reaches the inner
//! service.
//!
//! An `http::Request` has lost what its HTTP library did not keep: header case and order, malformed bytes, fragments. The
//! reverse proxy `serve` sees more.
//!
//! The client's address is taken from an [`Ends`] or a [`SocketAddr`] among the request's extensions, which an outer layer or
//! the accept loop puts there; without it rules see `0.0.0.0`.

mod body;
mod passage;

pub use body::{InspectedBody, WafBody};

use super::audit::AuditLog;
use super::exchange::{BodyPolicy, Ends};
use super::inspect::{InspectionLimits, Inspector};
use super::journal::Journal;
use crate::waf::Waf;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use passage::Passage;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::{Layer, Service};

/// What went wrong with a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Wraps services so that their traffic is inspected. `examples/tower.rs` puts one behind a hyper server.
///
/// ```
/// use bytes::Bytes;
/// use fusewall::{Waf, host::tower::{InspectedBody, WafLayer}};
/// use http::{Request, Response, StatusCode};
/// use http_body_util::Full;
/// use std::{convert::Infallible, future::{Ready, ready}, task::{Context, Poll}};
/// use tower::{Layer, Service};
///
/// #[derive(Clone)]
/// struct Hello;
/// impl Service<Request<InspectedBody>> for Hello {
///     type Response = Response<Full<Bytes>>;
///     type Error = Infallible;
///     type Future = Ready<Result<Self::Response, Infallible>>;
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
///         Poll::Ready(Ok(()))
///     }
///     fn call(&mut self, _: Request<InspectedBody>) -> Self::Future {
///         ready(Ok(Response::new(Full::from("hello"))))
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let rules = "SecRuleEngine On\nSecRule REQUEST_URI_RAW \"@contains /admin\" \"id:1,phase:1,deny,status:403\"";
/// let waf = Waf::builder().rules_text("example.conf", rules).build().unwrap();
/// let mut service = WafLayer::new(waf).layer(Hello);
/// let request = Request::get("/admin").body(Full::<Bytes>::default()).unwrap();
/// assert_eq!(service.call(request).await.unwrap().status(), StatusCode::FORBIDDEN);
/// # });
/// ```
#[derive(Clone)]
pub struct WafLayer {
    shared: Arc<Shared>,
}

struct Shared {
    inspector: Inspector,
    policy: BodyPolicy,
    journal: Journal,
}

impl WafLayer {
    /// A layer with the default limits. It refuses bodies that cannot be inspected and logs to the `tracing` target
    /// `fusewall::error_log`.
    pub fn new(waf: Waf) -> Self {
        Self::of(waf, BodyPolicy::default(), &InspectionLimits::default(), Journal::traced())
    }

    /// A layer with choices of its own. `log` gets every line of the error log; it must not block.
    pub fn with(
        waf: Waf,
        policy: BodyPolicy,
        limits: &InspectionLimits,
        log: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        Self::of(waf, policy, limits, Journal::new(log))
    }

    fn of(waf: Waf, policy: BodyPolicy, limits: &InspectionLimits, journal: Journal) -> Self {
        WafLayer { shared: Arc::new(Shared { inspector: Inspector::new(waf, limits), policy, journal }) }
    }

    /// Writes what belongs into the audit log to this one; the first that is given stays.
    #[must_use]
    pub fn audit_log(self, audit: AuditLog) -> Self {
        self.shared.journal.set_audit_log(audit);
        self
    }
}

impl<S> Layer<S> for WafLayer {
    type Service = WafService<S>;

    fn layer(&self, inner: S) -> WafService<S> {
        WafService { inner, shared: Arc::clone(&self.shared) }
    }
}

/// A service whose traffic is inspected; made by [`WafLayer`].
#[derive(Clone)]
pub struct WafService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S, B, R> Service<Request<B>> for WafService<S>
where
    S: Service<Request<InspectedBody>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Response = Response<WafBody<R>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone stays behind: `self.inner` is the one that said it is ready.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let mut passage = match Passage::new(&shared, &parts) {
                Ok(passage) => passage,
                Err(shed) => return Ok(passage::shed(&shared, shed)),
            };
            let body = match passage.request(&parts, body).await {
                Ok(body) => body,
                Err(stop) => return Ok(passage.turn_away(stop).await),
            };
            let response = inner.call(Request::from_parts(parts, body)).await?;
            Ok(passage.response(response).await)
        })
    }
}

/// Who speaks to whom, as far as the request says.
fn ends(extensions: &http::Extensions) -> Ends {
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let client = || extensions.get::<SocketAddr>().copied().unwrap_or(nowhere);
    extensions.get::<Ends>().copied().unwrap_or_else(|| Ends { client: client(), server: nowhere })
}
