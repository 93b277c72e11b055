//! A reverse proxy with the built-in rules.
//!
//! ```text
//! cargo run --example gateway -- 127.0.0.1:8080 127.0.0.1:8000
//! curl -i 'http://127.0.0.1:8080/?id=1'
//! curl -i "http://127.0.0.1:8080/?id=1%27%20or%20%271%27=%271"
//! ```

use async_trait::async_trait;
use bytes::Bytes;
use fusewall::Waf;
use fusewall_pingora::{WafContext, WafFilter};
use http::Version;
use http::header::TRANSFER_ENCODING;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::prelude::{HttpPeer, Server, http_proxy_service};
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::{Error, ErrorType, Result};
use std::time::Duration;

/// The proxy: everything goes to one server, and passes the rules.
struct Gateway {
    waf: WafFilter,
    origin: String,
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = WafContext;

    fn new_ctx(&self) -> WafContext {
        WafContext::default()
    }

    async fn upstream_peer(&self, _: &mut Session, _: &mut WafContext) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.origin.as_str(), false, String::new())))
    }

    async fn early_request_filter(&self, session: &mut Session, _: &mut WafContext) -> Result<()> {
        // Otherwise a connection ends when two requests come together.
        session.as_mut().set_pipelining_enabled(true);
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, context: &mut WafContext) -> Result<bool> {
        self.waf.request_filter(session, context).await
    }

    async fn upstream_request_filter(
        &self,
        _: &mut Session,
        request: &mut RequestHeader,
        context: &mut WafContext,
    ) -> Result<()> {
        self.waf.upstream_request_filter(request, context)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut WafContext,
    ) -> Result<()> {
        if session.req_header().version == Version::HTTP_10 && response.remove_header(&TRANSFER_ENCODING).is_some() {
            // Knows no chunks: the end of the connection is the end of the body.
            response.set_version(Version::HTTP_10);
        }
        self.waf.response_filter(session, response, context).await
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut WafContext,
    ) -> Result<Option<Duration>> {
        self.waf.response_body_filter(body, end_of_stream, context)
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, context: &mut WafContext) -> FailToProxy {
        if let Some(refused) = self.waf.fail_to_proxy(session, context).await {
            return refused;
        }
        let error_code = if let ErrorType::HTTPStatus(status) = error.etype() { *status } else { 502 };
        // If the client has gone, nobody misses the page.
        let _ = session.respond_error(error_code).await;
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _: Option<&Error>, context: &mut WafContext) {
        self.waf.logging(session, context).await;
    }
}

/// Serves for as long as the process lives.
pub fn serve(listen: &str, origin: String, waf: WafFilter) -> Result<()> {
    let mut server = Server::new(None)?;
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Gateway { waf, origin });
    service.add_tcp(listen);
    server.add_service(service);
    server.run_forever()
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(listen), Some(origin)) = (arguments.next(), arguments.next()) else {
        return Err("usage: gateway ADDRESS ORIGIN [RULES], such as 127.0.0.1:8080 127.0.0.1:8000".into());
    };
    let rules = match arguments.next() {
        Some(file) => Waf::builder().rules_path(file),
        None => Waf::builder().rules_builtin(),
    };
    let waf = rules.build().map_err(|report| report.render(false))?;
    Ok(serve(&listen, origin, WafFilter::new(waf))?)
}
