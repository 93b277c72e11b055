//! One request over TLS, with the certificate checked: for what is fetched from elsewhere.

use super::tls;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HOST, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Runs it on a thread of its own: the caller may be in a runtime, which must not be waited in.
pub(super) fn in_a_thread<T: Send + 'static>(
    time: Duration,
    fetching: impl Future<Output = io::Result<T>> + Send + 'static,
) -> io::Result<T> {
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let late = |_| {
                io::Error::new(io::ErrorKind::TimedOut, format!("no whole answer within {} seconds", time.as_secs()))
            };
            tokio::time::timeout(time, fetching).await.map_err(late)?
        })
    });
    thread.join().map_err(|_| io::Error::other("internal error while fetching"))?
}

/// Asks for a URL over HTTP/1.1. `more`: a header beside those that every request has.
pub(super) async fn get(
    url: &str,
    ca: Option<&Path>,
    more: Option<(&'static str, HeaderValue)>,
) -> io::Result<Response<Incoming>> {
    let uri: Uri = url.parse().map_err(io::Error::other)?;
    let (Some("https"), Some(authority), Some(host)) = (uri.scheme_str(), uri.authority(), uri.host()) else {
        return Err(io::Error::other("not an https URL"));
    };
    if authority.as_str().contains('@') {
        return Err(io::Error::other("a URL with a user name in it"));
    }
    let host = host.trim_matches(['[', ']']).to_owned();
    let mut request = Request::get(uri.path_and_query().map_or("/", |target| target.as_str()))
        .header(HOST, authority.as_str())
        .header(USER_AGENT, concat!("fusewall/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT_ENCODING, "identity");
    if let Some((name, value)) = more {
        request = request.header(name, value);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(io::Error::other)?;

    let config = tls::client(ca, false).map_err(io::Error::other)?;
    let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
    let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(443))).await?;
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(io::Error::other)
}

/// The body of a whole answer, no more than `most` bytes.
pub(super) async fn body(response: Response<Incoming>, most: usize) -> io::Result<Vec<u8>> {
    if response.status() != StatusCode::OK {
        return Err(io::Error::other(format!("the server answers {}", response.status())));
    }
    if response.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(io::Error::other("the server answers with a content coding, which was not asked for"));
    }
    let body = Limited::new(response.into_body(), most).collect().await.map_err(|error| {
        let problem = if error.is::<http_body_util::LengthLimitError>() {
            format!("more than {most} bytes")
        } else {
            error.to_string()
        };
        io::Error::other(problem)
    })?;
    Ok(body.to_bytes().into())
}
