//! A hyper server behind the tower layer.
//!
//! ```text
//! cargo run --features tower,serve --example tower
//! curl -i 'http://127.0.0.1:8081/?id=1'
//! curl -i "http://127.0.0.1:8081/?id=1%27%20or%20%271%27=%271"
//! ```

use bytes::Bytes;
use fusewall::Waf;
use fusewall::host::exchange::Ends;
use fusewall::host::tower::{InspectedBody, WafLayer};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tower::{Layer, Service};

/// The application. It never sees a request that the rules refuse.
#[derive(Clone)]
struct Shop;

impl Service<Request<InspectedBody>> for Shop {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<InspectedBody>) -> Self::Future {
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let length = request.into_body().collect().await.map_or(0, |body| body.to_bytes().len());
            Ok(Response::new(Full::from(format!("{path}, a body of {length} bytes\n"))))
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let waf = match Waf::builder().rules_builtin().build() {
        Ok(waf) => waf,
        Err(report) => return Err(report.render(false).into()),
    };
    let layer = WafLayer::new(waf);
    let listener = TcpListener::bind("127.0.0.1:8081").await?;
    println!("http://{}", listener.local_addr()?);
    loop {
        let (socket, client) = listener.accept().await?;
        let ends = Ends { client, server: socket.local_addr()? };
        let service = layer.layer(Shop);
        let service = service_fn(move |mut request: Request<Incoming>| {
            // The layer reads from here who the client is.
            request.extensions_mut().insert(ends);
            service.clone().call(request)
        });
        tokio::spawn(async move {
            let mut server = http1::Builder::new();
            if let Err(error) = server.timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service).await {
                eprintln!("{client}: {error}");
            }
        });
    }
}
