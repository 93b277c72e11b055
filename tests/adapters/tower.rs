//! The tower layer around a small reverse proxy, behind hyper.

use super::suite::figures::figures;
use super::suite::{Ability, Host, Upstream, failures_about, passes};
use super::{in_background, waf};
use bytes::Bytes;
use fusewall::host::exchange::Ends;
use fusewall::host::tower::{BoxError, InspectedBody, WafLayer};
use http::header::{CONNECTION, EXPECT, UPGRADE};
use http::{Request, Response, StatusCode, Uri, Version};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::mpsc::Sender;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tower::{Layer, Service};

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// The proxy. Behind the layer it sees only what that lets pass.
struct Forward<B> {
    client: Client<HttpConnector, B>,
    to: SocketAddr,
}

impl<B> Clone for Forward<B> {
    fn clone(&self) -> Self {
        Forward { client: self.client.clone(), to: self.to }
    }
}

impl<B> Service<Request<B>> for Forward<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let client = hyper::upgrade::on(&mut request);
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        *request.uri_mut() = Uri::try_from(format!("http://{}{target}", self.to)).expect("what was a URI before");
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().remove(EXPECT);
        if !request.headers().contains_key(UPGRADE) {
            request.headers_mut().remove(CONNECTION);
        }
        let response = self.client.request(request);
        Box::pin(async move {
            let Ok(mut response) = response.await else {
                let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                return Ok(response);
            };
            *response.version_mut() = Version::HTTP_11;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                tokio::spawn(tunnel(client, hyper::upgrade::on(&mut response)));
            }
            Ok(response.map(|body| body.map_err(std::io::Error::other).boxed_unsync()))
        })
    }
}

async fn tunnel(client: OnUpgrade, upstream: OnUpgrade) {
    let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) else { return };
    // Ends when either side does.
    let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(upstream)).await;
}

/// Serves every connection with a clone of `service`.
async fn listen<S, R>(service: S, ready: Sender<SocketAddr>)
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible, Future: Send> + Clone + Send + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    ready.send(listener.local_addr().expect("an address")).expect("somebody waits");
    while let Ok((socket, client)) = listener.accept().await {
        let ends = Ends { client, server: socket.local_addr().expect("an address") };
        let service = service.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ends);
            service.clone().call(request)
        });
        tokio::spawn(async move {
            let mut server = http1::Builder::new();
            // Whatever ends a connection, its client sees.
            let _ =
                server.timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service).with_upgrades().await;
        });
    }
}

/// The proxy with the layer around it, and without.
fn proxies(upstream: &Upstream) -> [SocketAddr; 2] {
    let to = upstream.address;
    let client = || Client::builder(TokioExecutor::new());
    let behind = move |ready| async move {
        listen(WafLayer::new(waf()).layer(Forward::<InspectedBody> { client: client().build_http(), to }), ready).await;
    };
    let bare = move |ready| async move {
        listen(Forward::<Incoming> { client: client().build_http(), to }, ready).await;
    };
    [in_background(behind), in_background(bare)]
}

/// A service cannot close its connection.
const LACKS: &[Ability] = &[Ability::Drop];

#[test]
fn the_layer_passes() {
    let upstream = Upstream::start();
    let [address, _] = proxies(&upstream);
    passes(&Host { name: "tower", address, upstream: &upstream, lacks: LACKS });
}

/// The cases see whether there is a filter at all.
#[test]
fn the_same_proxy_without_the_layer_fails() {
    let upstream = Upstream::start();
    let [_, bare] = proxies(&upstream);
    let host = Host { name: "bare", address: bare, upstream: &upstream, lacks: LACKS };
    assert_eq!(failures_about(&host, Ability::RuleStatus).len(), 3, "a status and two bodies over the limit");
    assert!(failures_about(&host, Ability::ResponseBodies).len() >= 6);
}

/// What the layer adds.
#[test]
#[ignore = "measures: `.ci/hosts` runs it"]
fn layer_figures() {
    let upstream = Upstream::start();
    let [address, bare] = proxies(&upstream);
    println!("{}", figures(&Host { name: "tower", address, upstream: &upstream, lacks: LACKS }, bare));
}
