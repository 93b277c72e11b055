//! An axum application behind the tower layer.
//!
//! ```text
//! cargo run --features tower,serve --example axum
//! curl -i 'http://127.0.0.1:8082/hello/you'
//! curl -i "http://127.0.0.1:8082/hello/you?id=1%27%20or%20%271%27=%271"
//! ```

use axum::Router;
use axum::extract::{ConnectInfo, Path, Request};
use axum::middleware::map_request;
use axum::routing::{get, post};
use fusewall::Waf;
use fusewall::host::tower::WafLayer;
use std::net::SocketAddr;
use tokio::net::TcpListener;

async fn hello(Path(name): Path<String>) -> String {
    format!("Hello {name}\n")
}

/// The body has been read and inspected when this is called.
async fn measure(body: String) -> String {
    format!("{} bytes\n", body.len())
}

/// Says where the layer looks for it who the client is.
async fn tell_the_client(ConnectInfo(client): ConnectInfo<SocketAddr>, mut request: Request) -> Request {
    request.extensions_mut().insert(client);
    request
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let waf = Waf::builder().rules_builtin().build().map_err(|report| report.render(false))?;
    let application = Router::new()
        .route("/hello/{name}", get(hello))
        .route("/measure", post(measure))
        // What is added last comes first: the client is known before the WAF asks.
        .layer(WafLayer::new(waf))
        .layer(map_request(tell_the_client));
    let listener = TcpListener::bind("127.0.0.1:8082").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, application.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
