//! The tower layer around a small reverse proxy, behind hyper.

use super::suite::{Ability, Host, Upstream, passes};
use super::{in_background, waf};
use bytes::Bytes;
use fusewall::host::exchange::Ends;
use fusewall::host::tower::{InspectedBody, WafLayer};
use http::header::{CONNECTION, EXPECT, UPGRADE};
use http::{Request, Response, StatusCode, Uri, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tower::{Layer, Service};

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// The proxy. It sees only what the layer lets pass.
#[derive(Clone)]
struct Forward {
    client: Client<HttpConnector, InspectedBody>,
    to: SocketAddr,
}

impl Service<Request<InspectedBody>> for Forward {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<InspectedBody>) -> Self::Future {
        Box::pin(forward(self.clone(), request))
    }
}

/// Sends a request on. A tunnel outlives it.
async fn forward(proxy: Forward, mut request: Request<InspectedBody>) -> Result<Answer, Infallible> {
    let Forward { client: origin, to } = proxy;
    let client = hyper::upgrade::on(&mut request);
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    *request.uri_mut() = Uri::try_from(format!("http://{to}{target}")).expect("what was a URI before");
    *request.version_mut() = Version::HTTP_11;
    request.headers_mut().remove(EXPECT);
    if !request.headers().contains_key(UPGRADE) {
        request.headers_mut().remove(CONNECTION);
    }
    let Ok(mut response) = origin.request(request).await else {
        let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed_unsync());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        return Ok(response);
    };
    *response.version_mut() = Version::HTTP_11;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let upstream = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            let (Ok(client), Ok(upstream)) = tokio::join!(client, upstream) else { return };
            // Ends when either side does.
            let _ = tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(upstream)).await;
        });
    }
    Ok(response.map(|body| body.map_err(std::io::Error::other).boxed_unsync()))
}

async fn listen(upstream: SocketAddr, ready: std::sync::mpsc::Sender<SocketAddr>) {
    let layer = WafLayer::new(waf());
    let forward = Forward { client: Client::builder(TokioExecutor::new()).build_http(), to: upstream };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    ready.send(listener.local_addr().expect("an address")).expect("somebody waits");
    while let Ok((socket, client)) = listener.accept().await {
        let ends = Ends { client, server: socket.local_addr().expect("an address") };
        let inspected = layer.layer(forward.clone());
        let inspected = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ends);
            inspected.clone().call(request)
        });
        tokio::spawn(async move {
            let mut server = http1::Builder::new();
            // Whatever ends a connection, its client sees.
            let _ =
                server.timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), inspected).with_upgrades().await;
        });
    }
}

#[test]
fn the_layer_passes() {
    let upstream = Upstream::start();
    let to = upstream.address;
    let address = in_background(move |ready| listen(to, ready));
    // A service cannot close its connection.
    passes(&Host { name: "tower", address, upstream: &upstream, lacks: &[Ability::Drop] });
}
