//! The tower layer as a service's author meets it.

use bytes::Bytes;
use fusewall::Waf;
use fusewall::host::InspectionLimits;
use fusewall::host::audit::{AuditLimits, AuditLog};
use fusewall::host::exchange::{BodyPolicy, Ends, Unread};
use fusewall::host::tower::{InspectedBody, WafBody, WafLayer, WafService};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use tower::{Layer, Service};

/// A service that answers with the body it got, and counts its calls.
#[derive(Clone, Default)]
struct Mirror {
    calls: Arc<AtomicUsize>,
    content_type: Option<&'static str>,
}

impl Service<Request<InspectedBody>> for Mirror {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<InspectedBody>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let content_type = self.content_type.unwrap_or("application/octet-stream");
        Box::pin(async move {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            Ok(Response::builder().header("content-type", content_type).body(Full::new(body)).unwrap())
        })
    }
}

struct Wrapped {
    service: WafService<Mirror>,
    mirror: Mirror,
    log: Arc<Mutex<Vec<String>>>,
}

fn waf() -> Waf {
    let rules = Waf::builder().rules_text("host.conf", include_str!("data/host.conf"));
    rules.build().unwrap_or_else(|report| panic!("{}", report.render(false)))
}

fn wrap(content_type: Option<&'static str>, policy: BodyPolicy) -> Wrapped {
    let mirror = Mirror { content_type, ..Mirror::default() };
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    // Small turns, so that a body takes many.
    let limits = InspectionLimits { quantum: 5_000, ..InspectionLimits::default() };
    let layer = WafLayer::with(waf(), policy, &limits, move |line| lines.lock().unwrap().push(line.to_owned()));
    Wrapped { service: layer.layer(mirror.clone()), mirror, log }
}

impl Wrapped {
    async fn ask<B>(&mut self, request: Request<B>) -> Response<WafBody<Full<Bytes>>>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<fusewall::host::tower::BoxError>,
    {
        std::future::poll_fn(|context| Service::<Request<B>>::poll_ready(&mut self.service, context)).await.unwrap();
        self.service.call(request).await.unwrap()
    }

    fn calls(&self) -> usize {
        self.mirror.calls.load(Ordering::SeqCst)
    }
}

fn post(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post("/").header("host", "a").body(Full::new(body.into())).unwrap()
}

async fn text<R>(response: Response<WafBody<R>>) -> String
where
    R: Body<Data = Bytes> + Unpin,
    R::Error: Into<fusewall::host::tower::BoxError>,
{
    let body = response.into_body().collect().await.map_err(|error| error.to_string()).unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_benign_request_passes_with_its_body() {
    let mut site = wrap(None, BodyPolicy::default());
    let response = site.ask(post("name=value")).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, "name=value");
}

