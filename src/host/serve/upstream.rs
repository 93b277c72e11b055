//! The protected server: a pool of connections to it, or the echo page.

use super::channel::Channel;
use super::config::Config;
use super::connector::Connector;
use super::{ServeError, echo};
use crate::governor::Report;
use crate::host::http1::is_authority;
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::time::Duration;

/// An idle connection is given up before most servers close it, so that a request seldom meets one that is just being closed.
const POOL_IDLE: Duration = Duration::from_secs(4);

/// A request body: whole, or streamed by a task that reads the client.
pub(super) type RequestBody = Either<Full<Bytes>, Channel>;
/// A response body: from the network, or the echo page's.
pub(super) type ResponseBody = Either<Incoming, Full<Bytes>>;

/// Why there is no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UpstreamError {
    /// No connection, or one that broke: 502.
    Broken,
    /// No response in time: 504.
    Late,
}

pub(super) enum Upstream {
    Echo,
    Server {
        client: Box<Client<Connector, RequestBody>>,
        scheme: Scheme,
        authority: Authority,
        http2: bool,
        timeout: Duration,
    },
}

impl Upstream {
    pub(super) fn new(config: &Config) -> Result<Self, ServeError> {
        let Some(url) = &config.upstream.url else { return Ok(Upstream::Echo) };
        let problem = |problem| ServeError::Upstream { url: url.clone(), problem };
        let uri: Uri = url.parse().map_err(|_| problem("it does not parse"))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(problem("it must begin with http:// or https://")),
        };
        let authority = uri.authority().cloned().ok_or_else(|| problem("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(problem("user information has no place in it"));
        }
        if !is_authority(authority.as_str().as_bytes()) || authority.port_u16() == Some(0) {
            return Err(problem("the host or the port is none"));
        }
        if uri.path_and_query().is_some_and(|path| path.as_str() != "/") {
            return Err(problem("it must not have a path: requests keep their own"));
        }
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_idle_timeout(POOL_IDLE).pool_timer(TokioTimer::new()).timer(TokioTimer::new());
        builder.http2_only(config.upstream.http2);
        Ok(Upstream::Server {
            client: Box::new(builder.build(Connector::new(config, secure)?)),
            scheme: if secure { Scheme::HTTPS } else { Scheme::HTTP },
            authority,
            http2: config.upstream.http2,
            timeout: config.timeouts.upstream_response,
        })
    }

    /// The URI of a target at this upstream.
    pub(super) fn uri(&self, target: PathAndQuery) -> Result<Uri, http::Error> {
        match self {
            Upstream::Echo => Uri::builder().path_and_query(target).build(),
            Upstream::Server { scheme, authority, .. } => {
                Uri::builder().scheme(scheme.clone()).authority(authority.clone()).path_and_query(target).build()
            }
        }
    }

    pub(super) fn http2(&self) -> bool {
        matches!(self, Upstream::Server { http2: true, .. })
    }

    /// Sends a request whose body is whole. If a pooled connection turns out to be closed before any byte of a response,
    /// a request that is safe to repeat is repeated once.
    pub(super) async fn send(
        &self,
        request: Request<()>,
        body: Bytes,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        if let Upstream::Echo = self {
            return Ok(echo::respond(&request, &body).map(Either::Right));
        }
        let repeat = request.method().is_safe().then(|| (request.clone(), body.clone()));
        let full = |(request, body): (Request<()>, Bytes)| request.map(|()| Either::Left(Full::new(body)));
        match (self.exchange(full((request, body))).await, repeat) {
            (Err(Failure::Closed), Some(again)) => self.exchange(full(again)).await,
            (result, _) => result,
        }
        .map_err(Failure::error)
    }

    /// Sends a request whose body is streamed.
    pub(super) async fn stream(
        &self,
        request: Request<()>,
        body: Channel,
    ) -> Result<Response<ResponseBody>, UpstreamError> {
        if let Upstream::Echo = self {
            use http_body_util::BodyExt;
            let mut body = body;
            let mut bytes = 0_u64;
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|_| UpstreamError::Broken)?;
                bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            let shown = format!("{bytes} bytes, streamed");
            return Ok(echo::respond(&request, shown.as_bytes()).map(Either::Right));
        }
        self.exchange(request.map(|()| Either::Right(body))).await.map_err(Failure::error)
    }

    async fn exchange(&self, request: Request<RequestBody>) -> Result<Response<ResponseBody>, Failure> {
        let Upstream::Server { client, timeout, .. } = self else { return Err(Failure::Broken) };
        match tokio::time::timeout(*timeout, client.request(request)).await {
            Err(_) => Err(Failure::Late),
            Ok(Ok(response)) => Ok(response.map(Either::Left)),
            Ok(Err(error)) => {
                let closed = std::error::Error::source(&error)
                    .and_then(|source| source.downcast_ref::<hyper::Error>())
                    .is_some_and(|error| error.is_incomplete_message() || error.is_canceled() || error.is_closed());
                if let Some(left_out) = Report::Upstream.admit() {
                    tracing::warn!(error = %chain(&error), left_out = left_out.count(), "upstream request failed");
                }
                Err(if closed { Failure::Closed } else { Failure::Broken })
            }
        }
    }
}

enum Failure {
    Broken,
    Closed,
    Late,
}

impl Failure {
    fn error(self) -> UpstreamError {
        match self {
            Failure::Broken | Failure::Closed => UpstreamError::Broken,
            Failure::Late => UpstreamError::Late,
        }
    }
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstream_is_a_scheme_a_host_and_a_port_that_exists() {
        let of = |url: &str| {
            let mut config = Config::default();
            config.upstream.url = Some(url.to_owned());
            Upstream::new(&config).map(drop).map_err(|error| error.to_string())
        };
        for good in ["http://localhost", "http://127.0.0.1:3000", "http://[::1]:3000/", "https://a.example:8443"] {
            assert_eq!(of(good), Ok(()), "{good}");
        }
        for bad in [
            "localhost:3000",
            "127.0.0.1:3000",
            "ftp://a",
            "http://",
            "http://a:99999",
            "http://a:x",
            "http://a:0",
            "http://u@a",
            "http://a/path",
            "http://a/?q",
            "http://:80",
            "",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
