//! Rules from elsewhere (`SecRemoteRules`): fetched over TLS, with every certificate checked.
//!
//! One request, no redirection: the key goes to the server that the rules name and to no other. It is sent as ModSecurity sends it,
//! in the header `ModSec-key`; what ModSecurity tells beside it of the machine and of its software (`ModSec-unique-id`,
//! `ModSec-status`) is not sent.

use super::tls;
use crate::files::RemoteRules;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// From the look-up of the name to the last byte.
const TIME: Duration = Duration::from_secs(30);

/// Fetches rules by HTTP/1.1 over TLS, within 30 seconds.
///
/// ```no_run
/// use fusewall::{Waf, host::serve::HttpsRules};
/// let waf = Waf::builder().rules_path("rules").remote_rules(HttpsRules::new()).build();
/// ```
#[derive(Debug, Clone, Default)]
pub struct HttpsRules {
    ca: Option<PathBuf>,
}

impl HttpsRules {
    /// Trusts the Mozilla roots.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the certificates in a file instead, PEM.
    pub fn trusting(ca: impl Into<PathBuf>) -> Self {
        HttpsRules { ca: Some(ca.into()) }
    }
}

impl RemoteRules for HttpsRules {
    fn fetch(&self, url: &str, key: &str, most: usize) -> io::Result<Vec<u8>> {
        let (url, key, ca) = (url.to_owned(), key.to_owned(), self.ca.clone());
        // The caller may be in a runtime of its own, which must not be waited in.
        let fetching = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no whole answer within 30 seconds");
                tokio::time::timeout(TIME, get(&url, &key, ca.as_deref(), most)).await.map_err(late)?
            })
        });
        fetching.join().map_err(|_| io::Error::other("internal error while fetching"))?
    }
}

async fn get(url: &str, key: &str, ca: Option<&Path>, most: usize) -> io::Result<Vec<u8>> {
    let uri: Uri = url.parse().map_err(io::Error::other)?;
    let (Some("https"), Some(authority), Some(host)) = (uri.scheme_str(), uri.authority(), uri.host()) else {
        return Err(io::Error::other("not an https URL"));
    };
    if authority.as_str().contains('@') {
        return Err(io::Error::other("a URL with a user name in it"));
    }
    let host = host.trim_matches(['[', ']']).to_owned();
    let mut key = HeaderValue::from_str(key).map_err(|_| io::Error::other("the key is no value of a header"))?;
    key.set_sensitive(true);
    let request = Request::get(uri.path_and_query().map_or("/", |target| target.as_str()))
        .header(HOST, authority.as_str())
        .header(USER_AGENT, concat!("fusewall/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT_ENCODING, "identity")
        .header("ModSec-key", key)
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;

    let config = tls::client(ca, false).map_err(io::Error::other)?;
    let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
    let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(443))).await?;
    let stream = TlsConnector::from(config).connect(name, stream).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
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