#[tokio::test]
async fn an_attack_never_reaches_the_service() {
    let mut site = wrap(None, BodyPolicy::default());
    let in_body = site.ask(post("q=<script>")).await;
    assert_eq!(in_body.status(), StatusCode::FORBIDDEN);
    assert!(text(in_body).await.contains("Incident id: "));
    let in_head = Request::get("/?q='%20or%20'").header("x-q", "' or '").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(site.ask(in_head).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(site.calls(), 0);
    assert!(site.log.lock().unwrap().iter().any(|line| line.contains("[id \"942110\"]")));
}

#[tokio::test]
async fn the_service_is_called_only_after_the_whole_body_is_there() {
    let mut site = wrap(None, BodyPolicy::default());
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let request = Request::post("/").body(Pieces(receiver)).unwrap();
    let mut answer = Box::pin(site.service.call(request));
    let mut context = Context::from_waker(Waker::noop());
    for piece in ["one ", "two ", "three"] {
        sender.send(Bytes::from(piece)).await.unwrap();
        assert!(answer.as_mut().poll(&mut context).is_pending());
        assert_eq!(site.mirror.calls.load(Ordering::SeqCst), 0);
    }
    drop(sender);
    assert_eq!(text(answer.await.unwrap()).await, "one two three");
}

/// A body whose pieces come when they are sent.
struct Pieces(tokio::sync::mpsc::Receiver<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[test]
fn an_inspection_is_resumed_on_other_threads() {
    // A body long enough for many turns, each polled on a thread of its own.
    let mut site = wrap(None, BodyPolicy::default());
    let form = format!("text={}", "select+all+".repeat(50_000));
    let form =
        Request::post("/").header("content-type", "application/x-www-form-urlencoded").body(Full::from(form)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _guard = runtime.enter();
    let mut answer: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(site.service.call(form));
    let mut polls = 0;
    let response = loop {
        polls += 1;
        let (future, polled) = std::thread::spawn(move || {
            let polled = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            (answer, polled)
        })
        .join()
        .unwrap();
        answer = future;
        if let Poll::Ready(response) = polled {
            break response.unwrap();
        }
    };
    assert!(polls > 5, "{polls} turns");
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(site.calls(), 1);
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_or_passes_in_full() {
    let mut strict = wrap(None, BodyPolicy::default());
    assert_eq!(strict.ask(post(vec![b'a'; 3 << 20])).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let mut lax = wrap(None, BodyPolicy { over_limit: Unread::Pass, ..BodyPolicy::default() });
    let response = lax.ask(post(vec![b'a'; 3 << 20])).await;
    assert_eq!(text(response).await.len(), 3 << 20);
}

#[tokio::test]
async fn responses_are_inspected_before_they_leave() {
    let mut site = wrap(Some("text/html"), BodyPolicy::default());
    let response = site.ask(post("leak-secret")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(!text(response).await.contains("leak-secret"));
    let response = site.ask(post("fine")).await;
    assert_eq!(response.body().size_hint().exact(), Some(4));
    assert_eq!(text(response).await, "fine");
}

#[tokio::test]
async fn an_event_stream_is_watched_and_cut() {
    let mut site = wrap(Some("text/event-stream"), BodyPolicy::default());
    let fine = site.ask(post("data: 1")).await;
    assert_eq!(text(fine).await, "data: 1");
    let leaking = site.ask(post("data: leak-secret")).await;
    assert_eq!(leaking.status(), StatusCode::OK, "the head had left");
    assert!(leaking.into_body().collect().await.is_err());
    assert!(site.log.lock().unwrap().iter().any(|line| line.contains("[id \"950100\"]")));
}

#[tokio::test]
async fn the_client_address_comes_with_the_request() {
    let mut site = wrap(None, BodyPolicy::default());
    let ends = Ends { client: "198.51.100.66:5".parse().unwrap(), server: "127.0.0.1:80".parse().unwrap() };
    let mut request = post("");
    request.extensions_mut().insert(ends);
    assert_eq!(site.ask(request).await.status(), StatusCode::FORBIDDEN, "the rules of these tests deny that client");
}

impl Wrapped {
    fn logged(&self, parts: &[&str]) -> bool {
        self.log.lock().unwrap().iter().any(|line| parts.iter().all(|part| line.contains(part)))
    }
}

#[tokio::test]
async fn what_the_layer_refuses_or_lets_pass_unseen_is_in_the_log() {
    let mut strict = wrap(None, BodyPolicy::default());
    let coded = || {
        Request::post("/").header("host", "a").header("content-encoding", "compress").body(Full::from("abc")).unwrap()
    };
    assert_eq!(strict.ask(coded()).await.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(strict.logged(&["code 415"]));
    assert_eq!(strict.ask(post(vec![b'a'; 3 << 20])).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(strict.logged(&["code 413 (phase 2)"]));

    let mut lax = wrap(None, BodyPolicy { over_limit: Unread::Pass, coded: Unread::Pass, ..BodyPolicy::default() });
    assert_eq!(lax.ask(coded()).await.status(), StatusCode::OK);
    assert!(lax.logged(&["passed without inspection: request-body-coded"]));
    drop(lax.ask(post(vec![b'a'; 3 << 20])).await);
    assert!(lax.logged(&["passed without inspection: request-body-rest"]));
}

#[tokio::test]
async fn an_exchange_that_is_given_up_runs_its_logging_phase() {
    let mut site = wrap(None, BodyPolicy::default());
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let request = Request::post("/phase-five").header("host", "a").body(Pieces(receiver)).unwrap();
    let mut answer = Box::pin(site.service.call(request));
    sender.send(Bytes::from("piece")).await.unwrap();
    assert!(answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(answer);
    assert!(site.logged(&["[id \"980100\"]"]));
}

/// A service that panics.
#[derive(Clone)]
struct Broken;

impl Service<Request<InspectedBody>> for Broken {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<InspectedBody>) -> Self::Future {
        panic!("a bug in the service")
    }
}

#[tokio::test]
async fn a_panic_in_the_service_leaves_the_log_line_and_the_layer_alone() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    let layer = WafLayer::with(waf(), BodyPolicy::default(), &InspectionLimits::default(), move |line| {
        lines.lock().unwrap().push(line.to_owned());
    });
    for _ in 0..2 {
        let mut service = layer.layer(Broken);
        let request = Request::get("/phase-five").header("host", "a").body(Full::<Bytes>::default()).unwrap();
        assert!(tokio::spawn(service.call(request)).await.is_err_and(|error| error.is_panic()));
    }
    assert_eq!(log.lock().unwrap().iter().filter(|line| line.contains("[id \"980100\"]")).count(), 2);
}

#[tokio::test]
async fn bodies_share_a_bound_of_memory_until_the_service_has_let_go_of_them() {
    /// A service that keeps the body.
    #[derive(Clone, Default)]
    struct Keeper(Arc<Mutex<Vec<InspectedBody>>>);
    impl Service<Request<InspectedBody>> for Keeper {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }
        fn call(&mut self, request: Request<InspectedBody>) -> Self::Future {
            self.0.lock().unwrap().push(request.into_body());
            std::future::ready(Ok(Response::new(Full::default())))
        }
    }
    let keeper = Keeper::default();
    let limits = InspectionLimits { held_bytes: 100_000, ..InspectionLimits::default() };
    let mut service = WafLayer::with(waf(), BodyPolicy::default(), &limits, |_| {}).layer(keeper.clone());
    let mut status = async || service.call(post(vec![b'a'; 60_000])).await.unwrap().status();
    assert_eq!(status().await, StatusCode::OK);
    assert_eq!(status().await, StatusCode::SERVICE_UNAVAILABLE);
    keeper.0.lock().unwrap().clear();
    assert_eq!(status().await, StatusCode::OK);
}

#[tokio::test]
async fn an_engine_that_only_watches_refuses_no_coding() {
    let rules = "SecRuleEngine DetectionOnly\nSecRequestBodyAccess On";
    let waf = Waf::builder().rules_text("watch.conf", rules).allow_empty().build().unwrap();
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    let mut service = WafLayer::with(waf, BodyPolicy::default(), &InspectionLimits::default(), move |line| {
        lines.lock().unwrap().push(line.to_owned());
    })
    .layer(Mirror::default());
    let request = Request::post("/").header("content-encoding", "compress").body(Full::<Bytes>::from("abc")).unwrap();
    let response = service.call(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    response.into_body().collect().await.unwrap();
    assert!(log.lock().unwrap().iter().any(|line| line.contains("passed without inspection: request-body-coded")));
}

#[tokio::test]
async fn the_audit_log_has_what_rules_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let rules = format!(
        "SecRuleEngine On\nSecAuditEngine On\nSecAuditLogFormat JSON\nSecAuditLog {}\n\
         SecRule REQUEST_URI_RAW \"@contains /admin\" \"id:1,phase:1,deny,status:403\"",
        path.display()
    );
    let waf = Waf::builder().rules_text("audit.conf", rules).build().unwrap();
    let settings = waf.loaded().program().ruleset.settings.audit.clone();
    let audit = AuditLog::open(&settings, AuditLimits::default(), |_| {}).unwrap();
    let mut service = WafLayer::new(waf).audit_log(audit.clone()).layer(Mirror::default());
    for uri in ["/admin", "/"] {
        let request = Request::get(uri).body(Full::<Bytes>::default()).unwrap();
        let response = service.call(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    assert!(audit.flush(std::time::Duration::from_secs(20)));
    let text = std::fs::read_to_string(&path).unwrap();
    let codes: Vec<_> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["transaction"]["response"]["http_code"].take()
        })
        .collect();
    assert_eq!(codes, [403, 200]);
}

#[tokio::test]
async fn a_shed_request_gets_its_status_and_does_not_reach_the_service() {
    use fusewall::governor::{Governor, GovernorConfig, ManualClock};
    let config = GovernorConfig { share: Some(0.5), cores: 1, ..GovernorConfig::default() };
    let tenant = Governor::with_clock(&config, ManualClock::default()).tenant("site", 1);
    let rules = Waf::builder().rules_text("host.conf", include_str!("data/host.conf"));
    let waf = rules.tenant(Arc::clone(&tenant)).build().expect("the rules load");
    let (mirror, log) = (Mirror::default(), Arc::new(Mutex::new(Vec::new())));
    let lines = Arc::clone(&log);
    let layer = WafLayer::with(waf, BodyPolicy::default(), &InspectionLimits::default(), move |line| {
        lines.lock().unwrap().push(line.to_owned());
    });
    let mut wrapped = Wrapped { service: layer.layer(mirror.clone()), mirror, log };
    let request = || Request::get("/").body(Full::<Bytes>::default()).unwrap();
    assert_eq!(wrapped.ask(request()).await.status(), StatusCode::OK);
    tenant.account(None).settle(1_000_000_000_000);
    let response = wrapped.ask(request()).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(wrapped.calls(), 1);
    assert!(wrapped.log.lock().unwrap().iter().any(|line| line.contains("code 503")));
}
